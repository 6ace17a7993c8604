"""The console's page of forgetting: what would be erased, who may do it, and what is forgotten."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from assets.delivery.ledger.tables import ensure_ledger
from orchestration.configuration.settings import MillpondSettings
from orchestration.forgetting.perform import Decision, forget_record
from orchestration.web.console.pages import environment
from orchestration.web.console.routes import console
from orchestration.web.identity import Role
from resources.clock import WallClock, utc_now
from tests.orchestration.conftest import Home
from tests.orchestration.web.test_console_pages import SignedIn, no_dagster

EMAIL = "kanary@zqx.example"
RECORD = "/console/forget?source=contacts&source_id=7"
SURVEY = "/console/forget/survey?source=contacts&source_id=7"


@pytest.fixture
def with_contact(home: Home) -> Home:
    """A home with one staged contact."""
    with home.warehouse.writer() as con:
        ensure_ledger(con)
        con.execute(
            f"create table stg_netsuite__contacts as select '7' as contact_id, 'Ada' as first_name, '{EMAIL}' as email,"
            " 'Ada L.' as entity_number, 'DE' as country_code"
        )
    return home


def client(role: Role = Role.APPROVER) -> TestClient:
    """Return a browser of a user with a role."""
    return TestClient(SignedIn(console(MillpondSettings(), no_dagster), role))


def test_the_page_lists_what_would_be_erased_without_its_values(with_contact: Home) -> None:
    """An approver gets the form; a viewer sees the list alone. It is loaded after the page, which searches nothing."""
    with client() as browser:
        text = browser.get(SURVEY).text
        first, part = browser.get(RECORD).text, browser.get(f"{SURVEY}&part=1").text
    assert SURVEY.replace("?", "?part=1&").replace("&", "&amp;") in first
    assert "stg_netsuite__contacts" not in first
    assert part.startswith("<section>")
    assert part.strip() in text
    assert "stg_netsuite__contacts" in text
    assert "first_name, email, entity_number" in text
    assert "Erase the personal values" in text
    assert EMAIL not in text
    with client(Role.VIEWER) as browser:
        text = browser.get(SURVEY).text
    assert "stg_netsuite__contacts" in text
    assert "Erase the personal values" not in text
    assert with_contact.warehouse.read("select email from stg_netsuite__contacts").item() == EMAIL


@pytest.mark.usefixtures("with_contact")
def test_only_an_approver_who_writes_the_id_once_more_may_erase() -> None:
    """It cannot be undone."""
    given = {"source": "contacts", "source_id": "7", "reason": "asked"}
    headers = {"origin": "http://testserver"}
    with client(Role.OPERATOR) as browser:
        assert browser.post("/console/forget", data={**given, "again": "7"}, headers=headers).status_code == 403
    with client() as browser:
        refused = browser.post("/console/forget", data={**given, "again": "8"}, headers=headers)
        assert refused.status_code == 400
        assert "id again to confirm" in refused.text


def test_what_is_forgotten_is_listed_with_its_proof(with_contact: Home) -> None:
    """Tables and rows, from the event in the ledger."""
    decision = Decision("ada", utc_now(WallClock()), "asked")
    forget_record(MillpondSettings(), [], "contacts", "7", decision)
    with client() as browser:
        assert "stg_netsuite__contacts 1" in browser.get(RECORD).text
        text = browser.get(SURVEY).text
    assert "Nothing is left in the warehouse" in text
    assert with_contact.warehouse.read("select email from stg_netsuite__contacts").item() is None


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "//evil.example", "", None])
def test_an_address_that_is_none_is_no_link(url: str | None) -> None:
    """It is made of a template in the warehouse and of the target's id."""
    macros: Any = environment().get_template("macros.html.jinja").module

    assert str(macros.out(url, "7")) == "7"
    assert 'href="https://example.com/7"' in macros.out("https://example.com/7", "7")
