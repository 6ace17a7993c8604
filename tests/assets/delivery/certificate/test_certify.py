"""A certificate claims only what was read by value, decided and read back; it goes back with its evidence."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from shutil import copytree
from typing import Any

import polars as pl
import pytest

from assets.delivery.certificate.certify import certify_run
from assets.delivery.ledger.certificates import COMPUTED, LOST, VOID
from assets.delivery.ledger.rebind import forget_account
from assets.delivery.ledger.restores import record_restore
from assets.delivery.mart.current_state import read_target_state
from assets.precoro.target import OptionTarget
from assets.warehouse.retention import prune
from resources.errors import IntegrationError
from resources.precoro.connect import open_precoro
from resources.sandbox.faults import Fault, FaultKind
from resources.sandbox.precoro.switches import PrecoroSwitches
from resources.sandbox.sandbox import Sandbox
from resources.warehouse.warehouse import Warehouse
from tests.assets.delivery.builders import customer, one_source, option_tree, project
from tests.assets.delivery.certificate.readings import CREATED, OVERLAP_S, newest, read
from tests.assets.delivery.run_workflow import WorkflowRunner

DAY, LATER = datetime(2026, 11, 17, 6, 0), datetime(2026, 11, 18, 6, 0)  # noqa: DTZ001 - as the warehouse's times
OVERLAP = timedelta(seconds=OVERLAP_S)
BEFORE_CREATION = CREATED - timedelta(seconds=1)
ONE, TWO = customer("1"), customer("2")
RENAMED = customer("1", company_name="Renamed")


@pytest.fixture(scope="module")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which two customers were delivered and read back: verified through DAY."""
    folder = tmp_path_factory.mktemp("certified") / "home"
    with opened(folder) as runner:
        read(runner, DAY, ONE, TWO)
        run(runner)
        assert newest(runner).verified_through == BEFORE_CREATION, "what was only sent is not verified"
        assert (newest(runner).pending, newest(runner).reason) == (2, "customers 1 is pending (create)")
        run(runner)
    return folder


@contextmanager
def opened(folder: Path) -> Iterator[WorkflowRunner]:
    """Open the workflow of a folder."""
    sandbox = Sandbox(folder / "sandbox")
    with open_precoro(sandbox=sandbox.folder) as client:
        target = OptionTarget(client, 5144)
        yield WorkflowRunner(Warehouse(folder / "warehouse"), target, sandbox.clock, one_source(), runs=count(10))


@pytest.fixture
def flow(delivered: Path, tmp_path: Path) -> Iterator[WorkflowRunner]:
    """A copy of the delivered workflow."""
    copytree(delivered, tmp_path / "home")
    with opened(tmp_path / "home") as runner:
        yield runner


@pytest.fixture
def sandbox(flow: WorkflowRunner) -> Sandbox:
    """Its sandbox."""
    return Sandbox(flow.warehouse.folder.parent / "sandbox")


def run(runner: WorkflowRunner) -> None:
    """Make a whole run; the target reuses a listing for a minute."""
    runner.clock.sleep(3600)
    run_id = f"run {next(runner.runs)}"
    runner.plan(run_id)
    certify_run(runner.context(run_id))
    runner.send(run_id)


def edit(runner: WorkflowRunner, sandbox: Sandbox, key: str, **changes: object) -> None:
    """Edit an option in the target."""
    sandbox.precoro.edit_option(option_id(runner, key), **changes)


def option_id(runner: WorkflowRunner, key: str) -> int:
    """Return the id of a customer's option."""
    ids = dict(runner.table("target_flow").select("external_id", "target_id").rows())
    return int(ids[key])


def test_what_was_read_back_is_verified_as_of_its_reading(flow: WorkflowRunner) -> None:
    """Less the overlap: NetSuite may show a change that late."""
    found = newest(flow)

    assert (found.state, found.verified_through, found.verified) == (COMPUTED, DAY - OVERLAP, 2)


@pytest.mark.long
def test_a_pending_change_holds_the_time_and_the_next_run_advances_it(flow: WorkflowRunner) -> None:
    """The change came after the time that the certificate had."""
    read(flow, LATER, RENAMED, TWO)
    run(flow)
    pending = newest(flow)
    run(flow)

    assert (pending.verified_through, pending.source_through, pending.pending) == (DAY - OVERLAP, LATER - OVERLAP, 1)
    assert newest(flow).verified_through == LATER - OVERLAP


@pytest.mark.long
@pytest.mark.parametrize("change", ["is_inactive", "is_deleted"])
def test_a_record_that_is_still_to_be_deactivated_is_pending(flow: WorkflowRunner, change: str) -> None:
    """Its mapped values are those that were confirmed; the target's record is active all the same."""
    read(flow, LATER, {**ONE, change: True}, TWO)
    run(flow)
    pending = newest(flow)
    run(flow)

    assert (pending.verified_through, pending.pending) == (DAY - OVERLAP, 1)
    assert newest(flow).verified_through == LATER - OVERLAP


def test_what_a_person_left_out_of_a_plan_is_pending(flow: WorkflowRunner) -> None:
    """One of two changes was approved; the target has what was last confirmed of the other."""
    read(flow, LATER, RENAMED, customer("2", company_name="Left out"))
    flow.apply(flow.plan("planned").plan_id, "applied", "record=1")
    flow.clock.sleep(3600)
    read_target_state(flow.context("night"))
    certify_run(flow.context("night"))

    found = newest(flow)
    assert (found.wrong, found.pending, found.verified) == (0, 1, 1)
    assert found.reason == "customers 2 is pending (update)"


TOO_LONG = customer("2", company_name="x" * 257)
Row = Mapping[str, Any]


@pytest.mark.long
@pytest.mark.parametrize(
    ("earlier", "two", "edits", "counts"),
    [
        (TWO, TOO_LONG, {}, (1, 1, 0)),
        (TWO, TOO_LONG, {"name": "Edited"}, (1, 1, 0)),
        (TOO_LONG, TWO, {"name": "Edited"}, (1, 0, 1)),
    ],
)
def test_a_plan_that_waited_decides_also_what_it_did_not_send(
    flow: WorkflowRunner, sandbox: Sandbox, earlier: Row, two: Row, edits: Row, counts: tuple[int, int, int]
) -> None:
    """The ledger has an older decision of that record: it neither makes it wrong nor holds back that it was edited."""
    flow.spec = one_source(guards={"update": {"rows": 0}})
    read(flow, LATER, ONE, earlier)
    run(flow)
    read(flow, LATER, RENAMED, two)
    flow.apply(flow.plan("planned").plan_id, "applied")
    edit(flow, sandbox, "2", **edits)
    flow.clock.sleep(3600)
    read_target_state(flow.context("night"))
    certify_run(flow.context("night"))

    assert (newest(flow).verified, newest(flow).held, newest(flow).wrong) == counts


@pytest.mark.long
def test_what_was_left_out_is_pending_also_if_sending_the_part_stopped(flow: WorkflowRunner, sandbox: Sandbox) -> None:
    """The plan's note says why it stopped; what was left out was not decided all the same."""
    read(flow, LATER, RENAMED, customer("2", company_name="Left out"))
    sandbox.faults.plan("precoro", Fault(FaultKind.REFUSED_401, method="PUT", times=20))
    assert flow.apply(flow.plan("planned").plan_id, "applied", "record=1").stop
    flow.clock.sleep(3600)
    read_target_state(flow.context("night"))
    certify_run(flow.context("night"))

    assert (newest(flow).wrong, newest(flow).pending) == (0, 2)


def test_an_undo_that_was_only_planned_is_no_decision(flow: WorkflowRunner) -> None:
    """Nothing was taken back; what was planned and sent before is still known."""
    flow.undo("run 10")
    flow.clock.sleep(3600)
    read_target_state(flow.context("night"))
    certify_run(flow.context("night"))

    assert (newest(flow).verified, newest(flow).pending) == (2, 0)


@pytest.mark.long
def test_a_new_record_bounds_the_time_by_its_creation(flow: WorkflowRunner) -> None:
    """It was in no certificate; NetSuite says when it was created."""
    read(flow, LATER, ONE, TWO, customer("3"))
    run(flow)

    assert newest(flow).verified_through == BEFORE_CREATION


@pytest.mark.long
def test_rows_whose_ids_were_not_listed_since_bound_the_time(flow: WorkflowRunner) -> None:
    """A record that appeared without a date is found when all ids are compared."""
    read(flow, LATER, ONE, TWO, listed=False)
    run(flow)

    assert newest(flow).verified_through == DAY - OVERLAP
    assert "all ids were last listed" in newest(flow).reason


@pytest.mark.parametrize("change", [{"name": "Edited"}, pytest.param({"enable": 0}, marks=pytest.mark.long)])
def test_an_edit_in_the_target_sets_it_back(flow: WorkflowRunner, sandbox: Sandbox, change: dict[str, object]) -> None:
    """The record is as it should be at no time; restored and read back, it is verified again."""
    edit(flow, sandbox, "1", **change)
    run(flow)
    edited = newest(flow)
    run(flow)

    assert (edited.verified_through, edited.wrong) == (BEFORE_CREATION, 1)
    assert edited.verified_before == DAY - OVERLAP
    assert newest(flow).verified_through == DAY - OVERLAP


@pytest.mark.long
def test_a_record_that_lost_its_key_by_an_edit_is_wrong_though_a_decision_holds_it(
    flow: WorkflowRunner, sandbox: Sandbox
) -> None:
    """The decision waits for a person because of the edit; NetSuite's record is fine."""
    edit(flow, sandbox, "1", external_id="9")
    run(flow)

    assert (newest(flow).verified_through, newest(flow).wrong) == (BEFORE_CREATION, 1)


@pytest.mark.long
def test_an_edit_of_a_record_with_a_pending_change_sets_it_back(flow: WorkflowRunner, sandbox: Sandbox) -> None:
    """The target no longer has the values that were verified."""
    edit(flow, sandbox, "1", name="Edited")
    read(flow, LATER, RENAMED, TWO)
    run(flow)

    assert newest(flow).verified_through == BEFORE_CREATION


@pytest.mark.long
def test_a_target_that_cannot_be_read_proves_nothing_until_it_can(flow: WorkflowRunner, sandbox: Sandbox) -> None:
    """The verified times are kept: one reading is enough."""
    sandbox.faults.plan("precoro", Fault("not_applied_500", times=99))
    with pytest.raises(IntegrationError):
        run(flow)
    lost = newest(flow)
    sandbox.faults.clear()
    run(flow)

    assert (lost.state, lost.verified_through) == (LOST, None)
    assert newest(flow).verified_through == DAY - OVERLAP


def test_after_a_restore_nothing_is_proven(flow: WorkflowRunner) -> None:
    """The ledger does not know what runs sent after the backup; its certificates may have been of other values."""
    with flow.warehouse.writer() as con:
        record_restore(con, "restore", LATER, DAY, "former")

    found = newest(flow)

    assert (found.state, found.verified_through, found.verified_before) == (VOID, None, DAY - OVERLAP)
    assert found.reason.startswith("the warehouse was restored on 2026-11-18 06:00 UTC from a backup of")
    with flow.warehouse.writer(transaction=False) as con:
        assert con.execute("select count(*) from sync_unverified").fetchall() == [(0,)]


def test_another_account_voids_the_certificate(flow: WorkflowRunner) -> None:
    """It was about other records."""
    with flow.warehouse.writer() as con:
        forget_account(con, flow.workflow, LATER, "rebind")

    assert (newest(flow).state, newest(flow).verified_through) == (VOID, None)


@pytest.mark.long
def test_a_record_that_netsuite_does_not_show_holds_the_time(flow: WorkflowRunner) -> None:
    """It may change unseen; so may whatever depends on it."""
    read(flow, LATER, ONE, {**TWO, "is_missing": True}, shown=("1",))
    run(flow)
    held = newest(flow)
    read(flow, LATER + timedelta(days=1), ONE, TWO)
    run(flow)

    assert (held.verified_through, held.pending) == (DAY - OVERLAP, 1)
    assert held.reason == "customers 2 is absent (missing_without_note)"
    assert newest(flow).verified_through == LATER + timedelta(days=1) - OVERLAP


@pytest.mark.parametrize(
    "change",
    [{"name": "Edited"}, pytest.param({"enable": 0}, marks=pytest.mark.long), pytest.param({}, marks=pytest.mark.long)],
    ids=["renamed", "disabled", "removed"],
)
def test_an_edit_of_a_record_that_netsuite_does_not_show_sets_it_back(
    flow: WorkflowRunner, sandbox: Sandbox, change: dict[str, object]
) -> None:
    """The target no longer has what was verified, whatever NetSuite's record is by now."""
    if change:
        edit(flow, sandbox, "2", **change)
    else:
        sandbox.precoro.remove_option(option_id(flow, "2"))
    read(flow, LATER, ONE, {**TWO, "is_missing": True}, shown=("1",))
    run(flow)

    assert newest(flow).verified_through == BEFORE_CREATION
    assert newest(flow).reason == f"customers 2 is absent ({'edited' if change else 'missing'}_in_target)"


@pytest.mark.long
@pytest.mark.parametrize(
    ("last", "reason"), [({"is_inactive": True}, "inactive"), ({"company_name": None}, "required_blank")]
)
def test_a_record_that_netsuite_does_not_show_holds_the_time_whatever_it_was_last(
    flow: WorkflowRunner, last: dict[str, object], reason: str
) -> None:
    """Inactive when it was seen last, it may be active by now, and due in the target."""
    read(flow, LATER, ONE, {**TWO, **last})
    run(flow)
    run(flow)
    assert newest(flow).verified_through == LATER - OVERLAP
    read(flow, LATER + timedelta(days=1), ONE, {**TWO, **last, "is_missing": True}, shown=("1",))
    run(flow)
    decided = flow.table("sync_decisions").filter(pl.col("to_run").is_null(), pl.col("source_id") == "2")

    assert decided["reason_code"].to_list() in ([reason], ["missing_without_note"])
    assert newest(flow).verified_through is not None
    assert newest(flow).verified_through <= LATER - OVERLAP
    assert newest(flow).reason == "customers 2 is absent (missing_without_note)"


@pytest.mark.long
def test_a_held_record_is_named_and_does_not_hold_the_others(flow: WorkflowRunner) -> None:
    """Its decision says why; one bad record does not stop the rest."""
    read(flow, LATER, customer("1", company_name=None), TWO)
    run(flow)
    found = newest(flow)

    assert (found.verified_through, found.held) == (LATER - OVERLAP, 1)
    assert '"what": "held"' in found.exceptions
    read(flow, LATER + timedelta(days=1), RENAMED, TWO)
    run(flow)
    assert newest(flow).verified_through == BEFORE_CREATION, "its held change counts as soon as it is due"


def test_a_held_record_that_was_edited_in_the_target_is_held(flow: WorkflowRunner, sandbox: Sandbox) -> None:
    """It is named, as one that was not edited is; no earlier time is proven by calling it wrong."""
    read(flow, LATER, customer("1", company_name="x" * 257), TWO)
    edit(flow, sandbox, "1", name="Edited")
    run(flow)

    assert (newest(flow).verified_through, newest(flow).held, newest(flow).wrong) == (LATER - OVERLAP, 1, 0)


@pytest.mark.long
def test_a_record_that_a_person_moved_from_the_top_is_wrong(flow: WorkflowRunner, sandbox: Sandbox) -> None:
    """As one that was moved to another parent: its plan waits, but the target no longer has what was confirmed."""
    sandbox.switches.set("precoro", PrecoroSwitches, parent_in_responses=True)
    below = option_tree().records[1].model_dump(exclude_unset=True)
    nested = {"parent": {"projects": "parent_project_id"}, "parent_required": False}
    flow.spec = option_tree(records=[below | nested])
    for _ in range(2):
        read(flow, DAY, ONE, below=(project("100"), project("101")))
        run(flow)
    ids = dict(flow.table("target_flow").select("external_id", "target_id").rows())
    edit(flow, sandbox, "101", parent_id=int(ids["100"]))
    run(flow)

    assert (newest(flow).wrong, newest(flow).pending) == (1, 0)


@pytest.mark.long
def test_another_workflow_file_starts_anew_for_what_it_changes(flow: WorkflowRunner) -> None:
    """The former file's evidence says nothing about this one."""
    fields = [
        {"field": "externalId", "from": "customer_id", "locked": True},
        {"field": "name", "from": "entity_number"},
    ]
    flow.spec = one_source(fields=fields)
    read(flow, LATER, ONE, TWO)
    run(flow)
    changed = newest(flow)
    run(flow)

    assert (changed.verified_through, changed.pending) == (BEFORE_CREATION, 2)
    assert newest(flow).verified_through == LATER - OVERLAP


@pytest.mark.long
def test_rows_that_were_read_after_the_mart_was_made_are_not_certified(flow: WorkflowRunner) -> None:
    """Another process read newer values; the next run has them in its mart."""
    before = newest(flow)
    with flow.warehouse.writer() as con:
        con.execute("alter table raw_netsuite__customers add column _extracted_at timestamp")
        con.execute("update raw_netsuite__customers set _extracted_at = ?", [LATER])
        con.execute(
            "create table stg_builds (staging_table varchar, raw_table varchar, through timestamp, statement_hash"
            " varchar)"
        )
    run(flow)

    assert newest(flow) == before


def test_retention_keeps_the_certificate_that_counts(flow: WorkflowRunner) -> None:
    """It is the evidence of the next one, however old it is."""
    before = newest(flow)
    with flow.warehouse.writer() as con:
        deleted = prune(con, datetime(2999, 1, 1))  # noqa: DTZ001 - as the warehouse's times

    assert deleted["sync_certificates"] == 1
    assert newest(flow) == before


def test_certificates_survive_a_restart(flow: WorkflowRunner) -> None:
    """They are in the warehouse, in the ledger's sequence."""
    again = WorkflowRunner(Warehouse(Path(flow.warehouse.folder)), flow.target, flow.clock, spec=flow.spec)

    assert newest(again) == newest(flow)
    positions = again.warehouse.read("select position from sync_certificates order by position")["position"]
    assert positions.n_unique() == len(positions) == 2
