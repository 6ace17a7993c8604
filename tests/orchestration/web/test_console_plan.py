"""The facts beside a plan: names behind ids, what it releases, how far it is sent."""

import duckdb
import polars as pl
import pytest
from starlette.testclient import TestClient

import sql
from assets.delivery.audit.value_names import names_of_values
from assets.delivery.ledger import plans
from assets.delivery.ledger.tables import ensure_ledger
from assets.delivery.schemas import PARENT
from assets.delivery.spec.switches import Switches
from assets.delivery.spec.workflow import Workflow
from assets.warehouse.record_names import named_records
from orchestration.configuration.settings import MillpondSettings
from orchestration.web.console.plan_effects import plan_effects
from orchestration.web.console.plan_queries import Filters, found_records
from orchestration.web.console.routes import console
from orchestration.web.console.runs import sent_so_far
from orchestration.web.console.site import Site
from resources.warehouse.tables import insert_frame, replace_table
from tests.assets.delivery.builders import customer, customers, mart, suite_customers
from tests.orchestration.conftest import Home
from tests.orchestration.web.test_console_pages import no_dagster

CUSTOMERS, PROJECTS = "suiteprojects__customers", "suiteprojects__projects"


def test_ids_have_names_beside_them() -> None:
    """Of a node or a parent by their links; of a list and a lookup by what they replaced, if it is one text."""
    flow = Workflow(
        "flow",
        suite_customers(
            {"field": "currency", "from": "company_name", "values": {"Euro": "3", "Pound": "4", "Sterling": "4"}},
            {
                "field": "stage_id",
                "from": "stage",
                "lookup": {"table": "stg_netsuite__stages", "by": "stage_name", "return": "stage_id"},
            },
            {"field": "hierarchy:Class", "from": "email", "reference": "nodes"},
        ),
    )
    with duckdb.connect() as con:
        con.execute(sql.statement("ledger", "sync_links").text)
        con.execute(
            "insert into sync_links by name select unnest(['nodes', 'flow']) as workflow, 'customers' as source,"
            " unnest(['1', '2']) as source_id, unnest(['77', '78']) as target_id"
        )
        named = (customer("1", company_name="EMEA"), customer("2", company_name="Acme Group"))
        replace_table(con, "stg_netsuite__customers", customers(*named))
        con.execute(
            "create table stg_netsuite__stages as select unnest([8, 9, 9]) as stage_id,"
            " unnest(['In work', 'Closed', 'Done']) as stage_name"
        )
        given = {
            "hierarchy:Class": "77", PARENT: "78", "currency": "3", "stage_id": "8",
        }  # fmt: skip
        more = [("currency", "4"), ("stage_id", "9"), ("currency", "EUR"), ("name", "77"), ("stage_id", None)]
        names = names_of_values(con, flow, [*given.items(), *more])

    assert [names.of(*each) for each in given.items()] == ["EMEA", "Acme Group", "Euro", "In work"]
    assert [names.of(*each) for each in more] == [""] * len(more)


PLAN_ROW = ["plan_id", "source", "source_id", "action", "reason_code", "reason", "parent_source", "parent_source_id"]


@pytest.fixture
def planned(home: Home) -> Home:
    """A plan that creates customer 1, for which three projects of the same run wait, and one project of customer 2."""
    created = [("c", "customers", "1", "create", "new", "new", None, None)]
    waiting = [
        ("p", "projects", each, "blocked", "parent_missing", "its customer is not there", "customers", customer_id)
        for each, customer_id in (("10", "1"), ("11", "1"), ("12", "1"), ("13", "2"))
    ]
    with home.warehouse.writer() as con:
        ensure_ledger(con)
        replace_table(con, "stg_netsuite__customers", customers(customer("1")))
        for name, rows in ((CUSTOMERS, created), (PROJECTS, waiting)):
            schema = dict.fromkeys(PLAN_ROW, pl.String)
            replace_table(con, f"plan_{name}", pl.DataFrame(rows, schema=schema, orient="row"))
            replace_table(con, f"mart_{name}", mart())
        plans = pl.DataFrame(
            [("c", CUSTOMERS, 4, "the run", 1), ("p", PROJECTS, 0, None, 2)],
            schema=["plan_id", "workflow", "writes", "sent_by", "position"],
            orient="row",
        ).with_columns(made_by=pl.lit("run"), kind=pl.lit("sync"), state=pl.lit("ready"))
        insert_frame(con, "sync_plans", plans)
    return home


def test_a_plan_says_what_it_releases(planned: Home) -> None:
    """Records of other workflows that wait for its records, and no others."""
    site = Site(MillpondSettings())
    found, _ = plan_effects(site, site.accounts[""], "c")

    assert planned.warehouse.exists()
    assert found
    assert found.effects == [f"3 projects of {PROJECTS} waited for these records and can follow"]
    assert plan_effects(site, site.accounts[""], "none")[0] is None
    with TestClient(console(MillpondSettings(), no_dagster)) as http:
        for path in ("", "/follows", "/follows?part"):
            unknown = http.get(f"/console/plans/%E2%80%AEabc{path}")
            assert unknown.status_code == 404
            assert "\u202e" not in unknown.text


@pytest.mark.parametrize(("text", "records"), [(" company\u00a0 1", 1), ("company 2", 0)])
def test_a_plan_is_filtered_by_a_name_however_its_spaces_are_typed(planned: Home, text: str, records: int) -> None:
    """As records are found on the page of records."""
    with planned.warehouse.writer() as con:
        for column in ("changes struct(field varchar)[]", "target_id varchar"):
            con.execute(f"alter table plan_{CUSTOMERS} add column {column}")
        con.execute("update stg_netsuite__customers set company_name = 'Company  1'")
        found, values = found_records(plans.find(con, "c"), Filters(text=text), named_records(con))

        assert con.execute(f"select count(*) from {found}", values).fetchall() == [(records,)]


@pytest.mark.parametrize(
    ("state", "event", "details", "said"),
    [
        ("sent", "approved", '{"only":[]}', "Approved because: <bdi>it is right</bdi>"),
        ("partial", "approved", '{"only":["record=1"]}', "Approved only: record=1. Approved because:"),
        ("rejected", "rejected", "{}", "Rejected because:"),
        ("waiting", "undo_planned", "{}", "Asked for because:"),
        *(
            (state, "approved", '{"only":["record=4711"]}', "")  # which was refused, so that it decided nothing
            for state in ("waiting", "expired", "rejected")
        ),
        ("rejected", "undo_planned", "{}", "the workflow was given another account"),
    ],
)
def test_a_plan_says_why_it_was_asked_for_and_decided(
    planned: Home, state: str, event: str, details: str, said: str
) -> None:
    """The guard's advice is left out once a person overruled it."""
    notes = {"expired": "replaced by a newer plan", "partial": "a part of it was approved"}
    notes["rejected"] = "it is right" if event == "rejected" else "the workflow was given another account"
    with planned.warehouse.writer() as con:
        con.execute(
            "update sync_plans set state = ?, note = ?, decided_by = 'ada lovelace' where plan_id = 'c'",
            [state, notes.get(state, "11 records would be updated")],
        )
        con.execute(f"delete from plan_{CUSTOMERS}")
        con.execute(
            "insert into sync_events by name select 'e' as event_id, 1 as position, ? as event, 'c' as subject,"
            " ? as details, 'it is right' as note",
            [event, details],
        )
    with TestClient(console(MillpondSettings(), no_dagster)) as http:
        page, listed = (http.get(f"/console/{path}").text for path in ("plans/c", "plans"))

    assert (said in page) if said else ("it is right" not in page)
    assert all(("ada lovelace" in each) == (state not in {"waiting", "expired"}) for each in (page, listed))
    assert ("11 records would be updated" in page) == ("11 records would be updated" in listed) == (state == "waiting")


def test_a_plan_that_a_newer_one_replaced_waits_for_no_one(planned: Home) -> None:
    """It cannot be approved here, so the overview does not ask for it."""
    with planned.warehouse.writer() as con:
        con.execute("update sync_plans set state = 'waiting', note = 'too many' where plan_id = 'c'")
        con.execute(
            "insert into sync_plans by name select 'newer' as plan_id, ? as workflow, 'sync' as kind, 'sent' as state,"
            " 1 as writes, 9 as position",
            [CUSTOMERS],
        )
    with TestClient(console(MillpondSettings(), no_dagster)) as http:
        overview, listed = (http.get(f"/console/{path}").text for path in ("", "plans"))

    assert "wait for approval" not in overview
    assert "a newer plan replaces it" in listed
    assert "too many" not in listed


@pytest.mark.parametrize(("kind", "said"), [("sync", "its workflow is switched off"), ("undo", "")])
def test_a_plan_of_a_workflow_that_is_off_cannot_be_approved(planned: Home, kind: str, said: str) -> None:
    """A wrong run is undone while its workflow is off."""
    Switches(planned.warehouse.folder).override(CUSTOMERS, active=False)
    with planned.warehouse.writer() as con:
        con.execute("update sync_plans set kind = ? where plan_id = 'c'", [kind])
        con.execute(f"truncate plan_{CUSTOMERS}")
    with TestClient(console(MillpondSettings(), no_dagster)) as http:
        page = http.get("/console/plans/c").text

    assert said in page
    assert said or "switched off" not in page


def test_the_progress_counts_records_with_an_answer(planned: Home) -> None:
    """A record that is only about to be sent has none yet; a second row of an attempt counts once."""
    rows = [("a", "intent"), ("a", "confirmed"), ("b", "intent"), ("c", "unknown"), ("c", "found")]
    attempts = pl.DataFrame(rows, schema=["attempt_id", "state"], orient="row").with_columns(run_id=pl.lit("the run"))
    with planned.warehouse.writer() as con:
        insert_frame(con, "sync_attempts", attempts)
    account = Site(MillpondSettings()).accounts[""]

    assert sent_so_far(account, "the run") == (2, 4)
    assert sent_so_far(account, "another run") is None
