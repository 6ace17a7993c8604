"""Plans that need approval are listed, applied, rejected and undone: by command, and by a job in the UI."""

import os
import pwd
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from cryptography.fernet import Fernet

from assets.delivery.component.checks import SYNC_CHECKS
from assets.delivery.spec.switches import Switches
from orchestration.alerts.run_failures import last_result, record_runs
from orchestration.alerts.store import AlertStore
from orchestration.authorization import USER_TAG
from orchestration.automation.groups import APPLY_PLAN, REJECT_PLAN, UNDO_RUN
from orchestration.cli import links, plan_list, plans
from orchestration.cli.explain import explain
from orchestration.cli.job_run import _problems
from orchestration.cli.run import run
from orchestration.configuration.settings import ROOT
from orchestration.definitions import definitions
from orchestration.moments import end_of
from orchestration.operator_jobs.apply_plan import APPLY_OP, REJECT_OP
from orchestration.operator_jobs.undo_run import UNDO_OP
from resources.sandbox.faults import Fault, FaultKind
from resources.sandbox.precoro.switches import PrecoroSwitches
from resources.sandbox.simulation.day import simulate_day
from tests.orchestration.conftest import QUIET, Home, at_home, edited_workflows

CUSTOMERS = "suiteprojects__customers"
MILLPOND = [sys.executable, "-c", "from orchestration.cli.main import main; main()"]


def guarded(text: str) -> str:
    """Return the workflow file with a guard that allows three creates, and without departments, which do not run."""
    row = "reference: suiteprojects__customer_department,"
    text = text.replace(row, f"active: false, {row}")
    return text + "  guards:\n    create: {percent: 0, rows: 3}\n" if "guards:" not in text else re.sub(
        r"guards:\n", "guards:\n    create: {percent: 0, rows: 3}\n", text
    )  # fmt: skip


class Guarded:
    """A home whose first run was stopped by a guard, with a plan that needs approval."""

    def __init__(self, home: Home, result: dg.ExecuteInProcessResult) -> None:
        self.home = home
        self.result = result

    @property
    def plan_id(self) -> str:
        """The plan that needs approval."""
        waiting = self.home.warehouse.read("select plan_id from sync_plans where state = 'waiting'")
        return str(waiting["plan_id"][0])

    def plan(self, plan_id: str) -> dict[str, Any]:
        """A plan's row."""
        return self.home.warehouse.read("select * from sync_plans where plan_id = ?", [plan_id]).to_dicts()[0]

    def delivered(self) -> int:
        """Number of our records in the target."""
        return sum("externalid" in row for row in self.home.sandbox.suiteprojects.rows("Customer"))


@pytest.fixture(scope="module")
def guarded_home(seeded_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path, Any]]:
    """Prepared once; tests copy it."""
    folder = tmp_path_factory.mktemp("guarded")
    shutil.copytree(seeded_home, folder / "home")
    with (
        at_home(folder / "home") as home,
        edited_workflows(folder / "workflows", **{CUSTOMERS: guarded}) as workflows,
    ):
        yield folder / "home", workflows, home.run(CUSTOMERS)


@pytest.fixture
def stopped(guarded_home: tuple[Path, Path, Any], tmp_path: Path) -> Iterator[Guarded]:
    """A plan needs approval."""
    folder, workflows, result = guarded_home
    shutil.copytree(folder, tmp_path / "home")
    with at_home(tmp_path / "home") as home, pytest.MonkeyPatch.context() as patch:
        patch.setenv("MILLPOND_WORKFLOWS", str(workflows))
        yield Guarded(home, result)


def run_job(job: str, op: str, *, user: str = "", **config: Any) -> dg.ExecuteInProcessResult:
    """Run a job as from the Launchpad, of a named user or of whoever has the token."""
    tags = {USER_TAG: user} if user else {}
    found = definitions().resolve_job_def(job)
    with dg.DagsterInstance.ephemeral() as instance:
        return found.execute_in_process(
            instance=instance, raise_on_error=False, tags=tags, run_config={**QUIET, "ops": {op: {"config": config}}}
        )


def apply_by_job(**config: Any) -> dg.ExecuteInProcessResult:
    """Apply a plan in the UI."""
    return run_job(APPLY_PLAN, APPLY_OP, **config)


def failure(result: dg.ExecuteInProcessResult) -> str:
    """Return the error text of the failed step."""
    (event,) = [each for each in result.all_events if each.is_step_failure]
    assert event.step_failure_data.user_failure_data is not None
    return str(event.step_failure_data.user_failure_data.description)


# --- the guard ------------------------------------------------------------------------------------------------------


@pytest.mark.long
def test_a_failed_guard_check_names_the_plan_and_both_ways_to_apply_it(stopped: Guarded) -> None:
    """The check in the UI is enough to act on."""
    (check,) = [each for each in stopped.result.get_asset_check_evaluations() if each.check_name == "guard"]

    assert not stopped.result.success
    assert not check.passed
    plan_id = stopped.plan_id
    assert check.metadata["plan_id"].value == plan_id
    for text in (
        "would be created; the limit is 3",
        f"`millpond apply {plan_id}`",
        f"jobs apply_plan and reject_plan do the same, with `plan_id: {plan_id}`",
    ):
        assert text in (check.description or "")
    assert stopped.delivered() == 0


def test_the_page_of_a_stopped_run_has_the_sentence_the_plan_and_its_link(stopped: Guarded) -> None:
    """The failure itself says why, not only which check failed; the command prints it once."""
    (check,) = [each for each in stopped.result.get_asset_check_evaluations() if each.check_name == "guard"]
    (event,) = [each for each in stopped.result.all_events if each.is_step_failure]
    assert event.step_failure_data.user_failure_data is not None
    metadata = {name: each.value for name, each in event.step_failure_data.user_failure_data.metadata.items()}

    assert failure(stopped.result) == check.description
    assert metadata == {"plan_id": stopped.plan_id, "review": f"/console/plans/{stopped.plan_id}"}
    assert [each for each in _problems(stopped.result) if stopped.plan_id in each] == []
    made = stopped.result.asset_materializations_for_node(f"plan_{CUSTOMERS}")[0].metadata
    assert made["review"].value == f"/console/plans/{stopped.plan_id}"
    assert made["report"].value == f"/reports/run-{stopped.result.run_id[:8]}.html"


# --- commands -------------------------------------------------------------------------------------------------------


def test_plans_that_need_approval_are_listed_with_their_guard(
    stopped: Guarded, capsys: pytest.CaptureFixture[str]
) -> None:
    """Id, size, duration, expiry, and the reason."""
    assert plan_list.plans() == 0

    printed = capsys.readouterr().out
    assert stopped.plan_id in printed
    assert re.search(rf"{stopped.plan_id}: \d+ records would be created; the limit is 3", printed)


def test_apply_sends_the_plan_and_prints_the_results(stopped: Guarded, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 0, counts, and a new snapshot for analysts."""
    plan_id, before = stopped.plan_id, stopped.home.warehouse.snapshot.exists()

    assert plans.apply(plan_id[:7]) == 0

    assert stopped.delivered() == stopped.plan(plan_id)["writes"] > 3
    assert stopped.plan(plan_id)["state"] == "sent"
    assert stopped.plan(plan_id)["decided_by"] == pwd.getpwuid(os.getuid()).pw_name
    assert re.search(r" \d+ created", capsys.readouterr().out)
    assert not before
    assert stopped.home.warehouse.snapshot.exists()


def test_a_workflow_that_is_off_sends_no_plan(stopped: Guarded, capsys: pytest.CaptureFixture[str]) -> None:
    """Someone stopped it; an approval from an older page is refused, and the plan stays open."""
    Switches(stopped.home.warehouse.folder).override(CUSTOMERS, active=False, reason="the target is restored")

    assert plans.apply(stopped.plan_id) == 2

    assert "the target is restored" in capsys.readouterr().out
    assert (stopped.plan(stopped.plan_id)["state"], stopped.delivered()) == ("waiting", 0)


def test_a_part_of_a_plan_is_applied(stopped: Guarded) -> None:
    """Such as one record first, to check it in the target."""
    rows = stopped.home.warehouse.read("select source_id from plan_suiteprojects__customers where action = 'create'")
    key = str(rows["source_id"][0])

    assert plans.apply(stopped.plan_id, only=(f"record={key}",)) == 0

    assert stopped.delivered() == 1


def test_a_plan_is_applied_once(stopped: Guarded, capsys: pytest.CaptureFixture[str]) -> None:
    """The second time is exit code 2 and an error text, no traceback."""
    plan_id = stopped.plan_id
    plans.apply(plan_id)

    assert plans.apply(plan_id) == 2

    assert f"✗ {CUSTOMERS}: plan {plan_id} is sent" in capsys.readouterr().out


def test_a_rejected_plan_keeps_its_reason(stopped: Guarded, capsys: pytest.CaptureFixture[str]) -> None:
    """It is no longer listed as open, and cannot be applied or rejected again."""
    plan_id = stopped.plan_id

    assert plans.reject(plan_id, reason="wrong subsidiary") == 0
    assert plans.apply(plan_id) == 2
    assert plans.reject(plan_id, reason="again") == 2

    row = stopped.plan(plan_id)
    assert (row["state"], row["note"], stopped.delivered()) == ("rejected", "wrong subsidiary", 0)
    capsys.readouterr()
    plan_list.plans()
    assert "no open plan" in capsys.readouterr().out
    plan_list.plans(show_all=True)
    assert plan_id in capsys.readouterr().out


def test_the_approver_is_recorded_and_can_be_restricted(stopped: Guarded) -> None:
    """By the user of the process: a variable with another name changes nothing."""
    plan_id, me = stopped.plan_id, pwd.getpwuid(os.getuid()).pw_name
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MILLPOND_APPROVERS", "ada, grace")
        patch.setenv("LOGNAME", "ada")
        denied = [
            plans.apply(plan_id),
            plans.reject(plan_id),
            plans.undo("a"),
            links.link("1", "1", workflow=CUSTOMERS),
            links.unlink("1", workflow=CUSTOMERS),
        ]
        by_job = apply_by_job(plan_id=plan_id, reason="urgent")
        before = stopped.plan(plan_id)
        patch.setenv("MILLPOND_APPROVERS", f"ada, {me}")
        allowed = plans.reject(plan_id, reason="no")

    assert denied == [2] * 5
    assert "may not decide this; MILLPOND_APPROVERS allows ada, grace" in failure(by_job)
    assert (before["state"], before["decided_by"], stopped.delivered()) == ("waiting", None, 0)
    assert (allowed, stopped.plan(plan_id)["decided_by"]) == (0, me)


def test_the_user_of_the_web_server_is_recorded(stopped: Guarded) -> None:
    """The role was checked there; MILLPOND_APPROVERS names the users of the command line."""
    plan_id = stopped.plan_id
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MILLPOND_APPROVERS", "grace")
        by_ada = run_job(REJECT_PLAN, REJECT_OP, user="ada", plan_id=plan_id, reason="no")

    row = stopped.plan(plan_id)
    assert by_ada.success
    assert (row["state"], row["decided_by"]) == ("rejected", "ada")


def test_an_expired_plan_is_not_listed_as_open(stopped: Guarded, capsys: pytest.CaptureFixture[str]) -> None:
    """It could not be applied."""
    stopped.home.sandbox.clock.sleep(25 * 3600)

    plan_list.plans()

    assert "no open plan" in capsys.readouterr().out


def test_a_plan_of_a_deleted_workflow_can_be_rejected(stopped: Guarded, tmp_path: Path) -> None:
    """Otherwise it would stay open forever."""
    plan_id = stopped.plan_id
    (tmp_path / "none").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MILLPOND_WORKFLOWS", str(tmp_path / "none"))

        assert plans.reject(plan_id, reason="gone") == 0

    assert stopped.plan(plan_id)["state"] == "rejected"


@pytest.mark.long
def test_undo_plans_the_reversal_of_a_run(synced: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """For every workflow of the run; applying the plan restores the earlier values."""
    before = companies(synced)
    simulate_day(synced.sandbox, seed=5)
    assert synced.run(CUSTOMERS).success
    run_id = synced.warehouse.read(
        "select run_id from sync_runs where state = 'finished' order by finished_at desc limit 1"
    )["run_id"][0]
    changed = companies(synced)

    assert plans.undo(run_id[:8], where="source = 'nothing'") == 2
    assert plans.undo(run_id[:8]) == 0
    waiting = synced.warehouse.read("select plan_id, requested_by from sync_plans where state = 'waiting'")
    plan_id = waiting["plan_id"][0]
    assert waiting["requested_by"][0] == pwd.getpwuid(os.getuid()).pw_name
    assert f"`millpond apply {plan_id}` sends it" in capsys.readouterr().out
    assert plans.apply(plan_id) == 0

    after = companies(synced)
    assert changed != before
    assert {key: after[key] for key in before} == before
    assert plans.undo("nonsense") == 2
    capsys.readouterr()
    assert plans.undo(run_id[:8]) == 0
    assert "nothing to send; `millpond apply " in capsys.readouterr().out
    assert plan_list.plans() == 0
    assert capsys.readouterr().out.startswith("no open plan")


@pytest.mark.long
@pytest.mark.parametrize("by", ["command", "job"])
def test_an_undo_of_which_a_target_was_not_read_has_failed(
    synced: Home, capsys: pytest.CaptureFixture[str], by: str
) -> None:
    """The other workflows' plans are made all the same; a part of an undo must not look like all of it."""
    query = "select run_id from sync_attempts group by all having count(distinct workflow) > 1"
    run_id = synced.warehouse.read(query)["run_id"][0]
    synced.sandbox.faults.plan("precoro", Fault(FaultKind.REFUSED_401, times=99))

    if by == "command":
        code, text = plans.undo(run_id), capsys.readouterr().out
    else:
        result = run_job(UNDO_RUN, UNDO_OP, run=run_id, reason="asked Ann")
        code, text = int(not result.success), "" if result.success else failure(result)

    made = synced.warehouse.read("select distinct workflow from sync_plans where kind = 'undo'")["workflow"]
    assert (code, made.is_empty(), "precoro__options" in made) == (1, False, False)
    assert "precoro: " in text


@pytest.mark.long
def test_an_undo_that_no_target_answers_is_no_wrong_call(synced: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """The same call succeeds later."""
    run_id = synced.warehouse.read("select any_value(run_id) as run_id from sync_attempts")["run_id"][0]
    for system in ("precoro", "suiteprojects"):
        synced.sandbox.faults.plan(system, Fault(FaultKind.REFUSED_401, times=99))

    assert plans.undo(run_id) == 1
    assert "HTTP 401" in capsys.readouterr().out


@pytest.mark.long
def test_an_undo_of_one_workflows_record_is_no_failure_of_the_others(synced: Home) -> None:
    """The run wrote to other workflows too, of which none has that record."""
    query = (
        "select run_id, source_id from sync_attempts where state = 'confirmed' group by all"
        " having count(distinct workflow) = 1 order by all"
    )
    run_id, record = synced.warehouse.read(query).row(0)

    result = run_job(UNDO_RUN, UNDO_OP, run=run_id, records=[record], reason="asked Ann")

    assert result.success
    assert synced.warehouse.read("select * from sync_plans where kind = 'undo'").height == 1


@pytest.mark.long
@pytest.mark.parametrize("by", ["command", "job"])
@pytest.mark.parametrize("kind", ["undo", "sync"])
def test_only_an_undo_that_the_quota_stopped_has_failed(
    synced: Home, capsys: pytest.CaptureFixture[str], kind: str, by: str
) -> None:
    """Nothing continues an undo, so that a scheduler must see it; the next run sends what is left of another plan."""
    query = "select {} from {} where workflow = 'precoro__options' order by position desc limit 1"
    if kind == "undo":
        run_id = synced.warehouse.read(query.format("run_id", "sync_runs"))["run_id"][0]
        assert plans.undo(run_id, where="source = 'customers'", reason="wrong names") == 0
    else:
        for number, option in enumerate(each for each in synced.sandbox.precoro.options() if each["external_id"]):
            synced.sandbox.precoro.edit_option(option["option_id"], name=f"Edited {number}")
        assert synced.run("precoro__options__plan").success
    planned = synced.warehouse.read(query.format("plan_id, writes", "sync_plans")).to_dicts()[0]
    assert planned["writes"] > 1
    synced.sandbox.switches.set("precoro", PrecoroSwitches, calls_per_day=len(synced.sandbox.precoro.call_log()) + 4)
    capsys.readouterr()

    if by == "command":
        code, done = plans.apply(planned["plan_id"], reason="asked Ann"), capsys.readouterr().out
    else:
        result = apply_by_job(plan_id=planned["plan_id"], reason="asked Ann")
        code, done = int(not result.success), "" if result.success else failure(result)

    state = synced.warehouse.read("select state from sync_plans where plan_id = ?", [planned["plan_id"]])["state"][0]
    assert (code in {0, 4}, state) == (kind == "sync", "partial")
    assert ("undo the run again then" in " ".join(done.split())) == (kind == "undo")
    notes = synced.warehouse.read("select event, note from sync_events where subject = ?", [planned["plan_id"]]).rows()
    assert ("approved", "asked Ann") in notes
    assert (("undo_planned", "wrong names") in notes) == (kind == "undo")


def companies(home: Home) -> dict[str, tuple[str | None, ...]]:
    """Return name, company and active flag of our customers in the target."""
    return {
        row["externalid"]: (row.get("name"), row.get("company"), row.get("active"))
        for row in home.sandbox.suiteprojects.rows("Customer")
        if "externalid" in row
    }


def test_only_one_of_two_concurrent_applies_sends(stopped: Guarded) -> None:
    """Two operators apply the same plan: one sends, the other gets an error, and nothing is duplicated."""
    plan_id = stopped.plan_id
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    both = [
        subprocess.Popen(
            [*MILLPOND, "apply", plan_id], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    outputs = [each.communicate(timeout=120) for each in both]

    assert sorted(each.returncode for each in both) == [0, 2], outputs
    assert any(f"plan {plan_id} is sent" in out for out, _ in outputs)
    keys = [row["externalid"] for row in stopped.home.sandbox.suiteprojects.rows("Customer") if "externalid" in row]
    assert len(keys) == len(set(keys)) == stopped.plan(plan_id)["writes"]


@pytest.mark.long
def test_an_encrypted_plan_is_printed_with_values_if_the_key_is_set(synced: Home) -> None:
    """Without the key only field names are printed, never blank values."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MILLPOND_ENCRYPTION_KEY": Fernet.generate_key().decode()}
    simulate_day(synced.sandbox, seed=5)

    done = subprocess.run(
        [*MILLPOND, "plan", CUSTOMERS], env=environment, capture_output=True, text=True, timeout=120, check=False
    )

    assert done.returncode in {0, 4}, done.stdout  # 4: a day brings records that are held back
    assert re.search(r"^      \w+: .* → ", done.stdout, re.MULTILINE)
    assert "∅ → ∅" not in done.stdout
    frame = synced.warehouse.read("select payload from plan_suiteprojects__customers where payload is not null limit 1")
    assert frame["payload"][0].startswith("sealed:")


# --- the jobs -------------------------------------------------------------------------------------------------------


def test_the_job_applies_a_plan(stopped: Guarded) -> None:
    """Its counts are shown on the page of the plan's asset, beside the failed check."""
    plan_id = stopped.plan_id

    result = apply_by_job(plan_id=plan_id, reason="asked Ann")

    assert result.success
    assert stopped.delivered() == stopped.plan(plan_id)["writes"]
    assert stopped.plan(plan_id)["sent_by"] == result.run_id
    (event,) = result.get_asset_observation_events()
    metadata = {name: value.value for name, value in event.asset_observation_data.asset_observation.metadata.items()}
    assert event.asset_key == dg.AssetKey(f"plan_{CUSTOMERS}")
    assert (metadata["created"], metadata["writes"], metadata["reason"]) == (
        stopped.delivered(), stopped.delivered(), "asked Ann",
    )  # fmt: skip
    assert (metadata["plan"], metadata["left_out_as_stale"], metadata["stopped"]) == (plan_id, 0, "no")


@pytest.mark.parametrize(
    ("is_newest", "only"),
    [
        (True, []),
        pytest.param(False, [], marks=pytest.mark.long),
        pytest.param(True, ["action=create"], marks=pytest.mark.long),
    ],
)
def test_a_release_turns_the_checks_green(stopped: Guarded, only: list[str], *, is_newest: bool) -> None:
    """Also those of the delivery, which is made, if the guard's newest result is about this plan; another one waits."""
    plan_id, guard = stopped.plan_id, dg.AssetCheckKey(dg.AssetKey(f"plan_{CUSTOMERS}"), "guard")
    sent = [dg.AssetCheckKey(dg.AssetKey(f"sync_{CUSTOMERS}"), name) for name in SYNC_CHECKS]
    failed = dg.AssetCheckEvaluation(
        guard.asset_key, "guard", passed=False, blocking=True, metadata={"plan_id": plan_id if is_newest else "newer"}
    )
    config = {APPLY_OP: {"config": {"plan_id": plan_id, "reason": "asked Ann", "only": only}}}
    with dg.DagsterInstance.ephemeral() as instance:
        instance.report_runless_asset_event(failed)
        job = definitions().resolve_job_def(APPLY_PLAN)
        assert job.execute_in_process(instance=instance, run_config={**QUIET, "ops": config}).success
        result, delivery = last_result(instance, guard), [last_result(instance, each) for each in sent]
        made = instance.get_latest_materialization_event(dg.AssetKey(f"sync_{CUSTOMERS}"))

    assert result is not None
    assert result.passed == is_newest
    assert [each is not None and each.passed for each in delivery] == [is_newest] * len(SYNC_CHECKS)
    assert ("asked Ann" in (result.description or "")) == is_newest
    assert (made is not None) == is_newest, "the delivery's asset, which failed with the guard, was made by the release"
    assert made is None or "asked Ann" in str(made.asset_materialization and made.asset_materialization.description)
    assert all(each is None or ("were not approved" in str(each.description)) == bool(only) for each in delivery)


def test_the_job_applies_a_part_of_a_plan(stopped: Guarded) -> None:
    """With the same syntax as the command."""
    refused = apply_by_job(plan_id=stopped.plan_id, only=["action=deactivate"], reason="it deactivates nothing")
    result = apply_by_job(plan_id=stopped.plan_id, only=["action=create"], reason="test")

    assert (refused.success, result.success) == (False, True)
    assert stopped.delivered() > 0


@pytest.mark.long
def test_a_plan_that_was_not_sent_is_a_failure_of_its_workflow(stopped: Guarded, tmp_path: Path) -> None:
    """The alert ends with the workflow's next run; no one applies another plan for its sake."""
    stopped.home.sandbox.faults.plan("suiteprojects", Fault(FaultKind.REFUSED_401, times=99))
    config = {APPLY_OP: {"config": {"plan_id": stopped.plan_id, "reason": "test"}}}
    job = definitions().resolve_job_def(APPLY_PLAN)
    with dg.DagsterInstance.ephemeral() as instance, closing(AlertStore(tmp_path / "alerts.sqlite")) as store:
        job.execute_in_process(instance=instance, raise_on_error=False, run_config={**QUIET, "ops": config})
        record_runs(instance, store, datetime.now(UTC).timestamp())

        ((step, *_, affected),) = store.failed_steps()

    assert (step, affected) == (f"sync_{CUSTOMERS}", [CUSTOMERS])


def test_the_job_rejects_a_plan(stopped: Guarded) -> None:
    """Nothing is sent."""
    plan_id = stopped.plan_id

    result = run_job(REJECT_PLAN, REJECT_OP, plan_id=plan_id, reason="wrong file")

    assert result.success
    row = stopped.plan(plan_id)
    assert (row["state"], row["note"], stopped.delivered()) == ("rejected", "wrong file", 0)


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ({"plan_id": "zzz"}, "no plans begin with zzz; list them with `millpond plans`"),
        ({"plan_id": "", "only": ["nonsense"]}, "--only nonsense: "),
    ],
)
def test_the_job_fails_with_the_error_text(stopped: Guarded, config: dict[str, Any], text: str) -> None:
    """Without a stack trace around a typing error, and without a retry."""
    result = apply_by_job(**{**config, "plan_id": config["plan_id"] or stopped.plan_id}, reason="test")

    assert not result.success
    assert failure(result).startswith(text)
    assert not any(event.is_step_up_for_retry for event in result.all_events)


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(("job", "op"), [(APPLY_PLAN, APPLY_OP), (REJECT_PLAN, REJECT_OP)])
def test_the_jobs_require_a_reason(job: str, op: str) -> None:
    """The Launchpad shows what is missing before anything starts."""
    with pytest.raises(dg.DagsterInvalidConfigError, match="reason"):
        run_job(job, op, plan_id="abc")


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
def test_a_past_time_extends_to_the_end_of_its_unit(text: str, moment: str) -> None:
    """A time that was printed to the second can be entered again and includes events within it."""
    assert f"{end_of(text):%Y-%m-%d %H:%M:%S.%f}" == moment


def test_a_record_is_explained_as_of_a_past_time(synced: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """The values of all three sides, what was decided, and who changed what, as they were then."""
    row = synced.warehouse.read(
        "select source_id, from_at, target_id from sync_decisions where action = 'create' and source = 'customers'"
        " and workflow = 'suiteprojects__customers' limit 1"
    ).to_dicts()[0]
    with synced.warehouse.writer() as con:
        con.execute("update sync_decisions set to_run = 'later', to_at = from_at + interval 1 day")

    moment = row["from_at"] + timedelta(minutes=1)  # the answer may come in the next second
    assert explain(row["source_id"], as_of=f"{moment:%Y-%m-%d %H:%M:%S}") == 0

    printed = capsys.readouterr().out
    sides = r"NetSuite: these values since [\d: -]+\n.*desired: these values since .*\n.*target: these values since"
    assert re.search(sides, printed)
    assert re.search(r"target: record created \(our write, run \w+\)", printed)
    assert f"target id: {row['target_id']}" in printed
    assert "; current; rule" in printed
    assert re.search(r"rule new of workflow version \w+", printed)
    assert "the target does not have it" not in printed
    assert explain(row["source_id"], as_of="yesterday") == 2
    assert "write one such as `2026-11-17 06:04`, UTC" in capsys.readouterr().out


# --- exit codes -----------------------------------------------------------------------------------------------------


def test_a_plan_that_waits_has_its_own_exit_code(stopped: Guarded, capsys: pytest.CaptureFixture[str]) -> None:
    """It is printed again without being made again; a listing alone is clean."""
    assert plan_list.plans() == 0
    assert plan_list.plans(stopped.plan_id[:6]) == 3

    printed = capsys.readouterr().out
    assert "  waits for approval: " in printed
    assert "  + create      customers " in printed
    assert plan_list.plans("zzz") == 2


@pytest.mark.long
@pytest.mark.usefixtures("stopped")
def test_a_run_that_a_guard_stops_waits_for_a_person(capsys: pytest.CaptureFixture[str]) -> None:
    """The guard is the only problem, and takes one line."""
    assert run(CUSTOMERS) == 3

    printed = capsys.readouterr().out
    assert len(re.findall(r"^✗ ", printed, re.MULTILINE)) == 1
    assert re.search(r"^✗ plan_\w+: check guard: \d+ records would be created", printed, re.MULTILINE)
    assert "created" not in printed.partition("✗")[0]  # nothing was sent


def test_mistyped_parts_of_a_plan_are_named(stopped: Guarded, capsys: pytest.CaptureFixture[str]) -> None:
    """Instead of a plan without records. Nothing counts as approved, and no run as made."""
    runs = stopped.home.warehouse.read("select run_id from sync_runs").height
    for only, meant in (("field=adr_city", "addr_city"), ("action=creat", "create")):
        assert plans.apply(stopped.plan_id, only=(only,)) == 2
        assert f"did you mean {meant}" in capsys.readouterr().out
    assert stopped.delivered() == 0
    assert stopped.plan(stopped.plan_id)["decided_by"] is None
    assert stopped.home.warehouse.read("select event from sync_events").height == 0
    assert stopped.home.warehouse.read("select run_id from sync_runs").height == runs


def test_a_run_without_times_hides_no_record(stopped: Guarded, capsys: pytest.CaptureFixture[str]) -> None:
    """Earlier versions left such a row when they refused a plan."""
    with stopped.home.warehouse.writer() as con:
        (record,) = con.execute(
            f"select min(source_id), any_value(run.run_id) from plan_{CUSTOMERS}, sync_runs as run"
        ).fetchall()
        con.execute(
            "insert into sync_runs (run_id, workflow, calls, position) select 'refused', workflow, 0, max(position) + 1"
            " from sync_runs where workflow = ? group by workflow",
            [CUSTOMERS],
        )

    assert explain(record[0]) == 0
    assert f"(run {record[1][:8]}: planned)" in capsys.readouterr().out
