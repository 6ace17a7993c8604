"""Jobs of decisions are carried out once, on one account each."""

import pytest

from orchestration.definitions import definitions

JOBS = (
    "apply_plan", "reject_plan", "undo_run", "link_record", "unlink_record", "resend_record", "ignore_records",
    "forget_record",
)  # fmt: skip


@pytest.mark.usefixtures("home")
def test_a_decision_is_carried_out_once() -> None:
    """A retry by the daemon would send a second time what a person approved once."""
    jobs = [definitions().resolve_job_def(name) for name in JOBS]
    assert {job.name: job.tags["dagster/max_retries"] for job in jobs} == dict.fromkeys(JOBS, "0")
