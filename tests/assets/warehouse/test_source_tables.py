"""The step that makes the tables of NetSuite's records: any selection, and what a failure stops."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest

from assets.failures import failed_assets
from assets.netsuite.assets import READS
from assets.netsuite.record_types import RECORD_TYPES
from assets.warehouse import source_tables as step
from resources.http import ATTEMPTS
from resources.netsuite.connect import open_netsuite
from resources.sandbox.faults import Fault, FaultKind
from resources.sandbox.sandbox import Sandbox
from resources.warehouse.warehouse import Warehouse
from sql import names
from tests.assets.netsuite.conftest import NetSuiteAccount
from tests.assets.warehouse.materialized import made, materialize, written

RAW = tuple(table for each in RECORD_TYPES.values() for table in each.raw_tables)
ALL = (*RAW, *names("staging"), *names("history"), READS)


def reader(of: str) -> dg.AssetsDefinition:
    """Return an asset of another step that reads a staging table, as a mart does."""

    @dg.asset(name=f"reader_of_{of}", deps=[f"stg_netsuite__{of}"])
    def asset() -> None: ...

    return asset


def run(account: NetSuiteAccount, *tables: str, readers: tuple[str, ...] = ()) -> dg.ExecuteInProcessResult:
    """Materialize tables, and a reader of each staging table named."""
    return materialize(account.warehouse, account.client, tables, account.settings, [reader(each) for each in readers])


def failures(result: dg.ExecuteInProcessResult) -> dict[str, str]:
    """Return the tables that failed the run, with their errors."""
    return {
        table: text
        for event in result.all_events
        if event.is_step_failure
        for table, text in failed_assets(event).items()
    }


@pytest.fixture(scope="module")
def read_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of an account with one record in some tables, and of its warehouse after one run."""
    folder = tmp_path_factory.mktemp("read_once")
    with opened(folder) as account:
        account.customers(1)
        account.add("job", {"id": 301, "entityid": "P", "customer": 1, "isinactive": False})
        account.add("currency", {"id": 4, "name": "SEK", "symbol": "SEK"})
        account.later(3600)
        first = run(account, *ALL)
        assert first.success, failures(first)
        account.later()
    return folder


@contextmanager
def opened(folder: Path) -> Iterator[NetSuiteAccount]:
    """Open the account and the warehouse of a folder."""
    sandbox = Sandbox(folder / "sandbox")
    with open_netsuite(sandbox=str(sandbox.folder)) as client:
        yield NetSuiteAccount(sandbox, Warehouse(folder / "warehouse"), client)


@pytest.fixture
def filled(read_once: Path, tmp_path: Path) -> Iterator[NetSuiteAccount]:
    """A copy of the account and its warehouse, for a second run."""
    with opened(Path(shutil.copytree(read_once, tmp_path / "copy"))) as account:
        yield account


@pytest.mark.long
def test_all_tables_are_one_step_and_a_check(filled: NetSuiteAccount) -> None:
    """Each asset has its own materialization, checks and metadata."""
    result = run(filled, *ALL)

    assert result.success
    assert {event.step_key for event in result.all_events if event.is_step_success} == {step.STEP, step.CHECK_STEP}
    assert made(result) == set(ALL)
    assert all(check.passed for check in result.get_asset_check_evaluations())
    assert len(result.get_asset_check_evaluations()) == len(names("staging")) + len(names("history")) + 1


@pytest.mark.long
@pytest.mark.parametrize(
    "tables",
    [
        ("raw_netsuite__leads",),
        ("raw_netsuite__projects", "hist_netsuite__projects"),
        pytest.param(("raw_netsuite__addresses", "raw_netsuite__currencies"), marks=pytest.mark.long),
        pytest.param(("stg_netsuite__currencies",), marks=pytest.mark.long),
        pytest.param(("hist_netsuite__customers",), marks=pytest.mark.long),
        pytest.param((READS,), marks=pytest.mark.long),
    ],
    ids="-".join,
)
def test_a_selection_makes_exactly_its_tables(filled: NetSuiteAccount, tables: tuple[str, ...]) -> None:
    """And reads nothing of NetSuite that it does not need."""
    calls = filled.client.calls

    result = run(filled, *tables)

    assert result.success, failures(result)
    assert made(result) == set(tables)
    assert (filled.client.calls > calls) == any(each.startswith("raw_") for each in tables)


def test_a_table_that_fails_stops_only_what_reads_it(filled: NetSuiteAccount) -> None:
    """The others are read, staged and delivered; the run fails and names the table."""
    filled.switch(hidden_tables=["contact", "location"])

    result = run(filled, *ALL, readers=("projects", "contacts", "departments"))

    assert not result.success
    assert failures(result).keys() == {"raw_netsuite__contacts", "raw_netsuite__locations"}
    assert "give the role the permission 'Contacts'" in failures(result)["raw_netsuite__contacts"]
    lacking = ("contacts", "contact_addresses", "locations")
    behind = {f"{layer}_netsuite__{each}" for layer in ("raw", "stg", "hist") for each in lacking}
    assert set(ALL) - made(result) == behind & set(ALL)
    assert {"reader_of_projects", "reader_of_departments"} <= made(result)
    assert "reader_of_contacts" not in made(result)


def test_without_the_check_the_step_itself_fails(filled: NetSuiteAccount) -> None:
    """In a selection without `netsuite_reads` no later step would fail the run."""
    filled.switch(hidden_tables=["location"])

    result = run(
        filled, "raw_netsuite__locations", "raw_netsuite__projects", "stg_netsuite__projects", readers=("projects",)
    )

    assert failures(result).keys() == {"raw_netsuite__locations"}
    assert made(result) == {"raw_netsuite__projects", "stg_netsuite__projects"}


def spoil(account: NetSuiteAccount) -> None:
    """Let a staging table have one key twice."""
    with account.warehouse.writer() as con:
        con.execute("insert into raw_netsuite__departments by name select '9' as id, now()::timestamp as _extracted_at")
        con.execute("insert into raw_netsuite__departments by name select '9' as id, now()::timestamp as _extracted_at")


@pytest.mark.parametrize(
    "tables",
    [pytest.param(ALL, marks=pytest.mark.long), ("stg_netsuite__departments", "stg_netsuite__currencies")],
    ids=["all", "two"],
)
def test_a_staging_table_with_bad_keys_stops_its_history_and_its_readers(
    filled: NetSuiteAccount, tables: tuple[str, ...]
) -> None:
    """No mart is made from it, whatever is selected; other tables go on where a later step fails the run."""
    spoil(filled)

    result = run(filled, *(each for each in tables if each not in RAW), readers=("departments", "currencies"))

    text = failures(result)["stg_netsuite__departments"]
    assert re.fullmatch(r"check rows_and_keys: \d rows for \d raw rows, 2 without a key of their own", text)
    assert not made(result) & {
        "stg_netsuite__departments", "hist_netsuite__departments", "reader_of_departments"
    }  # fmt: skip
    assert ("reader_of_currencies" in made(result)) == (tables == ALL)
    assert "stg_netsuite__departments" in written(result), "its page shows the table and the failed check"
    found = {
        (each.asset_key.to_user_string(), each.check_name): each.passed for each in result.get_asset_check_evaluations()
    }
    assert found["stg_netsuite__departments", "rows_and_keys"] is False


@pytest.mark.long
def test_only_what_failed_is_tried_again(filled: NetSuiteAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault that passes costs one more read of its table, not of all."""
    monkeypatch.setattr(step, "RETRY", dg.RetryPolicy(max_retries=2))
    fault = Fault(FaultKind.NOT_APPLIED_500, pattern="from location", times=ATTEMPTS)
    filled.sandbox.faults.plan("netsuite", fault)

    result = run(filled, *ALL)

    assert result.success, failures(result)
    assert [event.step_key for event in result.all_events if event.is_step_up_for_retry] == [step.STEP]
    assert made(result) == set(ALL)
    reads = filled.warehouse.read("select record_type, count(*) as n from netsuite_reads group by all")
    assert dict(reads.rows()) == dict.fromkeys(RECORD_TYPES, 2), "one in each run"


@pytest.mark.long
def test_a_fault_that_stays_fails_after_the_last_attempt(
    filled: NetSuiteAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other tables were made by then."""
    monkeypatch.setattr(step, "RETRY", dg.RetryPolicy(max_retries=1))
    filled.sandbox.faults.plan("netsuite", Fault(FaultKind.NOT_APPLIED_500, pattern="from location", times=1000))

    result = run(filled, *ALL)

    assert failures(result).keys() == {"raw_netsuite__locations"}
    assert "HTTP 500" in failures(result)["raw_netsuite__locations"]
    assert "stg_netsuite__projects" in made(result)


@pytest.mark.long
def test_an_unexpected_error_of_one_table_stops_no_other(
    filled: NetSuiteAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person made a view of that name. The text may quote values: the log has it, the summary only its class."""
    with filled.warehouse.writer() as con:
        con.execute("drop table stg_netsuite__currencies")
        con.execute("create view stg_netsuite__currencies as select 'Ms Andersson' as currency_id")
    monkeypatch.setattr(step, "RETRY", dg.RetryPolicy(max_retries=1))

    result = run(filled, *ALL)

    assert failures(result) == {"stg_netsuite__currencies": "CatalogException; see the run's log in the UI"}
    assert {"stg_netsuite__customers", "hist_netsuite__projects"} <= made(result)


@pytest.mark.long
def test_the_check_alone_repeats_the_last_result(filled: NetSuiteAccount) -> None:
    """Nothing was read again, so nothing is known to be better."""
    checked = dg.AssetSelection.checks(dg.AssetCheckKey(dg.AssetKey(READS), step.CHECK))
    resources = {"warehouse": filled.warehouse, "netsuite": filled.client, "extraction": filled.settings}
    filled.switch(hidden_tables=["location"])
    with dg.DagsterInstance.ephemeral() as instance:
        results = [
            dg.materialize(
                [step.source_tables(), step.source_check()],
                instance=instance, resources=resources, selection=selection, raise_on_error=False,
            )
            for selection in (dg.AssetSelection.assets(*ALL), checked)
        ]  # fmt: skip

    assert [failures(each).keys() for each in results] == [{"raw_netsuite__locations"}] * 2
