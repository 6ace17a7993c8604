"""Dagster's instance: schedules and sensors stay on or off, as people left them, under their new names."""

from collections.abc import Iterator

import dagster as dg
import pytest
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteInstigatorOrigin, RemoteRepositoryOrigin
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    ScheduleInstigatorData,
    SensorInstigatorData,
)

from orchestration.upgrade.m0002_plain_names.instance import convert_instance


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """An instance of its own."""
    with dg.instance_for_test() as made:
        yield made


def switch(instance: dg.DagsterInstance, name: str, status: InstigatorStatus, cursor: str = "") -> None:
    """Store what the UI or the daemon stores."""
    location = RegisteredCodeLocationOrigin("millpond")
    origin = RemoteInstigatorOrigin(RemoteRepositoryOrigin(location, "__repository__"), name)
    if cursor:
        state = InstigatorState(origin, InstigatorType.SENSOR, status, SensorInstigatorData(cursor=cursor))
    else:
        data = ScheduleInstigatorData(cron_schedule="30 4 * * 0", start_timestamp=1.0)
        state = InstigatorState(origin, InstigatorType.SCHEDULE, status, data)
    instance.add_instigator_state(state)


def test_schedules_and_sensors_stay_on_or_off(instance: dg.DagsterInstance) -> None:
    """A stopped sensor does not start because its name changed; it keeps its cursor."""
    switch(instance, "tidy_schedule", InstigatorStatus.RUNNING)
    switch(instance, "hints__acme", InstigatorStatus.STOPPED, cursor="7")
    switch(instance, "customers_schedule", InstigatorStatus.STOPPED)
    lines = list(convert_instance(instance))
    found = {state.instigator_name: state for state in instance.all_instigator_state()}

    assert found["maintenance_schedule"].status is InstigatorStatus.RUNNING
    assert found["change_notifications__acme"].status is InstigatorStatus.STOPPED
    data = found["change_notifications__acme"].sensor_instigator_data
    assert data
    assert data.cursor == "7"
    assert len(lines) == 2
    assert list(convert_instance(instance)) == []


@pytest.mark.long
def test_runs_are_found_by_their_new_tags(instance: dg.DagsterInstance) -> None:
    """A run of the command line that died is closed; a full run still covers its change notifications."""
    tags = {"millpond/by": "cli", "millpond/hints_up_to": "12", "other": "x"}
    run = instance.create_run_for_job(_job, tags=tags)
    list(convert_instance(instance))
    found = instance.get_run_by_id(run.run_id)

    assert found
    assert found.tags["millpond/launched_by"] == "cli"
    assert found.tags["millpond/notifications_up_to"] == "12"
    assert found.tags["other"] == "x"


@dg.job(name="all")
def _job() -> None:
    pass
