"""The overview has, for each workflow, everything that says whether it runs: compared with the ledger's rows."""

from datetime import datetime, timedelta

import polars as pl
import pytest
from jinja2 import Environment
from starlette.testclient import TestClient

from assets.delivery.ledger.certificates import Certificate, append
from assets.delivery.ledger.shadows import Shadow, begin_shadow
from assets.delivery.ledger.tables import ensure_ledger
from orchestration.configuration.settings import MillpondSettings
from orchestration.web.console import held_back, site
from orchestration.web.console.overview import overview
from orchestration.web.console.pages import environment
from orchestration.web.console.routes import console
from orchestration.web.console.site import Site
from orchestration.web.console.warm import warm
from resources.clock import utc_now
from resources.warehouse.tables import insert_frame
from tests.orchestration.conftest import Home, at_home
from tests.orchestration.web.test_console_pages import no_dagster

CUSTOMERS = "suiteprojects__customers"
RUNS = 33


@pytest.fixture
def delivered(home: Home) -> Home:
    """A workflow after 33 deliveries, the last two days ago, with a waiting plan and three records held back."""
    now = utc_now(home.sandbox.clock)
    runs = pl.DataFrame(
        [
            (
                f"run {each}", f"plan {each}", "finished", now - timedelta(days=2, hours=RUNS - each),
                each, 3, 1 if each == RUNS else 0, 5000 - each, each,
            )
            for each in range(1, RUNS + 1)
        ],
        schema=[
            "run_id", "plan_id", "state", "finished_at", "created", "quarantined", "failed", "calls_left", "position",
        ],
        orient="row",
    ).with_columns(
        workflow=pl.lit(CUSTOMERS), started_at=pl.col("finished_at"),
        **dict.fromkeys(("adopted", "updated", "deactivated", "reactivated", "blocked", "ambiguous"), pl.lit(0)),
    )  # fmt: skip
    held = pl.DataFrame(
        [("1", "too_long"), ("2", "too_long"), ("3", "required_blank")],
        schema=["source_id", "reason_code"],
        orient="row",
    ).with_columns(workflow=pl.lit(CUSTOMERS), source=pl.lit("customers"), action=pl.lit("quarantined"))
    with home.warehouse.writer() as con:
        ensure_ledger(con)
        insert_frame(con, "sync_runs", runs)
        insert_frame(con, "sync_decisions", held)
        con.execute(
            "insert into sync_plans by name select 'waits' as plan_id, ? as workflow, 'sync' as kind,"
            " 'waiting' as state, 700 as writes, 'too many updates' as note, 99 as position",
            [CUSTOMERS],
        )
        con.execute(
            "insert into sync_links by name select ? as workflow, 'customers' as source, '9' as source_id,"
            " '900' as target_id, 'h' as payload_hash",
            [CUSTOMERS],
        )
    return home


def test_each_workflow_has_what_an_operator_needs(delivered: Home) -> None:
    """Last delivery, late, plan, causes, quota, switch, and a bar for each of the last 30 runs; others are apart."""
    site = Site(MillpondSettings())
    found, reading = overview(site, site.accounts[""])
    (row,) = [each for each in found.active if each.workflow == CUSTOMERS]
    assert found.active[0] is row, "what waits for a person is first"

    assert reading.is_current
    assert (row.workflow, row.in_target) == (CUSTOMERS, 1)
    assert row.last is not None
    assert (row.last["run_id"], row.last["sent"], row.last["failed"]) == (f"run {RUNS}", RUNS, 1)
    assert row.plan is not None
    assert (row.plan["plan_id"], row.plan["writes"]) == ("waits", 700)
    assert [(each.records, each.title) for each in row.causes] == [
        (2, "a value is too long"), (1, "a required value is blank"),
    ]  # fmt: skip
    assert row.held == 3
    assert row.switch is not None
    assert (row.switch.active, row.freshness) == (True, "fresh")
    assert [each.run_id for each in row.trend] == [f"run {each}" for each in range(RUNS - 29, RUNS + 1)]
    assert {each.held for each in row.trend} == {3}
    assert found.waiting == 1
    assert {each.workflow for each in [*found.active, *found.others]} == set(site.workflows)
    assert not any(each.switch and each.switch.active for each in found.others)

    delivered.sandbox.clock.sleep(100 * 3600)
    (row,) = [each for each in overview(site, site.accounts[""])[0].active if each.workflow == CUSTOMERS]
    assert row.freshness == "late"
    with delivered.warehouse.writer() as con:
        con.execute("update sync_runs set finished_at = finished_at + interval 900 hours")
    (row,) = [each for each in overview(site, site.accounts[""])[0].active if each.workflow == CUSTOMERS]
    assert row.freshness == "late", "the clock was set back, which says nothing of the time since"


def test_all_workflows_of_an_account_show_the_newest_reading_of_its_quota(delivered: Home) -> None:
    """Plans count as well: `millpond plan` prints what is left after it; another target has a quota of its own."""
    made_at = utc_now(delivered.sandbox.clock) - timedelta(minutes=5)
    with delivered.warehouse.writer() as con:
        con.execute(
            "insert into sync_plans by name select 'later' as plan_id, ? as workflow, 'ready' as state, 0 as writes,"
            " 4100 as calls_left, ? as made_at, 100 as position",
            ["suiteprojects__projects", made_at],
        )
    site = Site(MillpondSettings())
    found, reading = overview(site, site.accounts[""])

    quotas = {each.workflow: each.quota for each in found.rows}
    newest = {name: quota and (quota["calls_left"], quota["read_at"]) for name, quota in quotas.items()}
    assert newest[CUSTOMERS] == newest["suiteprojects__projects"] == (4100, made_at)
    assert newest["precoro__options"] is None
    assert abs(reading.at - utc_now(delivered.sandbox.clock)) < timedelta(minutes=1), "by the clock of all its times"


def test_the_page_names_all_of_it(delivered: Home) -> None:
    """In words, and with links to the plan, the run and the causes."""
    with TestClient(console(MillpondSettings(), no_dagster)) as http:
        text = http.get("/console/").raise_for_status().text

    assert delivered.folder.exists()
    for each in (
        "700 records wait for approval", "too many updates", "Last delivery", "Verified through", "Requests left",
        "4,967", "3 held back", "a value is too long", "last 30 runs", "/console/plans/waits",
        f"/console/runs/run%20{RUNS}",
    ):  # fmt: skip
        assert each in text.replace(f"runs/run {RUNS}", f"runs/run%20{RUNS}"), each


def test_the_overview_and_the_page_of_the_certificates_agree(home: Home) -> None:
    """Both show what is proven, not what was read."""
    through = datetime(2026, 11, 17, 5, 45)  # noqa: DTZ001 - as the warehouse's times
    with home.warehouse.writer() as con:
        ensure_ledger(con)
        append(con, Certificate(workflow=CUSTOMERS, certified_at=through, verified_through=through, pending=5, wrong=2))
        append(con, Certificate(workflow="suiteprojects__projects", certified_at=through, reason="not read"))
    with TestClient(console(MillpondSettings(), no_dagster)) as client:
        first, second = client.get("/console/").text, client.get("/console/certificates").text
    for shown in (first, second):
        assert "2026-11-17 05:45" in shown
        assert shown.count("nothing is proven") == 1
    assert "5 pending" in first
    assert "2 wrong" in first


def test_a_workflow_in_shadow_mode_says_so_and_leads_to_its_parity(delivered: Home) -> None:
    """Nothing of it is sent, whatever else the card shows; one that never ran is shown for it."""
    now = utc_now(delivered.sandbox.clock)
    with delivered.warehouse.writer() as con:
        for name in (CUSTOMERS, "suiteprojects__project_location"):
            begin_shadow(con, Shadow(name, 0, "Oracle's connector", None, "ada", now))
    site = Site(MillpondSettings())
    found, _ = overview(site, site.accounts[""])
    shadowed = {each.workflow: each.shadow for each in found.active if each.shadow}
    with TestClient(console(MillpondSettings(), no_dagster)) as http:
        page = http.get("/console/").raise_for_status().text

    assert {name: each["incumbent"] for name, each in shadowed.items()} == dict.fromkeys(
        (CUSTOMERS, "suiteprojects__project_location"), "Oracle's connector"
    )
    assert page.count(">shadow mode</a>") == 2
    assert f">Parity of {CUSTOMERS}</a>" in page
    assert "nothing is sent, and each run compares" in page


def test_the_first_page_after_a_start_parses_compiles_and_searches_nothing(
    delivered: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server prepares it in the background, and starts as well on a damaged warehouse."""
    app = console(MillpondSettings(), no_dagster)
    environment.cache_clear()
    warm(app.state.site)

    def refuse(*_: object, **__: object) -> None:
        pytest.fail("the first page did this again")

    monkeypatch.setattr(Environment, "compile", refuse)
    monkeypatch.setattr(site, "load_user_files", refuse)
    monkeypatch.setattr(held_back, "held_and_ignored", refuse)
    with TestClient(app) as http:
        for path in ("/console/", "/console/held"):
            assert http.get(path).status_code == 200

    monkeypatch.undo()
    with at_home(delivered.folder):
        delivered.warehouse.file.write_bytes(b"damaged")
        warm(console(MillpondSettings(), no_dagster).state.site)
