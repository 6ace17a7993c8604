"""Workflows are activated and deactivated without a restart: a run checks the state, and the UI shows it."""

import json
import os
import pwd
from pathlib import Path

import dagster as dg
import pytest

from assets.delivery.spec.switches import FILE, Override, Switches
from orchestration.authorization import USER_TAG
from orchestration.automation.groups import ACTIVATE
from orchestration.cli.main import app
from orchestration.cli.run import print_switched_off
from orchestration.configuration.settings import ROOT
from orchestration.definitions import definitions
from orchestration.operator_jobs.activation import OPS
from orchestration.workflow_files import load_workflows
from tests.orchestration.conftest import QUIET, Home

OPTIONS, CLASSES, PROJECTS = "precoro__options", "suiteprojects__customer_class", "suiteprojects__projects"


def run_command(*arguments: str) -> int:
    """Run a command and return its exit code."""
    with pytest.raises(SystemExit) as end:
        app(arguments)
    return int(end.value.code or 0)


def assets_of(job: str) -> set[str]:
    """Return the assets of a job, as loaded now."""
    found = definitions().resolve_job_def(job)
    return {key.to_user_string() for key in found.asset_layer.executable_asset_keys}


def metadata_of(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, object]:
    """Return the metadata of an asset's materialization."""
    event = next(each for each in result.get_asset_materialization_events() if each.asset_key == dg.AssetKey(asset))
    return {name: value.value for name, value in event.materialization.metadata.items()}


@pytest.mark.long
def test_a_group_skips_a_deactivated_workflow(synced: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """Even with definitions loaded before; nothing is read from or sent to the target, and the assets say why."""
    runs = synced.warehouse.read("select count(*) from sync_runs").item()
    job = definitions().resolve_job_def("precoro_update")

    assert run_command("deactivate", OPTIONS, "--reason", "the year is being closed") == 0
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(instance=instance, raise_on_error=False, run_config=QUIET)
    assert run_command("activate", OPTIONS) == 0

    assert result.success
    for layer in ("mart", "target", "plan", "sync"):
        metadata = metadata_of(result, f"{layer}_{OPTIONS}")
        assert str(metadata["action"]).startswith("nothing was done")
        assert str(metadata["switch"]).startswith("off, real time off (since 20")
        assert "the year is being closed" in str(metadata["switch"])
    assert synced.warehouse.read("select count(*) from sync_runs").item() == runs
    assert f"{OPTIONS} is off, real time off" in capsys.readouterr().out


def test_an_asset_of_a_deactivated_workflow_names_the_command_that_activates_it(home: Home) -> None:
    """A switch never fails a run: the asset does nothing, and its metadata says what to do."""
    Switches(home.warehouse.folder).override(OPTIONS, active=False)

    result = home.materialize(f"target_{OPTIONS}")

    assert result.success
    action = str(metadata_of(result, f"target_{OPTIONS}")["action"])
    assert f"`millpond activate {OPTIONS}` switches the workflow on" in action
    assert home.sandbox.precoro.calls_made() == 0


def test_an_activated_workflow_joins_the_jobs(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """The daemon reloads its definitions every minute; a workflow that is deactivated again stays and does nothing."""
    before = assets_of("all")
    assert run_command("activate", CLASSES) == 0
    assert "the UI after a reload of the definitions" in " ".join(capsys.readouterr().out.split())
    on = assets_of("all")
    assert run_command("deactivate", CLASSES) == 0

    assert f"sync_{CLASSES}" not in before
    assert {f"sync_{CLASSES}"} | before <= on
    assert assets_of("all") == on
    workflows, _ = load_workflows(ROOT / "orchestration" / "workflows")
    workflow = next(each for each in workflows if each.name == CLASSES)
    assert not Switches(home.warehouse.folder).state(workflow).active


def test_real_time_updates_are_switched_separately(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """The workflow's own state is not affected."""
    assert run_command("activate", OPTIONS, "--realtime", "--reason", "go live") == 0
    assert run_command("deactivate", OPTIONS, "--realtime") == 0

    printed = capsys.readouterr().out
    assert f"{OPTIONS} is on, real time on (since 20" in printed
    assert f"{OPTIONS} is on, real time off (since 20" in printed
    override = Switches(home.warehouse.folder).overrides()[OPTIONS]
    me = pwd.getpwuid(os.getuid()).pw_name
    assert (override.active, override.realtime, override.decided_by) == (None, False, me)
    assert f" UTC by {me}: go live)" in printed


def test_the_sync_assets_page_shows_the_state_at_once(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """As an observation in Dagster's storage, with who decided; the same by command and by job."""
    config = {"workflow": OPTIONS, "realtime": True, "reason": "asked for in the UI"}
    job = definitions().resolve_job_def(ACTIVATE)
    with dg.DagsterInstance.ephemeral() as instance:
        run_config = {**QUIET, "ops": {OPS[ACTIVATE]: {"config": config}}}
        monkeypatch.setenv("MILLPOND_APPROVERS", "grace")
        refused = job.execute_in_process(instance=instance, run_config=run_config, raise_on_error=False)
        assert not refused.success
        assert job.execute_in_process(instance=instance, run_config=run_config, tags={USER_TAG: "ada"}).success
        records = instance.fetch_observations(dg.AssetKey(f"sync_{OPTIONS}"), limit=1).records

    observed = records[0].asset_observation
    assert observed is not None
    assert observed.metadata["realtime"].value is True
    assert "asked for in the UI" in str(observed.metadata["state"].value)
    assert observed.metadata["decided_by"].value == "ada"
    override = Switches(home.warehouse.folder).overrides()[OPTIONS]
    assert (override.realtime, override.decided_by) == (True, "ada")
    assert run_command("deactivate", OPTIONS) == 2
    assert Switches(home.warehouse.folder).overrides()[OPTIONS] == override


@pytest.mark.usefixtures("home")
def test_an_activation_that_is_not_possible_is_an_error(capsys: pytest.CaptureFixture[str], home: Home) -> None:
    """An unknown workflow, one whose need is not active, a damaged file; workflows that need it are named."""
    assert run_command("activate", "nothing_of_that_name") == 2
    assert run_command("deactivate", "suiteprojects__customers") == 0
    assert run_command("activate", PROJECTS) == 2
    printed = " ".join(capsys.readouterr().out.split())

    assert "no usable workflow nothing_of_that_name; known are" in printed
    assert f"{PROJECTS} needs it and continues with its last results" in printed
    assert f"{PROJECTS} needs suiteprojects__customers, which is not active; activate that first" in printed
    (home.warehouse.folder / FILE).write_text("[")
    assert run_command("activate", OPTIONS) == 2


def test_an_override_keeps_what_it_does_not_set(tmp_path: Path) -> None:
    """Two operators may switch two things at once; the file is replaced atomically."""
    switches = Switches(tmp_path)
    switches.override("one", active=False, reason="first")
    switches.override("one", realtime=True)
    switches.override("two", active=True)

    set_at = switches.overrides()["one"].at
    assert switches.overrides()["one"] == Override(active=False, realtime=True, at=set_at, reason="")
    assert json.loads((tmp_path / FILE).read_text()).keys() == {"one", "two"}


@pytest.mark.parametrize("value", ['"false"', '"off"', "0"])
def test_a_switch_whose_value_is_a_text_is_off(value: str, tmp_path: Path) -> None:
    """A text is not true because it is not blank."""
    (tmp_path / "switches.json").write_text(f'{{"precoro__options": {{"active": {value}}}}}')
    assert Switches(tmp_path).overrides()["precoro__options"].active is False


@pytest.mark.parametrize(
    "text", ['{"a": {"active": "perhaps"}}', '{"a": 1}', "[]", "[" * 200_000, '{"a": {"active": [1]}}']
)
def test_switches_of_other_types_are_refused(text: str, tmp_path: Path) -> None:
    """With the file's name and the way back, before anything is sent."""
    (tmp_path / "switches.json").write_text(text)
    with pytest.raises(ValueError, match=r"switches\.json is not valid; correct it"):
        Switches(tmp_path).overrides()


def test_a_run_says_which_workflows_a_person_switched_off(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """A summary without any line looks like a fault; workflows that are off in their files are not named."""
    Switches(home.warehouse.folder).override(OPTIONS, active=False, reason="the year is being closed")
    capsys.readouterr()

    print_switched_off(f"{OPTIONS}__plan")
    print_switched_off("suiteprojects")

    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"{OPTIONS}: nothing was done: it is off")
    assert "the year is being closed" in line
    assert line.endswith(f"`millpond activate {OPTIONS}` switches it on")
