"""Rows that retention deletes, a rename changes or an erasure blanks out are marked; others are found."""

from collections.abc import Iterator

import duckdb
import pytest

from assets.delivery.chain.checkpoints import ChainError, last_checkpoint
from assets.delivery.chain.rewrite import require_rewritable, rewriting
from assets.delivery.chain.seal import seal
from assets.delivery.ledger.events import Event, Happened
from assets.warehouse.retention import prune
from resources.signing import Signer
from tests.assets.delivery.chain.ledger_chain import KEY, SWITCHES, add_run, at, verified

PRUNED = Event(event=Happened.PRUNED, at=at(9))
RENAMED = Event(
    event=Happened.RENAMED, at=at(9), workflow="other",
    details={"old": "flow", "new": "other", "versions": {"other": ("version", "renamed")}},
)  # fmt: skip


@pytest.fixture
def con(sealed: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    """A sealed ledger whose first runs can be pruned, as it was made for every test."""
    sealed.execute("begin")
    add_run(sealed, 3, _1=("update", "11"), _2=("update", "12"))
    assert seal(sealed, Signer(KEY), at(3), SWITCHES)
    yield sealed
    sealed.execute("rollback")


def prune_attempts(con: duckdb.DuckDBPyConnection, run: str = "r1") -> None:
    """Delete a run's attempts, as retention does."""
    with rewriting(con, Signer(KEY), PRUNED):
        con.execute("delete from sync_attempts where run_id = ?", [run])


def rename(con: duckdb.DuckDBPyConnection, event: Event = RENAMED) -> None:
    """Rename the workflow in every table, as `millpond rename` does, with the reasons that name it."""
    old, new = event.details["old"], event.details["new"]
    with rewriting(con, Signer(KEY), event):
        for table in ("sync_attempts", "sync_decisions", "sync_events", "sync_chain", "sync_plans",
                      "sync_manual_links", "sync_ignored"):  # fmt: skip
            con.execute(f"update {table} set workflow = ? where workflow = ?", [new, old])
        for table in ("sync_attempts", "sync_decisions"):
            before, after = event.details["versions"][new]
            con.execute(f"update {table} set workflow_version = ? where workflow_version = ?", [after, before])
        con.execute("update sync_decisions set reason = 'reason of ' || workflow where source_id = '1'")


def switches(name: str) -> dict[str, object]:
    """Return the switches after a rename."""
    return {name: SWITCHES["flow"]}


def test_what_retention_deletes_is_marked(con: duckdb.DuckDBPyConnection) -> None:
    """The chain is whole, says how many rows it lacks, and has the digest of each day."""
    days = [each.digest for each in verified(con).days]
    with rewriting(con, Signer(KEY), PRUNED):
        deleted = prune(con, at(2))

    found = verified(con)
    assert found.is_whole, found.problems
    assert found.pruned >= deleted["sync_attempts"] > 0
    assert [each.digest for each in found.days[: len(days)]] == days
    assert sum(each.pruned for each in found.days) == found.pruned
    events = con.execute("select event from sync_events where event = 'pruned'").fetchall()
    assert len(events) == 1


def test_nothing_to_prune_leaves_no_trace(con: duckdb.DuckDBPyConnection) -> None:
    """Maintenance runs every night."""
    before = last_checkpoint(con)
    with rewriting(con, Signer(KEY), PRUNED):
        pass

    assert last_checkpoint(con) == before


@pytest.mark.parametrize(
    "hidden",
    [
        "delete from sync_attempts where run_id = 'r2'",
        "insert into sync_chain (number, kind, record) select max(number) + 1, 'pruned', '28' from sync_chain",
        "update sync_chain set kind = 'pruned', record = '28' where number = (select max(number) from sync_chain)",
    ],
)
def test_what_no_retention_deleted_is_found(con: duckdb.DuckDBPyConnection, hidden: str) -> None:
    """A mark that was not signed helps no one."""
    prune_attempts(con)
    con.execute("delete from sync_attempts where run_id = 'r2'")
    con.execute(hidden)

    found = verified(con)

    assert not found.is_whole
    assert any("r2a0" in each.text or each.what != "removed" for each in found.problems)


def test_what_was_deleted_before_stays_a_finding(con: duckdb.DuckDBPyConnection) -> None:
    """Retention that comes later does not make it good."""
    con.execute("delete from sync_attempts where attempt_id = 'r2a0'")
    prune_attempts(con)

    found = verified(con)

    assert {each.what for each in found.problems} == {"removed"}
    assert all("r2a0" in each.text for each in found.problems)
    assert found.count == 2


def test_a_pruned_row_that_comes_back_is_found(con: duckdb.DuckDBPyConnection) -> None:
    """As does one from an old copy."""
    con.execute("create table kept as select * from sync_attempts where run_id = 'r1'")
    prune_attempts(con)
    con.execute("insert into sync_attempts select * from kept")

    assert {each.what for each in verified(con).problems} == {"inserted"}


def test_pruned_checkpoints_lose_their_entries(con: duckdb.DuckDBPyConnection) -> None:
    """The chain does not grow forever: what was pruned completely is left as a digest."""
    entries = con.execute("select count(*) from sync_chain").fetchall()[0][0]
    with rewriting(con, Signer(KEY), PRUNED):
        con.execute("delete from sync_attempts where run_id in ('r1', 'r2')")
        con.execute("delete from sync_decisions where from_run in ('r1', 'r2')")
        con.execute("delete from sync_decisions where to_run in ('r1', 'r2')")

    found = verified(con)
    left = con.execute("select count(*) from sync_chain where number <= ?", [entries]).fetchall()[0][0]
    assert found.is_whole, found.problems
    assert left < entries
    assert con.execute("select count(*) from sync_chain where kind = 'collapsed'").fetchall()[0][0] == 2
    assert found.entries > entries, "the checkpoints still count them"

    con.execute("delete from sync_chain where number between 1 and 15")
    assert not verified(con).is_whole, "of a checkpoint that no mark names"


def test_erased_values_leave_the_chain_whole(con: duckdb.DuckDBPyConnection) -> None:
    """Values and salts are gone, so the hashes cannot be looked up; every other column is covered as before."""
    salts = {row[0] for row in con.execute("select salt from sync_chain where salt <> ''").fetchall()}
    with rewriting(con, Signer(KEY), PRUNED):
        con.execute("update sync_attempts set image = null")
        con.execute("update sync_decisions set reason = null")

    found = verified(con)
    assert found.is_whole, found.problems
    assert found.erased == 16, "10 images and the reasons of 6 decisions"
    left = {row[0] for row in con.execute("select salt from sync_chain where salt <> ''").fetchall()}
    assert len(salts & left) == 14, "of the notes of people, and of the fingerprints of outcomes, which stay"

    con.execute("update sync_attempts set image = 'made up' where rowid = 0")
    assert "r0a0 intent" in verified(con).problems[0].text
    con.execute("update sync_attempts set image = null, target_id = '99' where rowid = 0")
    assert "r0a0 intent" in verified(con).problems[0].text


def test_a_public_column_is_not_rewritten(con: duckdb.DuckDBPyConnection) -> None:
    """No reason allows that, so it stays a finding."""
    with rewriting(con, Signer(KEY), PRUNED):
        con.execute("update sync_attempts set target_id = '99' where attempt_id = 'r1a0' and state = 'confirmed'")

    assert "r1a0 confirmed" in verified(con).problems[0].text


def test_a_renamed_workflow_is_followed(con: duckdb.DuckDBPyConnection) -> None:
    """Its rows have another name and version than when they were chained, as has the chain."""
    rename(con)
    add_run(con, 4, _5=("create", "15"))  # of a new workflow with the former name
    assert seal(con, Signer(KEY), at(10), switches("other"))  # type: ignore[arg-type]

    found = verified(con, switches=switches("other"))  # type: ignore[arg-type]
    assert found.is_whole, found.problems

    con.execute("update sync_attempts set workflow = 'other' where run_id = 'r4'")
    assert not verified(con, switches=switches("other")).is_whole  # type: ignore[arg-type]


def test_a_workflow_that_was_renamed_and_back_is_followed(con: duckdb.DuckDBPyConnection) -> None:
    """Each entry has the names of its time."""
    rename(con)
    details = {"old": "other", "new": "flow", "versions": {"flow": ("renamed", "version")}}
    rename(con, Event(event=Happened.RENAMED, at=at(10), workflow="flow", details=details))

    assert verified(con).is_whole, verified(con).problems


def test_a_name_that_no_one_renamed_is_found(con: duckdb.DuckDBPyConnection) -> None:
    """Rows of one workflow cannot be given to another."""
    con.execute("update sync_attempts set workflow = 'other' where run_id = 'r1'")

    assert not verified(con).is_whole


def test_without_the_key_nothing_is_rewritten(con: duckdb.DuckDBPyConnection) -> None:
    """Marks that no one signs would be findings."""
    with pytest.raises(ChainError, match="MILLPOND_LEDGER_KEY"):
        require_rewritable(con, Signer())
    with pytest.raises(ChainError, match="MILLPOND_LEDGER_KEY"), rewriting(con, Signer(), PRUNED):
        raise AssertionError


def test_a_ledger_without_a_chain_is_rewritten_freely() -> None:
    """The chain begins at the end of the first run."""
    with duckdb.connect() as con, rewriting(con, Signer(KEY), PRUNED):
        con.execute("create table anything (a bigint)")
