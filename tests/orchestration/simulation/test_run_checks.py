"""Runs are compared with their attempts: the counts, and the limits on what no one approved."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from assets.delivery.ledger.tables import ensure_ledger
from assets.delivery.spec.policies import Guards, Limit
from orchestration.simulation.chain import check_chain
from orchestration.simulation.ledger import Attempt, RunRow, runs_since, waiting_plans
from orchestration.simulation.run_checks import check_counts, check_limits
from orchestration.simulation.simulation import Simulation
from orchestration.simulation.verdicts import Verdict, Verdicts
from resources.warehouse.warehouse import Warehouse
from tests.orchestration.simulation.installation import PRECORO, WORKFLOWS, options

RUN, FLOW = "run", "workflow"


def run_of(counts: Mapping[str, int] | None = None, approved_by: str | None = None) -> RunRow:
    """Return the row of a run that sent a plan."""
    return RunRow(RUN, FLOW, counts or {}, approved_by)


def attempt(number: int, action: str, *states: str, run: str = RUN) -> list[Attempt]:
    """Return the rows of the attempt of one record: what was sent, and what was seen of it."""
    return [Attempt(run, FLOW, "customers", str(number), action, state, None) for state in ("intent", *states)]


def attempts_of(records: int, action: str) -> list[Attempt]:
    """Return the rows of so many confirmed attempts."""
    return [row for number in range(records) for row in attempt(number, action, "confirmed")]


def counted(run: RunRow, rows: Sequence[Attempt]) -> Verdict:
    """Return the verdict on the counts of one run."""
    verdicts = Verdicts()
    check_counts([run], rows, "day 1", verdicts)
    return verdicts.of("counts")


def limited(guards: Guards, rows: Sequence[Attempt], *, ours: int = 0, approved_by: str | None = None) -> Verdict:
    """Return the verdict on what one run sent."""
    verdicts = Verdicts()
    check_limits([run_of(approved_by=approved_by)], rows, {FLOW: guards}, {FLOW: ours}, "day 1", verdicts)
    return verdicts.of("guards")


@pytest.mark.parametrize(
    ("action", "column"),
    [("create", "created"), ("update", "updated"), ("deactivate", "deactivated"), ("reactivate", "reactivated")],
)
@pytest.mark.parametrize("off_by", [-1, 1])
def test_a_count_that_is_off_by_one_is_a_violation(action: str, column: str, off_by: int) -> None:
    """One too few hides a write, one too many claims it."""
    verdict = counted(run_of({column: 2 + off_by}), attempts_of(2, action))

    assert verdict.examples == [f"day 1: {FLOW} counts {2 + off_by} {column}, 2 arrived"]
    assert (verdict.broken, verdict.checked) == (1, 4)
    assert counted(run_of({column: 2}), attempts_of(2, action)).evidence == {column: 2}


@pytest.mark.parametrize(
    ("states", "arrived"),
    [
        (["confirmed"], 1),
        (["found"], 1),  # it was seen in the target, without an answer
        (["confirmed", "finished"], 1),  # a part of it that followed
        (["failed"], 0),
        (["unknown"], 0),
        ([], 0),
    ],
)
def test_only_what_was_seen_to_arrive_counts(states: list[str], arrived: int) -> None:
    """A write that was refused, or whose answer was lost, is no created record."""
    rows = attempt(7, "create", *states)

    assert counted(run_of({"created": arrived}), rows).broken == 0
    assert counted(run_of({"created": 1 - arrived}), rows).broken == 1


def test_the_attempts_of_other_runs_do_not_count() -> None:
    """Also not one of a run that died, which this run only found in the target."""
    died = attempt(7, "create", run="died")
    found = Attempt(RUN, FLOW, "customers", "7", "create", "found", None)

    assert counted(run_of({"created": 0}), [*died, found]).broken == 0
    assert counted(run_of({"created": 1}), [*died, found]).broken == 1


@pytest.mark.parametrize("action", ["create", "update", "deactivate", "reactivate"])
def test_a_record_beyond_a_limit_is_a_violation(action: str) -> None:
    """As many as are allowed are none."""
    guards = Guards.model_validate({action: {"rows": 2}})

    assert limited(guards, attempts_of(2, action)).broken == 0
    assert limited(guards, attempts_of(3, action)).examples == [
        f"day 1: {FLOW} sent 3 records to {action}, 2 are allowed without approval"
    ]


def test_what_was_sent_counts_whether_it_arrived_or_not() -> None:
    """A guard holds back a plan, not its answers."""
    rows = [*attempt(1, "deactivate", "failed"), *attempt(2, "deactivate")]

    assert limited(Guards(deactivate=Limit(rows=1)), rows).broken == 1


def test_a_plan_that_someone_approved_has_no_limit() -> None:
    """The limits only say what needs approval."""
    verdict = limited(Guards(deactivate=Limit(rows=2)), attempts_of(3, "deactivate"), approved_by="ada")

    assert (verdict.broken, verdict.checked) == (0, 0)


def test_a_share_is_one_of_our_records_and_of_those_that_the_run_adopts() -> None:
    """A guard counts both."""
    guards = Guards(deactivate=Limit(percent=50, floor=0))
    rows, adopted = attempts_of(3, "deactivate"), [row for each in (10, 11) for row in attempt(each, "adopt")]

    assert limited(guards, rows, ours=6).broken == 0
    assert limited(guards, rows, ours=5).broken == 1
    assert limited(guards, [*rows, *adopted], ours=4).broken == 0
    assert limited(guards, [*rows, *adopted], ours=3).broken == 1


@pytest.mark.long
def test_what_a_simulated_operator_approves_has_no_limit(tmp_path: Path) -> None:
    """Like `millpond apply`, it leaves in the ledger who approved; otherwise each guard that trips is a violation."""
    shutil.copytree(WORKFLOWS / PRECORO, tmp_path / "files" / PRECORO)
    file = tmp_path / "files" / PRECORO / "defs.yaml"
    text = file.read_text(encoding="utf-8").replace("  guards:\n", "  guards:\n    create: {rows: 0}\n")
    file.write_text(text, encoding="utf-8")
    simulation = Simulation(replace(options(PRECORO, customers=40), workflows=file.parent.parent), tmp_path / "home")
    simulation.world.fill()
    simulation._night("night")
    assert len(waiting_plans(simulation.world.warehouse)) == 1

    simulation._approve(1)
    check_chain(simulation.world, simulation.verdicts)

    (event,) = [each for each in simulation.journal.events if "plan approved" in each.text]
    assert event.text.endswith("completed")
    assert simulation.verdicts.of("counts").evidence["created"]
    assert not [each.examples for each in simulation.verdicts.all() if each.broken]


def test_runs_that_ended_and_sent_a_plan_are_compared(tmp_path: Path) -> None:
    """A run that died counts nothing; a person approves a plan, or asks for an undo."""
    warehouse = Warehouse(tmp_path)
    at = datetime(2026, 1, 1, tzinfo=UTC)
    with warehouse.writer() as con:
        ensure_ledger(con)
        for position, (run, state, sent_by, decided_by, requested_by) in enumerate(
            [
                ("before", "finished", "before", None, None),
                ("by itself", "finished", "by itself", None, None),
                ("approved", "partial", "approved", "ada", None),
                ("undone", "halted", "undone", None, "grace"),
                ("died", "failed", "died", None, None),
                ("waits", "finished", None, None, None),
            ],
            1,
        ):
            con.execute(
                "insert into sync_runs (run_id, workflow, plan_id, state, position, created) values (?, ?, ?, ?, ?, 3)",
                [run, FLOW, f"plan of {run}", state, position],
            )
            con.execute(
                "insert into sync_plans (plan_id, workflow, sent_by, decided_by, requested_by, made_at)"
                " values (?, ?, ?, ?, ?, ?)",
                [f"plan of {run}", FLOW, sent_by, decided_by, requested_by, at],
            )

    found = runs_since(warehouse, 1)

    assert {each.run_id: each.approved_by for each in found} == {
        "by itself": None,
        "approved": "ada",
        "undone": "grace",
    }
    assert found[0].counts["created"] == 3
