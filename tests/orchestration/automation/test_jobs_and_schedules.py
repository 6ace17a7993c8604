"""Groups of workflows: which jobs there are, what is in them, and when they run by themselves."""

import re
from io import StringIO
from pathlib import Path

import dagster as dg
import pytest
from rich.console import Console

from assets.warehouse.snapshot import SNAPSHOT
from orchestration.automation.jobs import OWN_JOBS
from orchestration.cli.validate import validate_folder
from orchestration.definitions import definitions
from tests.orchestration.conftest import QUIET, Home, edited_workflows

CUSTOMERS, OPTIONS = "suiteprojects__customers", "precoro__options"
DEPARTMENTS = "suiteprojects__customer_department"
ON = {CUSTOMERS, OPTIONS, DEPARTMENTS, "suiteprojects__projects", "suiteprojects__contacts"}
GROUPS = {"all", "customers", "suiteprojects", "precoro_update", *ON}
MODES = {f"{OPTIONS}__import", f"{OPTIONS}__update"}


def jobs() -> dict[str, set[str]]:
    """The assets of each group's job, so neither Dagster's own nor those of the house."""
    return {
        job.name: {key.to_user_string() for key in job.asset_layer.executable_asset_keys}
        for job in definitions().resolve_all_job_defs()
        if not job.name.startswith("__") and job.name not in OWN_JOBS
    }


def switched_off(text: str) -> str:
    """A workflow file with the workflow switched off."""
    return text.replace("active: true", "active: false")


def schedules() -> dict[str, dg.ScheduleDefinition]:
    """The schedules by name."""
    return {each.name: each for each in definitions().schedules or [] if isinstance(each, dg.ScheduleDefinition)}


def sensors() -> dict[str, dg.SensorDefinition]:
    """The change sensors by name."""
    return {each.name: each for each in definitions().sensors or [] if each.name.endswith("_changes")}


@pytest.mark.usefixtures("home")
def test_every_group_has_a_job_and_a_plan() -> None:
    """`all`, the groups of groups.yaml, and each workflow by its own name; import and update where a file asks."""
    assert set(jobs()) == GROUPS | {f"{name}__plan" for name in GROUPS} | MODES


@pytest.mark.usefixtures("home")
def test_a_plan_job_stops_before_anything_is_sent() -> None:
    """The same assets as the job, without the senders and without a snapshot that nobody needs."""
    there = jobs()

    for name in GROUPS:
        sends = {asset for asset in there[name] if asset.startswith("sync_")}
        assert sends
        assert there[f"{name}__plan"] == there[name] - sends - {SNAPSHOT}


@pytest.mark.usefixtures("home")
def test_a_workflows_job_reads_what_it_needs_and_no_more() -> None:
    """A run of one workflow costs no calls for another; `all` has every asset that is switched on."""
    there = jobs()
    specs = definitions().resolve_all_asset_specs()
    every = {spec.key.to_user_string() for spec in specs if spec.tags.get("millpond/active") != "false"}

    assert there["all"] == every
    assert not {asset for asset in there[CUSTOMERS] if OPTIONS in asset}
    assert "raw_netsuite__addresses" in there[CUSTOMERS]
    assert "raw_netsuite__contacts" not in there[CUSTOMERS]
    assert "stg_netsuite__projects" in there[OPTIONS]
    assert there[CUSTOMERS] | there[OPTIONS] | there[DEPARTMENTS] == there["customers"]
    assert not {asset for asset in there["suiteprojects__projects"] if CUSTOMERS in asset}
    assert {f"sync_{name}" for name in ON - {OPTIONS}} == {
        asset for asset in there["suiteprojects"] if asset.startswith("sync_")
    }


@pytest.mark.usefixtures("home")
def test_a_workflow_comes_after_those_that_it_needs() -> None:
    """Hierarchies, then customers, then projects and contacts; the rest of them may go on meanwhile."""
    graph = definitions().resolve_asset_graph()

    above = {name: graph.get(dg.AssetKey(f"mart_{name}")).parent_keys for name in ON}

    assert dg.AssetKey(f"sync_{DEPARTMENTS}") in above[CUSTOMERS]
    assert dg.AssetKey(f"sync_{CUSTOMERS}") in above["suiteprojects__projects"] & above["suiteprojects__contacts"]
    assert not {key for key in above[DEPARTMENTS] | above[OPTIONS] if key.to_user_string().startswith("sync_")}


@pytest.mark.usefixtures("home")
def test_a_workflow_that_is_switched_off_is_in_no_job(tmp_path: Path) -> None:
    """It has no job of its own, and the others go on without it."""
    with edited_workflows(tmp_path / "workflows", None, **{OPTIONS: switched_off}):
        there = jobs()

    assert OPTIONS not in there
    assert not {asset for assets in there.values() for asset in assets if OPTIONS in asset}
    assert {f"sync_{CUSTOMERS}", SNAPSHOT} <= there["all"] & there["customers"]


def test_the_snapshot_does_not_wait_for_a_workflow_that_is_switched_off(home: Home, tmp_path: Path) -> None:
    """It comes after every sender, also after one that never runs."""
    with (
        edited_workflows(tmp_path / "workflows", None, **{OPTIONS: switched_off}),
        dg.DagsterInstance.ephemeral() as instance,
    ):
        job = definitions().resolve_job_def("all")
        result = job.execute_in_process(instance=instance, run_config=QUIET, asset_selection=[dg.AssetKey(SNAPSHOT)])

    assert result.success
    assert home.warehouse.snapshot.exists()


@pytest.mark.usefixtures("home")
def test_groups_of_nothing_but_switched_off_workflows_run_never(tmp_path: Path) -> None:
    """Neither a job nor a schedule nor a sensor that would start it."""
    groups = """
groups:
  spending: {workflows: [precoro__options], schedule: {cron: "0 5 * * 1"}, sensor: {every_s: 60}}
"""
    with edited_workflows(tmp_path / "workflows", groups, **{OPTIONS: switched_off}):
        assert (set(jobs()), schedules(), sensors()) == (
            {f"{name}{ending}" for name in {"all", *ON} - {OPTIONS} for ending in ("", "__plan")}, {}, {},
        )  # fmt: skip


@pytest.mark.usefixtures("home")
def test_the_shipped_schedule_and_sensor_start_switched_off() -> None:
    """A fresh checkout sends nothing by itself."""
    schedule, sensor = schedules()["customers_schedule"], sensors()["customers_changes"]

    assert (schedule.cron_schedule, schedule.execution_timezone) == ("0 5 * * 1-5", "Europe/Stockholm")
    assert schedule.default_status is dg.DefaultScheduleStatus.STOPPED
    assert sensor.default_status is dg.DefaultSensorStatus.STOPPED
    assert (schedule.job_name, sensor.job_name, sensor.minimum_interval_seconds) == ("customers", "customers", 300)


@pytest.mark.usefixtures("home")
def test_groups_yaml_says_when_and_whether(tmp_path: Path) -> None:
    """`on` is a key here, though YAML 1.1 reads it as a Boolean."""
    groups = """
groups:
  everything:
    workflows: [precoro__options, suiteprojects__customers]
    schedule: {cron: "30 6 * * 1", timezone: America/New_York, on: true}
  spending:
    workflows: [precoro__options]
    sensor: {every_s: 60, on: true}
"""
    with edited_workflows(tmp_path / "workflows", groups):
        there, timed, watching = jobs(), schedules(), sensors()

    assert set(timed) == {"everything_schedule"}
    schedule = timed["everything_schedule"]
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("30 6 * * 1", "America/New_York")
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
    assert set(watching) == {"spending_changes"}
    assert watching["spending_changes"].default_status is dg.DefaultSensorStatus.RUNNING
    assert watching["spending_changes"].minimum_interval_seconds == 60
    assert there["spending"] == there[OPTIONS]
    assert there["everything"] == there[CUSTOMERS] | there[OPTIONS]


@pytest.mark.usefixtures("home")
def test_a_schedule_asks_for_its_groups_job() -> None:
    """What the daemon does at five in the morning."""
    context = dg.build_schedule_context(repository_def=definitions().get_repository_def())

    tick = schedules()["customers_schedule"].evaluate_tick(context)

    assert len(tick.run_requests or []) == 1
    assert tick.skip_message is None


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("group", "told"),
    [
        ("nobody: {workflows: [precoro__nothing]}", "no workflow `precoro__nothing`"),
        ("precoro__options: {workflows: [suiteprojects__customers]}", "groups.precoro__options"),
        ("x: {workflows: [precoro__options], shedule: {cron: '0 5 * * 1'}}", "groups.x.shedule: no such key here"),
        ("x: {workflows: [precoro__options], schedule: {cron: soon}}", "groups.x.schedule: cron `soon` in timezone"),
        (
            "x: {workflows: [precoro__options], schedule: {cron: '0 5 * * 1', timezone: Mars}}",
            "in timezone `Mars` cannot be used; write like `0 5 * * 1-5` for cron and `Europe/Stockholm`",
        ),
        ("x: {workflows: [precoro__options], sensor: {every_s: 1}}", "groups.x.sensor.every_s"),
        ("x y: {workflows: [precoro__options]}", "groups.x y"),
    ],
)
def test_a_mistake_in_groups_yaml_is_told_with_its_place(tmp_path: Path, group: str, told: str) -> None:
    """Nothing is left out in silence: a schedule that is not there is noticed weeks later."""
    console = Console(file=StringIO(), width=400)
    with edited_workflows(tmp_path / "workflows", f"groups:\n  {group}\n") as folder:
        code = validate_folder(folder, console)
    assert isinstance(console.file, StringIO)
    lines = [line for line in console.file.getvalue().splitlines() if line.startswith("✗")]

    assert code == 1
    assert re.fullmatch(rf"✗ {re.escape(str(folder))}/groups\.yaml:2: .*", lines[0])
    assert told in lines[0]
