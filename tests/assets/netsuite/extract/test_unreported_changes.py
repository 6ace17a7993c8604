"""Changes that move no date are found: every night a share of the rows is read again by value, oldest reading first."""

from math import ceil
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.netsuite.extract.readings import oldest_ranges, share_of
from assets.netsuite.extract.spool import Spool, SpoolLayout
from assets.netsuite.record_types import RECORD_TYPES
from resources.netsuite.pages import PAGE
from resources.warehouse.tables import insert_frame
from resources.warehouse.warehouse import Warehouse
from tests.assets.netsuite.conftest import NetSuiteAccount

DAY_S = 86_400
SILENT = "changed without lastmodifieddate"


def night(account: NetSuiteAccount, *record_types: str) -> list[int]:
    """Let a day pass and read; return the number of unreported changes by record type."""
    account.later(DAY_S)
    return [account.extract(each).unreported for each in record_types or ("customers",)]


def test_a_value_that_changed_without_a_date_is_read_at_night(account: NetSuiteAccount) -> None:
    """A run in between reads only what has a new date; the night reads values, and reports the changes it finds."""
    account.customers(1, 2)
    account.later(7200)
    account.extract()
    account.later(3600)
    account.sandbox.netsuite.update("customer", 1, moves_date=False, companyname="Renamed silently")
    account.later(3600)

    ordinary = account.extract()
    account.later(DAY_S)
    found = account.extract()

    assert (ordinary.updated, ordinary.unreported) == (0, 0)
    assert (found.updated, found.unreported, found.verified) == (1, 1, 2)
    assert [each for each in found.warnings if SILENT in each] == [
        f"1 record {SILENT}: NetSuite ids 1; the new values were read"
    ]
    assert account.raw("customers")["1"]["companyname"] == "Renamed silently"


def test_a_change_with_a_date_is_not_called_unreported(account: NetSuiteAccount) -> None:
    """Neither is a second save within a second, which the overlap reads again, nor a column that is new."""
    account.customers(1, 2, 3)
    account.extract()
    account.later(60)
    account.sandbox.netsuite.update("customer", 1, phone="1")
    account.extract()
    account.sandbox.netsuite.update("customer", 1, phone="2")
    account.sandbox.netsuite.update("customer", 2, custentity_region="North")
    second_save = account.extract()
    account.custom_columns("custentity_region")
    new_column = account.extract()

    assert (second_save.updated, second_save.unreported) == (2, 0)
    assert (new_column.mode, new_column.updated, new_column.unreported) == ("full", 1, 0)


@pytest.mark.parametrize(
    ("record_type", "raw", "table", "key", "changes"),
    [
        ("projects", "projects", "job", 9, {"companyname": "Silent"}),
        ("contacts", "contacts", "contact", 8, {"lastname": "Silent"}),
        ("customer_subsidiaries", "customer_subsidiaries", "customersubsidiaryrelationship", 7, {"subsidiary": 2}),
        ("addresses", "addresses", "customeraddressbookentityaddress", 5, {"city": "Silent"}),
        ("customers", "leads", "customer", 2, {"companyname": "Silent"}),
        ("departments", "departments", "department", 1, {"name": "Silent"}),
    ],
)
def test_every_kind_of_table_is_read_by_value(
    account: NetSuiteAccount, record_type: str, raw: str, table: str, key: int, changes: dict[str, object]
) -> None:
    """Records, children of records, and tables that are read in full in every run."""
    account.customers(1)
    account.customers(2, stage="Lead")
    account.add("job", {"id": 9, "entityid": "P9", "customer": 1, "parent": 1, "companyname": "P"})
    account.add("contact", {"id": 8, "entityid": "K8", "company": 1, "lastname": "L"})
    account.add("customersubsidiaryrelationship", {"id": 7, "entity": 1, "subsidiary": 1})
    account.address(5, 1)
    account.add("department", {"id": 1, "name": "D"})
    for name in ("customers", record_type):
        account.extract(name)
    account.later(3600)
    account.sandbox.netsuite.update(table, key, moves_date=False, **changes)

    night(account, "customers", record_type)

    row = account.raw(raw, RECORD_TYPES[record_type].query.key)[str(key)]
    ((column, value),) = changes.items()
    assert row[column] == str(value)


def test_large_tables_are_read_in_shares_within_the_days(account: NetSuiteAccount) -> None:
    """A seventh each night, those read longest ago first; a night that was missed is made up for."""
    account.customers(*range(1, 3501))
    account.configure(verify_days=3)
    account.extract()
    verified = []
    for _ in range(3):
        account.later(DAY_S)
        verified.append(account.extract().verified)
    first = min(account.readings().values())
    account.later(2 * DAY_S)
    after_two = account.extract()

    assert verified == [1167] * 3
    assert first == 2
    assert after_two.verified == ceil(3500 * 2 / 3)


def test_the_call_budget_bounds_a_night_and_says_so(account: NetSuiteAccount) -> None:
    """The rows that it leaves out are the oldest of the next night."""
    account.customers(*range(1, 3001))
    account.configure(verify_days=1, verify_calls=1)
    account.extract()
    read = []
    for _ in range(3):
        account.later(DAY_S)
        read.append(account.extract())

    assert [each.verified for each in read] == [PAGE] * 3
    assert all("MILLPOND_VERIFY_CALLS=1 is too little" in each.warnings[-1] for each in read)
    assert min(account.readings().values()) == 2


def test_zero_days_read_no_values_again(account: NetSuiteAccount) -> None:
    """The setting switches it off; ids are compared as before."""
    account.customers(1, 2)
    account.later(7200)
    account.configure(verify_days=0)
    account.extract()
    account.later(3600)
    account.sandbox.netsuite.update("customer", 1, moves_date=False, phone="1")

    account.later(DAY_S)
    report = account.extract()

    assert (report.reconciled, report.verified, report.updated) == (True, 0, 0)


def test_an_interrupted_night_is_continued(account: NetSuiteAccount) -> None:
    """A failed read writes nothing, so the same rows are still the oldest; the next attempt reads them."""
    account.customers(*range(1, 2001))
    account.configure(verify_days=2)
    account.extract()
    before = account.readings()
    account.later(DAY_S)
    account.switch(hidden_tables=["deletedrecord"], half_page_every=1)
    with pytest.raises(Exception, match="netsuite"):
        account.extract()
    unchanged = account.readings()
    account.switch(half_page_every=0)

    assert unchanged == before
    assert account.extract().verified >= 1000


def test_a_row_keeps_the_number_of_the_reading_that_showed_it(account: NetSuiteAccount) -> None:
    """Also if it has not changed; and the reading has NetSuite's time before its first query."""
    account.customers(1, 2)
    account.later(7200)
    account.extract()
    account.later(3600)
    account.sandbox.netsuite.update("customer", 2, phone="1")
    asked_at = account.sandbox.clock.now().replace(microsecond=0, tzinfo=None)
    account.extract()

    log = account.warehouse.read("select reading, began_after, netsuite_at from netsuite_reads order by reading")

    assert account.readings() == {"1": 1, "2": 2}
    assert [row[:2] for row in log.rows()] == [(1, 0), (2, 1)]
    assert asked_at <= log["netsuite_at"][1] <= account.sandbox.clock.now().replace(tzinfo=None)


# --- merges -------------------------------------------------------------------------------------------------------


@pytest.fixture
def merged(account: NetSuiteAccount) -> NetSuiteAccount:
    """An account in which customer 2 was merged into 1, and no date of what moved has changed."""
    account.customers(1, 2)
    account.customers(3, parent=2)
    account.add("job", {"id": 9, "entityid": "P9", "customer": 2, "parent": 2, "companyname": "P"})
    account.add("job", {"id": 10, "entityid": "P10", "customer": 2, "parent": 9, "companyname": "Sub"})
    account.add("contact", {"id": 8, "entityid": "K8", "company": 2, "lastname": "L"})
    for name in ("customers", "projects", "contacts"):
        account.extract(name)
    account.later(3600)
    account.switch(merge_moves_dates=False)
    account.sandbox.netsuite.merge(2, 1)
    account.later(3600)
    return account


def test_what_belonged_to_a_merged_customer_is_read_in_the_next_run(merged: NetSuiteAccount) -> None:
    """Project, sub-project and contact in the run that finds the loser deleted; the sub-customer in the one after."""
    for _ in range(2):
        for name in ("customers", "projects", "contacts"):
            merged.extract(name)
        merged.later(60)

    projects = merged.raw("projects")
    assert merged.live("customers") == {"1", "3"}
    assert [projects["9"]["customer"], projects["9"]["parent"], projects["10"]["customer"]] == ["1", "1", "1"]
    assert merged.raw("contacts")["8"]["company"] == "1"
    assert merged.raw("customers")["3"]["parent"] == "1"


def test_a_project_moves_in_the_run_that_finds_the_loser_deleted(merged: NetSuiteAccount) -> None:
    """Else the plan of that run would treat the project as one of a deleted customer."""
    merged.extract("customers")

    assert merged.extract("projects").verified == 2
    assert merged.raw("projects")["9"]["customer"] == "1"


def test_the_rows_of_a_deleted_record_are_read_again_once(account: NetSuiteAccount) -> None:
    """A contact that still names its deleted company costs one more reading, not one in every run."""
    account.customers(1, 2)
    account.add("contact", {"id": 8, "entityid": "K8", "company": 2, "lastname": "L"})
    for name in ("customers", "contacts"):
        account.extract(name)
    account.later(3600)
    account.sandbox.netsuite.delete("customer", "customer", 2)
    verified = []
    for _ in range(3):
        account.later(3600)
        account.extract("customers")
        verified.append(account.extract("contacts").verified)

    assert verified == [1, 0, 0]


def test_a_merge_that_leaves_no_note_is_found_when_ids_are_compared(merged: NetSuiteAccount) -> None:
    """The loser is missing without a note; what belonged to it is read in the same night."""
    merged.switch(hidden_tables=["deletedrecord"])
    merged.later(DAY_S)
    for name in ("customers", "projects"):
        merged.extract(name)

    assert merged.raw("projects")["9"]["customer"] == "1"


# --- the choice of rows -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """A warehouse for tables of numbers."""
    return Warehouse(tmp_path_factory.mktemp("readings"))


def keys_spool(folder: Path, warehouse: Warehouse, keys: list[int]) -> Spool:
    """Return a spool of keys."""
    spool = Spool(folder, SpoolLayout("id", ("id",), "'raw_netsuite__projects'", "raw_netsuite__projects"))
    path = folder / "keys.parquet"
    with warehouse.writer(transaction=False) as con:
        con.execute("create or replace temp table listed (id varchar)")
        insert_frame(con, "listed", pl.DataFrame({"id": [str(each) for each in keys]}, schema={"id": pl.String}))
        con.execute(f"copy listed to '{path}' (format parquet)")
    spool.files.append(path)
    spool.rows = len(keys)
    return spool


@pytest.mark.long
@settings(max_examples=60, deadline=None)
@given(
    rows=st.dictionaries(st.integers(-5, 400), st.one_of(st.none(), st.integers(1, 9)), min_size=1, max_size=80),
    days=st.integers(1, 5),
    data=st.data(),
)
def test_every_row_is_read_within_the_days(
    empty: Warehouse,
    tmp_path_factory: pytest.TempPathFactory,
    rows: dict[int, int | None],
    days: int,
    data: st.DataObject,
) -> None:
    """Whatever the ids, their gaps and earlier readings, and although rows are added, read and deleted meanwhile."""
    page, folder = 7, tmp_path_factory.mktemp("keys")
    old, number = set(rows), 10
    for _ in range(days):
        listed = keys_spool(folder, empty, sorted(rows))
        with empty.writer() as con:
            con.execute("create or replace temp table read_rows (id varchar, _reading bigint)")
            values = {"id": [str(each) for each in rows], "_reading": list(rows.values())}
            insert_frame(con, "read_rows", pl.DataFrame(values, schema={"id": pl.String, "_reading": pl.Int64}))
            con.execute(
                "create or replace table raw_netsuite__projects as select *, null::date as _deleted_at from read_rows"
            )
            share = share_of(len(rows), days, 1, page=page)
            ranges = oldest_ranges(con, RECORD_TYPES["projects"], listed, share, 1000, page=page)
        read = [{each for each in rows if one.after < each <= one.last} for one in ranges]
        assert all(len(each) == one.rows <= page for each, one in zip(read, ranges, strict=True))
        assert len(ranges) <= ceil(len(rows) / page) + 1
        rows |= dict.fromkeys(set().union(*read), number)
        number += 1
        for changed in data.draw(st.lists(st.integers(401, 420), max_size=2)):
            rows[changed] = number
        for deleted in data.draw(st.lists(st.sampled_from(sorted(rows)), max_size=2)):
            if len(rows) > 1:
                rows.pop(deleted, None)
    assert [each for each in old & rows.keys() if (rows[each] or 0) < 10] == []
