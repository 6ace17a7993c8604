"""`millpond doctor`: lines, marks, exit code, and no secrets."""

from collections.abc import Callable
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest

from orchestration.cli.doctor import doctor, findings
from orchestration.cli.main import app
from orchestration.configuration.secret_settings import redact
from resources.sandbox.faults import Fault, FaultKind
from resources.sandbox.netsuite.switches import NetSuiteSwitches
from resources.warehouse.tables import ensure_table
from sql import statement
from tests.orchestration.conftest import Home, edited_workflows

Doctor = Callable[[], tuple[int, list[str]]]


@pytest.fixture
def run_doctor(capsys: pytest.CaptureFixture[str]) -> Doctor:
    """Run the command; the exit code and the printed lines."""

    def run() -> tuple[int, list[str]]:
        capsys.readouterr()
        code = doctor()
        return code, capsys.readouterr().out.splitlines()

    return run


def failed(lines: list[str]) -> list[str]:
    """Return the lines of failed checks."""
    return [line for line in lines if line.startswith("✗")]


def test_every_check_of_a_ready_home_passes(seeded: Home, run_doctor: Doctor) -> None:
    """Every system that a workflow needs is checked."""
    with seeded.warehouse.writer() as con:
        con.execute("create table one (number integer)")

    code, lines = run_doctor()

    assert (code, failed(lines)) == (0, [])
    assert all(line.startswith("✓ ") for line in lines)
    assert {line.split()[1] for line in lines} == {"millpond:", "netsuite:", "suiteprojects:", "precoro:"}
    assert any(str(seeded.folder) in line for line in lines)
    tables = seeded.warehouse.read("select * from duckdb_tables() where database_name = 'warehouse'").height
    assert f"✓ millpond: warehouse: {tables} tables" in lines


def test_one_failed_check_is_exit_code_one(seeded: Home, run_doctor: Doctor) -> None:
    """The line includes a fix, and the other checks still run."""
    seeded.sandbox.switches.set("netsuite", NetSuiteSwitches, hidden_tables=["contact"])

    code, lines = run_doctor()

    (line,) = failed(lines)
    assert code == 1
    assert "table contact" in line
    assert "'Contacts'" in line
    assert lines[-1].startswith("✓ precoro")


def test_a_system_that_is_down_is_asked_twice(
    seeded: Home, run_doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Someone waits for the answer; a run has more patience."""
    monkeypatch.setenv("MILLPOND_ATTEMPTS", "5")
    seeded.sandbox.faults.plan("netsuite", Fault(FaultKind.NOT_APPLIED_500, pattern="serverTime", times=3))

    assert [line.split(": ")[1] for line in failed(run_doctor()[1])] == ["sign-in"]
    assert run_doctor()[0] == 0  # the third answer is the last of the outage


def test_a_malformed_encryption_key_is_reported(
    seeded: Home, run_doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before a run extracts for an hour and then cannot store its plan; the key itself is not printed."""
    assert seeded.folder.exists()
    monkeypatch.setenv("MILLPOND_ENCRYPTION_KEY", "pasted with a quote")

    (line,) = failed(run_doctor()[1])

    prefix = "✗ millpond: encryption: plans cannot be encrypted or decrypted; MILLPOND_ENCRYPTION_KEY must be 32 bytes"
    assert line.startswith(prefix)
    assert "pasted" not in line


def test_a_missing_custom_field_of_a_workflow_is_reported(seeded: Home, run_doctor: Doctor) -> None:
    """With the workflow, since the fix may be in its file."""
    seeded.sandbox.switches.set(
        "netsuite", NetSuiteSwitches, hidden_columns=["customer.custentity_oa_export_to_openair"]
    )

    (line,) = failed(run_doctor()[1])

    assert "custentity_oa_export_to_openair (workflow suiteprojects__customers)" in line


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (lambda text: text.replace("netsuite_customer_id__c", "ns_id__c"), "ns_id__c does not exist"),
        (lambda text: text.replace("active: true", "actve: true"), "workflow file"),
        (
            lambda text: text.replace("customer_class, on_unmapped: blank, active: false", "customer_class"),
            "(active: false in",
        ),
    ],
)
def test_workflow_files_are_checked(
    seeded: Home, run_doctor: Doctor, tmp_path: Path, edit: Callable[[str], str], expected: str
) -> None:
    """A mapped field must exist in the target, and a file must be valid."""
    assert seeded
    with edited_workflows(tmp_path / "files", suiteprojects__customers=edit):
        code, lines = run_doctor()

    assert code == 1
    assert any(expected in line for line in failed(lines))


def test_a_missing_precoro_field_is_reported(seeded: Home, run_doctor: Doctor, tmp_path: Path) -> None:
    """By the name in the workflow's options."""
    assert seeded

    def edit(text: str) -> str:
        return text.replace("{item_custom_field: Customers/Projects}", "{item_custom_field: Nowhere}")

    with edited_workflows(tmp_path / "files", precoro__options=edit):
        (line,) = failed(run_doctor()[1])

    assert "'Nowhere'" in line


def test_invalid_settings_are_reported_first(seeded: Home, run_doctor: Doctor) -> None:
    """Nothing else can be checked before they are fixed."""
    assert seeded
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NETSUITE_AUTH", "oauth3")
        patch.setenv("PRECORO_SPACING_S", "0.1")
        code, lines = run_doctor()

    assert code == 1
    assert [line.split(": ")[2].split()[0] for line in lines] == ["NETSUITE_AUTH", "PRECORO_SPACING_S"]


def test_live_mode_without_settings_names_what_to_set(home: Home, run_doctor: Doctor) -> None:
    """This is the first command of a new operator."""
    assert home
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MILLPOND_MODE", "live")
        code, lines = run_doctor()

    printed = "\n".join(failed(lines))
    assert code == 1
    assert all(name in printed for name in ("NETSUITE_ACCOUNT", "SUITEPROJECTS_KEY", "PRECORO_TOKEN"))


def test_the_key_file_is_checked_in_live_mode(home: Home, run_doctor: Doctor, tmp_path: Path) -> None:
    """Before any request."""
    assert home
    key_file = tmp_path / "key.pem"
    key_file.write_text("no key")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"MILLPOND_MODE": "live", "NETSUITE_PRIVATE_KEY_FILE": str(key_file)}.items():
            patch.setenv(name, value)
        _, lines = run_doctor()

    assert any("netsuite: key file: " in line for line in failed(lines))


def test_an_unreadable_warehouse_is_reported(seeded: Home, run_doctor: Doctor) -> None:
    """A file that is not a DuckDB file, or that belongs to another user."""
    warehouse = seeded.folder / "warehouse"
    warehouse.mkdir()
    (warehouse / "millpond.duckdb").write_bytes(b"not a database" * 1000)

    assert any("millpond: warehouse" in line for line in failed(run_doctor()[1]))


def test_no_secret_is_printed(seeded: Home, run_doctor: Doctor) -> None:
    """Each secret is replaced by its name, longer ones first; very short values would match ordinary words."""
    secrets: dict[str, Any] = seeded.sandbox.credentials
    printed = "\n".join(run_doctor()[1])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRECORO_TOKEN", "a-token-of-length")
        patch.setenv("NETSUITE_CLIENT_ID", "a-token")
        patch.setenv("MILLPOND_UI_TOKEN", "here")
        patch.setenv("MILLPOND_WEBHOOK_SECRETS", "first-secret, second-secret")
        line = redact("rejected a-token-of-length, a-token and second-secret here")

    assert line == "rejected <PRECORO_TOKEN>, <NETSUITE_CLIENT_ID> and <MILLPOND_WEBHOOK_SECRETS> here"
    values = [str(value) for keys in secrets.values() for value in keys.values()]
    public = {"1234567_SB1", "millpond", "integration", "default", "5144", "integration@example.com"}
    assert not [value for value in values if value not in public and value in printed]


def test_the_command_ends_with_the_exit_code(seeded: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """For deployment scripts."""
    assert seeded

    with pytest.raises(SystemExit) as ended:
        app(["doctor"])

    assert not ended.value.code
    assert "netsuite: sign-in" in capsys.readouterr().out


def test_a_standard_column_that_a_workflow_maps_is_reported(seeded: Home, run_doctor: Doctor) -> None:
    """Without it the field would be cleared in the target; a column that no workflow maps is only mentioned."""
    seeded.sandbox.switches.set("netsuite", NetSuiteSwitches, hidden_columns=["customer.email", "customer.comments"])

    code, lines = run_doctor()

    (line,) = failed(lines)
    assert code == 1
    assert "table customer: missing columns: email (workflow suiteprojects__customers)" in line
    assert any("(without comments)" in each for each in lines)


def test_a_warning_of_the_last_read_is_a_failed_check(seeded: Home, run_doctor: Doctor) -> None:
    """Runs continue without what NetSuite left out, so deployment scripts see it in the exit code."""
    with seeded.warehouse.writer() as con:
        ensure_table(con, statement("ledger", "netsuite_reads"))
        con.execute(
            "insert into netsuite_reads (record_type, read_at, mode, warnings) values"
            " ('customers', now(), 'full', ['column customer.fax does not exist in NetSuite; skipped'])"
        )

    code, lines = run_doctor()

    (line,) = failed(lines)
    assert code == 1
    assert line.startswith(
        "✗ millpond: last read of customers: column customer.fax does not exist in NetSuite; skipped"
    )


def test_a_misspelt_variable_of_the_env_file_is_reported(
    seeded: Home, run_doctor: Doctor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has no effect, so the default applies in silence."""
    assert seeded
    (tmp_path / ".env").write_text("NETSUITE_CONCURENCY=2\n")
    monkeypatch.chdir(tmp_path)

    (line,) = failed(run_doctor()[1])

    assert line == "✗ millpond: .env: NETSUITE_CONCURENCY is not read; did you mean NETSUITE_CONCURRENCY?"


@pytest.mark.parametrize(
    ("secret", "mode", "is_found"), [("t" * 20, 0o644, True), ("t" * 20, 0o600, False), ("", 0o644, False)]
)
def test_an_env_file_with_secrets_that_others_can_read_is_reported(
    home: Home,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    secret: str,
    mode: int,
    is_found: bool,  # noqa: FBT001
) -> None:
    """As for the key file; one that sets no secret may be read."""
    assert home
    file = tmp_path / ".env"
    file.write_text(f"PRECORO_TOKEN={secret}\n")
    file.chmod(mode)
    monkeypatch.setenv("PRECORO_TOKEN", secret)
    monkeypatch.chdir(tmp_path)
    of_settings = takewhile(lambda each: each.check != "workflows", findings())
    problems = [(each.check, each.found, each.fix) for each in of_settings if not each.passed]

    found = (".env", "other users of this machine can access it (mode 644)", f"revoke their access: chmod 600 {file}")
    assert problems == is_found * [found]
