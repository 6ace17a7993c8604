"""Import, update and automatic update: jobs, commands, and the Monday schedule."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from orchestration.definitions import definitions
from tests.orchestration.cli.test_main import run_command
from tests.orchestration.conftest import QUIET, Home, edited_workflows

pytestmark = pytest.mark.long

OPTIONS = "precoro__options"


def selecting(text: str) -> str:
    """Return the workflow file with an import selection instead of all records."""
    return text.replace("imports: {select: all}", "imports: {select: selected}")


def run(job: str, **selection: object) -> dg.ExecuteInProcessResult:
    """Run a job with a selection entered in the Launchpad."""
    found = {each.name: each for each in definitions().resolve_all_job_defs()}[job]
    ops = {f"selection_{OPTIONS}": {"config": selection}} if selection else {}
    with dg.DagsterInstance.ephemeral() as instance:
        return found.execute_in_process(instance=instance, raise_on_error=False, run_config={**QUIET, "ops": ops})


def ours(home: Home) -> set[str]:
    """Return the NetSuite ids of the options in Precoro."""
    return {row["external_id"] for row in home.sandbox.precoro.options() if row["external_id"]}


def test_the_jobs_import_selected_records_and_update_imported_ones(seeded: Home, tmp_path: Path) -> None:
    """F13, F16, F34: their assets are shown in the UI and included in the analysts' snapshot."""
    with edited_workflows(tmp_path / "workflows", None, **{OPTIONS: selecting}):
        assert run(OPTIONS).success
        assert ours(seeded) == set()
        candidates = seeded.warehouse.table(f"candidates_{OPTIONS}").filter("can_be_imported")
        deepest = candidates.sort("level")["source_id"][-1]

        imported = run(f"{OPTIONS}__import", ids=[deepest])
        chain = ours(seeded)
        assert imported.success
        assert deepest in chain
        assert len(chain) == candidates["level"].max()

        key = next(row["option_id"] for row in seeded.sandbox.precoro.options() if row["external_id"] == deepest)
        seeded.sandbox.precoro.edit_option(key, name="edited")
        seeded.sandbox.clock.sleep(90)
        assert run(f"{OPTIONS}__update").success

    assert ours(seeded) == chain
    assert "edited" not in {row["name"] for row in seeded.sandbox.precoro.options()}
    metadata = {
        event.asset_key.to_user_string(): event.step_materialization_data.materialization.metadata
        for event in imported.get_asset_materialization_events()
        if event.asset_key
    }
    for layer in ("selection", "candidates", "tree"):
        assert "| level |" in f"| {metadata[f'{layer}_{OPTIONS}']['first_records'].value}"
        assert "records |" in str(metadata[f"{layer}_{OPTIONS}"]["preview"].value)
    with duckdb.connect(str(seeded.warehouse.snapshot), read_only=True) as con:
        tree = con.execute(f"select count(*), max(level) from tree_{OPTIONS} where source_id is not null").fetchall()
    assert tree == [(len(chain), len(chain))]


def test_an_impossible_selection_fails_before_anything_is_sent(seeded: Home, tmp_path: Path) -> None:
    """The error names the id and the reason."""
    with edited_workflows(tmp_path / "workflows", None, **{OPTIONS: selecting}):
        result = run(f"{OPTIONS}__import", ids=["99999"])

    failed = [event.step_failure_data.user_failure_data for event in result.all_events if event.is_step_failure]
    assert not result.success
    assert any("99999: this workflow has no record with this id" in (each.description or "") for each in failed if each)
    assert seeded.sandbox.precoro.write_calls() == 0


def test_the_commands_list_select_import_and_update(
    seeded: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """F12, F15: the command line."""
    with edited_workflows(tmp_path / "workflows", None, **{OPTIONS: selecting}):
        unknown = run_command(capsys, "candidates", OPTIONS)
        run_command(capsys, "plan", OPTIONS)
        listed = run_command(capsys, "candidates", OPTIONS, "--all")
        label = seeded.warehouse.table(f"candidates_{OPTIONS}").filter("can_be_imported")["label"][0]
        hits = run_command(capsys, "candidates", OPTIONS, "--search", label.upper())
        imported = run_command(capsys, "import", OPTIONS, "--search", label)
        updated = run_command(capsys, "update", OPTIONS)
        deselected = run_command(capsys, "deselect", OPTIONS, "1")
        nothing = run_command(capsys, "candidates", "suiteprojects__customers")

    assert (unknown.code, nothing.code, deselected.code) == (2, 2, 1)
    assert "has no `imports` in its file" in nothing.out
    assert "does not belong to subsidiary 2" in listed.out
    assert label in hits.out
    assert (imported.code, updated.code) == (0, 0)
    assert label in {row["name"] for row in seeded.sandbox.precoro.options()}


@pytest.mark.usefixtures("home")
def test_the_automatic_update_runs_on_mondays_and_only_updates() -> None:
    """F32: the shipped group runs in mode `update` on Monday mornings in its own time zone."""
    schedule = next(each for each in definitions().schedules or [] if each.name == "precoro_update_schedule")
    assert isinstance(schedule, dg.ScheduleDefinition)
    ticks = schedule.execution_timezone, schedule.cron_schedule
    begin = datetime(2026, 11, 18, tzinfo=UTC).timestamp()

    from dagster._utils.schedules import schedule_execution_time_iterator

    times = schedule_execution_time_iterator(begin, "0 6 * * 1", "Europe/Stockholm")
    first, second = next(times), next(times)
    job = definitions().resolve_job_def("precoro_update")

    assert ticks == ("Europe/Stockholm", "0 6 * * 1")
    assert (first.weekday(), first.hour, second - first) == (0, 6, timedelta(days=7))
    assert job.tags["millpond/mode"] == "update"


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("on", "status"), [("false", dg.DefaultScheduleStatus.STOPPED), ("true", dg.DefaultScheduleStatus.RUNNING)]
)
def test_the_automatic_update_has_a_switch_and_a_time_zone(
    tmp_path: Path, on: str, status: dg.DefaultScheduleStatus
) -> None:
    """F33: off by default; `on: true` in groups.yaml, or the toggle in the UI."""
    groups = f"""
groups:
  monday:
    workflows: [{OPTIONS}]
    mode: update
    schedule: {{cron: "30 7 * * 1", timezone: America/New_York, on: {on}}}
"""
    with edited_workflows(tmp_path / "workflows", groups):
        schedule = next(each for each in definitions().schedules or [] if each.name == "monday_schedule")

    assert isinstance(schedule, dg.ScheduleDefinition)
    assert (schedule.default_status, schedule.execution_timezone) == (status, "America/New_York")


def test_a_group_in_update_mode_creates_nothing(seeded: Home) -> None:
    """F32: without an earlier import it changes nothing."""
    assert seeded.run("precoro_update").success

    assert ours(seeded) == set()
    assert seeded.sandbox.precoro.write_calls() == 0
