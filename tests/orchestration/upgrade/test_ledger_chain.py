"""The ledger of a warehouse of 0.1 is chained as it is, and what is changed in it afterwards is found."""

import pytest

from orchestration.configuration.settings import MillpondSettings
from orchestration.ledger_check import verify_ledger
from orchestration.ledger_sealing import seal_ledger
from orchestration.opened_warehouse import warehouse_of
from tests.assets.delivery.chain.ledger_chain import KEY


@pytest.mark.long
@pytest.mark.usefixtures("upgraded")
def test_the_first_run_after_an_upgrade_begins_the_chain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every attempt and decision, with the places that the upgrade gave them; people's decisions are taken over."""
    monkeypatch.setenv("MILLPOND_LEDGER_KEY", KEY)
    warehouse = warehouse_of(MillpondSettings())
    rows = warehouse.read("select (select count(*) from sync_attempts) + (select count(*) from sync_decisions)").item()

    assert not seal_ledger(warehouse)

    found = verify_ledger(warehouse)
    assert found.is_whole, found.problems
    assert found.rows["attempt"] + found.rows["decision"] == rows
    assert not found.unsealed
    with warehouse.writer() as con:
        first = "position = (select min(position) from sync_attempts)"
        con.execute(f"update sync_attempts set run_id = 'other' where {first}")
    assert not verify_ledger(warehouse).is_whole
