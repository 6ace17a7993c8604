"""Rows of forgotten records are stored without values until NetSuite sends the records anew."""

import json
from collections.abc import Iterator

import duckdb
import pytest

import sql
from assets.netsuite.extract.forgotten import returned_ids, withheld_query
from assets.netsuite.record_types import RECORD_TYPES
from resources.warehouse.forgotten import HASH, TABLE, held_ids, mark_returned, open_marks

CONTACTS, ADDRESSES = RECORD_TYPES["contacts"], RECORD_TYPES["contact_addresses"]
KEPT = {"stg": ["contact_id"], "contacts": ["id", "lastmodifieddate"], "contact_addresses": ["internalid", "entity"]}
AT = "2026-11-01 06:00:00"


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    """Contact 7 is forgotten as of AT; 8 is not."""
    with duckdb.connect() as con:
        con.execute(sql.statement("ledger", TABLE).text)
        con.execute(
            f"insert into {TABLE} (source, source_id, position, modified, kept) values ('contacts', '7', 1, ?, ?)",
            [AT, json.dumps(KEPT)],
        )
        yield con


def rows(at: str | None, *, ids: tuple[str, ...] = ("7", "8")) -> str:
    """Return a query of contacts as they were read."""
    date = f"'{at}'" if at else "null"
    return " union all ".join(
        f"select '{key}' as id, 'ada{key}@x.example' as email, {date}::varchar as lastmodifieddate, 'h{key}' as"
        " _row_hash, 'raw_netsuite__contacts' as _table"
        for key in ids
    )


def stored(con: duckdb.DuckDBPyConnection, query: str, *returned: str) -> list[tuple[str | None, ...]]:
    """Return what would be stored of contacts."""
    query = withheld_query(con, CONTACTS, "id", query, returned)
    return con.execute(f"select id, email, _row_hash from ({query}) order by id").fetchall()


@pytest.mark.parametrize("at", [AT, "2026-10-01 06:00:00", None])
def test_what_did_not_change_since_is_stored_without_values(con: duckdb.DuckDBPyConnection, at: str | None) -> None:
    """Also when another reading shows an older row; the fingerprint says nothing, and equals that of the raw row."""
    assert returned_ids(con, CONTACTS, "id", rows(at)) == []
    assert stored(con, rows(at)) == [("7", None, HASH), ("8", "ada8@x.example", "h8")]


def test_a_change_in_netsuite_brings_it_back(con: duckdb.DuckDBPyConnection) -> None:
    """By its date of change; once it is back, and staged, marts deliver it again."""
    changed = rows("2026-11-01 06:00:01")
    assert returned_ids(con, CONTACTS, "id", changed) == ["7"]
    assert stored(con, changed, "7")[0] == ("7", "ada7@x.example", "h7")
    con.execute(sql.statement("ledger", "stg_builds").text)
    raw, stamp = CONTACTS.raw_tables, duckdb.execute("select timestamp '2026-11-02 06:00:00'").fetchall()[0][0]
    mark_returned(con, "contacts", ["7"], stamp, stamp)
    assert open_marks(con) == []
    assert held_ids(con, "contacts", "stg_netsuite__contacts", raw) == ["7"], "the staged row is still blank"
    con.execute("insert into stg_builds values ('stg_netsuite__contacts', ?, ?, 'h')", [raw[0], stamp])
    assert held_ids(con, "contacts", "stg_netsuite__contacts", raw) == []


def test_a_lifted_mark_brings_it_back_without_a_change(con: duckdb.DuckDBPyConnection) -> None:
    """A person decided so."""
    con.execute(f"update {TABLE} set lifted_at = now()::timestamp")
    assert returned_ids(con, CONTACTS, "id", rows(AT)) == ["7"]


def test_rows_that_belong_to_it_are_withheld_with_it(con: duckdb.DuckDBPyConnection) -> None:
    """New addresses too, whatever their own date."""
    address = "select '1' as internalid, '7' as entity, 'Long Street 1' as addr1, 'h' as _row_hash"
    assert returned_ids(con, ADDRESSES, "internalid", address) == []
    query = withheld_query(con, ADDRESSES, "internalid", address, [])
    assert con.execute(f"select addr1, _row_hash from ({query})").fetchall() == [(None, HASH)]


def test_a_reading_without_rows_is_left(con: duckdb.DuckDBPyConnection) -> None:
    """Its query has no columns of the record."""
    nothing = "select null::varchar as internalid, null::varchar as _row_hash limit 0"
    assert withheld_query(con, ADDRESSES, "internalid", nothing, []) == nothing
