"""`millpond shadow`: begin, report as text, JSON and a page, accept, end; and the steps of `go-live` that follow."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from assets.delivery.ledger.shadows import (
    ShadowedError,
    active_shadow,
    confirm_off,
    last_shadow,
    require_unshadowed,
)
from assets.delivery.ledger.tables import ensure_ledger
from orchestration.alerts import conditions
from orchestration.authorization import current_user
from orchestration.cli import go_live as command
from orchestration.cli.shadow import facts
from orchestration.configuration.settings import MillpondSettings
from orchestration.connections import open_connections
from orchestration.web.console.parity import parities
from orchestration.web.console.site import Account, Site
from resources.diagnostics import Finding
from resources.failpoints import SHADOW
from tests.orchestration.cli.parity_rows import NOW, compare_once
from tests.orchestration.cli.test_main import run_command
from tests.orchestration.conftest import Home

CUSTOMERS, PROJECTS = "suiteprojects__customers", "suiteprojects__projects"


@pytest.fixture
def compared(home: Home) -> Home:
    """A workflow that was compared once: a row that differs, a difference without a cause, and a record not brought."""
    with home.warehouse.writer() as con:
        compare_once(con, CUSTOMERS)
    return home


def test_evidence_of_one_record_is_given_with_its_id(compared: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """A time is that of one record; and what NetSuite deleted is not called inactive there."""
    with compared.warehouse.writer() as con:
        con.execute(
            "insert into sync_shadow_differences by name select shown.* replace (known.id as source_id,"
            " '(still active)' as field, 'filter' as cause, known.kind as kind,"
            " 'NetSuite changed it at ' || known.id as evidence) from sync_shadow_differences as shown,"
            " (values ('10', 'lifecycle_deleted'), ('9', 'lifecycle_deleted'), ('11', 'lifecycle_inactive'))"
            " as known(id, kind) where shown.source_id = '3'"
        )

    output = run_command(capsys, "shadow", "report", CUSTOMERS)

    text = " ".join(output.out.split())
    assert "2 are active there although our rows deactivate them (deleted): NetSuite ids 9, 10" in text
    assert "evidence: NetSuite id 9: NetSuite changed it at 9" in text
    assert "1 is active there although our rows deactivate it (inactive): NetSuite id 11" in text
    assert "evidence: NetSuite changed it at 11" in text


def test_a_comparison_with_an_earlier_workflow_file_says_so(compared: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """It says nothing of the mapping that is there now, although no difference is without a cause."""
    with compared.warehouse.writer() as con:
        con.execute("update sync_shadow_nights set workflow_version = 'earlier'")
        con.execute("update sync_shadow_differences set is_open = false")

    output = run_command(capsys, "shadow", "report", CUSTOMERS)

    assert output.code == 1
    assert output.lines[0].startswith(
        f"✗ {CUSTOMERS}: compared with another version of the workflow file: `millpond plan {CUSTOMERS}` compares"
    )
    with compared.warehouse.writer() as con:
        con.execute("update sync_shadow_periods set stopped_at = now()")
    assert run_command(capsys, "shadow", "report", CUSTOMERS).code == 0


@pytest.mark.usefixtures("compared")
def test_the_report_names_causes_evidence_and_examples(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """As text, as JSON and as a page, whose values are escaped; code 1 as long as a difference has no cause."""
    output = run_command(capsys, "shadow", "report", CUSTOMERS)
    assert output.code == 1
    assert output.lines[0] == (
        f"✗ {CUSTOMERS}: 9 of 12 records alike; 1 differs by the row `enable`; 1 was never brought by the connector:"
        " NetSuite id 3; 1 differs in `name` without a known cause: NetSuite id 1"
    )
    assert "    evidence: the evidence" in output.lines
    assert "    customers 1, target 900: we Ours <b>, the target Theirs" in output.lines
    assert (
        "    not compared: 3 records held back by us, 4 records of the target without a NetSuite record" in output.lines
    )

    page = tmp_path / "parity.html"
    found = run_command(capsys, "shadow", "report", CUSTOMERS, "--json", "--html", str(page))
    (document,) = json.loads("\n".join(found.lines))["parity"]

    assert (document["is_explained"], document["night"]["alike"], len(document["groups"])) == (False, 9, 3)
    assert "Ours &lt;b&gt;" in page.read_text()
    assert page.stat().st_mode & 0o077 == 0


@pytest.mark.usefixtures("compared")
def test_values_are_left_out_where_personal_data_is_hidden(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ids, fields and causes stay."""
    monkeypatch.setenv("MILLPOND_PERSONAL_DATA", "mask")
    text = "\n".join(run_command(capsys, "shadow", "report").lines)
    assert "Theirs" not in text
    assert "1 differs in `name` without a known cause: NetSuite id 1" in text


def test_a_shadow_begins_and_ends_with_a_name(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """The ledger has who and when; a command that cannot be followed says why."""
    assert run_command(capsys, "shadow", "report").code == 2
    assert run_command(capsys, "shadow", "stop", CUSTOMERS).code == 2
    assert run_command(capsys, "shadow", "start", "custmers").code == 2
    assert run_command(capsys, "shadow", "start", CUSTOMERS, "--interval-h", "0").code == 2
    begun = run_command(
        capsys, "shadow", "start", CUSTOMERS, PROJECTS, "--beside", "Oracle's connector", "--interval-h", "4"
    )
    assert begun.code == 0
    assert len([line for line in begun.lines if "nothing is sent since" in line]) == 2
    assert run_command(capsys, "shadow", "start", CUSTOMERS).code == 2
    not_yet = run_command(capsys, "shadow", "report", CUSTOMERS)
    assert not_yet.code == 1
    assert "not compared yet" in not_yet.lines[0]
    assert run_command(capsys, "shadow", "stop", CUSTOMERS, "--reason", "cut over").code == 0
    with home.warehouse.writer(transaction=False) as con:
        ended, going_on = last_shadow(con, CUSTOMERS), last_shadow(con, PROJECTS)
    assert ended is not None
    assert going_on is not None
    assert (ended.declared_s, ended.started_by, ended.stopped_by, ended.note) == (
        4 * 3600,
        current_user(),
        current_user(),
        "cut over",
    )
    assert going_on.is_active


STARTING = """
import sys
from orchestration.cli.shadow import start
from resources.failpoints import arm
arm(sys.argv[1])
start(sys.argv[2])
"""


@pytest.mark.long
@pytest.mark.parametrize("failpoint", SHADOW)
def test_a_start_that_is_killed_either_began_or_did_not(
    home: Home, capsys: pytest.CaptureFixture[str], failpoint: str
) -> None:
    """Nothing is sent once it is in the ledger, whatever the copy for readers says; else it begins anew."""
    died = subprocess.run([sys.executable, "-c", STARTING, failpoint, CUSTOMERS], env={**os.environ}, check=False)
    assert died.returncode == -signal.SIGKILL

    with home.warehouse.writer() as con:
        ensure_ledger(con)
        begun, periods = active_shadow(con, CUSTOMERS), con.execute("from sync_shadow_periods").fetchall()
        events = con.execute("select event from sync_events").fetchall()
        assert (begun is not None) == (failpoint == "shadow_kept")
        assert (len(periods), events) == ((1, [("shadow_started",)]) if begun else (0, []))
        if begun:
            with pytest.raises(ShadowedError, match="nothing is sent since"):
                require_unshadowed(con, CUSTOMERS)
    again = run_command(capsys, "shadow", "start", CUSTOMERS)
    assert again.code == (2 if begun else 0), again.lines
    assert "is in shadow mode beside" in " ".join(again.lines)
    assert run_command(capsys, "plans").lines[-1].endswith("`millpond shadow report` compares")
    assert run_command(capsys, "shadow", "stop", CUSTOMERS).code == 0


@pytest.mark.usefixtures("compared")
def test_lists_of_plans_and_tables_say_what_is_in_shadow_mode(capsys: pytest.CaptureFixture[str]) -> None:
    """A plan that is ready is not sent, and a table of what was planned is only compared."""
    sentence = f"{CUSTOMERS} is in shadow mode beside Oracle's connector: nothing is sent since"
    for command_line in (("plans",), ("tables",), ("tables", f"mart_{CUSTOMERS}")):
        assert sentence in " ".join(run_command(capsys, *command_line).lines), command_line
    assert sentence not in " ".join(run_command(capsys, "tables", "sync_plans").lines)


def finding(home: Home, check: command.Check) -> Finding:
    """Return what a step of go-live finds about the customers."""
    assert home.folder.exists()
    with open_connections() as connections:
        (found,) = check(connections, [connections.workflow(CUSTOMERS)])
    return found


def test_go_live_wants_every_difference_explained_or_accepted(
    compared: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    """By field or id, with a reason and a name."""
    before = finding(compared, command._parity)
    assert not before.passed
    assert "1 difference without a cause, in name" in before.found
    assert run_command(capsys, "shadow", "accept", CUSTOMERS, "name").code == 2  # no reason
    assert run_command(capsys, "shadow", "accept", CUSTOMERS, "enable", "--reason", "no").code == 2  # it has a cause
    assert run_command(capsys, "shadow", "accept", CUSTOMERS, "name", "--reason", "typed in 2019").code == 0
    accepted = f"1 differs in `name`, accepted by {current_user()}: NetSuite id 1"
    step = finding(compared, command._parity)
    assert step.passed
    assert step.found.endswith(accepted)
    report = run_command(capsys, "shadow", "report", CUSTOMERS)
    assert (report.code, report.lines.count(f"  {accepted}")) == (0, 1)
    assert "without a known cause" not in " ".join(report.lines)


def test_what_two_people_accepted_is_listed_apart_from_what_no_one_did(
    compared: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same field and cause: who accepted which records, and which of them are open; a record may have a cause."""
    with compared.warehouse.writer() as con:
        copies = (
            "insert into sync_shadow_differences by name select * replace (unnest(?) as source_id, unnest(?) as"
            " accepted_by) from sync_shadow_differences where cause = 'unknown'"
        )
        con.execute(copies, [["4", "5", "6"], ["ada", "ada", "bob"]])
        con.execute("update sync_shadow_differences set accepted_by = 'bob' where source_id in ('2', '3')")
    _, *texts = run_command(capsys, "shadow", "report", CUSTOMERS).lines[0].split("; ")
    assert texts == [
        "1 differs by the row `enable`, accepted by bob",
        "1 was never brought by the connector, accepted by bob: NetSuite id 3",
        "1 differs in `name` without a known cause: NetSuite id 1",
        "2 differ in `name`, accepted by ada: NetSuite ids 4, 5",
        "1 differs in `name`, accepted by bob: NetSuite id 6",
    ]
    assert "1 difference without a cause, in name" in finding(compared, command._parity).found


def test_a_comparison_by_another_file_explains_nothing(compared: Home) -> None:
    """A mapping row that was changed since must be compared again."""
    with compared.warehouse.writer() as con:
        con.execute("update sync_shadow_nights set workflow_version = 'earlier'")
    assert "another version" in finding(compared, command._parity).found


def test_go_live_wants_the_other_connector_off(compared: Home) -> None:
    """A person confirms it; then the shadow ends."""
    assert "no one confirmed that Oracle's connector is off" in finding(compared, command._incumbent).found
    with compared.warehouse.writer() as con:
        shadow = last_shadow(con, CUSTOMERS)
        assert shadow is not None
        confirm_off(con, shadow, "ada", NOW)
    assert "shadow mode goes on" in finding(compared, command._incumbent).found
    with compared.warehouse.writer() as con:
        con.execute("update sync_shadow_periods set stopped_at = started_at, stopped_by = 'ada'")
    assert finding(compared, command._incumbent).passed


def test_without_a_shadow_nothing_is_asked_for(home: Home) -> None:
    """An account without another connector goes live as before."""
    with home.warehouse.writer() as con:
        ensure_ledger(con)
    assert finding(home, command._parity).passed
    with open_connections() as connections:
        assert list(command._incumbent(connections, [connections.workflow(CUSTOMERS)])) == []


def test_a_shadowed_workflow_is_not_late(compared: Home) -> None:
    """It delivers nothing, as a person decided; afterwards it may be late again."""
    with compared.warehouse.writer() as con:
        con.execute(
            "insert into sync_runs (run_id, workflow, state, plan_id, started_at, finished_at, position)"
            " values ('r', ?, 'finished', 'p', '2026-11-01', '2026-11-01', 1)",
            [CUSTOMERS],
        )
        shadowed = list(conditions._stale(con, {CUSTOMERS: 24.0}, NOW))
        con.execute("update sync_shadow_periods set stopped_at = started_at")
        assert (shadowed, len(list(conditions._stale(con, {CUSTOMERS: 24.0}, NOW)))) == ([], 1)


def test_the_console_shows_the_same(compared: Home) -> None:
    """The newest comparison of each workflow."""
    account = Account.of(MillpondSettings())
    compared.warehouse.publish()
    (shown,), _ = parities(Site(MillpondSettings()), account)
    assert shown.shadow.workflow == CUSTOMERS
    assert facts(shown)[0].startswith("beside Oracle's connector since 2026-11-20 06:00 UTC by ada")
