"""Each invariant can fail: what no run of ours does is done to the stand-ins between `begin` and `end`."""

from collections.abc import Callable
from pathlib import Path

import pytest

from assets.delivery.ledger.tables import ensure_ledger
from orchestration.simulation.simulation import Simulation
from orchestration.simulation.targets import place_of
from orchestration.simulation.truth import ACTIVE, Version
from resources.sandbox.faults import Fault, FaultKind
from resources.sandbox.transport import Request
from tests.orchestration.simulation.installation import PRECORO, SUITEPROJECTS, prepared


def broken(simulation: Simulation) -> dict[str, int]:
    """Return the invariants that failed, with their counts."""
    return {each.name: each.broken for each in simulation.verdicts.all() if each.broken}


def after(simulation: Simulation, act: Callable[[], object]) -> dict[str, int]:
    """Watch an action as if it were a run, and return the invariants that it broke."""
    before = simulation.watch.begin()
    act()
    simulation.watch.end(before, "day 1", quotas_end=False)
    return broken(simulation)


@pytest.fixture
def precoro(tmp_path: Path) -> Simulation:
    """Options of the stand-in's own, and one with our key."""
    made = prepared(tmp_path, PRECORO)
    made.world.sandbox.precoro.add_option("ours", external_id="1001")
    return made


def test_a_run_that_changes_nothing_breaks_nothing(precoro: Simulation) -> None:
    """The counts of what was looked at are the evidence."""
    assert not after(precoro, lambda: None)
    assert precoro.verdicts.of("once").checked == 1
    assert precoro.verdicts.of("scope").checked == 3


def test_a_change_that_the_ledger_does_not_explain_is_a_violation(precoro: Simulation) -> None:
    """A write that no attempt names may as well be one that went wrong."""
    (ours,) = [each for each in precoro.world.sandbox.precoro.options() if each["external_id"]]

    found = after(precoro, lambda: precoro.world.sandbox.precoro.edit_option(ours["option_id"], name="changed"))

    assert found == {"explained": 1}


def test_a_record_that_the_ledger_does_not_explain_is_a_violation(precoro: Simulation) -> None:
    """It may be a second create."""
    assert after(precoro, lambda: precoro.world.sandbox.precoro.add_option("new", external_id="7")) == {"explained": 1}


def test_a_second_record_of_one_key_is_a_violation(precoro: Simulation) -> None:
    """Purchases would be split between the two."""
    found = after(precoro, lambda: precoro.world.sandbox.precoro.add_option("twice", external_id="1001"))

    assert found == {"once": 1, "explained": 1}


def test_an_older_version_over_a_newer_one_is_a_violation(precoro: Simulation) -> None:
    """As a run would send it that plans from a warehouse of yesterday."""
    precoro.truth.versions[PRECORO, "customers", "1001"] = [
        Version(number, "1001", ACTIVE, {"name": name}) for number, name in enumerate(("old", "new", "newest"))
    ]
    (ours,) = [each["option_id"] for each in precoro.world.sandbox.precoro.options() if each["external_id"]]

    def rename(name: str) -> None:
        precoro.world.sandbox.precoro.edit_option(ours, name=name)

    rename("new")
    assert after(precoro, lambda: rename("newest")) == {"explained": 1}
    assert after(precoro, lambda: rename("old")) == {"explained": 2, "newer": 1}
    assert after(precoro, lambda: rename("otherwise")) == {"explained": 3, "newer": 1}


def test_a_change_of_another_persons_record_is_a_violation(precoro: Simulation) -> None:
    """Options that people made in Precoro are none of ours."""
    (other, *_) = [each for each in precoro.world.sandbox.precoro.options() if not each["external_id"]]

    found = after(precoro, lambda: precoro.world.sandbox.precoro.edit_option(other["option_id"], name="taken"))

    assert found == {"scope": 1, "explained": 1}


def test_a_deletion_is_a_violation(precoro: Simulation) -> None:
    """Nothing is ever deleted in a target, also what is ours."""
    (ours,) = [each for each in precoro.world.sandbox.precoro.options() if each["external_id"]]

    assert after(precoro, lambda: precoro.world.sandbox.precoro.remove_option(ours["option_id"])) == {"scope": 1}


def test_a_change_in_the_other_target_is_seen_as_well(tmp_path: Path) -> None:
    """Customers of SuiteProjects Pro are watched like options."""
    simulation = prepared(tmp_path, SUITEPROJECTS)
    system = simulation.world.sandbox.suiteprojects

    found = after(simulation, lambda: system.add("Customer", name="new", externalid="7"))

    assert found == {"explained": 1}


def test_a_record_without_our_key_needs_a_create_without_an_answer(precoro: Simulation) -> None:
    """A create that was answered cannot be the reason for another record."""
    assert after(precoro, lambda: precoro.world.sandbox.precoro.add_option("unknown")) == {"explained": 1}


@pytest.mark.parametrize(("cut", "expected"), [(0, {"quota": 1}), (1, {})])
def test_calls_that_are_refused_are_a_violation_unless_a_quota_ended(
    precoro: Simulation, cut: int, expected: dict[str, int]
) -> None:
    """One call finds that a quota is used up, and one more for each answer that was cut; the run does not go on."""
    sandbox = precoro.world.sandbox
    sandbox.faults.plan("precoro", Fault(FaultKind.CUT, times=cut))
    before = precoro.watch.begin()
    with sandbox.precoro.store.write() as con:
        con.executemany(
            "insert into calls (company_id, at, method, path, url, body, status, limited)"
            " values (1, 0, 'GET', '/', '/', '', 429, ?)",
            [(1,), (1,), (1,)],
        )
    while sandbox.faults.due("precoro", Request("GET", "/", {}, b"")):
        pass
    precoro.watch.end(before, "day 1", quotas_end=True)

    assert broken(precoro) == expected


def test_counts_and_limits_of_a_run_are_watched(precoro: Simulation) -> None:
    """A run that says more than it did, and one that sent more than its workflow allows."""

    def run_alone() -> None:
        with precoro.world.warehouse.writer() as con:
            ensure_ledger(con)
            con.execute(
                "insert into sync_runs by name select 'run' as run_id, $name as workflow, 'plan' as plan_id,"
                " 'finished' as state, 1 as position, 2 as updated, 0 as created, 0 as deactivated, 0 as reactivated",
                {"name": PRECORO},
            )
            con.execute(
                "insert into sync_plans by name select 'plan' as plan_id, $name as workflow, 'run' as sent_by",
                {"name": PRECORO},
            )
            con.execute(
                "insert into sync_attempts by name select 'a' || number as attempt_id, $name as workflow,"
                " 'customers' as source, number::varchar as source_id, 'run' as run_id, 'intent' as state,"
                " 'deactivate' as action, 1 as position from range(9) as t(number)",
                {"name": PRECORO},
            )

    assert after(precoro, run_alone) == {"counts": 1, "guards": 1}


def test_a_move_changes_the_levels_below_it_as_well(precoro: Simulation) -> None:
    """Precoro counts them itself; the records below were not written."""
    system = precoro.world.sandbox.precoro
    (ours,) = [each["option_id"] for each in system.options() if each["external_id"]]

    assert not after(precoro, lambda: system.edit_option(ours, level=2))


def test_nodes_of_two_hierarchies_may_have_one_key(tmp_path: Path) -> None:
    """Each has its own levels; a department and a location may both be number 1."""
    simulation = prepared(tmp_path, "suiteprojects__customer_department")
    system, (workflow,) = simulation.world.sandbox.suiteprojects, simulation.world.workflows
    own, other = (system.add("Hierarchy", name=name, type="customer") for name in ("Customer Department", "Other"))
    for hierarchy in (own, other):
        level = system.add("HierarchyNode", name="Level 1", hierarchyid=str(hierarchy), isalevel="1")
        place = {"hierarchyid": str(hierarchy), "levelid": str(level), "parentid": "0"}
        system.add("HierarchyNode", name="Sales", externalid="1", isanode="1", **place)

    (record,) = simulation.targets.records(workflow).values()

    assert record.kind == "HierarchyNode"
    assert record.uid.startswith(place_of(workflow))
    assert record.values["hierarchyid"] == str(own)
