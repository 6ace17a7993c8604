"""Several Precoro companies, each with its own file, key and options."""

from collections.abc import Iterator
from pathlib import Path
from shutil import copytree
from typing import Any

import dagster as dg
import pytest

from orchestration.cli.doctor import findings
from orchestration.cli.validate import validate
from orchestration.configuration.secret_settings import secret_variables
from orchestration.configuration.settings import MillpondSettings
from orchestration.resource_wiring import precoro_resource, resources
from orchestration.workflow_files import load_workflows
from resources.sandbox.sandbox import Sandbox
from tests.orchestration.conftest import Home, at_home, edited_workflows

UK = "precoro_uk__options"
HOME_SUBSIDIARY, UK_SUBSIDIARY = "2", "3"


def with_second_company(folder: Path) -> Path:
    """Add a copy of the first file for another subsidiary and connection."""
    text = (folder / "precoro__options" / "defs.yaml").read_text()
    text = text.replace("subsidiary: 2", f"subsidiary: {UK_SUBSIDIARY}")
    text = text.replace("target: precoro.Option", "target: precoro.Option\n  connection: uk")
    (folder / UK).mkdir()
    (folder / UK / "defs.yaml").write_text(text)
    return folder


@pytest.fixture(scope="module")
def both(seeded_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home after runs of both companies' workflows."""
    folder = tmp_path_factory.mktemp("companies")
    copytree(seeded_home, folder / "home")
    with at_home(folder / "home") as home, edited_workflows(folder / "workflows", None) as files:
        with_second_company(files)
        assert home.run("precoro__options").success
        before = home.sandbox.precoro.options()
        assert home.run(UK).success
        assert home.sandbox.precoro.options() == before
        yield home


def of_company(sandbox: Sandbox, field_id: int) -> set[str]:
    """Return the NetSuite ids of a company's options."""
    return {row["external_id"] for row in sandbox.precoro.options(field_id) if row["external_id"]}


def members(sandbox: Sandbox, subsidiary: str) -> set[str]:
    """Return the customers and projects of a subsidiary."""
    relations = sandbox.netsuite.rows("customersubsidiaryrelationship")
    customers = {str(row["entity"]) for row in relations if str(row["subsidiary"]) == subsidiary}
    return customers | {str(row["id"]) for row in sandbox.netsuite.rows("job") if str(row["customer"]) in customers}


@pytest.mark.long
def test_each_company_gets_only_its_own_records(both: Home) -> None:
    """F03: one file per company and subsidiary."""
    uk = both.sandbox.precoro.company("uk")["item_custom_field_id"]
    first, second = of_company(both.sandbox, 5144), of_company(both.sandbox, uk)

    assert len(first) > 5
    assert len(second) > 5
    assert first <= members(both.sandbox, HOME_SUBSIDIARY)
    assert second <= members(both.sandbox, UK_SUBSIDIARY)


@pytest.mark.long
def test_each_company_is_called_with_its_own_key(both: Home) -> None:
    """And has its own quota."""
    uk = both.sandbox.precoro.company("uk")["item_custom_field_id"]
    paths: dict[int, set[str]] = {}
    for call in both.sandbox.precoro.call_log():
        if call["method"] == "POST":
            paths.setdefault(call["company_id"], set()).add(call["path"])

    assert list(paths.values()) == [{"/itemcustomfields/5144/options"}, {f"/itemcustomfields/{uk}/options"}]


@pytest.mark.long
def test_nothing_is_written_to_netsuite(both: Home) -> None:
    """F24, F26: only queries are posted."""
    calls = both.sandbox.netsuite.call_log()

    assert len(calls) > 10
    assert {(call["method"], call["path"]) for call in calls if call["method"] != "GET"} <= {
        ("POST", "/services/rest/query/v1/suiteql"),
        ("POST", "/services/rest/auth/oauth2/v1/token"),
    }


@pytest.mark.usefixtures("home")
def test_a_connection_reads_its_own_settings_and_secrets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """PRECORO_UK_TOKEN beside PRECORO_TOKEN; an unset setting has its default, not the first company's value."""
    for name, value in {
        "MILLPOND_MODE": "live", "PRECORO_TOKEN": "first", "PRECORO_EMAIL": "a@example.com", "PRECORO_REGION": "us",
        "PRECORO_UK_TOKEN": "second-secret", "PRECORO_UK_EMAIL": "b@example.com",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    with edited_workflows(tmp_path / "workflows", None) as files:
        workflows, broken = load_workflows(with_second_company(files))
    made: dict[str, Any] = resources(MillpondSettings(), workflows)

    assert not broken
    first, second = made["precoro"], made["precoro_uk"]
    assert (first.email, first.region) == ("a@example.com", "us")
    assert (second.email, second.region) == ("b@example.com", "com")
    assert "second-secret" not in repr(second)
    assert (first.token.env_var_name, second.token.env_var_name) == ("PRECORO_TOKEN", "PRECORO_UK_TOKEN")
    assert "PRECORO_UK_TOKEN" in secret_variables()


def test_a_missing_token_of_a_connection_is_named(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """There are several tokens."""
    monkeypatch.setenv("MILLPOND_MODE", "live")
    settings = MillpondSettings()

    with (
        dg.build_resources({"precoro": precoro_resource(settings, "uk")}) as built,
        pytest.raises(Exception, match="PRECORO_UK_TOKEN"),
    ):
        built.precoro.check()
    assert home


@pytest.mark.long
def test_the_doctor_checks_every_company(both: Home) -> None:
    """Two sign-ins, two fields."""
    found = [each for each in findings() if each.system == "precoro" and each.check == "sign-in"]

    assert len(found) == 2
    assert both


@pytest.mark.parametrize(
    ("workflow", "line", "message"),
    [
        ("suiteprojects__customers", "connection: uk", "suiteprojects has a single account"),
        ("precoro__options", "max_level: 6", "precoro has at most 5 levels"),
        ("precoro__options", "imports: {label: nickname}", "imports.label: no active row maps nickname"),
    ],
)
def test_an_unsupported_setting_is_reported_with_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], workflow: str, line: str, message: str
) -> None:
    """By validation, before any run."""
    key = line.partition(":")[0]

    def edit(text: str) -> str:
        kept = [each for each in text.splitlines() if not each.strip().startswith(f"{key}:")]
        place = next(number for number, each in enumerate(kept) if "target:" in each)
        return "\n".join([*kept[: place + 1], f"  {line}", *kept[place + 1 :]])

    with edited_workflows(tmp_path / "workflows", None, **{workflow: edit}) as folder:
        code = validate(folder)

    assert code == 1
    assert message in capsys.readouterr().out
