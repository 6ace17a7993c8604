"""A transaction is kept whole, and a trial leaves nothing."""

import pytest

from resources.warehouse.warehouse import Warehouse


def test_a_trial_sees_its_changes_and_leaves_none(warehouse: Warehouse) -> None:
    """The preview of a record replaces rows of real tables."""
    with warehouse.writer() as con:
        con.execute("create table t as select 1 as a")
    with warehouse.trial() as con:
        con.execute("insert into t values (2)")
        assert con.execute("from t order by a").fetchall() == [(1,), (2,)]
    with warehouse.writer(transaction=False) as con:
        assert con.execute("from t").fetchall() == [(1,)]


def test_an_error_within_a_trial_is_raised(warehouse: Warehouse) -> None:
    """Only the rollback of the trial itself is silent."""
    with pytest.raises(ValueError, match="of the caller"), warehouse.trial():
        raise ValueError("of the caller")
