"""Nothing runs by itself as shipped; `go-live` switches on what it is asked for, and changes nothing else."""

import copy
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from orchestration.automation.groups import Content, load_groups
from orchestration.automation.switch_on import SwitchOnError, switched_on
from orchestration.configuration.settings import ROOT
from orchestration.definitions import definitions

SHIPPED = ROOT / "orchestration" / "workflows" / "groups.yaml"
SWITCH = st.sampled_from([{}, {"on": False}, {"on": True}])
TIMING = st.builds(lambda on: {"hours": [1], **on}, SWITCH)
GROUP = st.fixed_dictionaries(
    {"workflows": st.just(["All"])},
    optional={
        "schedule": TIMING,
        "schedules": st.lists(TIMING, max_size=2),
        "sensor": st.builds(lambda on: {"every_seconds": 60, **on}, SWITCH) | st.builds(dict, SWITCH) | st.none(),
    },
)
FILE = st.fixed_dictionaries(
    {"groups": st.dictionaries(st.sampled_from(["one", "two"]), GROUP, min_size=1)},
    optional=dict.fromkeys(("reconcile", "maintenance", "digest"), TIMING),
)
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


@given(FILE, st.sets(st.sampled_from(["one", "two"])), st.sampled_from([True, False, None]))
def test_exactly_what_is_named_is_on_afterwards(content: dict[str, Any], groups: set[str], style: bool | None) -> None:  # noqa: FBT001
    """The file may say `on: false`, `on: true` or nothing, in lines or in brackets."""
    text = "# Größe\n" + yaml.safe_dump(content, default_flow_style=style).replace("'on':", "on:")
    made = switched_on(text, groups)
    expected = copy.deepcopy(content)
    for name in {"reconcile", "maintenance", "digest"} & expected.keys():
        expected[name]["on"] = True
    for name in groups & expected["groups"].keys():
        group = expected["groups"][name]
        for each in (group.get("schedule"), group.get("sensor"), *group.get("schedules", ())):
            if each is not None:
                each["on"] = True

    found = Content.model_validate(yaml.safe_load(made.text.replace("on:", "'on':")))
    assert found == Content.model_validate(expected)
    assert set(made.names) <= set(made.on)
    assert switched_on(made.text, groups).names == ()


def test_a_definition_that_others_share_is_not_changed() -> None:
    """It would switch on what no one has named."""
    text = (
        "groups:\n  one: {workflows: [All], schedule: &same {hours: [1], on: false}}\n"
        "  two: {workflows: [All], schedule: *same}\n"
    )
    with pytest.raises(SwitchOnError, match="one_schedule alone"):
        switched_on(text, ["one"])
    assert switched_on(text, ["one", "two"]).text.count("on: true") == 1
