"""Erasing in the warehouse: the record's values and their fingerprints go; rows, decisions and other records stay."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import duckdb
import pytest

from assets.delivery.errors import SyncError
from assets.delivery.forget.erase import Decision, Erased, erase, lift, survey
from assets.delivery.forget.found import found_elsewhere
from assets.delivery.forget.places import with_target_texts
from assets.delivery.forget.sections import Sections, searching
from assets.delivery.forget.subject import Subject, read_subject
from assets.delivery.ledger.sides import TARGET
from assets.delivery.ledger.version_readings import ALL, Reading
from assets.delivery.ledger.versions import keep_versions
from resources.encryption import Cipher
from resources.signing import Signer
from resources.warehouse.forgotten import TEXT
from tests.assets.delivery.chain.ledger_chain import KEY, MOMENT, sealed_ledger, verified
from tests.orchestration.renaming.test_rename import save_plan


def within(con: duckdb.DuckDBPyConnection) -> Sections:
    """Return sections of one connection."""
    return lambda: nullcontext(con)


DECISION = Decision("ada", MOMENT, "asked")
EMAIL, CITY = "ada@x.example", "Springfield"
PEOPLE = [
    ("1", True, None, "Lovelace", EMAIL, CITY),
    ("2", False, "Engines", None, "info@engines.example", CITY),
    ("3", True, None, "Byron", EMAIL, "Nottingham"),
]
FIELDS = ("name", "addr_email", "addr_city", "currency")


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    """A sealed ledger; customers 1 and 3 are people with one e-mail address, 2 is a company."""
    with duckdb.connect() as con:
        sealed_ledger(con)
        con.execute(
            "create table stg_netsuite__customers (customer_id varchar, is_person boolean, company_name varchar,"
            " last_name varchar, email varchar, city varchar)"
        )
        con.executemany("insert into stg_netsuite__customers values (?, ?, ?, ?, ?, ?)", PEOPLE)
        lineage = [("name", "last_name"), ("addr_email", "email"), ("addr_city", "city"), ("currency", None)]
        for field, column in lineage:
            con.execute(
                "insert into lineage_columns (workflow, target_field, source_table, source_column) values"
                " ('flow', ?, 'stg_netsuite__customers', ?)",
                [field, column],
            )
        con.execute(
            "insert into sync_links (workflow, source, source_id, target_id, value_hashes, payload_hash)"
            " values ('flow', 'customers', '1', '11', '{}', 'h'), ('flow', 'customers', '2', '12', '{}', 'h')"
        )
        read_target(con)
        yield con


def read_target(con: duckdb.DuckDBPyConnection) -> None:
    """Store what the target shows, as a run does; 1 was edited there."""
    con.execute(
        "create or replace table target_flow as select target_id, external_id, true as is_active, null::varchar as"
        " parent_id, null::varchar as updated_at, name, addr_email, addr_city, 'EUR' as currency from (values"
        f" ('11', '1', 'Countess Lovelace', '{EMAIL}', '{CITY}'), ('12', '2', 'Engines', null, '{CITY}'))"
        " as v (target_id, external_id, name, addr_email, addr_city)"
    )
    keep_versions(con, TARGET, Reading(workflow="flow", kind=ALL, read_at=MOMENT, fields=FIELDS))


def forget(con: duckdb.DuckDBPyConnection, source_id: str = "1") -> dict[str, Erased]:
    """Erase a customer's values."""
    return {each.table: each for each in erase(con, subject(con, source_id), Signer(KEY), DECISION)}


def subject(con: duckdb.DuckDBPyConnection, source_id: str = "1") -> Subject:
    """Return a customer."""
    return with_target_texts(within(con), read_subject(con, "customers", source_id))


def rows(con: duckdb.DuckDBPyConnection, query: str) -> list[tuple[object, ...]]:
    """Return the rows of a query."""
    return con.execute(query).fetchall()


def test_values_and_fingerprints_go_and_rows_stay(con: duckdb.DuckDBPyConnection) -> None:
    """Also the chain: it is whole, and says what was erased and by whom."""
    before = rows(con, "select attempt_id, state, target_id, seen_at from sync_attempts order by position")
    planned = survey(within(con), subject(con))

    done = forget(con)

    assert rows(con, "select attempt_id, state, target_id, seen_at from sync_attempts order by position") == before
    assert {each.table for each in planned} == {*done}
    own = "from sync_attempts where source_id = '1'"
    assert rows(con, f"select count(image), count(payload_hash), count(request_hash) {own}") == [(0, 0, 0)]
    assert rows(con, "select count(image) > 0 from sync_attempts where source_id = '2'") == [(True,)]
    assert rows(con, "select value_hashes, payload_hash from sync_links order by source_id") == [
        (None, None), ("{}", "h"),
    ]  # fmt: skip
    assert rows(con, "select last_name, email, city from stg_netsuite__customers order by customer_id") == [
        (None, None, None), (None, "info@engines.example", CITY), ("Byron", EMAIL, "Nottingham"),
    ]  # fmt: skip
    for table in ("target_flow", "hist_target__flow"):
        shown = rows(con, f"select name, addr_email, addr_city, currency from {table} order by target_id")
        assert shown == [(None, None, None, "EUR"), ("Engines", None, CITY, "EUR")]
    found = verified(con)
    assert found.is_whole, found.problems
    assert found.erased
    assert rows(con, "select subject, decided_by, note from sync_events where event = 'forgotten'") == [
        ("customers 1", "ada", "asked")
    ]


def test_repeated_it_finds_nothing(con: duckdb.DuckDBPyConnection) -> None:
    """One mark, one event."""
    assert forget(con)
    assert forget(con) == {}
    assert rows(con, "select count(*) from sync_forgotten") == [(1,)]
    assert rows(con, "select count(*) from sync_events where event = 'forgotten'") == [(1,)]


def test_what_the_target_shows_later_is_stored_without_values(con: duckdb.DuckDBPyConnection) -> None:
    """The target still has the person; a reading brings nothing back."""
    forget(con)
    read_target(con)
    for table in ("target_flow", "hist_target__flow"):
        assert rows(
            con, f"select count(*) from {table} where name = 'Countess Lovelace' or addr_email = '{EMAIL}'"
        ) == [(0,)]


def test_texts_that_quote_it_are_emptied_wherever_they_are(con: duckdb.DuckDBPyConnection) -> None:
    """A reason of another record, a note of a run; names of the target count as well, what many share does not."""
    con.execute("update sync_decisions set reason = 'the same as LOVELACE' where source_id = '2' and to_run is null")
    con.execute(
        "insert into sync_runs (run_id, workflow, note) values ('r', 'flow', 'stopped at Countess Lovelace'),"
        " ('s', 'flow', 'in Springfield')"
    )
    forget(con)
    assert rows(con, "select reason from sync_decisions where source_id = '2' and to_run is null") == [(TEXT,)]
    assert rows(con, "select note from sync_runs order by run_id") == [(TEXT,), ("in Springfield",)]


def test_reasons_in_a_workflows_own_tables_are_emptied(con: duckdb.DuckDBPyConnection) -> None:
    """The last run's results have a target's own words as well, about this record and about another one."""
    words = {"1": "rejected: too long", "2": f"rejected: {EMAIL} is taken", "3": "the target has these values"}
    for table in ("sync_flow", "mart_flow", "hist_mart__flow", "plan_flow"):
        con.execute(
            f"create or replace table {table} as select 'customers' as source, unnest({[*words]}) as source_id,"
            f" 'flow' as workflow, 'rejected_1' as reason_code, unnest({[*words.values()]}) as reason,"
            " 'deliver' as disposition, '{}' as payload, 'p' as plan_id, [{'field': 'f', 'before': null::varchar,"
            " 'after': null::varchar}] as changes, 'v' as version_hash"
        )
    forget(con)
    for table in ("sync_flow", "mart_flow", "hist_mart__flow", "plan_flow"):
        assert rows(con, f"select reason from {table} order by source_id") == [(TEXT,), (TEXT,), (words["3"],)], table


def test_the_name_of_a_parent_is_emptied_in_the_rows_of_its_children(con: duckdb.DuckDBPyConnection) -> None:
    """A project below an individual has the name in its path; a namesake's own name stays."""
    con.execute(
        "create table tree_flow as select * from (values ('customers', '1', 'Lovelace', 'Lovelace', null),"
        " ('projects', '7', 'Site', 'Lovelace / Site', 'LOVELACE'), ('customers', '3', 'Lovelace', 'X', null))"
        " as v (source, source_id, label, path, parent_label)"
    )
    con.execute("create table candidates_flow as from tree_flow")
    forget(con)
    for table in ("tree_flow", "candidates_flow"):
        assert rows(con, f"select label, path, parent_label from {table} order by source_id") == [
            (None, None, None), ("Lovelace", "X", None), ("Site", TEXT, TEXT),
        ]  # fmt: skip


def test_values_of_other_records_are_named_and_stay(con: duckdb.DuckDBPyConnection) -> None:
    """The e-mail address of a second customer is its own; a city is no one's."""
    person = subject(con)
    forget(con)
    found = [(each.table, each.column, each.records, each.ids) for each in found_elsewhere(within(con), person)]
    assert found == [("stg_netsuite__customers", "email", 1, ("3",))]


def test_a_company_keeps_its_name_and_place(con: duckdb.DuckDBPyConnection) -> None:
    """Its e-mail address and telephone number may be a person's."""
    forget(con, "2")
    assert rows(con, "select company_name, city, email from stg_netsuite__customers where customer_id = '2'") == [
        ("Engines", CITY, None)
    ]


def test_an_open_plan_that_would_write_it_expires_and_others_stay(con: duckdb.DuckDBPyConnection) -> None:
    """Encrypted values go with it; a plan is sent as it was approved, or not at all."""
    cipher = Cipher("fq1Zs0XzYV8mJm1n0bXlq3cVd3m0p8n1c2b3a4s5d6E=")
    con.execute("update sync_plans set made_at = made_at")
    save_plan(con, "other", cipher, "mine")
    con.execute("update plan_other set source_id = '1'")
    save_plan(con, "another", cipher, "not mine")
    save_plan(con, "third", cipher, "quotes mine")
    con.execute(f"update plan_third set reason = 'rejected before: {EMAIL} is taken'")
    forget(con)
    assert rows(con, "select plan_id, state from sync_plans where plan_id like '%mine' order by 1") == [
        ("mine", "expired"), ("not mine", "waiting"), ("quotes mine", "expired"),
    ]  # fmt: skip
    assert rows(con, "select payload from plan_other") == [(None,)]
    assert rows(con, "select payload is not null from plan_another") == [(True,)]


def test_an_unknown_record_or_type_is_refused(con: duckdb.DuckDBPyConnection) -> None:
    """Nothing is changed, and the text says what to give."""
    with pytest.raises(SyncError, match="customers 99 is not in the warehouse"):
        read_subject(con, "customers", "99")
    with pytest.raises(SyncError, match="were never read"):
        read_subject(con, "contacts", "1")


def test_a_mark_is_lifted_once(con: duckdb.DuckDBPyConnection) -> None:
    """And recorded; a record that is not forgotten has none."""
    assert not lift(con, "customers", "2", DECISION)
    forget(con)
    assert lift(con, "customers", "1", DECISION)
    assert rows(con, "select subject from sync_events where event = 'lifted'") == [("customers 1",)]


def test_each_table_is_searched_in_a_section_of_its_own(con: duckdb.DuckDBPyConnection) -> None:
    """Another process may use the warehouse in between; no section is within another one."""
    subject = read_subject(con, "customers", "1")
    opened, most = [0], [0]

    @contextmanager
    def section() -> Iterator[duckdb.DuckDBPyConnection]:
        opened[0] += 1
        most[0] = max(most[0], opened[0])
        yield con
        opened[0] -= 1

    assert survey(section, subject) == survey(within(con), subject)
    assert found_elsewhere(section, subject) == found_elsewhere(within(con), subject)
    assert most == [1]


@pytest.mark.parametrize("change", ["drop table many", "alter table many rename column n to other"])
def test_a_table_that_a_run_rebuilds_during_the_search_is_named(con: duckdb.DuckDBPyConnection, change: str) -> None:
    """Half of a survey is no survey."""
    con.execute("create table many (n integer)")
    con.execute(change)
    with pytest.raises(SyncError, match="a run rebuilt many during the search; repeat the command"):  # noqa: SIM117
        with searching(within(con), "many") as one:
            one.execute("select n from many")
