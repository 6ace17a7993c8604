"""Only changed rows are staged, and the result equals a full build."""

from datetime import UTC, datetime, timedelta

import pytest

from assets.netsuite.record_types import RECORD_TYPES
from assets.warehouse.incremental import StagingResult, stage_incrementally
from resources.warehouse.tables import quoted
from resources.warehouse.warehouse import Warehouse
from sql import Statement, names, statement
from tests.assets.warehouse.staged_account import STAGING, StagedAccount


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> StagedAccount:
    """An account that was extracted and staged once; the tests continue in it one after the other."""
    account = StagedAccount(tmp_path_factory.mktemp("account"))
    account.extract()
    assert {result.mode for result in account.stage().values()} == {"all rows"}
    return account


@pytest.mark.long
def test_a_run_without_changes_stages_nothing(account: StagedAccount) -> None:
    """Most runs find nothing: rows that are not written cannot be wrong, and cost nothing."""
    before = {each.name: account.warehouse.table(each.name).rows() for each in STAGING}
    account.extract()

    results = account.stage()

    assert set(results.values()) == {StagingResult("unchanged", 0)}
    assert {each.name: account.warehouse.table(each.name).rows() for each in STAGING} == before


@pytest.mark.long
def test_a_changed_address_stages_only_its_customer(account: StagedAccount) -> None:
    """The customer's raw row has not changed, but its address in the staging table has."""
    account.sandbox.clock.sleep(3600)
    account.sandbox.netsuite.update("customeraddressbookentityaddress", 7, city="Malmö")
    account.extract()

    results = account.stage()

    assert results["customers"] == StagingResult("changed rows", 1)
    assert {name for name, each in results.items() if each.mode != "unchanged"} == {"customers"}
    cities = dict(account.warehouse.read("select customer_id, city from stg_netsuite__customers").rows())
    assert (cities["7"], cities["8"]) == ("Malmö", "Lund")


@pytest.mark.parametrize("hour", range(4))
def test_the_tables_equal_a_full_build_after_any_changes(account: StagedAccount, hour: int) -> None:
    """Row by row: edits, conversions, deletions, new parents, renamed currencies, accumulated in one warehouse."""
    account.edit()
    if hour == 2:
        account.sandbox.netsuite.delete("customer", "customer", 29)
        account.sandbox.netsuite.delete("job", "job", 120)
    account.extract()

    results = account.stage()

    assert set(account.differences().values()) == {0}
    assert results["customers"].mode != "all rows"
    assert results["projects"].mode != "all rows"


def test_a_clock_that_is_set_back_hides_no_change(account: StagedAccount) -> None:
    """Rows get a later timestamp than all rows before them, whatever the clock says."""
    with account.warehouse.writer() as con:
        # any record that is a customer now: earlier tests convert some
        con.execute(
            "update raw_netsuite__customers set _extracted_at = timestamp '2099-01-01'"
            " where id = (select min(id) from raw_netsuite__customers)"
        )
    account.stage()
    account.sandbox.clock.sleep(3600)
    account.sandbox.netsuite.update("customer", 4, phone="after")
    account.extract("customers")

    account.stage()

    assert set(account.differences().values()) == {0}
    rows = " union all ".join(
        f"select _extracted_at, phone from raw_netsuite__{stage}" for stage in ("customers", "leads", "prospects")
    )
    latest = account.warehouse.read(f"select max(_extracted_at) as latest from ({rows}) where phone = 'after'")
    assert latest["latest"][0] > datetime(2099, 1, 1, tzinfo=UTC).replace(tzinfo=None)


@pytest.mark.parametrize("change", ["another column", "another statement", "no table", "no build"])
def test_an_inconsistent_table_is_rebuilt(account: StagedAccount, change: str) -> None:
    """The SQL file was changed, a custom field was added, or the table was dropped."""
    definition = statement("staging", "stg_netsuite__customers")
    with account.warehouse.writer() as con:
        if change == "another column":
            con.execute("alter table stg_netsuite__customers add column more varchar")
        elif change == "no table":
            con.execute("drop table stg_netsuite__customers")
        elif change == "no build":
            con.execute("delete from stg_builds")
        else:
            con.execute("update stg_builds set statement_hash = 'older'")

        assert stage_incrementally(con, definition).mode == "all rows"
        assert stage_incrementally(con, definition).mode == "unchanged"


def test_many_changes_are_staged_by_a_rebuild(warehouse: Warehouse) -> None:
    """If more than a tenth of a large table changed, one statement is cheaper than finding the rows."""
    definition = _stage_contacts(warehouse, 20_000)
    with warehouse.writer() as con:
        con.execute("update raw_netsuite__contacts set _extracted_at = ? where id::int < 1500", [_moment(1)])
        few = stage_incrementally(con, definition)
        con.execute("update raw_netsuite__contacts set _extracted_at = ? where id::int < 2500", [_moment(2)])
        many = stage_incrementally(con, definition)

    assert (few, many) == (StagingResult("changed rows", 1500), StagingResult("all rows", 20_000))


def _moment(hours: int) -> datetime:
    return datetime(2026, 11, 16, tzinfo=UTC).replace(tzinfo=None) + timedelta(hours=hours)


def _stage_contacts(warehouse: Warehouse, count: int) -> Statement:
    """Stage contacts that have only an id."""
    definition = statement("staging", "stg_netsuite__contacts")
    with warehouse.writer() as con:
        for table in definition.reads:
            record_type = next(each for each in RECORD_TYPES.values() if table in each.raw_tables)
            columns = ", ".join(f"null::varchar as {quoted(name)}" for name in record_type.query.names if name != "id")
            rows = count if record_type.name == "contacts" else 0
            con.execute(
                f"create table {table} as select i::varchar as id, {columns}, null::varchar as _row_hash,"
                f" timestamp '2026-11-16' as _extracted_at, null::timestamp as _deleted_at,"
                f" null::varchar as _deletion_evidence from range({rows}) t(i)"
            )
        assert stage_incrementally(con, definition).mode == "all rows"
    return definition


@pytest.mark.parametrize("name", names("incremental_keys"))
def test_incremental_keys_cover_every_raw_table(name: str) -> None:
    """Changes of a raw table that is missing here would never reach the staging table."""
    text, reads = statement("incremental_keys", name).text, statement("staging", name).reads

    assert set(statement("incremental_keys", name).reads) == set(reads)
    assert [table for table in reads if table.replace("raw_", "new_", 1) not in text] == []
