"""Every page of the console: it responds, hides what it must, and refuses what is not there."""

import asyncio
from collections.abc import Iterator

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.testclient import TestClient
from starlette.types import Message

from orchestration.configuration.settings import MillpondSettings
from orchestration.web.console.pages import read_form
from orchestration.web.console.routes import console
from tests.orchestration.conftest import Home

CUSTOMERS = "suiteprojects__customers"


async def no_dagster(*_: object) -> None:
    """Stand for Dagster, which pages do not ask."""
    raise AssertionError("a page asked Dagster")


def pages(home: Home) -> Iterator[str]:
    """Return the address of each page, with what a run left behind."""
    yield from (
        "",
        "plans",
        "held",
        "records",
        "records?q=a",
        "search?q=a",
        "runs",
        "match",
        f"match?workflow={CUSTOMERS}",
    )
    (run,) = home.warehouse.read("select run_id from sync_runs limit 1")["run_id"]
    yield from (f"runs/{run}", f"runs/{run}?page=2")
    for plan in home.warehouse.read("select plan_id from sync_plans")["plan_id"]:
        yield from (f"plans/{plan}", f"plans/{plan}?text=a&action=create&field=name&code=new", f"plans/{plan}/follows")
    for source, key in home.warehouse.read(
        "select source, min(source_id) from sync_decisions where to_run is null group by source, action"
    ).rows():
        yield f"records/{source}/{key}"


@pytest.mark.parametrize("personal", ["show", "mask"])
def test_every_page_responds_and_hides_personal_data_where_it_must(
    synced: Home, monkeypatch: pytest.MonkeyPatch, personal: str
) -> None:
    """No name of a person, no e-mail address and no telephone number is on any page, nor found by a search."""
    monkeypatch.setenv("MILLPOND_PERSONAL_DATA", personal)
    people = synced.warehouse.read(
        "select email, phone, first_name || ' ' || last_name as name from stg_netsuite__contacts"
        " where phone is not null"
    )
    private = {str(each) for column in people.get_columns() for each in column.drop_nulls()}
    app = console(MillpondSettings(), no_dagster)
    app.state.site.account("").live.publish()
    shown = ""
    with TestClient(app) as http:
        for path in pages(synced):
            response = http.get(f"/console/{path}")
            assert response.status_code == 200, path
            shown += response.text
        found = http.get("/console/search", params={"q": people["name"].drop_nulls()[0]}).json()

    assert len(private) > 10
    assert bool([each for each in private if each in shown]) == (personal == "show")
    assert bool(found) == (personal == "show")


@pytest.mark.parametrize(
    "path", ["nothing", "plans/none", "runs/none", "records/customers/0", "held/records?workflow=x"]
)
def test_what_is_not_there_is_a_page_with_a_sentence(synced: Home, path: str) -> None:
    """Not an error of the server."""
    assert synced.warehouse.exists()
    with TestClient(console(MillpondSettings(), no_dagster)) as http:
        response = http.get(f"/console/{path}")

    assert response.status_code == 404
    assert "Not found" in response.text


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("path", ["", "plans", "held", "records?q=a", "runs", "match"])
def test_pages_of_a_new_home_say_that_nothing_was_read(path: str) -> None:
    """Before the first run there is no warehouse, and pages do not create one."""
    app = console(MillpondSettings(), no_dagster)
    with TestClient(app) as http:
        response = http.get(f"/console/{path}")

    assert response.status_code == 200
    assert "Nothing has been read yet" in response.text
    assert not app.state.site.account("").live.exists()


def test_each_account_has_its_own_pages(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """The account is in every address; an unknown one is refused."""
    monkeypatch.setenv("MILLPOND_ACCOUNTS", "acme,globex")
    with TestClient(console(MillpondSettings(), no_dagster)) as http:
        shown = http.get("/console/?account=globex")
        unknown = http.get("/console/?account=other")

    assert home.folder.exists()
    assert 'href="/console/plans?account=globex"' in shown.text
    assert unknown.status_code == 404


def test_a_form_with_too_many_fields_is_refused() -> None:
    """With a reason, as a form that is too large; a longer list of fields costs memory and time."""

    async def receive() -> Message:
        return {"type": "http.request", "body": b"a&" * 200_000}

    with pytest.raises(HTTPException) as refused:
        asyncio.run(read_form(Request({"type": "http", "method": "POST", "headers": []}, receive)))
    assert refused.value.status_code == 413
