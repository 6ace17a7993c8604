"""The history layer tells any past reading again, and grows by what changed."""

from copy import copy
from datetime import datetime
from pathlib import Path
from random import Random
from shutil import copytree
from typing import Any

import polars as pl
import pytest

from assets.warehouse.history import Kept, keep
from resources.sandbox.sandbox import Sandbox
from resources.warehouse.tables import add_analytics, columns_of
from resources.warehouse.warehouse import Warehouse
from sql import names, statement
from tests.assets.warehouse.test_staging_incremental import Account

OF_CUSTOMERS = ("customers", "addresses", "customer_subsidiaries", "currencies", "entity_statuses")
HISTORY = [statement("history", name) for name in names("history")]
CUSTOMERS = statement("history", "hist_netsuite__customers")


def keep_all(account: Account, *record_types: str) -> dict[str, Kept]:
    """One run up to the history layer; all things are read unless some are named."""
    account.extract(*record_types)
    account.staged()
    with account.warehouse.writer() as con:
        return {of.name: keep(con, of) for of in HISTORY}


def customers(account: Account) -> pl.DataFrame:
    """The staged customers without what makes no version."""
    return account.warehouse.table("stg_netsuite__customers").drop("modified_at").sort("customer_id")


@pytest.fixture(scope="module")
def read_once(tmp_path_factory: pytest.TempPathFactory) -> Account:
    """An account that was read once; tests copy it."""
    made = Account(tmp_path_factory.mktemp("read_once"))
    keep_all(made)
    return made


@pytest.fixture
def account(read_once: Account, tmp_path: Path) -> Account:
    """The same in a folder of its own."""
    made = copy(read_once)
    copytree(read_once.warehouse.folder.parent, tmp_path, dirs_exist_ok=True)
    made.sandbox, made.warehouse, made.random = (
        Sandbox(tmp_path / "sandbox"),
        Warehouse(tmp_path / "warehouse"),
        Random(7),
    )
    return made


def test_the_first_reading_is_one_version_of_each_record(account: Account) -> None:
    """Nothing is known of before."""
    versions = account.warehouse.table(CUSTOMERS.name)

    assert versions["customer_id"].to_list() == versions["customer_id"].unique(maintain_order=True).to_list()
    assert versions["is_current"].all()
    assert versions["valid_to"].is_null().all()
    assert versions.height == account.warehouse.table("stg_netsuite__customers").height == 30


def test_nothing_changed_adds_nothing(account: Account) -> None:
    """Growth is bounded by change, not by runs."""
    assert set(keep_all(account, *OF_CUSTOMERS).values()) == {Kept()}


def test_a_save_without_a_change_makes_no_version(account: Account) -> None:
    """NetSuite moves the time stamp at every save."""
    account.sandbox.clock.sleep(3600)
    account.sandbox.netsuite.update("customer", 3, phone="1")
    keep_all(account, *OF_CUSTOMERS)
    account.sandbox.clock.sleep(3600)
    account.sandbox.netsuite.update("customer", 3, phone="1")

    assert keep_all(account, *OF_CUSTOMERS)[CUSTOMERS.name] == Kept()


def test_a_conversion_is_a_version_of_the_same_record(account: Account) -> None:
    """The row moves from one raw table to another; its past stays."""
    account.sandbox.clock.sleep(3600)
    account.sandbox.netsuite.update("customer", 4, searchstage="Customer")
    kept = keep_all(account, *OF_CUSTOMERS)

    versions = account.warehouse.read(
        f"select stage, valid_to is null, is_current from {CUSTOMERS.name} where customer_id = '4' order by valid_from"
    )
    assert kept[CUSTOMERS.name] == Kept(begun=1, closed=1)
    assert versions.rows() == [("lead", False, False), ("customer", True, True)]


@pytest.mark.long
def test_every_past_reading_can_be_told_again(tmp_path: Path) -> None:
    """Random edits over some readings; `customers_as_of` gives each reading exactly, deleted records left out."""
    account = Account(tmp_path)
    account.random = Random(11)
    readings: list[tuple[datetime, pl.DataFrame]] = []
    for number in range(6):
        if number:
            account.busy_hour()
        if number in {3, 5}:
            account.sandbox.netsuite.delete("customer", "customer", number + 20)
        keep_all(account, *(OF_CUSTOMERS if number else ()))
        read = account.warehouse.read("select max(through) from stg_builds where staging_table like 'stg%customers'")
        readings.append((read.item(), customers(account)))
    with account.warehouse.writer() as con:
        add_analytics(con)

    for at, expected in readings:
        told = account.warehouse.read("from customers_as_of(?::timestamp)", [at])
        live = expected.filter(~pl.col("is_deleted"))
        assert told.drop("modified_at").select(live.columns).sort("customer_id").equals(live), at
    versions = account.warehouse.table(CUSTOMERS.name)
    assert 32 < versions.height < 7 * 30
    first, last = readings[2], readings[-1]
    assert changes(account, first[0], last[0]) == differences(first[1], last[1])


def changes(account: Account, since: datetime, until: datetime) -> set[tuple[str, str, Any, Any]]:
    """What `changes_between` tells, from the first value to the last one of each column."""
    told = account.warehouse.read(
        "select source_id, column_name, arg_min(struct_pack(v := before), changed_at).v as before,"
        " arg_max(struct_pack(v := after), changed_at).v as after from changes_between(?, ?) where source = 'customers'"
        " group by all having before is distinct from after",
        [since, until],
    )
    return set(told.rows())


def differences(before: pl.DataFrame, after: pl.DataFrame) -> set[tuple[str, str, Any, Any]]:
    """The same, computed from two readings."""
    found = set()
    old = {row["customer_id"]: row for row in before.iter_rows(named=True)}
    for row in after.iter_rows(named=True):
        for name, value in row.items():
            was = shown(old.get(row["customer_id"], {}).get(name))
            if name != "customer_id" and was != shown(value):
                found.add((row["customer_id"], name, was, shown(value)))
    return found


def shown(value: Any) -> str | None:
    """A value as DuckDB shows it."""
    if value is None:
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(value)}]"
    return str(value)


def test_a_new_custom_field_is_no_change_of_the_records(account: Account) -> None:
    """The column is taken over into the versions that hold; otherwise every record would seem edited."""
    with account.warehouse.writer() as con:
        for table in ("customers", "leads", "prospects"):
            con.execute(f"alter table raw_netsuite__{table} add column custentity_new varchar default 'x'")
    account.sandbox.clock.sleep(3600)
    account.sandbox.netsuite.update("customer", 5, phone="5")

    kept = keep_all(account, *OF_CUSTOMERS)

    assert kept[CUSTOMERS.name] == Kept(begun=1, closed=1)
    with account.warehouse.writer() as con:
        assert "custentity_new" in columns_of(con, CUSTOMERS.name)
        rows = con.execute(
            f"select count(*) from {CUSTOMERS.name} where is_current and custentity_new = 'x'"
        ).fetchall()
    assert rows == [(30,)]


def test_every_column_says_what_it_is(account: Account) -> None:
    """Analysts read comments, not code."""
    silent = account.warehouse.read(
        "select column_name from duckdb_columns() where table_name like 'hist_%' and comment is null"
    )
    assert silent.is_empty()
