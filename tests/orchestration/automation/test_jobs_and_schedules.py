"""Groups of workflows: their jobs, the assets in them, and their schedules and sensors."""

import re
from pathlib import Path

import dagster as dg
import pytest

from assets.warehouse.snapshot import SNAPSHOT
from orchestration.automation.groups import OWN_JOBS
from orchestration.cli.validate import validate
from orchestration.definitions import definitions
from tests.orchestration.conftest import QUIET, Home, edited_workflows

CUSTOMERS, OPTIONS = "suiteprojects__customers", "precoro__options"
DEPARTMENTS = "suiteprojects__customer_department"
ACTIVE = {CUSTOMERS, OPTIONS, DEPARTMENTS, "suiteprojects__projects", "suiteprojects__contacts"}
GROUPS = {"all", "customers", "suiteprojects", "precoro_update", *ACTIVE}
MODES = {f"{OPTIONS}__import", f"{OPTIONS}__update"}


def jobs() -> dict[str, set[str]]:
    """Return the assets of each group's job; without Dagster's and Millpond's own jobs."""
    return {
        job.name: {key.to_user_string() for key in job.asset_layer.executable_asset_keys}
        for job in definitions().resolve_all_job_defs()
        if not job.name.startswith("__") and job.name not in OWN_JOBS
    }


def inactive(text: str) -> str:
    """Return the workflow file with the workflow inactive."""
    return text.replace("active: true", "active: false")


def schedules() -> dict[str, dg.ScheduleDefinition]:
    """Return the schedules by name."""
    return {each.name: each for each in definitions().schedules or [] if isinstance(each, dg.ScheduleDefinition)}


def sensors() -> dict[str, dg.SensorDefinition]:
    """Return the change sensors by name."""
    return {each.name: each for each in definitions().sensors or [] if each.name.endswith("_changes")}


@pytest.mark.usefixtures("home")
def test_every_group_has_a_job_and_a_plan_job() -> None:
    """`all`, the groups of groups.yaml, and every workflow; import and update jobs for a workflow with `imports`."""
    assert set(jobs()) == GROUPS | {f"{name}__plan" for name in GROUPS} | MODES


@pytest.mark.usefixtures("home")
def test_a_plan_job_sends_nothing() -> None:
    """It has the job's assets except sync assets and the snapshot."""
    assets = jobs()

    for name in GROUPS:
        sends = {asset for asset in assets[name] if asset.startswith("sync_")}
        assert sends
        assert assets[f"{name}__plan"] == assets[name] - sends - {SNAPSHOT}


@pytest.mark.usefixtures("home")
def test_a_workflows_job_reads_only_what_it_needs() -> None:
    """A run of one workflow makes no calls for another; `all` has every asset that runs include."""
    assets = jobs()
    specs = definitions().resolve_all_asset_specs()
    every = {spec.key.to_user_string() for spec in specs if spec.tags.get("millpond/active") != "false"}

    assert assets["all"] == every
    assert not {asset for asset in assets[CUSTOMERS] if OPTIONS in asset}
    assert "raw_netsuite__addresses" in assets[CUSTOMERS]
    assert "raw_netsuite__contacts" not in assets[CUSTOMERS]
    assert "stg_netsuite__projects" in assets[OPTIONS]
    assert assets[CUSTOMERS] | assets[OPTIONS] | assets[DEPARTMENTS] == assets["customers"]
    assert not {asset for asset in assets["suiteprojects__projects"] if CUSTOMERS in asset}
    assert {f"sync_{name}" for name in ACTIVE - {OPTIONS}} == {
        asset for asset in assets["suiteprojects"] if asset.startswith("sync_")
    }


@pytest.mark.usefixtures("home")
def test_a_workflow_runs_after_those_it_needs() -> None:
    """Hierarchies, then customers, then projects and contacts; others may run at the same time."""
    graph = definitions().resolve_asset_graph()

    above = {name: graph.get(dg.AssetKey(f"mart_{name}")).parent_keys for name in ACTIVE}

    assert dg.AssetKey(f"sync_{DEPARTMENTS}") in above[CUSTOMERS]
    assert dg.AssetKey(f"sync_{CUSTOMERS}") in above["suiteprojects__projects"] & above["suiteprojects__contacts"]
    assert not {key for key in above[DEPARTMENTS] | above[OPTIONS] if key.to_user_string().startswith("sync_")}


@pytest.mark.usefixtures("home")
def test_an_inactive_workflow_is_in_no_job(tmp_path: Path) -> None:
    """It has no job of its own, and the groups run without it."""
    with edited_workflows(tmp_path / "workflows", None, **{OPTIONS: inactive}):
        assets = jobs()

    assert OPTIONS not in assets
    assert not {asset for job in assets.values() for asset in job if OPTIONS in asset}
    assert {f"sync_{CUSTOMERS}", SNAPSHOT} <= assets["all"] & assets["customers"]


def test_the_snapshot_does_not_wait_for_an_inactive_workflow(home: Home, tmp_path: Path) -> None:
    """It depends on every sync asset, even on one that never runs."""
    with (
        edited_workflows(tmp_path / "workflows", None, **{OPTIONS: inactive}),
        dg.DagsterInstance.ephemeral() as instance,
    ):
        job = definitions().resolve_job_def("all")
        result = job.execute_in_process(instance=instance, run_config=QUIET, asset_selection=[dg.AssetKey(SNAPSHOT)])

    assert result.success
    assert home.warehouse.snapshot.exists()


@pytest.mark.usefixtures("home")
def test_a_group_of_inactive_workflows_never_runs(tmp_path: Path) -> None:
    """It has no job, no schedule and no sensor."""
    groups = """
groups:
  spending: {workflows: [precoro__options], schedule: {cron: "0 5 * * 1"}, sensor: {every_seconds: 60}}
"""
    with edited_workflows(tmp_path / "workflows", groups, **{OPTIONS: inactive}):
        assert (set(jobs()), schedules(), sensors()) == (
            {f"{name}{ending}" for name in {"all", *ACTIVE} - {OPTIONS} for ending in ("", "__plan")}, {}, {},
        )  # fmt: skip


@pytest.mark.usefixtures("home")
def test_the_shipped_schedule_and_sensor_are_off() -> None:
    """A new installation sends nothing automatically."""
    schedule, sensor = schedules()["customers_schedule"], sensors()["customers_changes"]

    assert (schedule.cron_schedule, schedule.execution_timezone) == ("0 5 * * 1-5", "Europe/Stockholm")
    assert schedule.default_status is dg.DefaultScheduleStatus.STOPPED
    assert sensor.default_status is dg.DefaultSensorStatus.STOPPED
    assert (schedule.job_name, sensor.job_name, sensor.minimum_interval_seconds) == ("customers", "customers", 300)


@pytest.mark.usefixtures("home")
def test_groups_yaml_defines_schedules_and_sensors(tmp_path: Path) -> None:
    """`on` is a key here, although YAML 1.1 reads it as a Boolean."""
    groups = """
groups:
  everything:
    workflows: [precoro__options, suiteprojects__customers]
    schedule: {cron: "30 6 * * 1", timezone: America/New_York, on: true}
  spending:
    workflows: [precoro__options]
    sensor: {every_seconds: 60, on: true}
"""
    with edited_workflows(tmp_path / "workflows", groups):
        assets, timed, watching = jobs(), schedules(), sensors()

    assert set(timed) == {"everything_schedule"}
    schedule = timed["everything_schedule"]
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("30 6 * * 1", "America/New_York")
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
    assert set(watching) == {"spending_changes"}
    assert watching["spending_changes"].default_status is dg.DefaultSensorStatus.RUNNING
    assert watching["spending_changes"].minimum_interval_seconds == 60
    assert assets["spending"] == assets[OPTIONS]
    assert assets["everything"] == assets[CUSTOMERS] | assets[OPTIONS]


@pytest.mark.usefixtures("home")
def test_a_schedule_requests_its_groups_job() -> None:
    """As the daemon evaluates it."""
    context = dg.build_schedule_context(repository_def=definitions().get_repository_def())

    tick = schedules()["customers_schedule"].evaluate_tick(context)

    assert len(tick.run_requests or []) == 1
    assert tick.skip_message is None


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("group", "message"),
    [
        ("missing: {workflows: [precoro__nothing]}", "no workflow `precoro__nothing`"),
        ("precoro__options: {workflows: [suiteprojects__customers]}", "groups.precoro__options"),
        (
            "x: {workflows: [precoro__options], shedule: {cron: '0 5 * * 1'}}",
            "groups.x.shedule: unknown key; did you mean `schedule`?",
        ),
        ("x: {workflows: [precoro__options], schedule: {cron: soon}}", "groups.x.schedule: cron `soon` in timezone"),
        (
            "x: {workflows: [precoro__options], schedule: {cron: '0 5 * * 1', timezone: Mars}}",
            "in timezone `Mars` is not valid; use, for example, `0 5 * * 1-5` for cron and `Europe/Stockholm`",
        ),
        ("x: {workflows: [precoro__options], sensor: {every_seconds: 1}}", "groups.x.sensor.every_seconds"),
        ("x y: {workflows: [precoro__options]}", "groups.x y"),
    ],
)
def test_a_mistake_in_groups_yaml_is_reported_with_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], group: str, message: str
) -> None:
    """Nothing is silently omitted: a missing schedule would be noticed weeks later."""
    with edited_workflows(tmp_path / "workflows", f"groups:\n  {group}\n") as folder:
        code = validate(folder)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("✗")]

    assert code == 1
    assert re.fullmatch(rf"✗ {re.escape(str(folder))}/groups\.yaml:2: .*", lines[0])
    assert message in lines[0]
