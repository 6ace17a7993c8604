"""A chain is continued only where its last checkpoint, made with a known key, ended."""

import duckdb
import pytest

from assets.delivery.chain.checkpoints import ChainError
from assets.delivery.chain.seal import seal
from assets.delivery.ledger.tables import ensure_ledger
from resources.signing import Signer, SigningKeyError, is_signed
from tests.assets.delivery.chain.ledger_chain import (
    KEY,
    OTHER_KEY,
    SWITCHES,
    add_decisions_of_people,
    add_run,
    at,
    sealed_ledger,
    verified,
)


@pytest.mark.parametrize("key", ["", OTHER_KEY])
def test_a_missing_key_hinders(con: duckdb.DuckDBPyConnection, key: str) -> None:
    """A checkpoint without the key would hide that someone else made those before."""
    add_run(con, 3, _1=("create", "11"))

    with pytest.raises(ChainError, match=r"set MILLPOND_LEDGER_KEY to it, or to `new,old`"):
        seal(con, Signer(key), at(3))


@pytest.mark.parametrize(
    "change",
    [
        "delete from sync_chain where number = 32",
        "update sync_chain set link = 'other' where number = 32",
        "insert into sync_chain (number, kind, link) values (33, 'attempt', 'other')",
        "delete from sync_checkpoints",
        "update sync_checkpoints set signature = 'AAAA' where number = 3",
        "update sync_checkpoints set number = 4 where number = 3",
    ],
)
def test_a_bent_end_is_not_continued(con: duckdb.DuckDBPyConnection, change: str) -> None:
    """Otherwise the next checkpoint would sign it."""
    con.execute(change)

    with pytest.raises(ChainError, match="nothing is added to it"):
        seal(con, Signer(KEY), at(3))


def test_decisions_before_the_chain_began_are_taken_over() -> None:
    """After an upgrade, the tables are the only record of what people decided."""
    with duckdb.connect() as con:
        ensure_ledger(con)
        add_run(con, 0, _1=("create", "11"), _3=("create", "13"))
        add_decisions_of_people(con)
        con.execute("delete from sync_events")
        con.execute(
            "insert into sync_plans (plan_id, workflow, state, decided_by) values ('p2', 'flow', 'rejected', 'bob')"
        )
        seal(con, Signer(KEY), at(0), SWITCHES)

        events = con.execute("select event, subject, decided_by from sync_events order by all").fetchall()
        assert events == [
            ("approved", "p1", "ada"), ("ignored", "customers 3", "ada"), ("linked", "customers 1", "ada"),
            ("rejected", "p2", "bob"), ("switched", "", "ada"),
        ]  # fmt: skip
        assert verified(con).is_whole, verified(con).problems


def test_a_ledger_without_a_key_is_chained_as_well() -> None:
    """Accidents are found; that others can make such a chain is said. A key that is set later takes over."""
    with duckdb.connect() as con:
        sealed_ledger(con, "")
        without = verified(con, "")
        add_run(con, 3, _1=("create", "11"))
        seal(con, Signer(KEY), at(3), SWITCHES)
        with_key = verified(con)

    assert without.is_whole
    assert "not signed" in without.notices[0]
    assert with_key.is_whole
    assert not with_key.notices


def test_equal_values_have_different_hashes(con: duckdb.DuckDBPyConnection) -> None:
    """Each row has a salt of its own, so that a list of names finds nothing in the chain."""
    rows = con.execute("select salt from sync_chain where salt <> ''").fetchall()

    assert len({row[0] for row in rows}) == len(rows) > 10


def test_a_signature_needs_the_key() -> None:
    """Whoever has the public key can check it and not make it."""
    signer = Signer(KEY)

    assert is_signed("text", signer.sign("text"), signer.public_key)
    assert not is_signed("other", signer.sign("text"), signer.public_key)
    assert not is_signed("text", Signer(OTHER_KEY).sign("text"), signer.public_key)
    assert Signer().sign("text") == Signer().public_key == ""


@pytest.mark.parametrize("key", ["short", "ä" * 44, KEY + ",short", KEY[:-4]])
def test_a_malformed_key_is_refused(key: str) -> None:
    """The text says how a key looks, never which one it was."""
    with pytest.raises(SigningKeyError, match="32 bytes"):
        Signer(key)
