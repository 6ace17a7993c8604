"""`millpond sandbox …` as a person or another program calls it."""

import json
import re
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from orchestration.cli.sandbox import _print_served, app
from orchestration.cli.sandbox_folder import form_of, state_folder, switch_values, write_env_file
from orchestration.configuration.known_names import setting_names
from resources.sandbox.listing import SWITCHES
from resources.sandbox.precoro.switches import PrecoroSwitches
from resources.sandbox.sandbox import BASE_URLS, Sandbox
from resources.sandbox.server import connection_details
from resources.sandbox.suiteprojects.switches import SuiteProjectsSwitches


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A folder that does not exist yet."""
    return tmp_path / "state"


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Return the output of a command."""
    capsys.readouterr()
    app(arguments, result_action="return_value")
    return capsys.readouterr().out


def run_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    """Return the JSON output of a command."""
    return json.loads(run(capsys, *arguments, "--json"))


def test_seed_day_and_show_share_a_folder(capsys: pytest.CaptureFixture[str], state: Path) -> None:
    """The commands share nothing else."""
    seeded = run_json(capsys, "seed", "--customers", "60", "--seed", "2", "--state", str(state))
    events = run_json(capsys, "day", "--seed", "5", "--days", "2", "--state", str(state))
    customers = run_json(capsys, "show", "netsuite", "customers", "--state", str(state))
    deleted = run_json(capsys, "show", "netsuite", "deleted", "--state", str(state))

    assert seeded["rows"]["customer"] == 60
    assert {event["kind"] for event in events} >= {"merged", "renamed", "lead_to_prospect"}
    assert {row["searchstage"] for row in customers} == {"Customer"}
    deletions = {"merged", "customer_deleted", "project_deleted", "contact_deleted"}
    assert len(deleted) == sum(event["kind"] in deletions for event in events)


def test_companies_are_read_from_a_file(capsys: pytest.CaptureFixture[str], state: Path, tmp_path: Path) -> None:
    """A CSV with a name column is enough."""
    file = tmp_path / "companies.csv"
    file.write_text("name\n" + "".join(f"Firm {number}\n" for number in range(40)))

    run(capsys, "seed", "--customers", "40", "--companies", str(file), "--state", str(state))

    names = [row["companyname"] or "Firm" for row in Sandbox(state).netsuite.rows("customer")]
    assert all(name.startswith("Firm") for name in names)


def test_records_are_printed_as_tables(capsys: pytest.CaptureFixture[str], state: Path) -> None:
    """Without --json, with a limited number of rows; markup in names is printed as text."""
    Sandbox(state).precoro.add_option("Brackets [bold]Ltd[/bold]")
    run(capsys, "seed", "--customers", "30", "--state", str(state))

    departments = run(capsys, "show", "netsuite", "departments", "--limit", "2", "--state", str(state))
    options = run(capsys, "show", "precoro", "options", "--state", str(state))

    assert "netsuite departments: 2 of 10" in departments
    assert "Sales : Inside Sales" in departments
    assert "Brackets [bold]Ltd[/bold]" in options


@pytest.mark.parametrize(
    ("system", "record_type"),
    [
        ("netsuite", "leads"),
        ("netsuite", "prospects"),
        ("netsuite", "projects"),
        ("netsuite", "contacts"),
        ("suiteprojects", "customers"),
        ("suiteprojects", "hierarchies"),
        ("suiteprojects", "nodes"),
        ("suiteprojects", "projects"),
        ("suiteprojects", "contacts"),
        ("precoro", "options"),
    ],
)
def test_every_record_type_can_be_shown(
    capsys: pytest.CaptureFixture[str], state: Path, system: str, record_type: str
) -> None:
    """An empty system shows an empty list, not an error."""
    assert isinstance(run_json(capsys, "show", system, record_type, "--state", str(state)), list)
    assert f"{system} {record_type}" in run(capsys, "show", system, record_type, "--state", str(state))


def test_switches_are_documented_and_can_be_set(capsys: pytest.CaptureFixture[str], state: Path) -> None:
    """A switch adapts a system to a real account's behavior; values are parsed by the switch's type."""
    settings = ("name_limit=255", "strict_put=true", "created_status=200")

    rows = run_json(capsys, "switches", "precoro", *settings, "--state", str(state))
    hidden = run_json(capsys, "switches", "netsuite", "hidden_tables=job,contact", "--state", str(state))

    printed = run(capsys, "switches", "--state", str(state)).splitlines()
    by_name = {row["name"]: row for row in rows}
    assert "precoro name_limit=255 (default 256)" in printed
    assert "netsuite hidden_tables=job,contact (default )" in printed
    assert max(map(len, printed)) < 400  # a table with the longest value of each column had 983
    assert (by_name["name_limit"]["value"], by_name["name_limit"]["default"]) == (255, 256)
    assert all(row["meaning"] and row["source"] for row in rows + hidden)
    loaded = Sandbox(state).switches.load("precoro", PrecoroSwitches)
    assert (loaded.name_limit, loaded.strict_put, loaded.created_status) == (255, True, 200)
    assert next(row for row in hidden if row["name"] == "hidden_tables")["value"] == ["job", "contact"]


def test_who_sets_a_switch_reads_that_switch(capsys: pytest.CaptureFixture[str], state: Path) -> None:
    """Among all others of the system, a hundred lines, it would not be seen."""
    printed = run(capsys, "switches", "precoro", "name_limit=40", "strict_put=true", "--state", str(state))

    assert {*re.findall(r"^precoro (\w+=\w+)", printed, re.MULTILINE)} == {"name_limit=40", "strict_put=True"}


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("currencies=USD,EUR", ["USD", "EUR"]),  # a list, or none
        ("currencies=none", None),
        ("currencies=", []),
        ("max_commands=5", 5),
        ("max_commands=none", None),
        ('strict_lengths={"Customer.name": 50}', {"Customer.name": 50}),
        ("unknown_errors=1,2", ["1", "2"]),
    ],
)
def test_a_switch_of_several_types_can_be_set(setting: str, value: Any) -> None:
    """Lists were accepted for tuples alone, and `none` for no switch."""
    assert list(switch_values(SuiteProjectsSwitches, (setting,)).values()) == [value]


def test_the_values_of_every_switch_are_described_in_words() -> None:
    """In the error about a wrong one, which had Python's types."""
    for declared in SWITCHES.values():
        for name, kind in get_type_hints(declared).items():
            assert re.fullmatch(r"[^\[|]+", form_of(kind)), name


def test_every_system_lists_its_switches(capsys: pytest.CaptureFixture[str], state: Path) -> None:
    """Without a system, all of them."""
    rows = run_json(capsys, "switches", "--state", str(state))

    assert {row["system"] for row in rows} == {"netsuite", "suiteprojects", "precoro"}


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("show", "netsuite", "foo"), "'foo'"),
        (("switches", "precoro", "nonsense=1"), "no switch 'nonsense'; known are"),
        (("switches", "precoro", "name_limit=many"), "name_limit takes"),
        (("switches", "precoro", "pagination=none"), "pagination takes"),
        (("seed", "--customers", "5", "--companies", "no-such-file.csv"), "no-such-file.csv"),
    ],
)
def test_a_user_error_is_one_line(
    capsys: pytest.CaptureFixture[str], state: Path, arguments: tuple[str, ...], text: str
) -> None:
    """On stderr after the line with the folder, without a traceback, with exit code 2."""
    with pytest.raises(SystemExit) as ended:
        run(capsys, *arguments, "--state", str(state))

    folder, error = capsys.readouterr().err.splitlines()
    assert ended.value.code == 2
    assert folder == f"sandbox: stand-ins in {state}"
    assert text in error


def test_the_default_folder_is_in_millponds_home(tmp_path: Path) -> None:
    """$MILLPOND_HOME, or .millpond in the current folder."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("MILLPOND_HOME", str(tmp_path))
        assert state_folder(None) == tmp_path / "sandbox"
        environment.delenv("MILLPOND_HOME")
        assert state_folder(None) == Path(".millpond/sandbox").absolute()
    assert state_folder(tmp_path / "own") == tmp_path / "own"


def test_the_settings_of_live_mode_are_written_once(state: Path, tmp_path: Path) -> None:
    """Each is a setting that is read; a file that may have the settings of a real account stays."""
    details, file = connection_details(Sandbox(state), BASE_URLS, None), tmp_path / ".env"

    write_env_file(file, details)

    written = dict(line.split("=", 1) for line in file.read_text().splitlines())
    assert written.keys() <= setting_names()
    assert written["MILLPOND_MODE"] == "live"
    assert written["NETSUITE_BASE_URL"] == BASE_URLS["netsuite"]
    assert written["PRECORO_TOKEN"] == details["precoro"]["token"]
    assert file.stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError, match="exists and stays as it is"):
        write_env_file(file, details)


def test_served_systems_are_named_without_their_secrets(capsys: pytest.CaptureFixture[str], state: Path) -> None:
    """On a terminal, where the settings are in the file."""
    details = connection_details(Sandbox(state), BASE_URLS, None)

    _print_served(details, Path(".env"))

    printed = capsys.readouterr().out
    secrets = [value for each in BASE_URLS for name, value in details[each].items() if name != "base_url"]
    assert all(url in printed for url in BASE_URLS.values())
    assert [each for each in secrets if len(str(each)) > 12 and str(each) in printed] == []
    assert ".env has the settings" in printed
