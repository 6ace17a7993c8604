"""Whatever is changed in a sealed ledger is found, and the row is named."""

from dataclasses import replace

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.delivery.chain.checkpoints import ChainError, Checkpoint, add_checkpoint, last_checkpoint, read_checkpoints
from assets.delivery.chain.covered import ATTEMPT, DECISION, EVENT, KINDS
from assets.delivery.chain.entries import link_of
from assets.delivery.chain.seal import seal
from assets.delivery.ledger.decisions import write_decisions
from assets.delivery.ledger.events import Event, Happened, record_event
from resources.signing import Signer
from tests.assets.delivery.chain.ledger_chain import (
    KEY,
    OTHER_KEY,
    SWITCHES,
    add_run,
    at,
    verified,
)
from tests.assets.delivery.ledger.ledger_rows import decided

COLUMNS = [(kind, column) for kind in (ATTEMPT, DECISION, EVENT) for column in KINDS[kind].columns] + [
    (DECISION, column) for column in ("to_run", "to_at")
]
CHAINED = ("number", "kind", "workflow", "place", "record", "leaf", "link", "salt")


def places(con: duckdb.DuckDBPyConnection, table: str) -> list[int]:
    """Return the physical places of a table's rows."""
    return [row[0] for row in con.execute(f"select rowid from {table} order by rowid").fetchall()]


def record_at(con: duckdb.DuckDBPyConnection, kind: str, place: int) -> str:
    """Return what a text about a row must name."""
    covered = KINDS[kind]
    return str(con.execute(f"select {covered.record} from {covered.table} where rowid = ?", [place]).fetchall()[0][0])


def bend(con: duckdb.DuckDBPyConnection, table: str, column: str, place: int) -> None:
    """Change one value to another one of its type."""
    kind = con.execute(f"select typeof({column}) from {table} where rowid = ?", [place]).fetchall()[0][0]
    other = {"VARCHAR": "'other'", "BIGINT": "990", "TIMESTAMP": "timestamp '2001-01-01'", "DATE": "date '2001-01-01'"}
    con.execute(f"update {table} set {column} = {other[kind]} where rowid = ?", [place])


def test_a_sealed_ledger_is_whole(con: duckdb.DuckDBPyConnection) -> None:
    """Every row has its entry, and nothing is left out."""
    found = verified(con)

    assert found.is_whole, found.problems
    assert not found.notices
    assert (found.checkpoints, found.unsealed) == (3, 0)
    assert found.entries == sum(found.rows.values()) == sum(day.entries for day in found.days)


@settings(max_examples=4)
@given(st.data())
def test_a_changed_value_is_found(sealed: duckdb.DuckDBPyConnection, data: st.DataObject) -> None:
    """Whichever row and column: an image, a reason and a note as well."""
    kind, column = data.draw(st.sampled_from(COLUMNS))
    place = data.draw(st.sampled_from(places(sealed, KINDS[kind].table)))
    check_bent(sealed, kind, column, place)


@pytest.mark.long
@pytest.mark.parametrize(("kind", "column"), COLUMNS)
def test_every_changed_value_is_found(sealed: duckdb.DuckDBPyConnection, kind: str, column: str) -> None:
    """The same for every row and column."""
    for place in places(sealed, KINDS[kind].table):
        check_bent(sealed, kind, column, place)


def check_bent(con: duckdb.DuckDBPyConnection, kind: str, column: str, place: int) -> None:
    """Change a value, and check that the first finding names the row."""
    con.execute("begin")
    try:
        record = record_at(con, kind, place)
        bend(con, KINDS[kind].table, column, place)
        found = verified(con)
        is_end_of_open = column in {"to_run", "to_at"} and record_is_open(con, place)
        if is_end_of_open:  # an end that no entry has yet: the next checkpoint would cover it
            assert found.unsealed == 1
        else:
            assert not found.is_whole
            named = {record, record_at(con, kind, place)}
            assert any(each in found.problems[0].text for each in named), (named, found.problems)
    finally:
        con.execute("rollback")


def record_is_open(con: duckdb.DuckDBPyConnection, place: int) -> bool:
    """Return whether a decision has no entry for its end."""
    query = (
        "select count(*) from sync_decisions as row where rowid = ? and not exists (select 1 from sync_chain as entry"
        " where kind = 'ended' and entry.place = from_position and record = source || ' ' || source_id)"
    )
    return bool(con.execute(query, [place]).fetchall()[0][0])


@pytest.mark.parametrize("kind", [ATTEMPT, DECISION, EVENT])
def test_a_deleted_row_is_found(con: duckdb.DuckDBPyConnection, kind: str) -> None:
    """The text names it, though it is gone."""
    record = record_at(con, kind, 1)
    con.execute(f"delete from {KINDS[kind].table} where rowid = 1")

    found = verified(con)

    assert (found.problems[0].what, record in found.problems[0].text) == ("removed", True)


@pytest.mark.parametrize("kind", [ATTEMPT, DECISION, EVENT])
def test_an_inserted_row_is_found(con: duckdb.DuckDBPyConnection, kind: str) -> None:
    """A copy of a row, and a new one between others."""
    covered = KINDS[kind]
    copied = f"insert into {covered.table} select * from {covered.table} where rowid = 1"
    con.execute(copied)
    twice = verified(con)
    con.execute(
        f"update {covered.table} set {covered.place} = 3 where rowid = (select max(rowid) from {covered.table})"
    )
    between = verified(con)

    assert [twice.problems[0].what, between.problems[0].what] == ["inserted", "inserted"]


@pytest.mark.parametrize("kind", [ATTEMPT, DECISION, EVENT])
def test_rows_in_another_order_are_found(con: duckdb.DuckDBPyConnection, kind: str) -> None:
    """Two rows that swap their places keep every other value."""
    covered = KINDS[kind]
    first, second = (
        con.execute(f"select {covered.place} from {covered.table} where rowid = ?", [place]).fetchall()[0][0]
        for place in (0, 3)
    )
    con.execute(
        f"update {covered.table} set {covered.place} = if(rowid = 0, ?, ?) where rowid in (0, 3)", [second, first]
    )

    assert not verified(con).is_whole


@pytest.mark.parametrize("column", CHAINED)
@pytest.mark.parametrize("place", [0, 17, 31])
def test_a_changed_entry_is_found(con: duckdb.DuckDBPyConnection, column: str, place: int) -> None:
    """Every column of the chain itself."""
    bend(con, "sync_chain", column, place)

    assert not verified(con).is_whole


@pytest.mark.parametrize("place", [0, 16, 31])
def test_a_missing_entry_is_found(con: duckdb.DuckDBPyConnection, place: int) -> None:
    """Together with its row, the first and the last one as well."""
    kind, record = con.execute("select kind, record from sync_chain where rowid = ?", [place]).fetchall()[0]
    con.execute(f"delete from {KINDS[kind].table} where {KINDS[kind].record} = ?", [record])
    con.execute("delete from sync_chain where rowid = ?", [place])

    assert not verified(con).is_whole


def test_swapped_entries_are_found(con: duckdb.DuckDBPyConnection) -> None:
    """Leaf, kind and key of two entries, with the links of their places."""
    con.execute(
        "update sync_chain set leaf = other.leaf, record = other.record, place = other.place, salt = other.salt"
        " from (select * from sync_chain where number in (1, 3)) as other"
        " where sync_chain.number in (1, 3) and other.number <> sync_chain.number"
    )

    found = verified(con)

    assert (found.problems[0].what, found.problems[0].number) == ("reordered", 1)


@pytest.mark.parametrize("column", ["number", "day", "statement", "signature", "handover"])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_changed_checkpoint_is_found(con: duckdb.DuckDBPyConnection, column: str, place: int) -> None:
    """Every column; the hand-over of the last one alone is blank and stays without effect."""
    bend(con, "sync_checkpoints", column, place)

    assert verified(con).is_whole == (column == "handover" and place == 2)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_missing_checkpoint_is_found(con: duckdb.DuckDBPyConnection, number: int) -> None:
    """The first, one between, and the last one, whose entries are left."""
    con.execute("delete from sync_checkpoints where number = ?", [number])

    assert not verified(con).is_whole


def forge(con: duckdb.DuckDBPyConnection, key: str) -> None:
    """Change a reason, then make leaves, links and checkpoints again, as whoever has all but the key can."""
    con.execute("update sync_attempts set target_id = '99' where rowid = 1")
    con.execute("delete from sync_chain")
    days = [(each.day, each.facts["last"]) for each in read_checkpoints(con)]
    con.execute("delete from sync_checkpoints")
    assert seal(con, Signer(key), at(len(days)), SWITCHES)


@pytest.mark.parametrize("key", [OTHER_KEY, ""])
def test_a_chain_that_was_made_again_is_found(con: duckdb.DuckDBPyConnection, key: str) -> None:
    """With another key, or without one: everything fits, and the key is not ours."""
    kept = last_checkpoint(con)
    assert kept
    forge(con, key)

    found = verified(con)
    with_kept = verified(con, kept=kept)

    assert [each.what for each in found.problems] == ["checkpoint"]
    assert "not one of yours" in found.problems[0].text
    assert "cut" in {each.what for each in with_kept.problems}


STATEMENTS = ["", "[", "[]", "5", "null", "[" * 100_000] + [
    f'{{"number": {number}, "first": {value}, "last": {value}, "day": "2026-01-01", "public_key": "x"}}'
    for number, value in ((2, "null"), (2, '"x"'), (2, "[]"), (2, "1e400"), (2, "NaN"), (2, "9" * 40), (1e400, 1))
]


@pytest.mark.parametrize("number", [1, 3])
@pytest.mark.parametrize("statement", STATEMENTS, ids=range(len(STATEMENTS)))
def test_a_statement_of_any_form_is_a_finding(con: duckdb.DuckDBPyConnection, statement: str, number: int) -> None:
    """Whoever can write the file can write anything into it; a check that fails would raise no alarm."""
    con.execute("update sync_checkpoints set statement = ? where number = ?", [statement, number])

    assert f"checkpoint {number} was changed" in verified(con).problems[0].text
    if number == read_checkpoints(con)[-1].number:
        with pytest.raises(ChainError, match=f"checkpoint {number} of the ledger was changed"):
            seal(con, Signer(KEY), at(3), SWITCHES)


DETAILS = [None, "", "x", "[", "[]", "5", "null", "{}", '{"old": 5, "new": [], "versions": 3}', "[" * 100_000]


@pytest.mark.parametrize("details", DETAILS, ids=range(len(DETAILS)))
@pytest.mark.parametrize("event", [Happened.RENAMED, Happened.RESTORED, Happened.SWITCHED])
def test_details_of_any_form_are_a_finding(
    con: duckdb.DuckDBPyConnection, event: Happened, details: str | None
) -> None:
    """An event whose details are no object any more is named, and the others are still checked."""
    kept = last_checkpoint(con)
    assert kept
    more = {"old": "a", "new": "b", "versions": {}} if event is Happened.RENAMED else {"kept": 9, "left": 9}
    record_event(con, Event(event=event, at=at(3), workflow="w", details=more))
    seal(con, Signer(KEY), at(3), SWITCHES)
    con.execute("update sync_events set details = ? where event = ?", [details, event.value])

    found = verified(con, kept=replace(kept, number=9))

    assert any("event" in each.text and "changed" in each.text for each in found.problems), found.problems


def test_a_forged_row_with_all_its_links_is_found(con: duckdb.DuckDBPyConnection) -> None:
    """The leaf and every later link are made again; the checkpoint that signed them is named."""
    con.execute("update sync_chain set leaf = 'ab' where number = 18")
    head = con.execute("select link from sync_chain where number = 17").fetchall()[0][0]
    rows = con.execute("select number, kind, leaf from sync_chain where number > 17 order by number").fetchall()
    for number, kind, leaf in rows:
        head = link_of(head, number, kind, leaf)
        con.execute("update sync_chain set link = ? where number = ?", [head, number])

    assert "checkpoint 2" in verified(con).problems[0].text


def test_a_last_checkpoint_with_another_key_is_found(con: duckdb.DuckDBPyConnection) -> None:
    """Added by someone who has the file and a key of their own."""
    last = last_checkpoint(con)
    assert last
    add_run(con, 3, _1=("update", "11"))
    facts = {name: last.facts[name] for name in ("head", "through")}
    add_checkpoint(con, Signer(OTHER_KEY), at(3), last, {"first": 33, "last": 32, **facts})

    assert "another key" in verified(con).problems[0].text


def test_a_chain_that_was_cut_is_found_with_what_was_kept(con: duckdb.DuckDBPyConnection) -> None:
    """Rows, entries and checkpoint of the last run are gone, so only a copy elsewhere shows it."""
    kept = last_checkpoint(con)
    assert kept
    first = kept.facts["first"]
    con.execute("delete from sync_attempts where run_id = 'r2'")
    con.execute("delete from sync_decisions where from_run = 'r2'")
    con.execute("update sync_decisions set to_run = null, to_at = null where to_run = 'r2'")
    con.execute("delete from sync_chain where number >= ?", [first])
    con.execute("delete from sync_checkpoints where number = ?", [kept.number])

    assert verified(con).is_whole
    found = verified(con, kept=kept)
    assert [each.what for each in found.problems] == ["cut"]


def test_the_same_checkpoint_with_other_content_is_found(con: duckdb.DuckDBPyConnection) -> None:
    """The number alone says nothing."""
    kept = last_checkpoint(con)
    assert kept

    assert not verified(con, kept=replace(kept, statement=kept.statement.replace("{", "{ "))).is_whole


BENT = {
    "another approver": "update sync_plans set decided_by = 'eve'",
    "no approver": "update sync_plans set decided_by = null",
    "an approved plan": "insert into sync_plans (plan_id, workflow, decided_by) values ('p2', 'flow', 'ada')",
    "another link": "update sync_manual_links set target_id = '13'",
    "a removed link": "delete from sync_manual_links",
    "a link that no one set": "insert into sync_manual_links (workflow, source, source_id) values ('flow', 'a', '9')",
    "another person": "update sync_manual_links set decided_by = 'eve'",
    "another time": "update sync_manual_links set decided_at = decided_at + interval 1 day",
    "another time of what is ignored": "update sync_ignored set decided_at = decided_at - interval 1 day",
    "another reason": "update sync_manual_links set note = 'they said so'",
    "no reason": "update sync_ignored set note = null",
    "another day": "update sync_ignored set until_on = until_on + 1",
    "not ignored": "delete from sync_ignored",
}


@pytest.mark.parametrize("bent", BENT)
def test_a_bent_decision_is_found(con: duckdb.DuckDBPyConnection, bent: str) -> None:
    """The tables that runs follow are compared with what people decided."""
    con.execute(BENT[bent])

    assert [each.what for each in verified(con).problems] == ["decision"]


def test_a_bent_switch_is_found(con: duckdb.DuckDBPyConnection) -> None:
    """The file of switches lies beside the warehouse."""
    bent = {"flow": replace(SWITCHES["flow"], active=False)}

    assert "switches.json: flow" in verified(con, switches=bent).problems[0].text
    reason = {"flow": replace(SWITCHES["flow"], reason="they said so")}
    assert "switches.json: flow" in verified(con, switches=reason).problems[0].text
    before = verified(con, switches={})
    assert before.is_whole, "killed between the record and the file: it can be repeated"
    assert "repeat it" in before.notices[0]
    con.execute("update sync_events set note = '[forgotten]' where event = 'switched'")
    assert not any("switches.json" in each.text for each in verified(con, switches=reason).problems)


def test_rows_since_the_last_checkpoint_are_counted(con: duckdb.DuckDBPyConnection) -> None:
    """They are not covered, and that is said."""
    add_run(con, 3, _1=("create", "11"))

    found = verified(con)

    assert found.is_whole
    assert found.unsealed == 5, "two attempts, a decision, and the ends of two others"


def test_a_key_that_was_handed_over_is_trusted(con: duckdb.DuckDBPyConnection) -> None:
    """Set `new,old` once; afterwards the new key is enough."""
    add_run(con, 3, _1=("create", "11"))
    assert seal(con, Signer(f"{OTHER_KEY},{KEY}"), at(3), SWITCHES)
    write_decisions(con, "flow", "version", "r4", at(4), decided(_1=("skipped", "11")))
    assert seal(con, Signer(OTHER_KEY), at(4), SWITCHES)

    found = verified(con, OTHER_KEY)

    assert found.is_whole, found.problems
    assert found.public_keys == [Signer(KEY).public_key, Signer(OTHER_KEY).public_key]
    assert not verified(con, KEY).is_whole, "who does not know the new key"


def sealed_again(con: duckdb.DuckDBPyConnection) -> Checkpoint | None:
    """Seal what is there."""
    return seal(con, Signer(KEY), at(9), SWITCHES)


def test_nothing_new_makes_no_checkpoint(con: duckdb.DuckDBPyConnection) -> None:
    """A quiet run leaves the ledger as it is."""
    assert sealed_again(con) is None
