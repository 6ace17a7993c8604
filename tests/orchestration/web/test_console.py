"""The console, used like a person: plans approved in part, rejected and undone, records linked, on any screen."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.orchestration.cli.parity_rows import compare_once
from tests.orchestration.web.browser import Browser, open_browser
from tests.orchestration.web.console_home import CUSTOMERS, LONG, RIGHT_TO_LEFT, SCRIPT, Console, console_of

pytestmark = pytest.mark.browser

TAB, SPACE, ENTER = ("Tab", 9, ""), ("Space", 32, " "), ("Enter", 13, "\r")
FAULTS = Path(__file__).with_name("page_faults.js").read_text(encoding="utf-8")


# whether each of two submissions is prevented; neither is sent, and the form can be sent afterwards
TWICE = """(form => {
    const prevented = [], stop = event => { prevented.push(event.defaultPrevented); event.preventDefault() };
    form.addEventListener("submit", stop);
    for (const each of [1, 2]) form.requestSubmit(form.querySelector("#part"));
    form.removeEventListener("submit", stop);
    dispatchEvent(new Event("pageshow"));
    return prevented;
})(document.querySelector("form#decide"))"""


@pytest.fixture(scope="module")
def console(synced_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """A plan of the customers waits."""
    with console_of(synced_home, tmp_path_factory.mktemp("console")) as made:
        yield made


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for all tests."""
    with open_browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@pytest.fixture
def page(browser: None, console: Console, chromium: Browser) -> Browser:  # noqa: ARG001 - it skips without Chromium
    """The browser on a desktop's screen, signed in as an approver."""
    size(chromium, 1280)
    console.sign_in(chromium, "ada")
    return chromium


def size(browser: Browser, width: int) -> None:
    """Set the screen's width."""
    browser.send("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 500)


def press(browser: Browser, key: tuple[str, int, str], times: int = 1) -> None:
    """Press a key."""
    name, code, text = key
    values = {"key": " " if name == "Space" else name, "code": name, "windowsVirtualKeyCode": code}
    for _ in range(times):
        browser.send("Input.dispatchKeyEvent", type="keyDown", **values, **({"text": text} if text else {}))
        browser.send("Input.dispatchKeyEvent", type="keyUp", **values)


def focus(browser: Browser, selector: str) -> None:
    """Reach an element with the Tab key alone."""
    for _ in range(150):
        if browser.js(f"document.activeElement?.matches({json.dumps(selector)}) || false"):
            return
        press(browser, TAB)
    raise AssertionError(f"{selector} cannot be reached by Tab on {browser.text()[:500]}")


def decided(browser: Browser) -> None:
    """Wait until the job of a decision is done."""
    browser.wait_for(
        "['done', 'failed'].includes(document.querySelector('.job .lead .tag')?.innerText)", "the job does not end", 120
    )
    assert browser.js("document.querySelector('.job .lead .tag').innerText") == "done", browser.text()


def delivered_before(browser: Browser, console: Console) -> None:
    """Let all be delivered with the edited workflow file, unless an earlier test did; a part of a plan is not all."""
    newest = "(select arg_max(workflow_version, position) from sync_plans where workflow = ?)"
    sent = "sync_runs as run join sync_plans as plan on (plan.plan_id, kind, plan.state) = (run.plan_id,'sync','sent')"
    if console.rows(f"select 1 from {sent} where run.workflow_version = {newest}", CUSTOMERS):
        return
    console.home.run(f"{CUSTOMERS}__plan")
    form = {"extent": "all", "reason": "the first of this version"}
    with console.client("ada") as http:
        approved = http.post(f"/console/plans/{console.plan()}/approve", data=form)
    browser.open(f"{console.address}{approved.headers['location']}")
    decided(browser)


def tick(browser: Browser, source_id: str) -> None:
    """Tick a record."""
    browser.js(f"document.querySelector('input[name=record][value$={json.dumps(':' + source_id)}]').click()")


def test_a_plan_is_reviewed_and_approved_in_part(page: Browser, console: Console) -> None:
    """From the overview to the target: the ticked record is sent with the user's name, the others are not."""
    plan_id = console.plan()
    page.read("wait for approval", "records would be updated; the limit is 2")
    page.click("5 records wait for approval" if "5 records wait" in page.text() else "4 records wait for approval")
    page.read(
        "Records that this plan writes", "+46 8 123 45", "Renamed AB", RIGHT_TO_LEFT.replace("\u202e", "⟨U+202E⟩")
    )
    page.read(SCRIPT)
    assert page.js("window.hacked") is None
    assert page.js("[...document.querySelectorAll('b')].some(each => each.innerText === 'Bold')") is False
    assert page.js(FAULTS) == []
    page.screenshot("console-plan", 1280)

    before = console.customer("renamed")["company"]
    tick(page, console.ids["phone"])
    page.read("Approve what is ticked (1 record)")
    page.type("input[name=reason]", " ")
    page.click("Approve what is ticked (1 record)")
    page.read("Write a reason")
    page.js("history.back()")
    page.read("Approve what is ticked (1 record)")
    assert page.js("[...document.querySelectorAll('input[name=record]:checked')].length") == 1
    page.js("document.querySelector('input[name=reason]').value = ''")
    page.type("input[name=reason]", "the telephone number is right")
    press(page, ENTER)
    assert page.js("location.pathname") == f"/console/plans/{plan_id}", "Enter in a field decides nothing"
    assert page.js(TWICE) == [False, True], "a second click starts no second run"
    page.js("document.querySelector('#part').click()")
    page.read("started by ada")
    decided(page)

    assert console.customer("phone")["addr_phone"] == "+46 8 123 45"
    assert console.customer("renamed")["company"] == before
    (plan,) = console.rows("select state, decided_by from sync_plans where plan_id = ?", plan_id)
    assert plan["decided_by"] == "ada"
    page.click(f"Plan {plan_id}")
    page.read("decided by ada")
    assert not page.js("!!document.querySelector('#part')")


@pytest.mark.long
def test_a_plan_is_rejected_with_a_reason_and_cannot_be_approved_any_more(page: Browser, console: Console) -> None:
    """By the keyboard alone: skip link, filter, reason, button."""
    console.home.run(f"{CUSTOMERS}__plan")
    plan_id = console.plan()
    page.open(f"{console.address}/console/plans/{plan_id}")
    press(page, TAB)
    assert page.js("document.activeElement.className") == "skip"
    press(page, ENTER)
    assert page.js("document.activeElement.id") == "main"
    focus(page, "input[name=record]")
    press(page, SPACE)
    page.read("(1 record)")
    focus(page, "input[name=reason]")
    page.send("Input.insertText", text="the names are wrong")
    focus(page, "button.danger")
    assert page.js("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    press(page, ENTER)
    page.read("started by ada")
    decided(page)

    (plan,) = console.rows("select state, decided_by, note from sync_plans where plan_id = ?", plan_id)
    assert plan == {"state": "rejected", "decided_by": "ada", "note": "the names are wrong"}
    with console.client("ada") as http:
        refused = http.post(f"/console/plans/{plan_id}/approve", data={"extent": "all", "reason": "again"})
    assert refused.status_code == httpx.codes.CONFLICT
    assert "cannot be approved: it is rejected" in refused.text


@pytest.mark.long
def test_a_superseded_plan_says_so(page: Browser, console: Console) -> None:
    """A newer plan knows more."""
    console.home.run(f"{CUSTOMERS}__plan")
    older = console.plan()
    console.home.run(f"{CUSTOMERS}__plan")
    newer = console.plan()
    assert older != newer

    page.open(f"{console.address}/console/plans/{older}")

    page.read("This plan cannot be approved: a newer plan of this workflow replaces it", newer)
    assert not page.js("!!document.querySelector('button.main')")
    with console.client("ada") as http:
        refused = http.post(f"/console/plans/{older}/approve", data={"extent": "all", "reason": "again"})
    assert refused.status_code == httpx.codes.CONFLICT


@pytest.mark.long
def test_a_run_is_undone_in_part_after_its_conflicts_were_shown(page: Browser, console: Console) -> None:
    """One record is taken back; one that was edited since stays as it is, and the plan says so."""
    with console.client("ada") as http:
        undone = http.post(
            f"/console/runs/{console.first_run}/undo",
            data={"record": [console.ids["script"], console.ids["rtl"]], "reason": "sent too early"},
        )
    assert undone.status_code == httpx.codes.SEE_OTHER, undone.text
    target = console.home.sandbox.suiteprojects
    page.open(f"{console.address}{undone.headers['location']}")
    decided(page)
    first = console.rows("select plan_id, undone_run, requested_by from sync_plans where kind = 'undo'")
    assert (first[0]["undone_run"], first[0]["requested_by"]) == (console.first_run, "ada")

    edited = console.customer("rtl")
    target.modify("Customer", int(edited["id"]), company="Edited in the target")
    page.open(f"{console.address}/console/runs/{console.first_run}")
    page.read("can be taken back to the values before this run")
    page.js("document.querySelector('.parts').open = true")
    page.js("document.querySelector('fieldset input[value=create]').click()")
    with console.client("ada") as http:
        undone = http.post(
            f"/console/runs/{console.first_run}/undo",
            data={"record": [console.ids["script"], console.ids["rtl"]], "action": "create", "reason": "again"},
        )
    page.open(f"{console.address}{undone.headers['location']}")
    decided(page)
    plans = console.rows("select plan_id from sync_plans where kind = 'undo' order by position desc")
    page.click(f"Plan {plans[0]['plan_id']}")
    page.read("is not taken back and stays as it is", "conflict", "deactivate")
    page.screenshot("console-undo", 1280)
    page.type("input[name=reason]", "take it back")
    page.click("Approve all 1")
    page.read("started by ada")
    decided(page)

    assert console.customer("script")["active"] == "0"
    assert console.customer("rtl")["company"] == "Edited in the target"


@pytest.mark.long
def test_a_record_is_linked_to_one_of_its_candidates(page: Browser, console: Console) -> None:
    """The evidence is side by side; the link carries the user's name, and can be removed."""
    page.open(f"{console.address}/console/match?workflow={CUSTOMERS}&action=ambiguous")
    page.read(*(f"target {each}" for each in console.candidates), "to decide")
    assert page.js(FAULTS) == []
    page.screenshot("console-match", 1280)
    page.js(f"document.querySelector('input[name=target_id][value=\"{console.candidates[1]}\"]').click()")
    page.type(".match input[name=reason]", "same VAT number")
    page.click("Link to the chosen record")
    page.read("started by ada")
    decided(page)

    (link,) = console.rows("select source_id, target_id, decided_by, note from sync_manual_links")
    assert link == {
        "source_id": console.ids["ambiguous"], "target_id": console.candidates[1], "decided_by": "ada",
        "note": "same VAT number",
    }  # fmt: skip
    page.click("Back")
    page.read("Linked to", "the next run follows")
    page.click("Remove the link")
    page.read("started by ada")
    decided(page)
    assert console.rows("select * from sync_manual_links") == []


@pytest.mark.long
def test_held_records_lead_to_the_record_and_its_story(page: Browser, console: Console) -> None:
    """By root cause, to the records, to one record; found as someone types by a part of its name."""
    page.open(f"{console.address}/console/held")
    page.read("By root cause", "What to do")
    assert page.js(FAULTS) == []
    page.screenshot("console-held", 1280)
    page.js("document.querySelector('td.big a').click()")
    page.read("Records with this cause")
    page.open(f"{console.address}/console/records/customers/{console.ids['long']}")
    page.read("What happened", "NetSuite")
    assert page.js("document.querySelector('details.long bdi').innerText.length") < len(LONG)
    page.open(f"{console.address}/console/records/customers/{console.ids['phone']}")
    page.read("confirmed by the target", "create sent", "addr_phone", "from: phone")
    assert page.js(FAULTS) == []
    page.screenshot("console-record", 1280)

    page.type("#find", "window.hacked")
    page.wait_for("document.querySelectorAll('#found a').length === 1", "the search finds nothing")
    assert page.js("document.querySelector('#found bdi').innerText") == SCRIPT
    page.js("document.querySelector('#found a').click()")
    page.read("What happened")
    assert page.js("window.hacked") is None


@pytest.mark.long
def test_a_record_is_sent_again_from_its_page(page: Browser, console: Console) -> None:
    """NetSuite's values of now are read and sent, whatever the last plan held back."""
    delivered_before(page, console)
    console.home.sandbox.netsuite.update("customer", int(console.ids["phone"]), phone="+46 8 77 77")
    page.open(f"{console.address}/console/records/customers/{console.ids['phone']}")
    page.js("document.querySelectorAll('details').forEach(each => { each.open = true })")
    page.type("form[action$=resend] input[name=reason]", "the customer asked")
    page.click("Read it again and send what differs")
    page.read("started by ada")
    decided(page)
    page.read("sent again")

    assert console.customer("phone")["addr_phone"] == "+46 8 77 77"


@pytest.mark.long
def test_held_records_are_ignored_until_a_date_and_counted_again(page: Browser, console: Console) -> None:
    """A whole cause by its button; listed apart with name and reason, and back at once when a person says so."""
    page.open(f"{console.address}/console/held")
    before = int(page.js("document.querySelector('td.big a').firstChild.data.replace(',', '')"))
    page.js("document.querySelector('td.big a').click()")
    page.read("Ignore until a date")
    assert page.js(FAULTS) == []
    page.js("document.querySelector('input[name=until]').value = document.querySelector('input[name=until]').max")
    page.type("form#ignore input[name=reason]", "wait for legal")
    page.click(f"Ignore all {before}")
    page.read("started by ada")
    decided(page)
    page.read(f"{before} ")
    ignored = console.rows("select workflow, source, source_id, decided_by, note from sync_ignored")
    assert len(ignored) == before
    assert {(each["decided_by"], each["note"]) for each in ignored} == {("ada", "wait for legal")}

    page.open(f"{console.address}/console/held")
    page.read(f"{before} record{'s' if before > 1 else ''} ignored until a date")
    page.click(f"{before} record{'s' if before > 1 else ''} ignored until a date")
    page.read("wait for legal")
    assert page.js(FAULTS) == []
    page.screenshot("console-ignored", 1280)
    page.type("form#ignore input[name=reason]", "legal has answered")
    page.click(f"Count all {before}")
    page.read("started by ada")
    decided(page)
    assert console.rows("select * from sync_ignored") == []


@pytest.mark.long
def test_a_record_shows_what_would_happen_now(page: Browser, console: Console) -> None:
    """From its page; nothing is sent."""
    console.home.sandbox.netsuite.update("customer", int(console.ids["renamed"]), companyname="Renamed again AB")
    before = console.customer("renamed")
    page.open(f"{console.address}/console/records/customers/{console.ids['renamed']}")
    page.click("What would happen now?")
    page.read("Nothing was sent or planned", "Renamed again AB", "differs in")
    assert page.js(FAULTS) == []
    page.screenshot("console-now", 1280)
    assert console.customer("renamed") == before


@pytest.mark.long
def test_every_page_fits_a_telephone_and_both_schemes_are_readable(page: Browser, console: Console) -> None:
    """No page is wider than 390 px, whatever names it shows, and all text has enough contrast."""
    plan = console.rows("select plan_id from sync_plans order by position desc limit 1")[0]["plan_id"]
    pages = {
        "overview": "", "plans": "plans", "plan": f"plans/{plan}", "held": "held", "runs": "runs",
        "run": f"runs/{console.first_run}", "records": "records?q=a", "match": f"match?workflow={CUSTOMERS}",
        "ignored": "held/ignored", "record": f"records/customers/{console.ids['long']}",
        "script": f"records/customers/{console.ids['script']}", "parity": "parity", "ledger": "ledger",
        "forget": f"forget?source=customers&source_id={console.ids['long']}", "certificates": "certificates",
        "survey": f"forget/survey?source=customers&source_id={console.ids['long']}",
    }  # fmt: skip
    with console.home.warehouse.writer() as con:
        compare_once(con, "suiteprojects__project_location")
    for scheme in ("light", "dark"):
        page.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        for name, path in pages.items():
            for width in (390, 1280):
                size(page, width)
                page.open(f"{console.address}/console/{path}")
                assert page.js("document.documentElement.scrollWidth") <= width, (name, width)
                assert page.js(FAULTS) == [], (name, scheme)
    page.send("Emulation.setEmulatedMedia", features=[])
    size(page, 390)
    page.open(f"{console.address}/console/")
    page.screenshot("console-telephone", 390, 844)


@pytest.mark.long
def test_a_viewer_sees_no_buttons_and_a_forged_form_is_refused(
    browser: None,  # noqa: ARG001 - it skips without Chromium
    console: Console,
    chromium: Browser,
) -> None:
    """The role is checked by the server; so are origin and site, which another page cannot set."""
    plan_id = console.rows("select plan_id from sync_plans order by position desc limit 1")[0]["plan_id"]
    size(chromium, 1280)
    console.sign_in(chromium, "vic")
    for path in ("", f"plans/{plan_id}", f"runs/{console.first_run}", f"match?workflow={CUSTOMERS}"):
        chromium.open(f"{console.address}/console/{path}")
        chromium.read("viewer")
        posts = "[...document.querySelectorAll('main form[method=post]')].map(each => each.getAttribute('action'))"
        assert chromium.js(posts) == [], path
        assert not chromium.js("!!document.querySelector('button.main, button.danger, input[name=record]')"), path

    form = {"extent": "all", "reason": "forged"}
    before = console.rows("select state, decided_by from sync_plans where plan_id = ?", plan_id)
    with console.client("vic") as http:
        for path in (f"plans/{plan_id}/approve", f"plans/{plan_id}/reject", f"runs/{console.first_run}/undo", "link"):
            assert http.post(f"/console/{path}", data=form).status_code == httpx.codes.FORBIDDEN, path
    with console.client("ada") as http:
        for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
            refused = http.post(f"/console/plans/{plan_id}/approve", data=form, headers=headers)
            assert refused.status_code == httpx.codes.FORBIDDEN, headers
    with httpx.Client(base_url=console.address) as http:
        assert http.post(f"/console/plans/{plan_id}/approve", data=form).status_code in {401, 403}
    assert console.rows("select state, decided_by from sync_plans where plan_id = ?", plan_id) == before


@pytest.mark.long
def test_both_sides_are_linked_and_nothing_is_loaded_from_elsewhere(page: Browser, console: Console) -> None:
    """Dagster's pages have a link to the console; the policy allows our own files and no inline script or style."""
    with console.client("vic") as http:
        shown = http.get("/console/")
        policies = shown.headers.get_list("content-security-policy")
        assert any("default-src 'none'" in each for each in policies)
        assert not any("unsafe-inline" in each for each in policies)
        assert " style=" not in shown.text
        assert "<script>" not in shown.text
    page.open(f"{console.address}/jobs")
    page.wait_for("!!document.querySelector('#millpond-console')", "Dagster's page has no link to the console")
    page.js("document.querySelector('#millpond-console').click()")
    page.read("Workflows on")
