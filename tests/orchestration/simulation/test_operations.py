"""Operations between the nights of a simulation: backups, bindings, compaction, real time."""

from dataclasses import replace
from pathlib import Path

import pytest

from assets.delivery.ledger.certificates import Certificate, append, newest_certificates
from assets.delivery.ledger.tables import ensure_ledger
from orchestration.simulation.chain import check_chain, seal
from orchestration.simulation.events import Actor
from orchestration.simulation.options import Faults
from orchestration.simulation.simulation import Simulation
from tests.orchestration.simulation.installation import PRECORO, prepared

RESTORE_DAY, REBIND_DAY, COMPACTION_DAY = 5, 8, 6  # of seed 4


def stormy(folder: Path, **changes: object) -> Simulation:
    """Return a stormy simulation with a certificate, sealed."""
    made = prepared(folder, PRECORO, seed=4, faults=Faults.STORM, **changes)
    certify(made, "night")
    return made


def certify(simulation: Simulation, run_id: str) -> None:
    """Append a certificate through now, as a run does, and seal the ledger."""
    now = simulation.world.now
    with simulation.world.warehouse.writer() as con:
        ensure_ledger(con)
        append(con, Certificate(workflow=PRECORO, certified_at=now, run_id=run_id, verified_through=now))
    seal(simulation.world)


def runs_of(simulation: Simulation) -> list[str]:
    """Return the runs whose certificates the ledger knows."""
    with simulation.world.warehouse.writer(transaction=False) as con:
        return [row[0] for row in con.execute("select run_id from sync_certificates order by position").fetchall()]


@pytest.mark.parametrize("kills", [False, True])
def test_a_backup_that_is_put_back_knows_nothing_of_what_was_done_since(tmp_path: Path, *, kills: bool) -> None:
    """In memory as with a file; the certificates go back, and the chain is whole."""
    simulation = stormy(tmp_path, kills=kills)
    simulation.operations.end_day(RESTORE_DAY - 1)
    certify(simulation, "real time")
    assert runs_of(simulation) == ["night", "real time"]

    simulation.operations.work(RESTORE_DAY)
    check_chain(simulation.world, simulation.verdicts)

    assert runs_of(simulation) == ["night", ""]
    (event,) = simulation.journal.events
    assert (event.actor, event.text) == (Actor.OPERATOR, "a backup of the warehouse was put back, 0 hours old")
    assert simulation.verdicts.of("certificates").evidence["went back"] == 1
    assert not simulation.verdicts.violations


def test_a_restore_that_voids_no_certificate_is_a_violation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The values that were verified may be none that the backup knows."""
    simulation = stormy(tmp_path)
    simulation.operations.end_day(RESTORE_DAY - 1)
    monkeypatch.setattr("assets.delivery.ledger.restores.void_certificates", lambda *_: None)

    simulation.operations.work(RESTORE_DAY)

    assert simulation.verdicts.of("certificates").broken == 1


def test_a_checkpoint_that_was_not_set_aside_is_a_violation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The chain of the backup ends earlier than what is beside it."""
    simulation = stormy(tmp_path)
    simulation.operations.end_day(RESTORE_DAY - 1)
    with simulation.world.warehouse.writer() as con:
        con.execute("insert into sync_events by name select 'e' as event_id, 99 as position, 'accepted' as event")
    seal(simulation.world)
    monkeypatch.setattr("orchestration.simulation.operations.leave_behind", lambda *_: None)

    simulation.operations.work(RESTORE_DAY)
    check_chain(simulation.world, simulation.verdicts)

    assert simulation.verdicts.of("chain").broken


def test_other_days_put_nothing_back(tmp_path: Path) -> None:
    """Nor is anything backed up that no one puts back."""
    simulation = stormy(tmp_path)
    for day in range(1, RESTORE_DAY - 1):
        simulation.operations.end_day(day)
        simulation.operations.work(day)

    assert not [each for each in simulation.journal.events if "backup" in each.text]


def test_a_workflow_that_is_bound_anew_has_no_certificate(tmp_path: Path) -> None:
    """It was of another account, as far as anyone knows."""
    simulation = stormy(tmp_path)

    simulation.operations.work(REBIND_DAY)

    with simulation.world.warehouse.writer(transaction=False) as con:
        assert newest_certificates(con)[PRECORO].state == "void"
    assert [each.text for each in simulation.journal.events] == [f"{PRECORO}: bound anew, 0 links forgotten"]


def test_compaction_is_among_the_days_events(tmp_path: Path) -> None:
    """With what it deleted."""
    simulation = stormy(tmp_path)

    simulation.operations.work(COMPACTION_DAY)

    assert [each.text for each in simulation.journal.events] == ["compacted: 0 rows of old history deleted"]


@pytest.mark.parametrize(("faults", "expected"), [(Faults.STORM, True), (Faults.NONE, False), (Faults.WEATHER, False)])
def test_real_time_is_of_workflows_that_have_it_and_of_all_in_a_storm(
    tmp_path: Path, faults: Faults, *, expected: bool
) -> None:
    """The shipped files have it switched off."""
    simulation = prepared(tmp_path, PRECORO, faults=faults)
    assert bool(simulation.operations.realtime_workflows) is expected

    simulation.world.workflows = [
        replace(each, spec=each.spec.model_copy(update={"realtime": True})) for each in simulation.world.workflows
    ]
    assert simulation.operations.realtime_workflows
