"""Workflows are switched while everything runs: a run asks when it comes to it, and the UI shows the state."""

import json
from pathlib import Path

import dagster as dg
import pytest

from assets.delivery.spec.switches import FILE, Said, Switches
from orchestration.cli.activation import OP, SWITCH
from orchestration.cli.main import app
from orchestration.definitions import definitions, load_workflows
from orchestration.settings import ROOT
from tests.orchestration.conftest import QUIET, Home

OPTIONS, CLASSES, PROJECTS = "precoro__options", "suiteprojects__customer_class", "suiteprojects__projects"


def say(*words: str) -> int:
    """One command; its exit code."""
    with pytest.raises(SystemExit) as end:
        app(words)
    return int(end.value.code or 0)


def assets_of(job: str) -> set[str]:
    """The assets of one job, as loaded now."""
    found = definitions().resolve_job_def(job)
    return {key.to_user_string() for key in found.asset_layer.executable_asset_keys}


def shown(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, object]:
    """The metadata of what an asset showed."""
    event = next(each for each in result.get_asset_materialization_events() if each.asset_key == dg.AssetKey(asset))
    return {name: value.value for name, value in event.materialization.metadata.items()}


def test_a_group_goes_on_without_what_is_switched_off(settled: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """The definitions were loaded before; nothing is read of or sent to the target, and the sink says why."""
    runs = settled.warehouse.read("select count(*) from sync_runs").item()
    job = definitions().resolve_job_def("precoro_update")

    assert say("deactivate", OPTIONS, "--why", "the year is being closed") == 0
    with dg.DagsterInstance.ephemeral() as instance:
        off = job.execute_in_process(instance=instance, raise_on_error=False, run_config=QUIET)
    assert say("activate", OPTIONS) == 0

    assert off.success
    for layer in ("mart", "target", "plan", "sync"):
        told = shown(off, f"{layer}_{OPTIONS}")
        assert told["did"] == "nothing"
        assert str(told["switch"]).startswith("off, real time off (since 20")
        assert "the year is being closed" in str(told["switch"])
    assert settled.warehouse.read("select count(*) from sync_runs").item() == runs
    assert f"{OPTIONS} is off, real time off" in capsys.readouterr().out


def test_who_asks_for_it_alone_is_told_that_it_is_off(home: Home) -> None:
    """Materialized by hand, it fails with the way to switch it on."""
    Switches(home.warehouse.folder).say(OPTIONS, active=False)

    result = home.materialize(f"target_{OPTIONS}")

    assert not result.success
    failure = result.filter_events(lambda event: event.is_step_failure)[0].step_failure_data
    assert failure.user_failure_data is not None
    assert f"`millpond activate {OPTIONS}` switches it on" in str(failure.user_failure_data.description)


@pytest.mark.usefixtures("home")
def test_what_its_file_has_off_is_in_the_jobs_once_it_was_switched_on(home: Home) -> None:
    """The daemon loads its definitions anew every minute; switched off again it stays and does nothing."""
    before = assets_of("all")
    assert say("activate", CLASSES) == 0
    on = assets_of("all")
    assert say("deactivate", CLASSES) == 0

    assert f"sync_{CLASSES}" not in before
    assert {f"sync_{CLASSES}"} | before <= on
    assert assets_of("all") == on
    workflows, _ = load_workflows(ROOT / "orchestration" / "workflows")
    own = next(each for each in workflows if each.name == CLASSES)
    assert not Switches(home.warehouse.folder).state(own).active


def test_real_time_is_a_switch_of_its_own(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """It leaves the workflow as it is; each word leaves what the other said."""
    assert say("activate", OPTIONS, "--realtime", "--why", "go live") == 0
    assert say("deactivate", OPTIONS, "--realtime") == 0

    told = capsys.readouterr().out
    assert f"{OPTIONS} is on, real time on (since 20" in told
    assert f"{OPTIONS} is on, real time off (since 20" in told
    said = Switches(home.warehouse.folder).said()[OPTIONS]
    assert (said.active, said.realtime) == (None, False)


def test_the_sinks_page_shows_a_switch_at_once(home: Home) -> None:
    """As an observation in Dagster's records; the same by the command and by the job."""
    config = {"ops": {OP: {"config": {"workflow": OPTIONS, "realtime": True, "why": "asked for in the UI"}}}}
    job = next(each for each in definitions().resolve_all_job_defs() if each.name == SWITCH)
    with dg.DagsterInstance.ephemeral() as instance:
        assert job.execute_in_process(instance=instance, run_config={**QUIET, **config}).success
        records = instance.fetch_observations(dg.AssetKey(f"sync_{OPTIONS}"), limit=1).records

    observed = records[0].asset_observation
    assert observed is not None
    assert observed.metadata["realtime"].value is True
    assert "asked for in the UI" in str(observed.metadata["switch"].value)
    assert Switches(home.warehouse.folder).said()[OPTIONS].realtime is True


@pytest.mark.usefixtures("home")
def test_what_cannot_be_switched_says_why(capsys: pytest.CaptureFixture[str], home: Home) -> None:
    """An unknown workflow, one whose need is off, a file that somebody broke; who needs it is named."""
    assert say("activate", "nothing_of_that_name") == 2
    assert say("deactivate", "suiteprojects__customers") == 0
    assert say("activate", PROJECTS) == 2
    told = " ".join(capsys.readouterr().out.split())

    assert "no usable workflow nothing_of_that_name; there are" in told
    assert f"{PROJECTS} needs it and goes by what was there last" in told
    assert f"{PROJECTS} needs suiteprojects__customers, which is off; activate that first" in told
    (home.warehouse.folder / FILE).write_text("[")
    assert say("activate", OPTIONS) == 2


def test_what_is_left_out_stays_as_it_was_said(tmp_path: Path) -> None:
    """Two people switch two things at once; the file is replaced whole."""
    switches = Switches(tmp_path)
    switches.say("one", active=False, why="first")
    switches.say("one", realtime=True)
    switches.say("two", active=True)

    assert switches.said()["one"] == Said(active=False, realtime=True, at=switches.said()["one"].at, why="")
    assert json.loads((tmp_path / FILE).read_text()).keys() == {"one", "two"}
