"""Every table of the ledger is covered by the chain, compared with recorded decisions, or left out for a reason."""

from assets.delivery.chain.covered import CHAIN, CHECKPOINTS, KINDS
from assets.delivery.chain.mirrors import MIRRORS
from assets.delivery.chain.not_covered import NOT_COVERED
from assets.delivery.ledger.tables import LEDGER_TABLES


def test_every_table_of_the_ledger_is_in_one_place() -> None:
    """A new table needs an answer to the question how a change of it would be noticed."""
    covered = {each.table for each in KINDS.values()} | {CHAIN, CHECKPOINTS}
    mirrored = {each.table for each in MIRRORS}

    assert covered | mirrored | {*NOT_COVERED} == {*LEDGER_TABLES}
    assert len(covered) + len(mirrored) + len(NOT_COVERED) == len(LEDGER_TABLES)
    assert all(NOT_COVERED.values())
