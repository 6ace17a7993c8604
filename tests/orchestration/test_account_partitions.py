"""Several NetSuite accounts in one code location: a partition each, with nothing shared between them."""

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

from orchestration.account_partitions import account_of
from orchestration.alerts.run_failures import last_result
from orchestration.clients import precoro_budget
from orchestration.configuration.secret_settings import secret_variables
from orchestration.configuration.settings import (
    AccountError,
    MillpondSettings,
    netsuite_settings,
    precoro_settings,
)
from orchestration.configuration.settings_error import SettingsError
from orchestration.dagster_instance import open_instance
from orchestration.dagster_internals import PARTITION_TAG
from orchestration.definitions import definitions
from orchestration.realtime.queue import NotificationQueue
from orchestration.resource_wiring import suiteprojects_resource
from resources.sandbox.generator.seed import seed
from resources.sandbox.netsuite.switches import NetSuiteSwitches
from tests.orchestration.cli.test_main import MILLPOND
from tests.orchestration.conftest import QUIET, Home

ACCOUNTS = ("acme", "globex")
SINK, OPTIONS = "sync_suiteprojects__customers", "sync_precoro__options"


@dataclass
class Two:
    """A home with two accounts."""

    folder: Path
    instance: dg.DagsterInstance

    def home(self, account: str) -> Home:
        """Return one account's sandbox and warehouse."""
        return Home(self.folder / "accounts" / account)

    def run(self, account: str | None, job: str = "all", config: Any = None) -> dg.ExecuteInProcessResult:
        """Run one job for one account, as the daemon would."""
        found = definitions().resolve_job_def(job)
        return found.execute_in_process(
            instance=self.instance, raise_on_error=False, partition_key=account, run_config={**QUIET, **(config or {})}
        )

    def tick(self, name: str) -> Any:
        """Evaluate a sensor once."""
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
    """Two accounts with different records in NetSuite."""
    folder = tmp_path_factory.mktemp("two") / "home"
    copytree(seeded_home, folder / "accounts" / "acme")
    seed(Home(folder / "accounts" / "globex").sandbox, customers=25, seed=8)
    return folder


@pytest.fixture(scope="module")
def synced_homes(two_homes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both accounts after their first runs."""
    folder = tmp_path_factory.mktemp("synced two") / "home"
    copytree(two_homes, folder)
    with at_both(folder) as both:
        assert [both.run(account).success for account in ACCOUNTS] == [True, True]
    return folder


@contextmanager
def at_both(folder: Path) -> Iterator[Two]:
    """Use settings with both accounts within the block."""
    with pytest.MonkeyPatch.context() as patch, dg.DagsterInstance.ephemeral() as instance:
        patch.setenv("MILLPOND_HOME", str(folder))
        patch.setenv("MILLPOND_MODE", "sandbox")
        patch.setenv("MILLPOND_ACCOUNTS", ", ".join(ACCOUNTS))
        yield Two(folder, instance)


@pytest.fixture
def two(two_homes: Path, tmp_path: Path) -> Iterator[Two]:
    """Two accounts before their first runs."""
    copytree(two_homes, tmp_path / "home")
    with at_both(tmp_path / "home") as both:
        yield both


@pytest.fixture
def synced(synced_homes: Path, tmp_path: Path) -> Iterator[Two]:
    """Two accounts after their first runs."""
    copytree(synced_homes, tmp_path / "home")
    with at_both(tmp_path / "home") as both:
        yield both


def names(home: Home) -> tuple[set[str], set[str]]:
    """Return the keys of customers in NetSuite, and of delivered ones."""
    existing = {str(row["id"]) for row in home.sandbox.netsuite.rows("customer")}
    delivered = {row["externalid"] for row in home.sandbox.suiteprojects.rows("Customer") if row.get("externalid")}
    return existing, delivered


@pytest.mark.long
def test_a_run_belongs_to_one_account(two: Two) -> None:
    """It materializes one partition of every asset; the other account is not affected."""
    assert two.run("acme").success

    assert names(two.home("acme"))[1]
    assert names(two.home("globex"))[1] == set()
    assert not two.home("globex").warehouse.exists()
    for name in ("raw_netsuite__customers", SINK, OPTIONS, "analyst_snapshot"):
        assert two.instance.get_materialized_partitions(dg.AssetKey(name)) == {"acme"}, name


@pytest.mark.long
def test_each_account_is_delivered_to_its_own_targets(synced: Two) -> None:
    """From its NetSuite through its warehouse to its companies."""
    for account in ACCOUNTS:
        home = synced.home(account)
        existing, delivered = names(home)
        staged = {row["customer_id"] for row in home.warehouse.table("stg_netsuite__customers").iter_rows(named=True)}
        assert delivered
        assert {str(each) for each in staged} <= existing
        assert delivered <= existing
        assert home.warehouse.snapshot.exists()
    assert not (synced.folder / "warehouse").exists()


def test_a_run_without_an_account_fails(two: Two) -> None:
    """Dagster lets a job start without a partition."""
    config = {"ops": {"apply": {"config": {"plan_id": "x", "reason": "a test"}}}}

    result = two.run(None, "apply_plan", config)

    assert not result.success
    with pytest.raises(dg.Failure, match="choose a partition, one of acme, globex"):
        account_of(None, MillpondSettings())


def test_a_schedule_requests_a_run_per_account(two: Two) -> None:
    """In one tick."""
    repository = definitions().get_repository_def()
    schedule = next(each for each in repository.schedule_defs if each.job_name == "reconcile")

    with dg.build_schedule_context(instance=two.instance, repository_def=repository) as context:
        requests = schedule.evaluate_tick(context).run_requests or []

    assert [each.tags[PARTITION_TAG] for each in requests] == list(ACCOUNTS)


@pytest.mark.long
def test_a_change_in_one_account_starts_only_its_run(synced: Two) -> None:
    """Each account has its own sensors; a run of another account does not block it."""
    busy = dg.DagsterRun(job_name="customers", status=dg.DagsterRunStatus.STARTED, tags={PARTITION_TAG: "globex"})
    synced.instance.add_run(busy)
    synced.home("acme").sandbox.clock.advance(3600)
    key = next(iter(synced.home("acme").sandbox.netsuite.rows("customer")))["id"]
    synced.home("acme").sandbox.netsuite.update("customer", int(key), phone="+46 8 1")

    acme, globex = synced.tick("customers_changes__acme"), synced.tick("customers_changes__globex")

    assert [each.partition_key for each in acme.run_requests] == ["acme"]
    assert globex.skip_message == "a run of customers is still in progress"


@pytest.mark.long
def test_a_saved_record_is_synced_in_its_account(synced: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    """The notification and its run belong to the account that sent it."""
    monkeypatch.setenv("MILLPOND_REALTIME_WAIT_S", "0")
    monkeypatch.setenv("MILLPOND_REALTIME_LINGER_S", "0")
    home = synced.home("globex")
    config = {"ops": {"activate": {"config": {"workflow": "suiteprojects__customers", "realtime": True}}}}
    assert synced.run("globex", "activate_workflow", config).success
    key = sorted(names(home)[1], key=int)[0]
    home.sandbox.netsuite.update("customer", int(key), phone="+46 8 123")
    NotificationQueue(home.folder).add("customers", key, is_deleted=False, nonce="1", now=0.0, remember_s=60)

    assert synced.tick("change_notifications__acme").run_requests == []
    assert [each.partition_key for each in synced.tick("change_notifications__globex").run_requests] == ["globex"]
    result = synced.run("globex", "realtime")
    assert result.success, [
        event.step_failure_data.error.to_string() for event in result.all_events if event.is_step_failure
    ]

    phones = {
        row["externalid"]: row.get("addr_phone", row.get("phone"))
        for row in home.sandbox.suiteprojects.rows("Customer")
    }
    assert "+46 8 123" in str(phones[key])


@pytest.mark.long
def test_an_alert_names_its_account(two: Two) -> None:
    """The other account has no alert."""
    two.home("acme").sandbox.switches.set("netsuite", NetSuiteSwitches, hidden_tables=["customer"])
    assert not two.run("acme").success
    assert two.run("globex").success

    assert two.tick("alerts__acme").skip_message.startswith("1 open; new notice: Millpond (acme): ")
    assert two.tick("alerts__globex").skip_message == "0 open; nothing changed"


def test_check_results_of_accounts_are_kept_apart(two: Two) -> None:
    """Dagster stores the results of a check together."""
    results = {"acme": False, "globex": True}

    @dg.asset_check(asset="sync_customers", name="reconciled")
    def reconciled(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=results[context.op_execution_context.run.tags[PARTITION_TAG]])

    @dg.asset
    def sync_customers() -> None:
        """Do nothing."""

    made = dg.Definitions(assets=[sync_customers], asset_checks=[reconciled], jobs=[dg.define_asset_job("nightly")])
    for account in ACCOUNTS:
        made.resolve_job_def("nightly").execute_in_process(instance=two.instance, tags={PARTITION_TAG: account})

    def result_of(account: str) -> dg.AssetCheckEvaluation | None:
        return last_result(two.instance, next(iter(reconciled.check_keys)), account)

    found = [result_of(account) for account in (*ACCOUNTS, "initech")]
    assert [each.passed if each else None for each in found] == [False, True, None]


@pytest.mark.usefixtures("two")
def test_each_account_has_its_own_settings_and_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting of one account is not a default for another."""
    monkeypatch.setenv("NETSUITE_ACCOUNT", "1")
    monkeypatch.setenv("NETSUITE_ACME_ACCOUNT", "2")
    monkeypatch.setenv("PRECORO_ACME_REGION", "us")
    monkeypatch.setenv("PRECORO_ACME_UK_EMAIL", "ops@example.com")
    monkeypatch.setenv("SUITEPROJECTS_GLOBEX_COMPANY", "globex inc")
    monkeypatch.setenv("PRECORO_ACME_UK_TOKEN", "a token")
    monkeypatch.setenv("MILLPOND_MODE", "live")
    acme, globex = MillpondSettings().per_account

    assert [netsuite_settings(name).account for name in ("", "acme", "globex")] == ["1", "2", ""]
    assert precoro_settings("acme").region == "us"
    assert precoro_settings("acme", "uk").email == "ops@example.com"
    assert [suiteprojects_resource(each).company for each in (acme, globex)] == ["", "globex inc"]
    assert suiteprojects_resource(acme).token_file != suiteprojects_resource(globex).token_file
    assert (acme.lake_schema, globex.lake_schema) == ("millpond_acme", "millpond_globex")
    assert "PRECORO_ACME_UK_TOKEN" in secret_variables()


def test_accounts_do_not_wait_for_each_others_warehouse(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pool allows a writer per warehouse; within one, the file's lock separates them."""
    monkeypatch.setenv("DAGSTER_HOME", "")

    with open_instance(MillpondSettings()) as instance:
        assert instance.get_concurrency_config().pool_config.default_pool_limit == len(ACCOUNTS)
    assert (two.folder / "dagster" / "dagster.yaml").exists()


def test_accounts_that_share_a_company_share_its_quota(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    """Precoro counts calls per token."""
    monkeypatch.setenv("MILLPOND_MODE", "live")

    assert {precoro_budget(each) for each in MillpondSettings().per_account} == {
        str(two.folder / "precoro_budget.sqlite")
    }


@pytest.mark.parametrize("given", ["Acme", "acme,acme", "a b", "acme,../etc"])
def test_an_account_name_must_fit_folders_and_variables(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is part of both."""
    monkeypatch.setenv("MILLPOND_ACCOUNTS", given)

    with pytest.raises(SettingsError, match="use distinct names of lower-case letters and digits"):
        MillpondSettings()


@pytest.mark.long
def test_a_command_applies_to_one_account(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is never guessed."""

    def call(*command: str) -> tuple[int, str]:
        done = subprocess.run(
            [*MILLPOND, *command],
            check=False, capture_output=True, text=True, env={**os.environ, "COLUMNS": "200"},
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr

    with pytest.raises(AccountError):
        _ = MillpondSettings().warehouse
    code, text = call("tables")
    assert code == 2
    assert "select an account: set MILLPOND_ACCOUNT to one of acme, globex" in text

    monkeypatch.setenv("MILLPOND_ACCOUNT", "globex")
    code, text = call("run", "customers")

    assert code == 0, text
    assert names(two.home("globex"))[1]
    assert names(two.home("acme"))[1] == set()
    monkeypatch.setenv("MILLPOND_ACCOUNT", "initech")
    with pytest.raises(SettingsError, match="no account initech in MILLPOND_ACCOUNTS"):
        MillpondSettings()
