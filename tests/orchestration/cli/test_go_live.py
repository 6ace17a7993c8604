"""`millpond go-live`: each check says what is missing; nothing is switched on before all of them pass."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from dagster._core.scheduler.instigation import InstigatorStatus

from assets.delivery.imports.manual_links import ManualLink, delete_manual_link, save_manual_link
from assets.delivery.ledger.events import Event, Happened, record_event
from assets.delivery.ledger.tables import ensure_ledger
from assets.delivery.spec.switches import Switches
from assets.delivery.spec.workflow import Workflow
from orchestration.cli import go_live as command
from orchestration.configuration.settings import MillpondSettings
from orchestration.connections import Connections, open_connections
from orchestration.dagster_instance import open_instance
from resources.clock import WallClock, utc_now
from resources.diagnostics import Finding
from resources.warehouse.tables import quoted, replace_table
from tests.assets.delivery.builders import actual, desired, mart, target_state
from tests.orchestration.cli.test_main import run_command
from tests.orchestration.conftest import Home, edited_workflows
from tests.orchestration.upgrade.test_instance import switch

CUSTOMERS = "suiteprojects__customers"


@pytest.fixture
def opened(home: Home) -> Iterator[Connections]:
    """The connections of an empty home."""
    assert home.folder.exists()
    with open_connections() as made:
        yield made


def found(check: command.Check, connections: Connections) -> Finding:
    """Return the finding of a check about the customers."""
    (finding,) = check(connections, [connections.workflow(CUSTOMERS)])
    return finding


def test_creates_and_updates_need_a_limit(opened: Connections, tmp_path: Path) -> None:
    """Without a person nothing else would stop a wrong file."""
    missing = found(command._guards, opened)
    limited = "guards:\n    create: {rows: 500}\n    update: {rows: 500}\n"
    with (
        edited_workflows(tmp_path / "w", **{CUSTOMERS: lambda text: text.replace("guards:\n", limited)}),
        open_connections() as connections,
    ):
        present = found(command._guards, connections)

    assert (missing.passed, present.passed) == (False, True)
    assert "create and update have no limit" in missing.found
    assert not next(command._guards(opened, [])).passed


@pytest.mark.parametrize(
    ("state", "note", "text"),
    [
        ("sent", None, "plan p was approved by ada, and sent"),
        ("partial", "a part of it was approved", "a part of plan p was approved by ada, and sent"),
    ],
)
def test_a_first_plan_says_how_much_of_it_was_approved(
    opened: Connections, state: str, note: str | None, text: str
) -> None:
    """A part of a plan was seen by a person as well."""
    with opened.warehouse.writer() as con:
        ensure_ledger(con)
        con.execute(
            "insert into sync_plans by name select 'p' as plan_id, ? as workflow, 'sync' as kind, ? as state,"
            " ? as note, 'ada' as decided_by, 'run' as sent_by, 1 as position, ? as workflow_version",
            [CUSTOMERS, state, note, opened.workflow(CUSTOMERS).spec.version],
        )

    assert found(command._reviewed, opened) == Finding(CUSTOMERS, "first plan", text)


def test_a_record_that_may_exist_must_not_be_created_again(opened: Connections) -> None:
    """Before the first plan nothing is known; afterwards the doubtful ones are counted."""
    assert "never planned" in found(command._matched, opened).found
    with opened.warehouse.writer() as con:
        ensure_ledger(con)
        workflow = opened.workflow(CUSTOMERS)
        rows = [desired("1", name="Acme"), desired("2", name="Other")]
        replace_table(con, workflow.mart, mart(*rows))
        replace_table(con, workflow.target_state, target_state(actual("900", None, name="ACME")))
        con.execute(
            f"create table {workflow.plan} as select source, source_id, 'create' as action, 'new' as reason,"
            f" null::varchar as target_id, null::varchar as matched_by, 'p' as plan_id from {workflow.mart}"
        )
        con.execute(
            "insert into sync_plans by name select 'p' as plan_id, ? as workflow, 'sync' as kind, 1 as position,"
            " ? as workflow_version",
            [CUSTOMERS, workflow.spec.version],
        )
    doubtful = found(command._matched, opened)
    with opened.warehouse.writer() as con:
        now = utc_now(WallClock())
        save_manual_link(con, ManualLink(CUSTOMERS, "customers", "1", None, "ada", now))
    decided = found(command._matched, opened)
    with opened.warehouse.writer() as con:
        delete_manual_link(con, CUSTOMERS, "customers", "1", "ada", now)
        con.execute(
            "insert into sync_links by name select ? as workflow, 'customers' as source, '1' as source_id,"
            " '900' as target_id",
            [CUSTOMERS],
        )
    created = found(command._matched, opened)
    with opened.warehouse.writer() as con:
        con.execute("delete from sync_links")
    with opened.warehouse.writer() as con:
        con.execute(f"update {workflow.target_state} set name = 'Nothing alike'")

    assert decided.passed  # a person said that it is another one
    assert created.passed  # it is the one that a run has created since
    assert "1 record would be created" in doubtful.found
    assert f"millpond match {CUSTOMERS}" in doubtful.fix
    assert found(command._matched, opened).passed


@pytest.mark.parametrize(
    ("state", "decided_by", "sent_by", "passed"),
    [("sent", "ada", "run", True), ("sent", None, "run", False), ("rejected", "ada", None, False)],
)
def test_a_person_has_seen_the_first_plan(
    opened: Connections, state: str, decided_by: str | None, sent_by: str | None, *, passed: bool
) -> None:
    """One that a run sent by itself, or that was rejected, does not count."""
    assert not found(command._reviewed, opened).passed
    with opened.warehouse.writer() as con:
        ensure_ledger(con)
        con.execute(
            "insert into sync_plans by name select 'p' as plan_id, ? as workflow, 'sync' as kind, ? as state,"
            " ? as decided_by, ? as sent_by, 1 as position, ? as workflow_version",
            [CUSTOMERS, state, decided_by, sent_by, opened.workflow(CUSTOMERS).spec.version],
        )

    assert found(command._reviewed, opened).passed == passed


def test_a_first_plan_in_which_records_had_to_wait_shows_a_person_nothing_of_them(opened: Connections) -> None:
    """Approved before what it needs has run, it would let the schedule send what no one saw."""
    with opened.warehouse.writer() as con:
        ensure_ledger(con)
        plan = quoted(f"plan_{CUSTOMERS}")
        con.execute(
            "insert into sync_plans by name select 'p' as plan_id, ? as workflow, 'sync' as kind, 'sent' as state,"
            " 'ada' as decided_by, 'run' as sent_by, 1 as position, ? as workflow_version",
            [CUSTOMERS, opened.workflow(CUSTOMERS).spec.version],
        )
        con.execute(f"create table {plan} as select 'p' as plan_id, 'not_read' as reason_code")
    waited = found(command._reviewed, opened)
    with opened.warehouse.writer() as con:
        con.execute(f"update {plan} set reason_code = 'new'")

    assert not waited.passed
    assert "1 record had to wait" in waited.found
    assert found(command._reviewed, opened).passed


@pytest.mark.parametrize(
    ("event", "version", "text"),
    [
        (None, "other", "the workflow file has changed since"),
        (Happened.REBOUND, None, "before the workflow got another account"),
        (Happened.SHADOW_STARTED, None, "was compared with another connector"),
    ],
)
def test_a_plan_of_another_file_or_account_is_no_evidence(
    opened: Connections, event: Happened | None, version: str | None, text: str
) -> None:
    """The schedule would send something else than a person approved."""
    workflow = opened.workflow(CUSTOMERS)
    with opened.warehouse.writer() as con:
        ensure_ledger(con)
        con.execute(
            "insert into sync_plans by name select 'p' as plan_id, ? as workflow, 'sync' as kind, 'sent' as state,"
            " 'ada' as decided_by, 'run' as sent_by, 1 as position, ? as workflow_version",
            [CUSTOMERS, version or workflow.spec.version],
        )
        replace_table(con, workflow.mart, mart(desired("1", name="Acme")))
        replace_table(con, workflow.target_state, target_state())
        con.execute(
            f"create table {workflow.plan} as select source, source_id, 'create' as action, 'new' as reason,"
            " null::varchar as target_id, null::varchar as matched_by, 'p' as plan_id, 'new' as reason_code"
            f" from {workflow.mart}"
        )
        if event:
            record_event(con, Event(event=event, at=utc_now(WallClock()), workflow=CUSTOMERS, by="ada"))

    reviewed, matched = found(command._reviewed, opened), found(command._matched, opened)

    assert not reviewed.passed
    assert text in reviewed.found
    assert matched.passed == (event is Happened.SHADOW_STARTED)  # its plans compare


def test_a_workflow_that_a_person_switched_on_is_checked_as_well(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its file says `active: false`, and the group's job sends it all the same."""
    checked: list[str] = []

    def note_names(_connections: Connections, workflows: Sequence[Workflow]) -> Iterator[Finding]:
        checked.extend(each.name for each in workflows)
        return iter(())

    monkeypatch.setattr(command, "CHECKS", [note_names])
    Switches(home.warehouse.folder).override(CUSTOMERS, active=True, reason="", decided_by="ada")
    with edited_workflows(tmp_path / "w", **{CUSTOMERS: lambda text: text.replace("active: true", "active: false", 1)}):
        run_command(capsys, "go-live", "customers", "--check")

    assert CUSTOMERS in checked


def test_a_schedule_that_was_stopped_in_dagsters_pages_is_named(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file says `on: true`, and Dagster's own state counts more."""
    monkeypatch.setattr(command, "CHECKS", [])
    monkeypatch.setenv("DAGSTER_HOME", "")
    assert home.folder.exists()
    with edited_workflows(tmp_path / "w"):
        with open_instance(MillpondSettings()) as instance:
            switch(instance, "customers_schedule", InstigatorStatus.STOPPED)
            switch(instance, "maintenance_schedule", InstigatorStatus.RUNNING)
        done = run_command(capsys, "go-live", "customers")
        again = run_command(capsys, "go-live", "customers")

    assert (done.code, again.code) == (1, 1)
    for each in (done, again):
        assert each.lines[-1] == "✗ customers_schedule was stopped in Dagster's pages, and stays so: start it there"


@pytest.mark.parametrize("is_ready", [False, True])
def test_nothing_is_switched_on_before_every_check_passes(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *, is_ready: bool
) -> None:
    """With the fix of what is missing; `--check` changes nothing at all."""
    finding = Finding("millpond", "test", "ready" if is_ready else "not ready", "" if is_ready else "do this first")
    monkeypatch.setattr(command, "CHECKS", [lambda *_: iter([finding])])
    assert home.folder.exists()
    with edited_workflows(tmp_path / "w") as workflows:
        file = workflows / "groups.yaml"
        before = file.read_text()
        checked = run_command(capsys, "go-live", "--check")
        assert (checked.code, file.read_text()) == (0 if is_ready else 1, before)
        done = run_command(capsys, "go-live", "customers")
        after = file.read_text()
        unknown = run_command(capsys, "go-live", "nothing")

    assert done.code == (0 if is_ready else 1)
    assert (after != before) == is_ready
    assert ("customers_schedule is on" in "\n".join(done.lines)) == is_ready
    assert unknown.code == 2
    assert run_command(capsys, "go-live").code == 2
