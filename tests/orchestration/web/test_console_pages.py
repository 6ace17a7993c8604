"""Every page of the console: it responds, hides what it must, and refuses what is not there."""

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from time import process_time
from typing import Any
from urllib.parse import quote_from_bytes

import polars as pl
import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.routing import Mount, Route
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from assets.delivery.ledger.ignored import Ignored, save_ignored
from assets.delivery.ledger.tables import ensure_ledger
from assets.delivery.schemas import SourceKey
from orchestration.configuration.settings import MillpondSettings
from orchestration.web.console.pages import HELP, HERE, environment, read_form
from orchestration.web.console.routes import console
from orchestration.web.identity import Identity, Role
from resources.clock import utc_now
from resources.warehouse.tables import insert_frame, replace_table
from tests.assets.delivery.builders import customer, customers, desired, mart
from tests.orchestration.conftest import Home

CUSTOMERS, OPTIONS = "suiteprojects__customers", "precoro__options"


class SignedIn:
    """The console as a user of some role sees it."""

    def __init__(self, app: ASGIApp, role: Role) -> None:
        self._app, self._role = app, role

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request as this user."""
        if scope["type"] == "http":
            scope["state"] = {**scope.get("state", {}), "identity": Identity("olga", self._role)}
        await self._app(scope, receive, send)


async def no_dagster(*_: object) -> None:
    """Stand for Dagster, which pages do not ask."""
    raise AssertionError("a page asked Dagster")


def pages(home: Home) -> Iterator[str]:
    """Return the address of each page, with what a run left behind."""
    yield from (
        "",
        "plans",
        "held",
        "held/ignored",
        "records",
        "records?q=a",
        "search?q=a",
        "runs",
        "match",
        f"match?workflow={CUSTOMERS}",
        "certificates",
        "ledger",
        "parity",
        "simulations",
        "forget",
        "forget?q=a",
        "forget?source=customers&source_id=1",
        "forget/survey?source=customers&source_id=1",
    )
    (run,) = home.warehouse.read("select run_id from sync_runs limit 1")["run_id"]
    yield from (f"runs/{run}", f"runs/{run}?page=2", f"reports/run-{run[:8]}.html")
    for plan in home.warehouse.read("select plan_id from sync_plans")["plan_id"]:
        yield from (f"plans/{plan}", f"plans/{plan}?text=a&action=create&field=name&code=new", f"plans/{plan}/follows")
    for source, key in home.warehouse.read(
        "select source, min(source_id) from sync_decisions where to_run is null group by source, action"
    ).rows():
        yield f"records/{source}/{key}?as_of=2030-01-01"


@pytest.mark.parametrize("personal", [pytest.param("show", marks=pytest.mark.long), "mask"])
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
    "path",
    [
        "nothing",
        "plans/none",
        "runs/none",
        "records/customers/0",
        "held/records?workflow=x",
        "reports/run-00000000.html",
    ],
)
def test_what_is_not_there_is_a_page_with_a_sentence(synced: Home, path: str) -> None:
    """Not an error of the server."""
    assert synced.warehouse.exists()
    with TestClient(console(MillpondSettings(), no_dagster)) as http:
        response = http.get(f"/console/{path}")

    assert response.status_code == 404
    assert "Not found" in response.text
    assert "There is no" in response.text or "This " in response.text


@pytest.mark.parametrize("path", ["now", "plans/p/approve", "link"])
def test_an_address_that_takes_a_form_says_so(home: Home, path: str) -> None:
    """After a form is sent, a browser may open its address once more."""
    assert not home.warehouse.exists()
    with TestClient(console(MillpondSettings(), no_dagster)) as http:
        response = http.get(f"/console/{path}")

    assert response.status_code == 405
    assert "This address takes a form" in response.text


@pytest.mark.parametrize("path", ["runs", "match", "held/ignored"])
def test_a_page_beyond_the_end_of_a_list_leads_to_the_last_one(home: Home, path: str) -> None:
    """Lists become shorter while people decide; the other parameters stay."""
    assert not home.warehouse.exists()
    with TestClient(console(MillpondSettings(), no_dagster), follow_redirects=False) as http:
        response = http.get(f"/console/{path}?page=7&workflow={CUSTOMERS}")

    assert response.status_code == 303
    assert response.headers["location"] == f"/console/{path}?page=1&workflow={CUSTOMERS}"


def test_each_page_has_its_page_of_the_guide() -> None:
    """The console's own page explains only what has no page of its own; headings are checked with the guide's links."""
    own = {"job", "job_part", "problem"}
    shown = {file.name.partition(".")[0] for file in (HERE / "templates").glob("*.jinja")}

    assert shown - {"base", "macros", "survey_part"} - HELP.keys() - own == set()


def test_names_of_commands_in_a_reason_are_set_as_code() -> None:
    """A value that a reason quotes is escaped all the same."""
    reason = environment().get_template("macros.html.jinja").module.reason  # type: ignore[attr-defined]

    assert str(reason("choose <b> with `millpond link`")) == (
        "<bdi>choose &lt;b&gt; with <code>millpond link</code></bdi>"
    )
    assert str(reason("no `" + "x" * 400)).startswith('<details class="long">')


@pytest.mark.parametrize("file", sorted((HERE / "templates").glob("*.jinja")), ids=lambda file: str(file.name))
def test_enter_presses_no_button_where_there_is_a_choice_of_several(file: Path) -> None:
    """Browsers press the first one: with a ticked record and a reason, Enter approved all of the plan."""
    forms = re.findall(r"<form .*?</form>", file.read_text(encoding="utf-8"), re.DOTALL)

    several = [each for each in forms if each.count("<button") > 1]
    assert [each[:90] for each in several if "m.no_default()" not in each[: each.index("<button")]] == []


def test_a_record_that_is_ambiguous_only_in_the_newest_plan_can_be_linked(synced: Home) -> None:
    """No run has decided about it yet; its page says what the plan found, and takes the target's id."""
    table = f"plan_{CUSTOMERS}"
    (key,) = synced.warehouse.read(f"select min(source_id) as key from {table} where action = 'skipped'")["key"]
    found = "action = 'ambiguous', reason = 'two records share the name'"
    with TestClient(SignedIn(console(MillpondSettings(), no_dagster), Role.APPROVER)) as http:
        before = http.get(f"/console/records/customers/{key}").text
        with synced.warehouse.writer() as con:
            con.execute(f"update {table} set {found} where source_id = ?", [key])
        after = http.get(f"/console/records/customers/{key}").text

    shown = ("two records share the name", 'name="target_id"')
    assert ([each in before for each in shown], [each in after for each in shown]) == ([False] * 2, [True] * 2)
    with synced.warehouse.writer() as con:  # an older plan, which waits, was made while the clock was ahead
        con.execute(f"update {table} set action = 'skipped' where source_id = ?", [key])
        con.execute(
            f"insert into {table} select * replace ('older' as plan_id, 'ambiguous' as action,"
            f" decided_at + interval 9 day as decided_at) from {table} where source_id = ?",
            [key],
        )
    with TestClient(console(MillpondSettings(), no_dagster)) as http:
        assert "two records share the name" not in http.get(f"/console/records/customers/{key}").text


def test_a_record_that_was_sent_is_not_said_to_be_missing(synced: Home) -> None:
    """The decision `create, not in the target yet` was carried out; it is a step of the story, and no state."""
    (key,) = synced.warehouse.read(
        "select min(source_id) as key from sync_decisions where to_run is null and action = 'create'"
        f" and workflow = '{CUSTOMERS}'"
    )["key"]
    with TestClient(console(MillpondSettings(), no_dagster)) as http:
        text = http.get(f"/console/records/customers/{key}").text

    header = text[text.index("<header><h2") :].partition("</header>")[0]
    assert ('<span class="tag create">created</span>' in header, "not in the target" in header) == (True, False)


def test_a_record_is_shown_as_it_was_and_who_changed_it(synced: Home) -> None:
    """The three sides beside each other, and a time line; a time without versions, and one that is none, say so."""
    (key,) = synced.warehouse.read(f"select min(source_id) as key from sync_links where workflow = '{CUSTOMERS}'")[
        "key"
    ]
    with TestClient(console(MillpondSettings(), no_dagster)) as http:
        now = http.get(f"/console/records/customers/{key}").text
        then = http.get(f"/console/records/customers/{key}", params={"as_of": "2030-01-01"}).text
        before = http.get(f"/console/records/customers/{key}", params={"as_of": "2020-01-01 06:00"}).text
        refused = [
            http.get(f"/console/records/customers/{key}", params={"as_of": each}) for each in ("soon", "9999-12-31")
        ]

    assert "As of 2030" not in now
    assert "Who changed what" in now
    assert "our write" in now
    assert "As of 2030-01-01 23:59" in then
    assert then.count("these values since") >= 3
    assert "Nothing is known of that time; versions are kept since" in before
    assert [each.status_code for each in refused] == [400, 400]
    assert "not a time" in refused[0].text


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


def test_a_record_shows_what_would_happen_now(synced: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """NetSuite and the target are read again; nothing is sent, planned or decided, and a viewer may not ask."""
    linked = (
        "select source_id, target_id from sync_links where workflow = ? and source = 'customers' and source_id in"
        " (select source_id from sync_decisions where workflow = ? and action = 'skipped' and to_run is null)"
    )
    source_id, target_id = synced.warehouse.read(linked, [CUSTOMERS, OPTIONS]).row(0)
    ledger = ("sync_plans", "sync_decisions", "sync_attempts", f"mart_{CUSTOMERS}", f"target_{CUSTOMERS}")
    before = {name: synced.warehouse.table(name).rows() for name in ledger}
    synced.sandbox.clock.sleep(3600)
    synced.sandbox.netsuite.update("customer", int(source_id), phone="+46 8 555")
    synced.sandbox.suiteprojects.modify("Customer", int(target_id), addr_phone="edited there")
    form, app = {"source": "customers", "source_id": source_id}, console(MillpondSettings(), no_dagster)
    with TestClient(SignedIn(app, Role.OPERATOR)) as http:
        shown = http.post("/console/now", data=form).raise_for_status().text
        offered = http.get(f"/console/records/customers/{source_id}").text
        unknown = http.post("/console/now", data={**form, "source_id": "0"})
    with TestClient(SignedIn(app, Role.VIEWER)) as http:
        refused = http.post("/console/now", data=form)
    monkeypatch.setenv("MILLPOND_PERSONAL_DATA", "mask")
    with TestClient(SignedIn(console(MillpondSettings(), no_dagster), Role.OPERATOR)) as http:
        hidden = http.post("/console/now", data=form).raise_for_status().text

    assert [text for text in ("+46 8 555", "edited there", "update", "Last run") if text not in shown] == []
    assert '<span class="tag skipped">skipped</span>' in shown, "Precoro's workflow leaves it out, now as before"
    assert "+46 8 555" not in hidden
    assert "edited there" not in hidden
    assert "What would happen now?" in offered
    assert (unknown.status_code, refused.status_code) == (404, 403)
    assert {name: synced.warehouse.table(name).rows() for name in ledger} == before


class Launches:
    """Stands for Dagster: notes the runs that it is asked to launch."""

    def __init__(self) -> None:
        self.configs: list[dict[str, Any]] = []

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Accept one run."""
        params = json.loads((await receive())["body"])["variables"]["p"]
        self.configs.append(params["runConfigData"]["ops"])
        launched = {"launchPipelineExecution": {"__typename": "LaunchRunSuccess", "run": {"runId": "a-run"}}}
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": json.dumps({"data": launched}).encode()})


def test_records_are_ignored_until_a_date_and_shown_apart(held_home: Home) -> None:
    """Ticked records or a whole cause; the pages count the others only, and a record's page has both decisions."""
    dagster = Launches()
    app = console(MillpondSettings(), dagster)
    form = {"workflow": CUSTOMERS, "source": "customers", "reason": "wait for legal", "decision": "ignore"}
    cause = {"action": "quarantined", "root_source": "", "root_action": "quarantined", "root_code": "too_long"}
    with TestClient(SignedIn(app, Role.APPROVER), follow_redirects=False) as http:
        assert "2 records wait" in http.get("/console/held").text
        accepted = http.post("/console/ignore", data={**form, "record": ["1"], "until": "2026-12-31"})
        whole = http.post("/console/ignore", data={**form, **cause, "extent": "all", "until": "2026-12-31"})
        refused = [http.post("/console/ignore", data={**form, **more}).status_code for more in UNUSABLE]
        ignore(held_home, "1")
        after, apart = http.get("/console/held").text, http.get("/console/held/ignored").text
        overview, story = http.get("/console/").text, http.get("/console/records/customers/1").text
    with TestClient(SignedIn(app, Role.OPERATOR)) as http:
        forbidden = http.post("/console/ignore", data={**form, "record": ["1"], "until": "2026-12-31"})

    assert (accepted.status_code, whole.status_code, forbidden.status_code) == (303, 303, 403)
    assert refused == [400] * len(UNUSABLE)
    ticked, all_of_cause = (each["ignore"]["config"] for each in dagster.configs)
    assert ticked["source_ids"] == ["1"]
    assert (all_of_cause["source_ids"], all_of_cause["cause"]) == ([], cause)
    assert "1 record waits" in after
    assert "1 record ignored until a date" in after
    assert "wait for legal" in apart
    assert "1 held back" in overview
    assert "Ignored through" in story
    assert "Count it again" in story


UNUSABLE: tuple[dict[str, Any], ...] = (
    {"until": "2026-12-31"}, {"record": ["1"]}, {"record": ["1"], "until": "2026-12-31", "reason": " "},
    {"record": ["1"], "until": "2026-12-31", "workflow": "none"},
)  # fmt: skip


def ignore(home: Home, source_id: str) -> None:
    """Ignore a record, as the job does."""
    now = utc_now(home.sandbox.clock)
    decision = Ignored(CUSTOMERS, now.date(), "ada", now, "wait for legal")
    with home.warehouse.writer() as con:
        save_ignored(con, decision, [SourceKey("customers", source_id)])


@pytest.fixture
def held_home(home: Home) -> Home:
    """Two customers whose values are too long; nothing was run."""
    names = ["workflow", "source", "source_id", "source_number", "action", "reason_code", "reason"]
    rows = [(CUSTOMERS, "customers", each, int(each), "quarantined", "too_long", "name is too long") for each in "12"]
    with home.warehouse.writer() as con:
        ensure_ledger(con)
        replace_table(con, "stg_netsuite__customers", customers(customer("1"), customer("2")))
        replace_table(con, f"mart_{CUSTOMERS}", mart(desired("1"), desired("2")))
        con.execute(
            "insert into lineage_columns by name select ? as workflow, 'stg_netsuite__customers' as source_table",
            [CUSTOMERS],
        )
        insert_frame(con, "sync_decisions", pl.DataFrame(rows, schema=names, orient="row"))
    return home


# each in every parameter at once: of other types, too large, without characters, no UTF-8, markup, SQL, paths
HOSTILE = (
    b"-1", b"99999999999999999999", b"NaN", b"\x00", b"\xff\xfe", b"\xed\xa0\x80", b"\xc2\xb2", b"%", b"[]",
    b'"><img src=x onerror=1>', b"'; drop table sync_runs; --", b"../../users.json", b"0001-01-01", b"((((" * 400,
)  # fmt: skip
PARAMETERS = ("page", "q", "workflow", "source", "source_id", "action", "field", "code", "text", "as_of", "part", "x")
LIMIT_S = 1.0  # of processor time for one page


def addresses(app: Starlette, known: dict[str, str]) -> Iterator[str]:
    """Return each address that the console answers a GET at; a new page is among them by itself."""
    (mount,) = [each for each in app.routes if isinstance(each, Mount)]
    for route in mount.routes:
        if isinstance(route, Route) and "GET" in (route.methods or ()) and "/jobs/" not in route.path:
            yield "/console" + re.sub(r"{(\w+)(?::\w+)?}", lambda found: known.get(found[1], "x"), route.path)


@pytest.mark.parametrize("shift", [0, *(pytest.param(each, marks=pytest.mark.long) for each in range(1, len(HOSTILE)))])
def test_no_address_fails_echoes_or_is_slow_whatever_it_is_asked_for(synced: Home, shift: int) -> None:
    """A hostile value in each parameter, and in each part of a path that has one; each shift moves them on by one."""
    (run,) = synced.warehouse.read("select run_id from sync_runs limit 1")["run_id"]
    (plan,) = synced.warehouse.read("select plan_id from sync_plans limit 1")["plan_id"]
    known = {"run_id": run, "plan_id": plan, "source": "customers", "source_id": "1"}
    app = console(MillpondSettings(), no_dagster)
    found = [*addresses(app, known)]
    assert len(found) > 15
    asked = []
    for place, path in enumerate(found):
        values = [quote_from_bytes(HOSTILE[(place + each + shift) % len(HOSTILE)], safe="") for each in range(12)]
        asked.append(f"{path}?{'&'.join(map('='.join, zip(PARAMETERS, values, strict=True)))}")
        (other,) = [*addresses(app, dict.fromkeys((*known, "name"), values[0]))][place : place + 1]
        asked += [other] if other != path else []
    with TestClient(app, raise_server_exceptions=False) as http:
        for path in asked:
            began = process_time()
            response = http.get(path)
            assert response.status_code < 500, path
            assert process_time() - began < LIMIT_S, path
            assert "<img src=x" not in response.text, path
