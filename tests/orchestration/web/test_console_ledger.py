"""The console's page of the ledger: its state, its days, and the decisions of people."""

import pytest
from starlette.testclient import TestClient

from assets.delivery.ledger.events import Event, Happened, record_event
from assets.delivery.ledger.tables import ensure_ledger
from orchestration.configuration.settings import MillpondSettings
from orchestration.ledger_check import check_ledger
from orchestration.ledger_sealing import seal_ledger
from orchestration.web.console.routes import console
from resources.clock import utc_now
from resources.signing import Signer
from tests.assets.delivery.chain.ledger_chain import KEY, add_decisions_of_people, add_run
from tests.orchestration.conftest import Home
from tests.orchestration.web.test_console_pages import no_dagster


def page() -> str:
    """Return the page."""
    with TestClient(console(MillpondSettings(), no_dagster)) as client:
        response = client.get("/console/ledger")
    assert response.status_code == 200, response.text
    return str(response.text)


@pytest.mark.usefixtures("home")
def test_a_home_without_a_run_has_no_ledger_yet() -> None:
    """The page says when the chain begins."""
    assert "the chain begins when the next run ends" in page()


@pytest.mark.parametrize(
    ("details", "said"),
    [
        ({"active": False, "realtime": None}, "switched off"),
        ({"active": None, "realtime": True}, "switched real time on"),
        ({"active": True, "realtime": False}, "switched on and real time off"),
        ({}, "switched"),
    ],
)
def test_a_switch_says_how_it_stands_since(home: Home, details: dict[str, bool | None], said: str) -> None:
    """Two decisions of one workflow would look the same otherwise."""
    now = utc_now(home.sandbox.clock)
    with home.warehouse.writer() as con:
        record_event(con, Event(event=Happened.SWITCHED, at=now, workflow="flow", by="ada", details=details))
        add_run(con, 0, _1=("create", "11"))
    seal_ledger(home.warehouse)

    assert f">{said}</td>" in page()


@pytest.mark.parametrize(("personal", "has_notes"), [("show", True), ("mask", False)])
def test_the_page_has_the_result_of_the_night_and_the_decisions(
    home: Home, monkeypatch: pytest.MonkeyPatch, personal: str, *, has_notes: bool
) -> None:
    """A finding is named; a note may name a customer, so it is hidden where names are."""
    monkeypatch.setenv("MILLPOND_LEDGER_KEY", KEY)
    monkeypatch.setenv("MILLPOND_PERSONAL_DATA", personal)
    with home.warehouse.writer() as con:
        ensure_ledger(con)
        add_run(con, 0, _1=("create", "11"), _3=("create", "13"))
        add_decisions_of_people(con)
    assert not seal_ledger(home.warehouse)
    (home.warehouse.folder / "switches.json").write_text('{"flow": {"active": true, "decided_by": "ada"}}')
    assert check_ledger(home.warehouse).is_whole

    text = page()
    assert "whole, " in text
    assert Signer(KEY).public_key in text
    assert ("as agreed" in text, "bob" in text) == (has_notes, has_notes)
    assert all(each in text for each in ("approved", "unlinked", "customers 3"))
    assert "Canary" not in text

    with home.warehouse.writer() as con:
        con.execute("update sync_attempts set action = 'other' where attempt_id = 'r0a0'")
    check_ledger(home.warehouse)
    assert "broken: 2 findings" in page()
    assert "attempt r0a0 intent" in page()
