"""Several NetSuite accounts in one code location: a partition each, and nothing of one is ever in another."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import copytree
from typing import Any

import dagster as dg
import pytest
from pydantic import ValidationError

from orchestration.account_partitions import PARTITION, account_of
from orchestration.alerts.run_failures import last_answer
from orchestration.dagster_instance import open_instance
from orchestration.definitions import definitions
from orchestration.realtime.queue import NotificationQueue
from orchestration.settings import (
    AccountError,
    MillpondSettings,
    netsuite_settings,
    precoro_settings,
    secret_variables,
    suiteprojects_connection,
)
from orchestration.warehouse_access import budget_of
from resources.sandbox.generator.seed import seed
from resources.sandbox.netsuite.switches import NetSuiteSwitches
from tests.orchestration.cli.test_main import MILLPOND
from tests.orchestration.conftest import QUIET, Home

ACCOUNTS = ("acme", "globex")
SINK, OPTIONS = "sync_suiteprojects__customers", "sync_precoro__options"


@dataclass
class Two:
    """Two accounts under one roof."""

    folder: Path
    instance: dg.DagsterInstance

    def home(self, account: str) -> Home:
        """The sandbox and the warehouse of one."""
        return Home(self.folder / "accounts" / account)

    def run(self, account: str | None, job: str = "all", config: Any = None) -> dg.ExecuteInProcessResult:
        """One job for one account, as the daemon would."""
        found = definitions().resolve_job_def(job)
        return found.execute_in_process(
            instance=self.instance, raise_on_error=False, partition_key=account, run_config={**QUIET, **(config or {})}
        )

    def tick(self, name: str) -> Any:
        """One look of a sensor."""
        loaded = definitions()
        repository = loaded.get_repository_def()
        context = dg.build_sensor_context(
            instance=self.instance, repository_def=repository,
            resources={key: made for key, made in (loaded.resources or {}).items() if "__" in key},
        )  # fmt: skip
        with context:
            return repository.get_sensor_def(name).evaluate_tick(context)


@pytest.fixture(scope="module")
def two_homes(seeded_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both accounts' NetSuites, filled with different records."""
    folder = tmp_path_factory.mktemp("two") / "home"
    copytree(seeded_home, folder / "accounts" / "acme")
    seed(Home(folder / "accounts" / "globex").sandbox, customers=25, seed=8)
    return folder


@pytest.fixture(scope="module")
def settled_homes(two_homes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each after its first run."""
    folder = tmp_path_factory.mktemp("settled two") / "home"
    copytree(two_homes, folder)
    with at_both(folder) as both:
        assert [both.run(account).success for account in ACCOUNTS] == [True, True]
    return folder


@contextmanager
def at_both(folder: Path) -> Iterator[Two]:
    """Settings that name both, for a while."""
    with pytest.MonkeyPatch.context() as patch, dg.DagsterInstance.ephemeral() as instance:
        patch.setenv("MILLPOND_HOME", str(folder))
        patch.setenv("MILLPOND_MODE", "sandbox")
        patch.setenv("MILLPOND_ACCOUNTS", ", ".join(ACCOUNTS))
        yield Two(folder, instance)


@pytest.fixture
def two(two_homes: Path, tmp_path: Path) -> Iterator[Two]:
    """Nothing has run yet."""
    copytree(two_homes, tmp_path / "home")
    with at_both(tmp_path / "home") as both:
        yield both


@pytest.fixture
def settled(settled_homes: Path, tmp_path: Path) -> Iterator[Two]:
    """Both were delivered."""
    copytree(settled_homes, tmp_path / "home")
    with at_both(tmp_path / "home") as both:
        yield both


def names(home: Home) -> tuple[set[str], set[str]]:
    """What NetSuite has, and what arrived: keys of customers."""
    there = {str(row["id"]) for row in home.sandbox.netsuite.rows("customer")}
    arrived = {row["externalid"] for row in home.sandbox.suiteprojects.rows("Customer") if row.get("externalid")}
    return there, arrived


def test_a_run_is_of_one_account(two: Two) -> None:
    """Dagster shows one partition of every asset for it; the other one is as it was."""
    assert two.run("acme").success

    assert names(two.home("acme"))[1]
    assert names(two.home("globex"))[1] == set()
    assert not two.home("globex").warehouse.exists()
    for name in ("raw_netsuite__customers", SINK, OPTIONS, "analyst_snapshot"):
        assert two.instance.get_materialized_partitions(dg.AssetKey(name)) == {"acme"}, name


def test_each_account_is_delivered_to_its_own_targets(settled: Two) -> None:
    """From its NetSuite over its warehouse to its companies."""
    for account in ACCOUNTS:
        home = settled.home(account)
        there, arrived = names(home)
        staged = {row["customer_id"] for row in home.warehouse.table("stg_netsuite__customers").iter_rows(named=True)}
        assert arrived
        assert {str(each) for each in staged} <= there
        assert arrived <= there
        assert home.warehouse.snapshot.exists()
    assert not (settled.folder / "warehouse").exists()


def test_a_run_of_no_account_does_nothing(two: Two) -> None:
    """A job that Dagster lets start without a partition."""
    config = {"ops": {"release": {"config": {"plan_id": "x", "why": "a test"}}}}

    result = two.run(None, "release_plan", config)

    assert not result.success
    with pytest.raises(dg.Failure, match="choose a partition, one of acme, globex"):
        account_of(None, MillpondSettings())


def test_the_clock_starts_a_run_for_each_account(two: Two) -> None:
    """One tick, as many runs."""
    repository = definitions().get_repository_def()
    schedule = next(each for each in repository.schedule_defs if each.job_name == "reconcile")

    with dg.build_schedule_context(instance=two.instance, repository_def=repository) as context:
        requests = schedule.evaluate_tick(context).run_requests or []

    assert [each.tags[PARTITION] for each in requests] == list(ACCOUNTS)


def test_what_changed_in_one_account_starts_its_run_alone(settled: Two) -> None:
    """Each has its sensors; a run of the other that is under way holds nobody up."""
    busy = dg.DagsterRun(job_name="customers", status=dg.DagsterRunStatus.STARTED, tags={PARTITION: "globex"})
    settled.instance.add_run(busy)
    settled.home("acme").sandbox.clock.advance(3600)
    key = next(iter(settled.home("acme").sandbox.netsuite.rows("customer")))["id"]
    settled.home("acme").sandbox.netsuite.update("customer", int(key), phone="+46 8 1")

    acme, globex = settled.tick("customers_changes__acme"), settled.tick("customers_changes__globex")

    assert [each.partition_key for each in acme.run_requests] == ["acme"]
    assert globex.skip_message == "a run of customers is still under way"


def test_a_saved_record_is_brought_in_its_account(settled: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    """The change notification is kept with the account that sent it, and so is the run that it starts."""
    monkeypatch.setenv("MILLPOND_REALTIME_WAIT_S", "0")
    monkeypatch.setenv("MILLPOND_REALTIME_LINGER_S", "0")
    home = settled.home("globex")
    switch = {"ops": {"switch": {"config": {"workflow": "suiteprojects__customers", "realtime": True}}}}
    assert settled.run("globex", "switch_workflow", switch).success
    arrived = sorted(names(home)[1], key=int)[0]
    home.sandbox.netsuite.update("customer", int(arrived), phone="+46 8 123")
    NotificationQueue(home.folder).keep("customers", arrived, is_deleted=False, nonce="1", now=0.0, remember_s=60)

    assert settled.tick("change_notifications__acme").run_requests == []
    assert [each.partition_key for each in settled.tick("change_notifications__globex").run_requests] == ["globex"]
    brought = settled.run("globex", "realtime")
    assert brought.success, [
        event.step_failure_data.error.to_string() for event in brought.all_events if event.is_step_failure
    ]

    phones = {
        row["externalid"]: row.get("addr_phone", row.get("phone"))
        for row in home.sandbox.suiteprojects.rows("Customer")
    }
    assert "+46 8 123" in str(phones[arrived])


def test_what_fails_in_one_account_is_told_of_it(two: Two) -> None:
    """The other one has nothing to mend."""
    two.home("acme").sandbox.switches.set("netsuite", NetSuiteSwitches, hidden_tables=["customer"])
    assert not two.run("acme").success
    assert two.run("globex").success

    assert two.tick("alerts__acme").skip_message.startswith("1 open; told: Millpond (acme): ")
    assert two.tick("alerts__globex").skip_message == "0 open; nothing changed"


def test_a_nights_answer_for_one_account_stands_when_another_has_a_better_one(two: Two) -> None:
    """Dagster keeps the answers of a check in one row."""
    said = {"acme": False, "globex": True}

    @dg.asset_check(asset="sync_customers", name="reconciled")
    def reconciled(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=said[context.op_execution_context.run.tags[PARTITION]])

    @dg.asset
    def sync_customers() -> None:
        """The sink."""

    made = dg.Definitions(assets=[sync_customers], asset_checks=[reconciled], jobs=[dg.define_asset_job("nightly")])
    for account in ACCOUNTS:
        made.resolve_job_def("nightly").execute_in_process(instance=two.instance, tags={PARTITION: account})

    def answer(account: str) -> dg.AssetCheckEvaluation | None:
        return last_answer(two.instance, next(iter(reconciled.check_keys)), account)

    told = [answer(account) for account in (*ACCOUNTS, "initech")]
    assert [each.passed if each else None for each in told] == [False, True, None]


@pytest.mark.usefixtures("two")
def test_each_account_has_its_own_settings_and_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """None is taken for another's: what is not set for an account is not set."""
    monkeypatch.setenv("NETSUITE_ACCOUNT", "1")
    monkeypatch.setenv("NETSUITE_ACME_ACCOUNT", "2")
    monkeypatch.setenv("PRECORO_ACME_REGION", "us")
    monkeypatch.setenv("PRECORO_ACME_UK_EMAIL", "ops@example.com")
    monkeypatch.setenv("SUITEPROJECTS_GLOBEX_COMPANY", "globex inc")
    monkeypatch.setenv("PRECORO_ACME_UK_TOKEN", "a token")
    monkeypatch.setenv("MILLPOND_MODE", "live")
    acme, globex = MillpondSettings().each

    assert [netsuite_settings(name).account for name in ("", "acme", "globex")] == ["1", "2", ""]
    assert precoro_settings("", "acme").region == "us"
    assert precoro_settings("uk", "acme").email == "ops@example.com"
    assert [suiteprojects_connection(each)["company"] for each in (acme, globex)] == ["", "globex inc"]
    assert suiteprojects_connection(acme)["token_file"] != suiteprojects_connection(globex)["token_file"]
    assert (acme.lake_schema, globex.lake_schema) == ("millpond_acme", "millpond_globex")
    assert "PRECORO_ACME_UK_TOKEN" in secret_variables()


def test_accounts_do_not_wait_for_each_others_pond(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many writers as warehouses; within one the file's own lock keeps them apart."""
    monkeypatch.setenv("DAGSTER_HOME", "")

    with open_instance(MillpondSettings()) as instance:
        assert instance.get_concurrency_config().pool_config.default_pool_limit == len(ACCOUNTS)
    assert (two.folder / "dagster" / "dagster.yaml").exists()


def test_accounts_that_share_a_company_share_its_allowance(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    """Precoro counts what comes with a token, whoever sends it."""
    monkeypatch.setenv("MILLPOND_MODE", "live")

    assert {budget_of(each) for each in MillpondSettings().each} == {str(two.folder / "precoro_budget.sqlite")}


@pytest.mark.parametrize("given", ["Acme", "acme,acme", "a b", "acme,../etc"])
def test_a_name_is_one_that_folders_and_variables_take(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It stands in both."""
    monkeypatch.setenv("MILLPOND_ACCOUNTS", given)

    with pytest.raises(ValidationError, match="write names like acme,globex"):
        MillpondSettings()


def test_a_command_is_about_one_account(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which one is never guessed."""

    def told(*command: str) -> tuple[int, str]:
        done = subprocess.run(
            [*MILLPOND, *command],
            check=False, capture_output=True, text=True, env={**os.environ, "COLUMNS": "200"},
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr

    with pytest.raises(AccountError):
        _ = MillpondSettings().warehouse
    code, text = told("tables")
    assert code == 2
    assert "say which account: MILLPOND_ACCOUNT, one of acme, globex" in text

    monkeypatch.setenv("MILLPOND_ACCOUNT", "globex")
    code, text = told("run", "customers")

    assert code == 0, text
    assert names(two.home("globex"))[1]
    assert names(two.home("acme"))[1] == set()
    monkeypatch.setenv("MILLPOND_ACCOUNT", "initech")
    with pytest.raises(ValidationError, match="no account initech in MILLPOND_ACCOUNTS"):
        MillpondSettings()
