"""The customers import as Oracle's connector documents it, setting by setting, with the real client and the sandbox."""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

import polars as pl
import pytest

from assets.delivery.errors import MappingError, SyncError
from assets.delivery.imports.manual_links import ManualLink, possible_matches, save_manual_link
from assets.delivery.mart.build import make_mart
from assets.delivery.mart.current_state import read_target_state
from assets.delivery.plan.planner import make_plan
from assets.delivery.run_context import RunContext
from assets.delivery.schemas import LINK_SCHEMA
from assets.delivery.send.apply import run_sync
from assets.delivery.spec.workflow import Workflow
from assets.delivery.spec.workflow_spec import WorkflowSpec
from assets.target_registry import TARGETS
from resources.clock import utc_now
from resources.errors import RequestRejectedError
from resources.sandbox.sandbox import Sandbox
from resources.suiteprojects.client import SuiteProjectsClient
from resources.suiteprojects.connect import open_suiteprojects
from resources.warehouse.analytics import add_analytics
from resources.warehouse.warehouse import Warehouse
from tests.assets.suiteprojects.staged import Row, customer, stage

KIND = TARGETS["suiteprojects.Customer"]
ROWS: list[dict[str, Any]] = [
    {"field": "externalid", "from": "customer_id", "locked": True},
    {"field": "netsuite_customer_id__c", "from": "customer_id"},
    {"field": "name", "from": "entity_number"},
    {"field": "company", "from": "company_name"},
    {"field": "active", "value": True},
]
STORED = "netsuite_customer_id__c"
ORACLES_MATCH = [
    STORED,
    "external_id",
    {"field": "name", "ignore_case": True, "id_field": STORED, "on_id_conflict": "overwrite"},
]
Decision = tuple[str, str]  # action and reason code


class Importer:
    """One workflow with staging tables that are filled directly."""

    def __init__(self, sandbox: Sandbox, warehouse: Warehouse, client: SuiteProjectsClient) -> None:
        self.spp = sandbox.suiteprojects
        self.clock = sandbox.clock
        self.sandbox = sandbox
        self.warehouse = warehouse
        self.client = client
        self.rows: list[dict[str, Any]] = []
        self.settings: dict[str, Any] = {}
        self.runs = 0

    def use(self, *rows: dict[str, Any], **settings: Any) -> "Importer":
        """Set additional rows and other settings."""
        self.rows, self.settings = list(rows), settings
        return self

    @property
    def workflow(self) -> Workflow:
        """The workflow with the current rows and settings."""
        defaults = {"target": KIND.name, "source": "customers", "match": ORACLES_MATCH, "canary": []}
        spec = WorkflowSpec.model_validate({**defaults, **self.settings, "fields": [*ROWS, *self.rows]})
        return Workflow("imported", spec)

    def context(self, run_id: str) -> RunContext:
        """Return the context of a run."""
        return RunContext(self.warehouse, self.workflow, KIND.build(self.client, {}), run_id, self.clock)

    def plan(self, *staged: Row) -> pl.DataFrame:
        """Stage these customers and return the plan; guards may trip."""
        self.runs += 1
        stage(self.warehouse, customers=list(staged))
        context = self.context(f"run {self.runs}")
        make_mart(self.warehouse, self.workflow, clock=self.clock, read_system=partial(KIND.records, self.client))
        read_target_state(context)
        planned = make_plan(context)
        plan = self.warehouse.table(self.workflow.plan).filter(pl.col("plan_id") == planned.plan_id)
        return plan.sort("source_id")

    def run(self, *staged: Row) -> dict[str, Decision]:
        """Plan and sync these customers; return action and reason code by NetSuite id."""
        self.plan(*staged)
        done = run_sync(self.context(f"run {self.runs}"))
        return {row["source_id"]: (row["action"], row["reason_code"]) for row in done.decisions.to_dicts()}

    def records(self) -> list[dict[str, str]]:
        """Return the customers of SuiteProjects Pro."""
        return self.spp.rows("Customer")


@pytest.fixture
def importer(sandbox: Sandbox, warehouse: Warehouse) -> Iterator[Importer]:
    """Return an importer into an empty account."""
    with open_suiteprojects(sandbox=str(sandbox.folder)) as client:
        yield Importer(sandbox, warehouse, client)


# --- settings ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stages", "flag", "imported"),
    [
        ({"customer": "include", "lead": "skip", "prospect": "skip"}, True, "1"),
        ({"customer": "include", "lead": "include", "prospect": "skip"}, True, "13"),
        ({"customer": "include", "lead": "skip", "prospect": "include"}, True, "15"),
        ({"customer": "include", "lead": "include", "prospect": "include"}, True, "135"),
        ({"customer": "include", "lead": "include", "prospect": "include"}, False, "123456"),
        (None, True, "135"),
    ],
)
def test_stages_and_the_export_flag_select_the_records(
    importer: Importer, stages: dict[str, str] | None, flag: object, imported: str
) -> None:
    """The two "Include … marked" settings are independent; the flag can be ignored."""
    select = {"stages": stages, "require_flag": "custentity_oa_export_to_openair" if flag else None}
    importer.use(select=select)
    unmarked = {"custentity_oa_export_to_openair": "F"}
    rows = [
        customer(str(2 * number + 1 + second), stage=name, **(unmarked if second else {}))
        for number, name in enumerate(("customer", "lead", "prospect"))
        for second in (0, 1)
    ]

    importer.run(*rows)

    assert sorted(row["externalid"] for row in importer.records()) == list(imported)


def test_all_records_are_customers_unless_the_stage_is_mapped(importer: Importer) -> None:
    """Oracle's default is C for all; a value list sets P for prospects, and a conversion changes it."""
    rows = [customer("1"), customer("2", stage="lead")]
    importer.run(*rows)
    assert [row["type"] for row in importer.records()] == ["C", "C"]

    importer.use({"field": "type", "from": "stage", "values": {"customer": "C", "lead": "P", "prospect": "P"}})
    importer.run(*rows)
    assert [row["type"] for row in importer.records()] == ["C", "P"]
    assert importer.run(rows[0], customer("2"))["2"] == ("update", "source_changed")
    assert [row["type"] for row in importer.records()] == ["C", "C"]


@pytest.mark.parametrize("policy", ["deactivate", "report"])
@pytest.mark.parametrize(
    ("status", "changes"),
    [
        ("inactive", {"is_inactive": True}),
        ("deleted", {"is_deleted": True}),
        ("out_of_scope", {"custentity_oa_export_to_openair": "F"}),
    ],
)
def test_records_that_leave_are_deactivated_or_reported_by_policy(
    importer: Importer, status: str, changes: dict[str, Any], policy: str
) -> None:
    """Inactive, deleted (a merge deletes the loser) or unmarked; `report` leaves them active and names them."""
    select = {"require_flag": "custentity_oa_export_to_openair"}
    importer.use(select=select, lifecycle={status: policy})
    importer.run(customer("1"), customer("2"))

    action, reason = importer.run(customer("1"), customer("2", **changes))["2"]

    assert action == {"deactivate": "deactivate", "report": "quarantined"}[policy]
    assert reason == {"inactive": "inactive", "deleted": "deleted", "out_of_scope": "flag_not_set"}[status]
    assert [row.get("active") for row in importer.records()] == ["1", "0" if policy == "deactivate" else "1"]
    assert importer.run(customer("1"), customer("2"))["2"][0] == (
        "reactivate" if policy == "deactivate" else "unchanged"
    )


def test_inactive_and_deleted_records_are_not_created(importer: Importer) -> None:
    """A customer that SuiteProjects Pro never had is skipped if it is inactive or deleted."""
    decisions = importer.run(customer("1", is_inactive=True), customer("2", is_deleted=True))

    assert {action for action, _ in decisions.values()} == {"skipped"}
    assert importer.records() == []


# --- matching ----------------------------------------------------------------------------------------------------


@pytest.mark.long
def test_the_stored_id_matches_the_record_of_the_connector(importer: Importer) -> None:
    """So does a manually entered one; the record gets our key, and no second one is created."""
    importer.spp.add("Customer", name="renamed manually", netsuite_customer_id__c="1")

    assert importer.run(customer("1")) == {"1": ("adopt", "matched")}

    (row,) = importer.records()
    assert (row["externalid"], row["name"]) == ("1", "C1")
    assert importer.run(customer("1")) == {"1": ("unchanged", "identical")}


@pytest.mark.parametrize(
    ("on_id_conflict", "expected", "records"),
    [("overwrite", ("adopt", "matched"), 1), ("skip", ("create", "new"), 2), ("ask", ("ambiguous",), 1)],
)
def test_a_nickname_with_another_id_is_matched_by_the_setting(
    importer: Importer, on_id_conflict: str, expected: Decision, records: int
) -> None:
    """`overwrite` is Oracle's merge, `skip` its "Skip merge of matching customers"; `ask` is our definition."""
    importer.use(match=[STORED, "external_id", {**ORACLES_MATCH[2], "on_id_conflict": on_id_conflict}])  # type: ignore[dict-item]
    importer.spp.add("Customer", name="c1", netsuite_customer_id__c="999")

    assert importer.run(customer("1"))["1"][: len(expected)] == expected

    rows = importer.records()
    assert len(rows) == records
    assert rows[0][STORED] == ("1" if on_id_conflict == "overwrite" else "999")


@pytest.mark.parametrize("on_id_conflict", ["overwrite", "skip", "ask"])
def test_a_nickname_without_an_id_is_adopted_with_every_setting(importer: Importer, on_id_conflict: str) -> None:
    """Letter case does not matter."""
    importer.use(match=[STORED, "external_id", {**ORACLES_MATCH[2], "on_id_conflict": on_id_conflict}])  # type: ignore[dict-item]
    importer.spp.add("Customer", name="c1")

    assert importer.run(customer("1")) == {"1": ("adopt", "matched")}
    assert importer.records()[0][STORED] == "1"


@pytest.mark.long
def test_a_stored_id_can_be_kept(importer: Importer) -> None:
    """The id is not overwritten on adoption if its row is written only on create."""
    importer.use({"field": STORED, "from": "customer_id", "on": "create"})
    importer.spp.add("Customer", name="c1", netsuite_customer_id__c="999")

    assert importer.run(customer("1"), customer("2"))["1"] == ("adopt", "matched")

    assert {row["externalid"]: row[STORED] for row in importer.records()} == {"1": "999", "2": "2"}
    assert importer.run(customer("1"), customer("2"))["1"] == ("unchanged", "identical")


@pytest.mark.long
@pytest.mark.parametrize(
    ("on_id_conflict", "action"), [("skip", "create"), ("ask", "ambiguous"), ("overwrite", "adopt")]
)
def test_a_record_with_another_systems_key_is_matched_by_the_setting(
    importer: Importer, on_id_conflict: str, action: str
) -> None:
    """The connector's id matches; replacing the other system's key needs a setting and an approval."""
    importer.use(match=[{"field": STORED, "on_id_conflict": on_id_conflict}, "external_id"])
    importer.spp.add("Customer", name="x", externalid="crm-7", netsuite_customer_id__c="1")

    plan = importer.plan(customer("1"))

    assert plan["action"].to_list() == [action]
    if on_id_conflict == "overwrite":
        context = importer.context("x")
        with pytest.raises(SyncError):  # the key_change guard: the plan waits for approval
            run_sync(context)


@pytest.mark.long
def test_a_key_that_another_record_contradicts_is_ambiguous_until_confirmed(importer: Importer) -> None:
    """External ids may be numbers of another system; once confirmed, the key is ours."""
    importer.spp.add("Customer", name="coincidence", externalid="1")
    other = importer.spp.add("Customer", name="from the connector", netsuite_customer_id__c="1")
    assert importer.run(customer("1")) == {"1": ("ambiguous", "several_candidates")}

    importer.spp.delete("Customer", other)

    assert importer.run(customer("1"))["1"][0] == "update"
    importer.spp.add("Customer", name="later", netsuite_customer_id__c="1")
    assert importer.run(customer("1"))["1"][0] == "unchanged"


def test_a_manual_link_resolves_an_ambiguous_match(importer: Importer) -> None:
    """It replaces another system's key without asking again; a deleted record is not recreated silently."""
    ids = [str(importer.spp.add("Customer", name="c1")), str(importer.spp.add("Customer", name="C1", externalid="x"))]
    assert importer.run(customer("1"))["1"][0] == "ambiguous"

    with importer.warehouse.writer() as con:
        moment = utc_now(importer.clock)
        save_manual_link(con, ManualLink("imported", "customers", "1", ids[1], "ada", moment))

    assert importer.run(customer("1")) == {"1": ("adopt", "matched")}
    assert {row["id"]: row.get("externalid") for row in importer.records()} == {ids[0]: None, ids[1]: "1"}
    importer.spp.delete("Customer", int(ids[1]))
    assert importer.run(customer("1"))["1"][0] == "ambiguous"


@pytest.mark.long
def test_possible_matches_list_agreeing_and_differing_fields(importer: Importer) -> None:
    """A rare value in common suffices; a frequent city does not, and records of ours are excluded."""
    importer.use({"field": "web", "from": "url"}, {"field": "addr_city", "from": "city"})
    similar = importer.spp.add("Customer", name="OTHER", company="COMPANY 1", web="x.example", addr_city="Lund")
    importer.spp.add_many("Customer", [{"name": f"N{n}", "addr_city": "Lund"} for n in range(20)])
    importer.spp.add("Customer", name="C2", externalid="2", company="Company 2", netsuite_customer_id__c="2")
    plan = importer.plan(
        customer("1", url="X.example", city="Lund"), customer("2", city="Lund"), customer("3", city="Lund")
    )

    workflow, table = importer.workflow, importer.warehouse.table
    found = possible_matches(
        workflow.spec, table(workflow.mart), table(workflow.target_state), plan, pl.DataFrame(schema=LINK_SCHEMA)
    )

    assert found.select("source_id", "target_id", "agree", "differ").rows() == [
        ("1", str(similar), ["addr_city", "company", "web"], ["name"])
    ]


def test_every_linked_record_has_the_url_of_its_page(importer: Importer) -> None:
    """The view target_links contains it; `millpond links` and the script for NetSuite's form use the same."""
    importer.use(record_url="https://spp.example/customer?id={id}")
    importer.run(customer("1"), customer("2"))

    with importer.warehouse.writer(transaction=False) as con:
        add_analytics(con)
        links = con.execute("select source_id, target_url from target_links").fetchall()

    ids = {row["externalid"]: row["id"] for row in importer.records()}
    assert dict(links) == {key: f"https://spp.example/customer?id={ids[key]}" for key in ("1", "2")}


# --- values ------------------------------------------------------------------------------------------------------


def test_a_reference_is_looked_up_in_suiteprojects_pro(importer: Importer) -> None:
    """Oracle's `lookup=salesRep:lookup_table=user:lookup_by=…:lookup_return=id`."""
    lookup = {"table": "suiteprojects.User", "by": "externalid", "return": "id"}
    importer.use({"field": "userid", "from": "sales_rep_id", "lookup": lookup})
    importer.spp.modify("User", 1, externalid="77")

    decisions = importer.run(customer("1", sales_rep_id="77"), customer("2", sales_rep_id="78"), customer("3"))

    assert decisions["2"] == ("quarantined", "not_looked_up")
    assert {row["externalid"]: row.get("userid") for row in importer.records()} == {"1": "1", "3": None}


@pytest.mark.long
@pytest.mark.parametrize(("on_unmapped", "expected"), [("blank", None), ("keep", "9"), ("error", "quarantined")])
def test_a_warehouse_lookup_has_a_policy_for_values_that_it_does_not_find(
    importer: Importer, on_unmapped: str, expected: str | None
) -> None:
    """Any table by any column; a key with two rows, or a deleted row, counts as not found."""
    lookup = {"table": "stg_netsuite__departments", "by": "department_id", "return": "name"}
    importer.use({"field": "notes", "from": "custentity_department", "lookup": lookup, "on_unmapped": on_unmapped})
    departments = [
        {"department_id": "1", "name": "Sales"},
        {"department_id": "9", "name": "A"}, {"department_id": "9", "name": "B"},
        {"department_id": "8", "name": "Deleted", "is_deleted": True},
    ]  # fmt: skip
    stage(importer.warehouse, departments=departments)

    staged = [customer(key, custentity_department=key) for key in ("1", "9")]
    decisions = importer.run(*staged, customer("8", custentity_department="8"))

    notes = {row["externalid"]: row.get("notes") for row in importer.records()}
    assert notes["1"] == "Sales"
    if expected == "quarantined":
        assert decisions["9"] == decisions["8"] == (expected, "not_looked_up")
    else:
        assert notes["9"] == expected


@pytest.mark.long
def test_an_impossible_lookup_is_reported_before_anything_is_sent(importer: Importer) -> None:
    """The table does not exist yet, or lacks the column."""
    for table, message in (
        ("suppliers", "no table suppliers yet"),
        ("stg_netsuite__customers", "no column nope"),
    ):
        importer.use({"field": "notes", "from": "email", "lookup": {"table": table, "by": "nope", "return": "email"}})
        with pytest.raises(MappingError, match=message):
            importer.plan(customer("1"))


@pytest.mark.long
def test_todays_date_is_sent_with_other_changes_and_never_alone(importer: Importer) -> None:
    """Otherwise `_TODAY` would update every record every day."""
    importer.spp.add_custom_field("customer", "synced", picker="date", maxlength="0")
    importer.use({"field": "synced__c", "from": "_today"})
    importer.run(customer("1"), customer("2"))
    first = f"{importer.clock.now():%Y-%m-%d}"
    importer.clock.sleep(86_400 * 2)
    later = f"{importer.clock.now():%Y-%m-%d}"

    decisions = importer.run(customer("1"), customer("2", company_name="New"))

    assert decisions["1"] == ("unchanged", "identical")
    assert decisions["2"] == ("update", "source_changed")
    assert {row["externalid"]: row["synced__c"] for row in importer.records()} == {"1": first, "2": later}
    assert importer.run(customer("1"), customer("2", company_name="New"))["2"][0] == "unchanged"


@pytest.mark.long
@pytest.mark.parametrize(("zone", "hours"), [("UTC", 0), ("Pacific/Kiritimati", 14)])
def test_today_is_a_date_of_the_workflows_zone(importer: Importer, zone: str, hours: int) -> None:
    """At noon in London it is tomorrow on Kiritimati."""
    importer.clock.advance_to(datetime(2026, 11, 20, 12, tzinfo=UTC))
    importer.use({"field": "notes", "from": "_today"}, timezone=zone)

    importer.run(customer("1"))

    assert importer.records()[0]["notes"] == {0: "2026-11-20", 14: "2026-11-21"}[hours]


def test_constants_concatenations_conditions_and_lists(importer: Importer) -> None:
    """An inactive row has no effect, and the last of two rows for a field counts."""
    importer.use(
        {"field": "notes", "sql": "concat(entity_number, ' / ', company_name, email)"},
        {"field": "terms", "sql": "case when country_code = 'SE' then 'Net 30' when zip is null then 'Cash' end"},
        {"field": "code", "value": "first"},
        {"field": "code", "value": "N-{1}"},
        {"field": "web", "from": "url", "active": False},
        {"field": "type", "from": "stage", "values": {"customer": "C"}, "on_unmapped": "keep"},
        {"field": "billing_code", "from": "custentity_class"},
    )

    importer.run(customer("1", country_code="SE", url="x.example", custentity_class="5"), customer("2"))

    first, second = importer.records()
    assert (first["notes"], first["terms"], first["code"]) == ("C1 / Company 1", "Net 30", "N-{1}")
    assert (second["terms"], "web" in first, first["billing_code"]) == ("Cash", False, "5")


def test_an_initial_value_is_not_restored_after_an_edit(importer: Importer) -> None:
    """It is written when the record is created, and never again."""
    importer.use({"field": "notes", "value": "From NetSuite", "on": "create"})
    importer.run(customer("1"))
    importer.spp.modify("Customer", int(importer.records()[0]["id"]), notes="edited")

    assert importer.run(customer("1", company_name="New")) == {"1": ("update", "source_changed")}
    assert importer.records()[0]["notes"] == "edited"


@pytest.mark.parametrize(
    ("where", "imported"),
    [
        ("custentity_department = '5'", "1"),
        ("subsidiary_id in ('1', '3')", "13"),
        ("custentity_department is null or subsidiary_id = '1'", "123"),
        ("lower(company_name) like 'acme%' and not is_person", "2"),
        ("created_at >= timestamp '2026-01-01 00:00:00'", "3"),
    ],
)
def test_a_filter_may_use_any_column(importer: Importer, where: str, imported: str) -> None:
    """Custom fields, references by internal id or by a list of ids, text and dates."""
    importer.use(select={"where": where})
    old, new = datetime(2025, 1, 1), datetime(2026, 6, 1)  # noqa: DTZ001 - the warehouse's timestamps are naive UTC
    decisions = importer.run(
        customer("1", custentity_department="5", subsidiary_id="1", is_person=False, created_at=old),
        customer("2", company_name="ACME", subsidiary_id="2", is_person=False, created_at=old),
        customer("3", company_name="Acme", subsidiary_id="3", is_person=True, created_at=new),
    )

    assert sorted(row["externalid"] for row in importer.records()) == list(imported)
    skipped = [reason for key, (_, reason) in decisions.items() if key not in imported]
    assert set(skipped) <= {"filtered_out"}


# --- validation by the account -----------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize(
    ("definition", "valid", "invalid", "reason"),
    [
        ({"picker": "text", "maxlength": "5"}, "12345", "123456", "too_long"),
        ({"picker": "dropdown", "valuelist": "A,B", "maxlength": "0"}, "B", "C", "not_in_list"),
        ({"picker": "numeric", "maxlength": "0"}, "1.5", "1,5", "wrong_form"),
        ({"picker": "date", "maxlength": "0"}, "2026-11-22", "22.11.2026", "wrong_form"),
        ({"picker": "checkbox", "maxlength": "0"}, "1", "T", "wrong_form"),
        ({"picker": "text", "required": "1"}, "x", None, "required_blank"),
    ],
)
def test_values_are_validated_by_the_accounts_definitions(
    importer: Importer, definition: dict[str, str], valid: str, invalid: str | None, reason: str
) -> None:
    """The record is quarantined with a reason before anything is sent; the others are created."""
    importer.spp.add_custom_field("customer", "own", **definition)
    importer.use({"field": "own__c", "from": "custentity_class"})

    decisions = importer.run(customer("1", custentity_class=valid), customer("2", custentity_class=invalid))

    assert decisions == {"1": ("create", "new"), "2": ("quarantined", reason)}
    assert importer.records()[0]["own__c"] == valid


@pytest.mark.long
def test_a_missing_or_inactive_custom_field_stops_the_run_before_anything_is_sent(importer: Importer) -> None:
    """The service would reject every write."""
    importer.spp.add_custom_field("customer", "dormant", active="0")
    for name in ("dormant__c", "absent__c"):
        importer.use({"field": name, "value": "x"})
        with pytest.raises(RequestRejectedError, match=f"{name}.*must be active"):
            importer.plan(customer("1"))
    assert importer.records() == []


# --- monitored fields --------------------------------------------------------------------------------------------


@pytest.mark.long
def test_a_record_whose_monitored_values_are_unchanged_is_not_sent(importer: Importer) -> None:
    """Its modification date and a field that is not monitored changed; the reason names the field."""
    importer.use({"field": "notes", "from": "comments"}, monitored_fields=["company"])
    importer.run(customer("1", comments="a"), customer("2", comments="a"))
    writes = importer.spp.write_calls()
    modified = {"modified_at": datetime(2026, 11, 20)}  # noqa: DTZ001 - the warehouse's timestamps are naive UTC

    plan = importer.plan(customer("1", comments="a", **modified), customer("2", comments="b", **modified))

    assert plan.select("action", "reason_code").rows() == [("unchanged", "identical"), ("unchanged", "not_monitored")]
    assert plan["reason"][1] == "differs only in fields that are not monitored: notes"
    assert importer.run(customer("1", comments="a"), customer("2", comments="b"))["2"][0] == "unchanged"
    assert importer.spp.write_calls() == writes
    importer.run(customer("1", comments="a"), customer("2", comments="b", company_name="New"))
    assert importer.records()[1]["notes"] == "b"


@pytest.mark.long
def test_by_default_every_mapped_field_is_monitored(importer: Importer) -> None:
    """Fields that are not mapped may change without a write."""
    importer.run(customer("1", phone="1"))

    assert importer.workflow.spec.monitored_fields == "mapped"
    assert importer.run(customer("1", phone="2")) == {"1": ("unchanged", "identical")}
    assert importer.run(customer("1", company_name="New")) == {"1": ("update", "source_changed")}
