"""The history layer reproduces every past read, and grows only with changes."""

from copy import copy
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from random import Random
from shutil import copytree
from typing import Any

import duckdb
import polars as pl
import pytest

from assets.delivery.ledger.tables import ensure_ledger
from assets.warehouse.history import HistoryResult, update_history
from resources.sandbox.sandbox import Sandbox
from resources.warehouse.analytics import add_analytics
from resources.warehouse.tables import columns_of, ensure_table
from resources.warehouse.warehouse import Warehouse
from sql import names, statement
from tests.assets.warehouse.staged_account import StagedAccount

CUSTOMER_TABLES = ("customers", "addresses", "customer_subsidiaries", "currencies", "entity_statuses")
HISTORY = [statement("history", name) for name in names("history")]
CUSTOMERS = statement("history", "hist_netsuite__customers")


def run(account: StagedAccount, *record_types: str) -> dict[str, HistoryResult]:
    """Extract, stage and update the history; of all record types, unless some are named."""
    account.extract(*record_types)
    account.stage()
    with account.warehouse.writer() as con:
        return {each.name: update_history(con, each) for each in HISTORY}


def customers(account: StagedAccount) -> pl.DataFrame:
    """Return the staged customers without the columns that the history ignores."""
    return account.warehouse.table("stg_netsuite__customers").drop("modified_at").sort("customer_id")


@pytest.fixture(scope="module")
def run_once(tmp_path_factory: pytest.TempPathFactory) -> StagedAccount:
    """An account after one run; tests copy it."""
    account = StagedAccount(tmp_path_factory.mktemp("run_once"))
    run(account)
    return account


@pytest.fixture
def account(run_once: StagedAccount, tmp_path: Path) -> StagedAccount:
    """A copy of the account in a folder of its own."""
    account = copy(run_once)
    copytree(run_once.warehouse.folder.parent, tmp_path, dirs_exist_ok=True)
    account.sandbox, account.warehouse = Sandbox(tmp_path / "sandbox"), Warehouse(tmp_path / "warehouse")
    account.random = Random(7)
    return account


@pytest.mark.long
def test_the_first_read_is_one_version_of_each_record(account: StagedAccount) -> None:
    """Nothing is known of the time before."""
    versions = account.warehouse.table(CUSTOMERS.name)

    assert versions["customer_id"].to_list() == versions["customer_id"].unique(maintain_order=True).to_list()
    assert versions["is_current"].all()
    assert versions["valid_to"].is_null().all()
    assert versions.height == account.warehouse.table("stg_netsuite__customers").height == 30


def test_a_run_without_changes_adds_nothing(account: StagedAccount) -> None:
    """Growth depends on changes, not on runs."""
    assert set(run(account, *CUSTOMER_TABLES).values()) == {HistoryResult()}


@pytest.mark.long
def test_a_save_without_a_change_opens_no_version(account: StagedAccount) -> None:
    """NetSuite changes the timestamp at every save."""
    account.sandbox.clock.sleep(3600)
    account.sandbox.netsuite.update("customer", 3, phone="1")
    run(account, *CUSTOMER_TABLES)
    account.sandbox.clock.sleep(3600)
    account.sandbox.netsuite.update("customer", 3, phone="1")

    assert run(account, *CUSTOMER_TABLES)[CUSTOMERS.name] == HistoryResult()


@pytest.mark.long
def test_a_conversion_is_a_version_of_the_same_record(account: StagedAccount) -> None:
    """The row moves from one raw table to another; its history stays."""
    account.sandbox.clock.sleep(3600)
    account.sandbox.netsuite.update("customer", 4, searchstage="Customer")
    results = run(account, *CUSTOMER_TABLES)

    versions = account.warehouse.read(
        f"select stage, valid_to is null, is_current from {CUSTOMERS.name} where customer_id = '4' order by valid_from"
    )
    assert results[CUSTOMERS.name] == HistoryResult(opened=1, closed=1)
    assert versions.rows() == [("lead", False, False), ("customer", True, True)]


@pytest.mark.long
def test_every_past_read_can_be_reproduced(tmp_path: Path) -> None:
    """Random edits over several runs; `customers_as_of` returns each read exactly, without deleted records."""
    account = StagedAccount(tmp_path)
    account.random = Random(11)
    reads: list[tuple[datetime, pl.DataFrame]] = []
    for number in range(6):
        if number:
            account.edit()
        if number in {3, 5}:
            account.sandbox.netsuite.delete("customer", "customer", number + 20)
        run(account, *(CUSTOMER_TABLES if number else ()))
        read_at = account.warehouse.read("select max(through) from stg_builds where staging_table like 'stg%customers'")
        reads.append((read_at.item(), customers(account)))
    with account.warehouse.writer() as con:
        ensure_ledger(con)
        add_analytics(con)

    for at, expected in reads:
        found = account.warehouse.read("from customers_as_of(?::timestamp)", [at])
        live = expected.filter(~pl.col("is_deleted"))
        assert found.drop("modified_at").select(live.columns).sort("customer_id").equals(live), at
    versions = account.warehouse.table(CUSTOMERS.name)
    assert 32 < versions.height < 7 * 30
    first, last = reads[2], reads[-1]
    assert changes(account, first[0], last[0]) == differences(first[1], last[1])


def changes(account: StagedAccount, since: datetime, until: datetime) -> set[tuple[str, str, Any, Any]]:
    """Return the result of `changes_between`, from the first value to the last value of each column."""
    found = account.warehouse.read(
        "select source_id, column_name, arg_min(struct_pack(v := before), changed_at).v as before,"
        " arg_max(struct_pack(v := after), changed_at).v as after from changes_between(?, ?) where source = 'customers'"
        " group by all having before is distinct from after",
        [since, until],
    )
    return set(found.rows())


def differences(before: pl.DataFrame, after: pl.DataFrame) -> set[tuple[str, str, Any, Any]]:
    """Return the same, computed from two reads."""
    found = set()
    old = {row["customer_id"]: row for row in before.iter_rows(named=True)}
    for row in after.iter_rows(named=True):
        for name, value in row.items():
            earlier = as_text(old.get(row["customer_id"], {}).get(name))
            if name != "customer_id" and earlier != as_text(value):
                found.add((row["customer_id"], name, earlier, as_text(value)))
    return found


def as_text(value: Any) -> str | None:
    """Return a value as DuckDB shows it."""
    if value is None:
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(value)}]"
    return str(value)


@pytest.mark.long
def test_a_new_custom_field_opens_no_versions(account: StagedAccount) -> None:
    """The column is added to the current versions; otherwise every record would appear to be edited."""
    with account.warehouse.writer() as con:
        for table in ("customers", "leads", "prospects"):
            con.execute(f"alter table raw_netsuite__{table} add column custentity_new varchar default 'x'")
    account.sandbox.clock.sleep(3600)
    account.sandbox.netsuite.update("customer", 5, phone="5")

    results = run(account, *CUSTOMER_TABLES)

    assert results[CUSTOMERS.name] == HistoryResult(opened=1, closed=1)
    with account.warehouse.writer() as con:
        assert "custentity_new" in columns_of(con, CUSTOMERS.name)
        rows = con.execute(
            f"select count(*) from {CUSTOMERS.name} where is_current and custentity_new = 'x'"
        ).fetchall()
    assert rows == [(30,)]


# SQL of a field's value in three readings, and the versions of its record
RETYPED = {
    "no number": (["'12 %'", "12::bigint", "13::bigint"], ["12 %", "12", "13"]),
    "fraction": (["1.5::double", "1::bigint", "1::bigint"], ["1.5", "1"]),
    "digits": (
        ["12345678901234567.89::decimal(38, 18)", "1.5::double", "1.5::double"],
        ["12345678901234567.89", "1.5"],
    ),
    "time": (["timestamp '2027-04-03 10:00:00'", "date '2027-04-03'"], ["2027-04-03 10:00:00", "2027-04-03"]),
    "no longer a list": (["['1', '3']", "'1, 3'", "'3'"], ["1, 3", "3"]),
    "single value": (["7::bigint", "['1', '3']", "['7']"], [["7"], ["1", "3"], ["7"]]),
    "later a list": (["'1, 3'", "['1', '3']", "['3']"], [["1", "3"], ["3"]]),
    "later a flag": (["'T'", "true", "false"], [True, False]),
    "no longer a flag": (["true", "'T'", "'maybe'"], ["T", "maybe"]),
    "later a number": (["'1.50'", "1.5::double", "2::double"], [1.5, 2.0]),
    "no value of either": (["null::double", "null::bigint", "7::bigint"], [None, 7]),
    "blank": (["''", "null::double", "1.5::double"], [None, 1.5]),
}


@pytest.mark.parametrize("case", RETYPED)
def test_a_field_of_another_type_changes_no_earlier_version(case: str) -> None:
    """A type that cannot hold what was read before would blank or round it; the column is text then."""
    values, versions = RETYPED[case]
    definition = replace(statement("history", "hist_netsuite__departments"), text="from stg_netsuite__departments")
    with duckdb.connect() as con:
        ensure_table(con, statement("ledger", "stg_builds"))
        for day, value in enumerate(values, 1):
            con.execute(
                f"create or replace table stg_netsuite__departments as select '1' as department_id, {value} as x"
            )
            con.execute("delete from stg_builds where staging_table like 'stg%'")
            con.execute(f"insert into stg_builds values ('stg_netsuite__departments', 'raw', '2027-01-0{day}', '')")
            update_history(con, definition)
        found = con.execute(f"select x, is_current from {definition.name} order by valid_from").fetchall()
    assert [row[0] for row in found] == versions
    assert [row[1] for row in found] == [False] * (len(versions) - 1) + [True]


def test_every_column_has_a_comment(account: StagedAccount) -> None:
    """Analysts read comments, not code."""
    without = account.warehouse.read(
        "select column_name from duckdb_columns() where table_name like 'hist_%' and comment is null"
    )
    assert without.is_empty()
