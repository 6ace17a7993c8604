"""Each class of columns has its own time: personal values go first, versions and decisions stay as long as they may."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import duckdb
import pytest

from assets.delivery.ledger.tables import ensure_ledger
from assets.warehouse.retention import prune
from resources.warehouse.version_queries import versions_query

NOW = datetime(2026, 11, 1)  # noqa: DTZ001 - UTC without a zone, as the warehouse has it
OLD, NEW = NOW - timedelta(days=400), NOW - timedelta(days=1)
YEAR = NOW - timedelta(days=365)


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    """Two ended versions and a current one of a person and of a company; a final attempt and a later one."""
    with duckdb.connect() as con:
        ensure_ledger(con)
        con.execute(
            "create table hist_netsuite__customers (customer_id varchar, company_name varchar, first_name varchar,"
            " email varchar, stage varchar, is_person boolean, valid_from timestamp, valid_to timestamp,"
            " is_current boolean)"
        )
        for key, is_person in (("1", True), ("2", False)):
            for ended, current in ((OLD, False), (NEW, False), (None, True)):
                row = [key, "Name", "Ada", "ada@x.example", "lead", is_person, OLD, ended, current]
                con.execute(f"insert into hist_netsuite__customers values ({', '.join('?' * len(row))})", row)
        for number, (attempt, seen) in enumerate((("a", OLD), ("b", NEW))):
            con.execute(
                "insert into sync_attempts by name select 'flow' as workflow, 'customers' as source, '1' as source_id,"
                " ? as attempt_id, 'rejected' as state, 'ada@x.example is taken' as reason, '[]' as image,"
                " ? as seen_at, ? as position",
                [attempt, seen, number],
            )
        yield con


def versions(con: duckdb.DuckDBPyConnection, key: str) -> list[tuple[str | None, ...]]:
    """Return the values of a record's versions, the oldest first."""
    query = (
        "select company_name, first_name, email, stage from hist_netsuite__customers where customer_id = ?"
        " order by valid_to nulls last"
    )
    return con.execute(query, [key]).fetchall()


def test_personal_values_of_old_versions_are_emptied_and_the_rest_stays(con: duckdb.DuckDBPyConnection) -> None:
    """A company keeps its name; younger and current versions keep everything."""
    done = prune(con, {"personal": YEAR})
    whole = ("Name", "Ada", "ada@x.example", "lead")
    assert versions(con, "1") == [(None, None, None, "lead"), whole, whole]
    assert versions(con, "2") == [("Name", None, None, "lead"), whole, whole]
    assert done == {"hist_netsuite__customers without personal values": 2}
    attempts = con.execute("select attempt_id, reason, image from sync_attempts order by position").fetchall()
    assert attempts == [("a", None, None), ("b", "ada@x.example is taken", "[]")]
    assert prune(con, {"personal": YEAR}) == {}, "once"


def test_what_was_emptied_is_not_known_and_not_blank(con: duckdb.DuckDBPyConnection) -> None:
    """Otherwise the next version would look like one in which someone entered all of it."""
    prune(con, {"personal": YEAR})
    found = con.execute(
        f"select list_sort(map_keys(fields)) from ({versions_query(con)}) where source_id = '1' order by valid_to"
    ).fetchall()

    whole = ["company_name", "email", "first_name", "is_person", "stage"]
    assert [row[0] for row in found] == [["is_person", "stage"], whole, whole]


def test_business_deletes_versions_and_technical_the_ledgers_rows(con: duckdb.DuckDBPyConnection) -> None:
    """Neither touches the other's."""
    assert prune(con, {"business": YEAR})["hist_netsuite__customers"] == 2
    assert con.execute("select count(*) from sync_attempts").fetchall() == [(2,)]
    assert prune(con, {"technical": YEAR})["sync_attempts"] == 1
    assert len(versions(con, "1")) == 2


def test_a_class_without_a_time_is_kept(con: duckdb.DuckDBPyConnection) -> None:
    """Zero days are forever."""
    assert prune(con, {}) == {}
    assert len(versions(con, "1")) == 3
