"""`millpond doctor` as an operator sees it: lines, marks, exit code; and nothing secret in it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from orchestration.cli.doctor import run_doctor, without_secrets
from orchestration.cli.main import app
from resources.sandbox.netsuite.switches import NetSuiteSwitches
from tests.orchestration.conftest import Home, edited_workflows


def looked() -> tuple[int, list[str]]:
    """Exit code and lines."""
    console = Console(width=400, record=True, quiet=False, file=None)
    with console.capture() as captured:
        code = run_doctor(console)
    return code, captured.get().splitlines()


def crosses(lines: list[str]) -> list[str]:
    """The lines that ask for something to be done."""
    return [line for line in lines if line.startswith("✗")]


def test_a_home_that_is_ready_gets_ticks_only(seeded: Home) -> None:
    """Every system that a workflow needs is looked at."""
    with seeded.warehouse.writer() as con:
        con.execute("create table one (number integer)")

    code, lines = looked()

    assert (code, crosses(lines)) == (0, [])
    assert all(line.startswith("✓ ") for line in lines)
    assert {line.split()[1] for line in lines} == {"millpond:", "netsuite:", "suiteprojects:", "precoro:"}
    assert any(str(seeded.folder) in line for line in lines)
    assert "✓ millpond: warehouse: 1 tables" in lines


def test_one_cross_is_exit_code_one(seeded: Home) -> None:
    """The line says what to do, and the rest is looked at all the same."""
    seeded.sandbox.switches.set("netsuite", NetSuiteSwitches, hidden_tables=["contact"])

    code, lines = looked()

    (cross,) = crosses(lines)
    assert code == 1
    assert "table contact" in cross
    assert "'Contacts'" in cross
    assert lines[-1].startswith("✓ precoro")


def test_a_seal_key_of_another_form_is_named(seeded: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before a run reads for an hour and then cannot keep its plan; the key itself is not printed."""
    assert seeded.folder.exists()
    monkeypatch.setenv("MILLPOND_SEAL_KEY", "pasted with a quote")

    (cross,) = crosses(looked()[1])

    assert cross.startswith("✗ millpond: seal: plans cannot be sealed or opened; MILLPOND_SEAL_KEY must be 32 bytes")
    assert "pasted" not in cross


def test_a_custom_field_that_a_workflow_reads_must_be_there(seeded: Home) -> None:
    """The workflow is named, for the mend may be there."""
    seeded.sandbox.switches.set(
        "netsuite", NetSuiteSwitches, hidden_columns=["customer.custentity_oa_export_to_openair"]
    )

    (cross,) = crosses(looked()[1])

    assert "custentity_oa_export_to_openair (workflow suiteprojects__customers)" in cross


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (lambda text: text.replace("netsuite_customer_id__c", "ns_id__c"), "ns_id__c does not exist"),
        (lambda text: text.replace("active: true", "actve: true"), "workflow file"),
    ],
)
def test_workflow_files_are_looked_at(seeded: Home, tmp_path: Path, edit: Callable[[str], str], expected: str) -> None:
    """A field that is mapped must exist in the target; a file must be readable."""
    assert seeded
    with edited_workflows(tmp_path / "files", suiteprojects__customers=edit):
        code, lines = looked()

    assert code == 1
    assert any(expected in line for line in crosses(lines))


def test_a_precoro_field_that_is_not_there_is_named(seeded: Home, tmp_path: Path) -> None:
    """By the name in the workflow's options."""
    assert seeded

    def edit(text: str) -> str:
        return text.replace("{item_custom_field: Customers/Projects}", "{item_custom_field: Nowhere}")

    with edited_workflows(tmp_path / "files", precoro__options=edit):
        (cross,) = crosses(looked()[1])

    assert "'Nowhere': there is none" in cross


def test_settings_that_cannot_be_used_come_first(seeded: Home) -> None:
    """Nothing else can be looked at before."""
    assert seeded
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NETSUITE_AUTH", "oauth3")
        patch.setenv("PRECORO_SPACING_S", "0.1")
        code, lines = looked()

    assert code == 1
    assert [line.split(": ")[2].split()[0] for line in lines] == ["NETSUITE_AUTH", "PRECORO_SPACING_S"]


def test_without_any_setting_the_live_mode_names_what_to_set(home: Home) -> None:
    """The first thing that a new operator runs."""
    assert home
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MILLPOND_MODE", "live")
        code, lines = looked()

    told = "\n".join(crosses(lines))
    assert code == 1
    assert all(name in told for name in ("NETSUITE_ACCOUNT", "SUITEPROJECTS_KEY", "PRECORO_TOKEN"))


def test_a_key_file_is_looked_at_in_live_mode(home: Home, tmp_path: Path) -> None:
    """Before anything is sent."""
    assert home
    key_file = tmp_path / "key.pem"
    key_file.write_text("no key")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"MILLPOND_MODE": "live", "NETSUITE_PRIVATE_KEY_FILE": str(key_file)}.items():
            patch.setenv(name, value)
        _, lines = looked()

    assert any("key file: it holds no key" in line for line in crosses(lines))


def test_a_pond_that_cannot_be_read_is_told(seeded: Home) -> None:
    """A file that is no DuckDB file, or one that belongs to somebody else."""
    warehouse = seeded.folder / "warehouse"
    warehouse.mkdir()
    (warehouse / "stage.duckdb").write_bytes(b"this is no database" * 1000)

    assert any("millpond: warehouse" in line for line in crosses(looked()[1]))


def test_nothing_secret_is_printed(seeded: Home) -> None:
    """Whatever an error text holds."""
    secrets: dict[str, Any] = seeded.sandbox.credentials
    told = "\n".join(looked()[1])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRECORO_TOKEN", "a-token-of-length")
        line = without_secrets("refused a-token-of-length here")

    assert line == "refused <PRECORO_TOKEN> here"
    values = [str(value) for keys in secrets.values() for value in keys.values()]
    public = {"1234567_SB1", "millpond", "integration", "default", "5144", "integration@example.com"}
    assert not [value for value in values if value not in public and value in told]


def test_the_command_ends_with_the_exit_code(seeded: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """For scripts and for whoever deploys."""
    assert seeded

    with pytest.raises(SystemExit) as ended:
        app(["doctor"])

    assert ended.value.code == 0
    assert "netsuite: sign-in" in capsys.readouterr().out
