"""Import, Update and Auto-update as a person starts them: jobs, commands, Mondays."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from orchestration.definitions import definitions
from tests.orchestration.cli.test_main import ask
from tests.orchestration.conftest import QUIET, Home, edited_workflows

pytestmark = pytest.mark.long

OPTIONS = "precoro__options"


def picked(text: str) -> str:
    """The workflow file, waiting for picks."""
    return text.replace("imports: {select: all}", "imports: {select: picked}")


def run(job: str, **pick: object) -> dg.ExecuteInProcessResult:
    """One of the jobs, with a pick typed into the Launchpad."""
    found = {each.name: each for each in definitions().resolve_all_job_defs()}[job]
    ops = {f"selection_{OPTIONS}": {"config": pick}} if pick else {}
    with dg.DagsterInstance.ephemeral() as instance:
        return found.execute_in_process(instance=instance, raise_on_error=False, run_config={**QUIET, "ops": ops})


def ours(home: Home) -> set[str]:
    """NetSuite ids of the options in Precoro."""
    return {row["external_id"] for row in home.sandbox.precoro.options() if row["external_id"]}


def test_the_jobs_import_what_is_picked_and_update_what_was_imported(seeded: Home, tmp_path: Path) -> None:
    """F13, F16, F34: through Dagster; what they show is in the UI and in the analysts' file."""
    with edited_workflows(tmp_path / "workflows", None, **{OPTIONS: picked}):
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
        seeded.sandbox.precoro.edit_option(key, name="by hand")
        seeded.sandbox.clock.sleep(90)
        assert run(f"{OPTIONS}__update").success

    assert ours(seeded) == chain
    assert "by hand" not in {row["name"] for row in seeded.sandbox.precoro.options()}
    shown = {
        event.asset_key.to_user_string(): event.step_materialization_data.materialization.metadata
        for event in imported.get_asset_materialization_events()
        if event.asset_key
    }
    for layer in ("selection", "candidates", "tree"):
        assert "| level |" in f"| {shown[f'{layer}_{OPTIONS}']['first_records'].value}"
        assert "records |" in str(shown[f"{layer}_{OPTIONS}"]["preview"].value)
    with duckdb.connect(str(seeded.warehouse.snapshot), read_only=True) as con:
        told = con.execute(f"select count(*), max(level) from tree_{OPTIONS} where source_id is not null").fetchall()
    assert told == [(len(chain), len(chain))]


def test_a_pick_that_cannot_be_imported_stops_before_anything_is_sent(seeded: Home, tmp_path: Path) -> None:
    """The failed asset says which id and why."""
    with edited_workflows(tmp_path / "workflows", None, **{OPTIONS: picked}):
        result = run(f"{OPTIONS}__import", ids=["99999"])

    failed = [event.step_failure_data.user_failure_data for event in result.all_events if event.is_step_failure]
    assert not result.success
    assert any("99999: no record of this workflow has the id" in (each.description or "") for each in failed if each)
    assert seeded.sandbox.precoro.write_calls() == 0


def test_the_commands_list_pick_import_and_update(
    seeded: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """F12, F15: what a person types."""
    with edited_workflows(tmp_path / "workflows", None, **{OPTIONS: picked}):
        unknown = ask(capsys, "candidates", OPTIONS)
        ask(capsys, "plan", OPTIONS)
        listed = ask(capsys, "candidates", OPTIONS, "--every")
        label = seeded.warehouse.table(f"candidates_{OPTIONS}").filter("can_be_imported")["label"][0]
        hits = ask(capsys, "candidates", OPTIONS, "--search", label.upper())
        imported = ask(capsys, "import", OPTIONS, "--search", label)
        updated = ask(capsys, "update", OPTIONS)
        dropped = ask(capsys, "unpick", OPTIONS, "1")
        nothing = ask(capsys, "candidates", "suiteprojects__customers")

    assert (unknown.code, nothing.code, dropped.code) == (2, 2, 1)
    assert "has no `imports` in its file" in nothing.out
    assert "does not belong to subsidiary 2" in listed.out
    assert label in hits.out
    assert (imported.code, updated.code) == (0, 0)
    assert label in {row["name"] for row in seeded.sandbox.precoro.options()}


@pytest.mark.usefixtures("home")
def test_auto_update_ticks_on_mondays_only_and_updates_only() -> None:
    """F32: the shipped group runs in mode `update` on Monday mornings in its own zone."""
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
def test_auto_update_has_a_switch_and_a_zone(tmp_path: Path, on: str, status: dg.DefaultScheduleStatus) -> None:
    """F33: off as shipped; `on: true` in groups.yaml, or the toggle in the UI."""
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
    """F32: a Monday without an import before it changes nothing."""
    assert seeded.run("precoro_update").success

    assert ours(seeded) == set()
    assert seeded.sandbox.precoro.write_calls() == 0
