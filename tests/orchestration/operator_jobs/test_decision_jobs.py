"""Jobs of decisions are carried out once, on one account each."""

from typing import Any

import dagster as dg
import pytest

from assets.delivery import locks
from assets.delivery.errors import SyncError
from assets.failures import EXPECTED, is_expected, refusals
from orchestration.definitions import definitions
from resources.sandbox.faults import Fault, FaultKind
from resources.warehouse.warehouse import Warehouse
from tests.orchestration.conftest import QUIET, Home

JOBS = (
    "apply_plan", "reject_plan", "undo_run", "link_record", "unlink_record", "resend_record", "ignore_records",
    "forget_record",
)  # fmt: skip


@pytest.mark.usefixtures("home")
def test_a_decision_is_carried_out_once() -> None:
    """A retry by the daemon would send a second time what a person approved once."""
    jobs = [definitions().resolve_job_def(name) for name in JOBS]
    assert {job.name: job.tags["dagster/max_retries"] for job in jobs} == dict.fromkeys(JOBS, "0")


def decided(job: dg.JobDefinition, op: str, config: dict[str, Any]) -> dg.ExecuteInProcessResult:
    """Return the run of a decision."""
    run_config = {**QUIET, "ops": {op: {"config": {"reason": "x", **config}}}}
    with dg.DagsterInstance.ephemeral() as instance:
        return job.execute_in_process(instance=instance, raise_on_error=False, run_config=run_config)


def failure_of(done: dg.ExecuteInProcessResult) -> tuple[str, bool]:
    """Return the text of a decision that failed, and whether nothing is left to correct."""
    (event,) = done.filter_events(lambda each: each.is_step_failure)
    failure = event.step_failure_data.user_failure_data
    return str(failure.description if failure else event.step_failure_data.error), is_expected(event)


def test_a_damaged_file_refuses_no_decision(home: Home) -> None:
    """It is there for the next run as well, until a person corrects it."""
    job = definitions().resolve_job_def("activate_workflow")
    home.warehouse.folder.mkdir(parents=True, exist_ok=True)
    (home.warehouse.folder / "switches.json").write_text("{")

    text, is_refused = failure_of(decided(job, "activate", {"workflow": "suiteprojects__customers"}))

    assert "switches.json is not valid" in text
    assert not is_refused


def test_a_run_that_is_perhaps_stuck_refuses_no_decision(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """After an hour, no one looks at what became of an approval."""
    monkeypatch.setattr(locks, "LOCK_TIMEOUT_S", 0.01)
    writing = locks.writer_lock(warehouse, "suiteprojects")
    with warehouse.lock("suiteprojects", 1.0), pytest.raises(dg.Failure) as failed, refusals(SyncError), writing:
        pass

    assert "check whether it is stuck" in str(failed.value.description)
    assert EXPECTED not in failed.value.metadata


@pytest.mark.long
def test_a_target_that_takes_nothing_refuses_no_decision(synced: Home) -> None:
    """An undo that could not be planned, and a record that was not sent, are failures like those of any run."""
    resend, undo = (definitions().resolve_job_def(name) for name in ("resend_record", "undo_run"))
    workflow = "suiteprojects__customers"
    query = f"select source_id, run_id from sync_attempts where workflow = '{workflow}' limit 1"
    source_id, run_id = synced.warehouse.read(query).row(0)
    synced.sandbox.netsuite.update("customer", int(source_id), companyname="Renamed today")
    record = {"workflow": workflow, "source": "customers", "source_id": source_id}
    faults = synced.sandbox.faults

    faults.plan("suiteprojects", Fault(FaultKind.NOT_APPLIED_500, pattern="<Modify", times=3))
    unconfirmed = decided(resend, "resend", record)
    faults.plan("suiteprojects", Fault(FaultKind.REFUSED_401, pattern="<Modify", times=99))
    unsent = failure_of(decided(resend, "resend", record))
    faults.plan("suiteprojects", Fault(FaultKind.REFUSED_401, times=99))
    undone = failure_of(decided(undo, "undo", {"run": run_id, "records": [source_id]}))

    (event,) = unconfirmed.filter_events(lambda each: each.event_type is dg.DagsterEventType.ASSET_OBSERVATION)
    assert "did not accept or confirm it" in event.asset_observation_data.asset_observation.description
    for text, is_refused in (unsent, undone):
        assert text.startswith("suiteprojects: ")
        assert not is_refused
