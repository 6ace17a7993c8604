"""Nothing runs by itself as shipped; `go-live` switches on what it is asked for, and changes nothing else."""

from pathlib import Path

import dagster as dg
import pytest

from orchestration.automation.groups import load_groups
from orchestration.automation.switch_on import switched_on
from orchestration.configuration.settings import ROOT
from orchestration.definitions import definitions

SHIPPED = ROOT / "orchestration" / "workflows" / "groups.yaml"
# sensors that start no run: they close dead ones, publish after a failed one, and notify
WATCHING = {"alerts", "close_dead_runs", "publish_after_failure"}


@pytest.mark.usefixtures("home")
def test_nothing_runs_by_itself_as_shipped() -> None:
    """No schedule, and no sensor that looks for changes in NetSuite; the maintenance neither."""
    made = definitions()
    running = dg.DefaultScheduleStatus.RUNNING
    assert [each.name for each in made.schedules or [] if each.default_status is running] == []
    on = {each.name for each in made.sensors or [] if each.default_status is dg.DefaultSensorStatus.RUNNING}
    assert {name for name in on if "change_notifications" not in name} == WATCHING


def test_only_what_is_named_is_switched_on() -> None:
    """A group's schedules and its sensor, the nightly comparison, the maintenance, the digest; comments stay."""
    text = SHIPPED.read_text(encoding="utf-8")
    made = switched_on(text, ["customers"])

    regular = ("reconcile_schedule", "maintenance_schedule", "digest_schedule")
    assert made.names == (*regular, "customers_schedule", "customers_changes")
    lines = zip(text.splitlines(), made.text.splitlines(), strict=True)
    changed = [(before, after) for before, after in lines if before != after]
    assert len(changed) == 5
    assert all(after == before.replace("on: false", "on: true") for before, after in changed)
    assert switched_on(made.text, ["customers"]).names == ()


def test_the_new_file_is_valid(tmp_path: Path) -> None:
    """Several schedules of a group as well; what is on stays on."""
    text = (
        "groups:\n"
        "  one:\n    workflows: [All]\n    schedules:\n"
        "      - {hours: [1], on: false}\n      - {hours: [2], on: true}\n"
        "  two:\n    workflows: [All]\n    schedule: {hours: [3], on: false}\n"
    )
    made = switched_on(text, ["one"])

    assert made.names == ("one_schedule",)
    file = tmp_path / "groups.yaml"
    file.write_text(made.text)
    loaded = load_groups(tmp_path, ["w"])
    assert list(loaded.problems) == []
    assert [each.on for each in loaded.groups["one"].timings] == [True, True]
    assert [each.on for each in loaded.groups["two"].timings] == [False]
