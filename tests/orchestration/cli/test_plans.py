"""A plan that waits is listed, released, dropped or undone: by command, and by a job in the UI."""

import os
import pwd
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from cryptography.fernet import Fernet
from rich.console import Console

from orchestration.cli.main import explain, links, plans
from orchestration.definitions import definitions
from orchestration.operator_jobs.apply_plan import OP, RELEASE
from orchestration.settings import ROOT
from resources.sandbox.simulation.day import day
from tests.orchestration.conftest import QUIET, Home, at_home, edited_workflows

CUSTOMERS = "suiteprojects__customers"
MILLPOND = [sys.executable, "-c", "from orchestration.cli.main import main; main()"]


def strict(text: str) -> str:
    """The workflow with a guard that lets three creates through."""
    return text + "  guards:\n    create: {percent: 0, rows: 3}\n" if "guards:" not in text else re.sub(
        r"guards:\n", "guards:\n    create: {percent: 0, rows: 3}\n", text
    )  # fmt: skip


class Held:
    """A home where a first run was stopped by a guard, with a plan that waits."""

    def __init__(self, home: Home, result: dg.ExecuteInProcessResult) -> None:
        self.home = home
        self.result = result

    @property
    def plan_id(self) -> str:
        """The plan that waits."""
        waiting = self.home.warehouse.read("select plan_id from sync_plans where state = 'waiting'")
        return str(waiting["plan_id"][0])

    def plan(self, plan_id: str) -> dict[str, Any]:
        """A plan's row."""
        return self.home.warehouse.read("select * from sync_plans where plan_id = ?", [plan_id]).to_dicts()[0]

    def ours(self) -> int:
        """Records of ours in the target."""
        return sum("externalid" in row for row in self.home.sandbox.suiteprojects.rows("Customer"))


@pytest.fixture(scope="module")
def held_home(seeded_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path, Any]]:
    """Made once; tests copy it."""
    folder = tmp_path_factory.mktemp("held")
    shutil.copytree(seeded_home, folder / "home")
    with (
        at_home(folder / "home") as home,
        edited_workflows(folder / "workflows", **{CUSTOMERS: strict}) as workflows,
    ):
        yield folder / "home", workflows, home.run(CUSTOMERS)


@pytest.fixture
def held(held_home: tuple[Path, Path, Any], tmp_path: Path) -> Iterator[Held]:
    """A plan waits."""
    folder, workflows, result = held_home
    shutil.copytree(folder, tmp_path / "home")
    with at_home(tmp_path / "home") as home, pytest.MonkeyPatch.context() as patch:
        patch.setenv("MILLPOND_WORKFLOWS", str(workflows))
        yield Held(home, result)


@pytest.fixture
def console() -> Console:
    """What is printed is kept."""
    return Console(width=160, record=True, file=StringIO())


def release(**config: Any) -> dg.ExecuteInProcessResult:
    """Run the job as from the launchpad."""
    job = next(each for each in definitions().resolve_all_job_defs() if each.name == RELEASE)
    with dg.DagsterInstance.ephemeral() as instance:
        return job.execute_in_process(
            instance=instance, raise_on_error=False, run_config={**QUIET, "ops": {OP: {"config": config}}}
        )


def failure(result: dg.ExecuteInProcessResult) -> str:
    """What the failed step says to a person."""
    (event,) = [each for each in result.all_events if each.is_step_failure]
    assert event.step_failure_data.user_failure_data is not None
    return str(event.step_failure_data.user_failure_data.description)


# --- the guard ------------------------------------------------------------------------------------------------------


def test_the_guards_check_names_the_plan_and_both_ways_to_release_it(held: Held) -> None:
    """Who sees the red check in the UI needs neither the shell's history nor this repository."""
    (check,) = [each for each in held.result.get_asset_check_evaluations() if each.check_name == "guard"]

    assert not held.result.success
    assert not check.passed
    plan_id = held.plan_id
    assert check.metadata["plan_id"].value == plan_id
    for words in (
        "would be created; allowed are 3",
        f"`millpond apply {plan_id}`",
        f"job release_plan with `plan_id: {plan_id}`",
    ):
        assert words in (check.description or "")
    assert held.ours() == 0


# --- commands -------------------------------------------------------------------------------------------------------


def test_waiting_plans_are_listed_with_their_guard(held: Held, console: Console) -> None:
    """Id, size, how long it takes, until when, and why it waits."""
    assert plans.print_plans(console, every=False) == 0

    printed = console.export_text()
    assert held.plan_id in printed
    assert re.search(rf"{held.plan_id}: \d+ records would be created; allowed are 3", printed)


def test_apply_sends_and_says_what(held: Held, console: Console) -> None:
    """Exit code 0, counts, and the snapshot for analysts is new."""
    plan_id, before = held.plan_id, held.home.warehouse.snapshot.exists()

    assert plans.print_applied(plan_id[:7], (), console) == 0

    assert held.ours() == held.plan(plan_id)["writes"] > 3
    assert held.plan(plan_id)["state"] == "sent"
    assert held.plan(plan_id)["decided_by"] == pwd.getpwuid(os.getuid()).pw_name
    assert re.search(r"│ created +│ +\d+ │", console.export_text())
    assert not before
    assert held.home.warehouse.snapshot.exists()


def test_apply_in_part(held: Held, console: Console) -> None:
    """One record first, to look at it in the target."""
    rows = held.home.warehouse.read("select source_id from plan_suiteprojects__customers where action = 'create'")
    key = str(rows["source_id"][0])

    assert plans.print_applied(held.plan_id, (f"record={key}",), console) == 0

    assert held.ours() == 1


def test_apply_twice_is_refused_with_words(held: Held, console: Console) -> None:
    """Exit code 2, no traceback."""
    plan_id = held.plan_id
    plans.print_applied(plan_id, (), console)

    assert plans.print_applied(plan_id, (), console) == 2

    assert f"✗ {CUSTOMERS}: plan {plan_id} is sent" in console.export_text()


def test_reject_drops_and_remembers_why(held: Held, console: Console) -> None:
    """It is no longer listed, and cannot be sent."""
    plan_id = held.plan_id

    assert plans.print_rejected(plan_id, "wrong subsidiary", console) == 0
    assert plans.print_applied(plan_id, (), console) == 2
    assert plans.print_rejected(plan_id, "again", console) == 2

    row = held.plan(plan_id)
    assert (row["state"], row["note"], held.ours()) == ("rejected", "wrong subsidiary", 0)
    listed = Console(width=160, record=True, file=console.file)
    plans.print_plans(listed, every=False)
    assert "no plan waits" in listed.export_text()
    plans.print_plans(listed, every=True)
    assert plan_id in listed.export_text()


def test_who_decides_is_written_down_and_may_be_limited(held: Held, console: Console) -> None:
    """By the account that the process runs under: a variable with another name changes nothing."""
    plan_id, me = held.plan_id, pwd.getpwuid(os.getuid()).pw_name
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MILLPOND_RELEASERS", "ada, somebody")
        patch.setenv("LOGNAME", "ada")
        refused = [
            plans.print_applied(plan_id, (), console),
            plans.print_rejected(plan_id, "no", console),
            plans.print_undo("a", (), console),
            links.print_linked("1", "1", console, workflow=CUSTOMERS, why=""),
            links.print_unlinked("1", console, workflow=CUSTOMERS),
        ]
        by_job = release(plan_id=plan_id, why="urgent")
        before = held.plan(plan_id)
        patch.setenv("MILLPOND_RELEASERS", f"ada, {me}")
        allowed = plans.print_rejected(plan_id, "no", console)

    assert refused == [2] * 5
    assert "may not decide this; MILLPOND_RELEASERS names who may: ada, somebody" in failure(by_job)
    assert (before["state"], before["decided_by"], held.ours()) == ("waiting", None, 0)
    assert (allowed, held.plan(plan_id)["decided_by"]) == (0, me)


def test_an_expired_plan_is_not_listed_as_open(held: Held, console: Console) -> None:
    """Who would release it in vain looks for another way at once."""
    held.home.sandbox.clock.sleep(25 * 3600)

    plans.print_plans(console, every=False)

    assert "no plan waits" in console.export_text()


def test_a_plan_of_a_workflow_that_is_gone_is_dropped(held: Held, console: Console, tmp_path: Path) -> None:
    """Its file was deleted; what waited must not wait for ever."""
    plan_id = held.plan_id
    (tmp_path / "none").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MILLPOND_WORKFLOWS", str(tmp_path / "none"))

        assert plans.print_rejected(plan_id, "gone", console) == 0

    assert held.plan(plan_id)["state"] == "rejected"


def test_undo_plans_what_takes_a_run_back(settled: Home, console: Console) -> None:
    """For every workflow of the run; what was changed in a day goes back when it is applied."""
    before = companies(settled)
    day(settled.sandbox, seed=5)
    assert settled.run(CUSTOMERS).success
    run_id = settled.warehouse.read(
        "select run_id from sync_runs where state = 'finished' order by finished_at desc limit 1"
    )["run_id"][0]
    changed = companies(settled)

    assert plans.print_undo(run_id[:8], (), console, where="source = 'nothing'") == 2
    assert plans.print_undo(run_id[:8], (), console) == 0
    plan_id = settled.warehouse.read("select plan_id from sync_plans where state = 'waiting'")["plan_id"][0]
    assert f"`millpond apply {plan_id}` sends it" in console.export_text()
    assert plans.print_applied(plan_id, (), console) == 0

    after = companies(settled)
    assert changed != before
    assert {key: after[key] for key in before} == before
    assert plans.print_undo("nonsense", (), console) == 2


def companies(home: Home) -> dict[str, tuple[str | None, ...]]:
    """Name, company and switch of our customers in the target."""
    return {
        row["externalid"]: (row.get("name"), row.get("company"), row.get("active"))
        for row in home.sandbox.suiteprojects.rows("Customer")
        if "externalid" in row
    }


def test_two_processes_that_apply_at_once(held: Held) -> None:
    """As two people on one machine type it: one sends, the other is told, and nothing is there twice."""
    plan_id = held.plan_id
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    both = [
        subprocess.Popen(
            [*MILLPOND, "apply", plan_id], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    said = [each.communicate(timeout=120) for each in both]

    assert sorted(each.returncode for each in both) == [0, 2], said
    assert any(f"plan {plan_id} is sent" in out for out, _ in said)
    keys = [row["externalid"] for row in held.home.sandbox.suiteprojects.rows("Customer") if "externalid" in row]
    assert len(keys) == len(set(keys)) == held.plan(plan_id)["writes"]


def test_a_sealed_plan_is_printed_with_its_values_by_who_has_the_key(settled: Home) -> None:
    """And with names of fields alone by who has not; never as if fields were blank."""
    sealed = {**os.environ, "PYTHONPATH": str(ROOT), "MILLPOND_SEAL_KEY": Fernet.generate_key().decode()}
    day(settled.sandbox, seed=5)

    said = subprocess.run(
        [*MILLPOND, "plan", CUSTOMERS], env=sealed, capture_output=True, text=True, timeout=120, check=False
    )

    assert said.returncode == 0, said.stdout
    assert re.search(r"^    \w+: .* → ", said.stdout, re.MULTILINE)
    assert "∅ → ∅" not in said.stdout
    frame = settled.warehouse.read(
        "select payload from plan_suiteprojects__customers where payload is not null limit 1"
    )
    assert frame["payload"][0].startswith("sealed:")


# --- the job --------------------------------------------------------------------------------------------------------


def test_the_job_releases_a_plan(held: Held) -> None:
    """Counts stand on the plan's asset, beside the check that failed."""
    plan_id = held.plan_id

    result = release(plan_id=plan_id, why="asked Ann")

    assert result.success
    assert held.ours() == held.plan(plan_id)["writes"]
    assert held.plan(plan_id)["sent_by"] == result.run_id
    (seen,) = result.get_asset_observation_events()
    told = {name: value.value for name, value in seen.asset_observation_data.asset_observation.metadata.items()}
    assert seen.asset_key == dg.AssetKey(f"plan_{CUSTOMERS}")
    assert (told["created"], told["writes"], told["why"]) == (held.ours(), held.ours(), "asked Ann")
    assert (told["plan"], told["left_out_as_stale"], told["stopped"]) == (plan_id, 0, "no")


def test_the_job_releases_a_part(held: Held) -> None:
    """The same words as the command's."""
    result = release(plan_id=held.plan_id, only=["action=deactivate"], why="test")

    assert result.success
    assert held.ours() == 0


def test_the_job_drops_a_plan(held: Held) -> None:
    """Nothing is sent."""
    plan_id = held.plan_id

    result = release(plan_id=plan_id, reject=True, why="wrong file")

    assert result.success
    row = held.plan(plan_id)
    assert (row["state"], row["note"], held.ours()) == ("rejected", "wrong file", 0)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"plan_id": "zzz"}, "no plans begin with zzz; `millpond plans` lists them"),
        ({"plan_id": "", "only": ["nonsense"]}, "--only nonsense: say action=…"),
    ],
)
def test_the_job_fails_with_words(held: Held, config: dict[str, Any], words: str) -> None:
    """No stack of Dagster's around a mistake in typing, and no second try."""
    result = release(**{**config, "plan_id": config["plan_id"] or held.plan_id}, why="test")

    assert not result.success
    assert failure(result).startswith(words)
    assert not any(event.is_step_up_for_retry for event in result.all_events)


@pytest.mark.usefixtures("home")
def test_the_job_asks_for_a_reason() -> None:
    """The launchpad shows what is missing before anything starts."""
    with pytest.raises(dg.DagsterInvalidConfigError, match="why"):
        release(plan_id="abc")


# --- the past -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-17 06:04", "2026-11-17 06:04:59.999999"),
        ("2026-11-17", "2026-11-17 23:59:59.999999"),
        ("2026-11-17 06:04:31", "2026-11-17 06:04:31.999999"),
        ("2026-11-17T06:04:31Z", "2026-11-17 06:04:31.999999"),
        ("2026-11-17T07:04+01:00", "2026-11-17 06:04:59.999999"),
        ("2026-11-17 01:04-05:00", "2026-11-17 06:04:59.999999"),
        ("2026-11-17 06:04:31.5", "2026-11-17 06:04:31.500000"),
    ],
)
def test_a_moment_reaches_to_its_end(text: str, moment: str) -> None:
    """What is printed to the second can be typed again and finds what happened in it."""
    assert f"{explain.moment_named(text):%Y-%m-%d %H:%M:%S.%f}" == moment


def test_a_record_is_explained_as_of_a_moment(settled: Home, console: Console) -> None:
    """With what cannot be told of the past named, not shown as absent."""
    row = settled.warehouse.read(
        "select source_id, from_at, target_id from sync_decisions where action = 'create' and source = 'customers'"
        " and workflow = 'suiteprojects__customers' limit 1"
    ).to_dicts()[0]
    with settled.warehouse.writer() as con:
        con.execute("update sync_decisions set to_run = 'later', to_at = from_at + interval 1 day")

    assert explain.print_story(row["source_id"], console, f"{row['from_at']:%Y-%m-%d %H:%M:%S}") == 0

    printed = console.export_text()
    assert explain.NOT_KEPT in printed
    assert f"target id: {row['target_id']}" in printed
    assert "still so" in printed
    assert re.search(r"rule new of workflow version \w+", printed)
    assert "the target does not have it" not in printed
    assert explain.print_story(row["source_id"], console, "yesterday") == 2
    assert "write a moment like `2026-11-17 06:04`, UTC" in console.export_text()
