"""The customers import as Oracle's connector documents it, setting by setting, over client and stand-in."""

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
from assets.delivery.send.apply import run_sync
from assets.delivery.spec.workflow import Workflow
from assets.delivery.spec.workflow_spec import WorkflowSpec
from assets.target_registry import TARGETS
from resources.clock import utc_now
from resources.sandbox.sandbox import Sandbox
from resources.suiteprojects.client import SuiteProjectsClient
from resources.suiteprojects.connect import open_suiteprojects
from resources.warehouse.snapshot import add_analytics
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
ORACLES = [
    STORED,
    "external_id",
    {"field": "name", "ignore_case": True, "id_field": STORED, "on_id_conflict": "overwrite"},
]
Decided = tuple[str, str]


class Import:
    """One workflow over a warehouse that is filled by hand."""

    def __init__(self, sandbox: Sandbox, warehouse: Warehouse, client: SuiteProjectsClient) -> None:
        self.spp = sandbox.suiteprojects
        self.clock = sandbox.clock
        self.sandbox = sandbox
        self.warehouse = warehouse
        self.client = client
        self.rows: list[dict[str, Any]] = []
        self.said: dict[str, Any] = {}
        self.runs = 0

    def use(self, *rows: dict[str, Any], **said: Any) -> "Import":
        """More rows and other settings from now on."""
        self.rows, self.said = list(rows), said
        return self

    @property
    def workflow(self) -> Workflow:
        """The workflow as it is now."""
        said = {"target": KIND.name, "source": "customers", "match": ORACLES, "canary": [], **self.said}
        spec = WorkflowSpec.model_validate({**said, "fields": [*ROWS, *self.rows]})
        return Workflow("imported", spec)

    def plan(self, *staged: Row) -> pl.DataFrame:
        """Fill NetSuite's side and decide; guards may trip."""
        self.runs += 1
        stage(self.warehouse, customers=list(staged))
        foreign = partial(KIND.records, self.client)
        run = RunContext(self.warehouse, self.workflow, KIND.build(self.client, {}), f"run {self.runs}", self.clock)
        make_mart(self.warehouse, self.workflow, clock=self.clock, read_system=foreign)
        read_target_state(run)
        planned = make_plan(run)
        plan = self.warehouse.table(self.workflow.plan).filter(pl.col("plan_id") == planned.plan_id)
        return plan.sort("source_id")

    def run(self, *staged: Row) -> dict[str, Decided]:
        """The whole of it; action and reason code by NetSuite id."""
        self.plan(*staged)
        target = KIND.build(self.client, {})
        done = run_sync(RunContext(self.warehouse, self.workflow, target, f"run {self.runs}", self.clock))
        return {row["source_id"]: (row["action"], row["reason_code"]) for row in done.decisions.to_dicts()}

    def there(self) -> list[dict[str, str]]:
        """What SuiteProjects Pro has."""
        return self.spp.rows("Customer")


@pytest.fixture
def importing(sandbox: Sandbox, warehouse: Warehouse) -> Iterator[Import]:
    """An empty account."""
    with open_suiteprojects(sandbox=str(sandbox.folder)) as client:
        yield Import(sandbox, warehouse, client)


# --- settings ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stages", "boxed", "taken"),
    [
        ({"customer": "include", "lead": "skip", "prospect": "skip"}, True, "1"),
        ({"customer": "include", "lead": "include", "prospect": "skip"}, True, "13"),
        ({"customer": "include", "lead": "skip", "prospect": "include"}, True, "15"),
        ({"customer": "include", "lead": "include", "prospect": "include"}, True, "135"),
        ({"customer": "include", "lead": "include", "prospect": "include"}, False, "123456"),
        (None, True, "135"),
    ],
)
def test_stages_and_the_export_box_decide_who_takes_part(
    importing: Import, stages: dict[str, str] | None, boxed: object, taken: str
) -> None:
    """The two "Include … marked" settings are independent; the box can be left out."""
    select = {"stages": stages, "require_flag": "custentity_oa_export_to_openair" if boxed else None}
    importing.use(select=select)
    off = {"custentity_oa_export_to_openair": "F"}
    rows = [
        customer(str(2 * number + 1 + unticked), stage=name, **(off if unticked else {}))
        for number, name in enumerate(("customer", "lead", "prospect"))
        for unticked in (0, 1)
    ]

    importing.run(*rows)

    assert sorted(row["externalid"] for row in importing.there()) == list(taken)


def test_everybody_is_a_customer_unless_the_stage_is_mapped(importing: Import) -> None:
    """Oracle's default is C for all; a value list makes prospects of them, and a conversion changes it."""
    rows = [customer("1"), customer("2", stage="lead")]
    importing.run(*rows)
    assert [row["type"] for row in importing.there()] == ["C", "C"]

    importing.use({"field": "type", "from": "stage", "values": {"customer": "C", "lead": "P", "prospect": "P"}})
    importing.run(*rows)
    assert [row["type"] for row in importing.there()] == ["C", "P"]
    assert importing.run(rows[0], customer("2"))["2"] == ("update", "source_changed")
    assert [row["type"] for row in importing.there()] == ["C", "C"]


@pytest.mark.parametrize("policy", ["deactivate", "report"])
@pytest.mark.parametrize(
    ("way", "changes"),
    [
        ("inactive", {"is_inactive": True}),
        ("deleted", {"is_deleted": True}),
        ("out_of_scope", {"custentity_oa_export_to_openair": "F"}),
    ],
)
def test_who_leaves_is_switched_off_or_left_by_policy(
    importing: Import, way: str, changes: dict[str, Any], policy: str
) -> None:
    """Inactive, deleted (a merge deletes the loser) or unmarked: `report` is what Oracle's connector does."""
    select = {"require_flag": "custentity_oa_export_to_openair"}
    importing.use(select=select, lifecycle={way: policy})
    importing.run(customer("1"), customer("2"))

    action, reason = importing.run(customer("1"), customer("2", **changes))["2"]

    assert action == {"deactivate": "deactivate", "report": "skipped"}[policy]
    assert reason == {"inactive": "inactive", "deleted": "deleted", "out_of_scope": "flag_not_set"}[way]
    assert [row.get("active") for row in importing.there()] == ["1", "0" if policy == "deactivate" else "1"]
    assert importing.run(customer("1"), customer("2"))["2"][0] == (
        "reactivate" if policy == "deactivate" else "unchanged"
    )


def test_nobody_who_left_before_is_brought_in(importing: Import) -> None:
    """An inactive or deleted customer that SuiteProjects Pro never had stays out."""
    decided = importing.run(customer("1", is_inactive=True), customer("2", is_deleted=True))

    assert {action for action, _ in decided.values()} == {"skipped"}
    assert importing.there() == []


# --- who is who --------------------------------------------------------------------------------------------------


def test_the_stored_id_finds_the_record_that_the_connector_made(importing: Import) -> None:
    """Also one that a person typed; the record gets our key, and no second one appears."""
    importing.spp.add("Customer", name="renamed by hand", netsuite_customer_id__c="1")

    assert importing.run(customer("1")) == {"1": ("adopt", "matched")}

    (row,) = importing.there()
    assert (row["externalid"], row["name"]) == ("1", "C1")
    assert importing.run(customer("1")) == {"1": ("unchanged", "identical")}


@pytest.mark.parametrize(
    ("on_id_conflict", "expected", "records"),
    [("overwrite", ("adopt", "matched"), 1), ("skip", ("create", "new"), 2), ("ask", ("ambiguous",), 1)],
)
def test_a_nickname_that_holds_another_id_goes_by_the_setting(
    importing: Import, on_id_conflict: str, expected: Decided, records: int
) -> None:
    """Overwriting is Oracle's merge, skipping its "Skip merge of matching customers"; asking is ours."""
    importing.use(match=[STORED, "external_id", {**ORACLES[2], "on_id_conflict": on_id_conflict}])  # type: ignore[dict-item]
    importing.spp.add("Customer", name="c1", netsuite_customer_id__c="999")

    assert importing.run(customer("1"))["1"][: len(expected)] == expected

    rows = importing.there()
    assert len(rows) == records
    assert rows[0][STORED] == ("1" if on_id_conflict == "overwrite" else "999")


@pytest.mark.parametrize("on_id_conflict", ["overwrite", "skip", "ask"])
def test_a_nickname_without_an_id_is_merged_by_every_setting(importing: Import, on_id_conflict: str) -> None:
    """Letter case does not matter."""
    importing.use(match=[STORED, "external_id", {**ORACLES[2], "on_id_conflict": on_id_conflict}])  # type: ignore[dict-item]
    importing.spp.add("Customer", name="c1")

    assert importing.run(customer("1")) == {"1": ("adopt", "matched")}
    assert importing.there()[0][STORED] == "1"


@pytest.mark.long
def test_a_stored_id_can_be_left_as_it_is(importing: Import) -> None:
    """Adopting without overwriting: the id's row is written once only."""
    importing.use({"field": STORED, "from": "customer_id", "on": "create"})
    importing.spp.add("Customer", name="c1", netsuite_customer_id__c="999")

    assert importing.run(customer("1"), customer("2"))["1"] == ("adopt", "matched")

    assert {row["externalid"]: row[STORED] for row in importing.there()} == {"1": "999", "2": "2"}
    assert importing.run(customer("1"), customer("2"))["1"] == ("unchanged", "identical")


@pytest.mark.long
@pytest.mark.parametrize(
    ("on_id_conflict", "action"), [("skip", "create"), ("ask", "ambiguous"), ("overwrite", "adopt")]
)
def test_a_record_with_another_systems_key_goes_by_the_setting(
    importing: Import, on_id_conflict: str, action: str
) -> None:
    """The connector's id says that it is the one; replacing the other system's key needs a setting and a release."""
    importing.use(match=[{"field": STORED, "on_id_conflict": on_id_conflict}, "external_id"])
    importing.spp.add("Customer", name="x", externalid="crm-7", netsuite_customer_id__c="1")

    plan = importing.plan(customer("1"))

    assert plan["action"].to_list() == [action]
    if on_id_conflict == "overwrite":
        run = RunContext(
            importing.warehouse, importing.workflow, KIND.build(importing.client, {}), "x", importing.clock
        )
        with pytest.raises(SyncError):  # the key_change guard: the plan waits for approval
            run_sync(run)


@pytest.mark.long
def test_a_key_that_another_record_contradicts_is_not_believed_at_first_sight(importing: Import) -> None:
    """An account may use numbers of another system as external ids; once confirmed, the key is ours."""
    importing.spp.add("Customer", name="by chance", externalid="1")
    made = importing.spp.add("Customer", name="by the connector", netsuite_customer_id__c="1")
    assert importing.run(customer("1")) == {"1": ("ambiguous", "several_candidates")}

    importing.spp.delete("Customer", made)

    assert importing.run(customer("1"))["1"][0] == "update"
    importing.spp.add("Customer", name="later", netsuite_customer_id__c="1")
    assert importing.run(customer("1"))["1"][0] == "unchanged"


def test_a_person_settles_what_was_ambiguous(importing: Import) -> None:
    """Even over another system's key, without asking again; a record that vanished is not replaced silently."""
    ids = [str(importing.spp.add("Customer", name="c1")), str(importing.spp.add("Customer", name="C1", externalid="x"))]
    assert importing.run(customer("1"))["1"][0] == "ambiguous"

    with importing.warehouse.writer() as con:
        moment = utc_now(importing.clock)
        save_manual_link(con, ManualLink("imported", "customers", "1", ids[1], "ada", moment))

    assert importing.run(customer("1")) == {"1": ("adopt", "matched")}
    assert {row["id"]: row.get("externalid") for row in importing.there()} == {ids[0]: None, ids[1]: "1"}
    importing.spp.delete("Customer", int(ids[1]))
    assert importing.run(customer("1"))["1"][0] == "ambiguous"


@pytest.mark.long
def test_candidates_come_with_what_speaks_for_and_against_them(importing: Import) -> None:
    """One rare value in common makes a candidate; a town that many records have makes none, and ours are out."""
    importing.use({"field": "web", "from": "url"}, {"field": "addr_city", "from": "city"})
    near = importing.spp.add("Customer", name="OTHER", company="COMPANY 1", web="x.example", addr_city="Lund")
    importing.spp.add_many("Customer", [{"name": f"N{n}", "addr_city": "Lund"} for n in range(20)])
    importing.spp.add("Customer", name="C2", externalid="2", company="Company 2", netsuite_customer_id__c="2")
    plan = importing.plan(
        customer("1", url="X.example", city="Lund"), customer("2", city="Lund"), customer("3", city="Lund")
    )

    workflow, table = importing.workflow, importing.warehouse.table
    found = possible_matches(workflow.spec, table(workflow.mart), table(workflow.target_state), plan)

    told = found.select("source_id", "target_id", "agree", "differ").rows()
    assert told == [("1", str(near), ["addr_city", "company", "web"], ["name"])]


def test_every_linked_record_has_the_address_of_its_page(importing: Import) -> None:
    """In a view for whoever asks with SQL; `millpond links` and the script for NetSuite's form read the same."""
    importing.use(record_url="https://spp.example/customer?id={id}")
    importing.run(customer("1"), customer("2"))

    with importing.warehouse.writer(transaction=False) as con:
        add_analytics(con)
        links = con.execute("select source_id, target_url from target_links").fetchall()

    ids = {row["externalid"]: row["id"] for row in importing.there()}
    assert dict(links) == {key: f"https://spp.example/customer?id={ids[key]}" for key in ("1", "2")}


# --- values ------------------------------------------------------------------------------------------------------


def test_a_foreign_id_is_looked_up_in_suiteprojects_pro(importing: Import) -> None:
    """Oracle's `lookup=salesRep:lookup_table=user:lookup_by=…:lookup_return=id`."""
    lookup = {"table": "suiteprojects.User", "by": "externalid", "return": "id"}
    importing.use({"field": "userid", "from": "sales_rep_id", "lookup": lookup})
    importing.spp.modify("User", 1, externalid="77")

    decided = importing.run(customer("1", sales_rep_id="77"), customer("2", sales_rep_id="78"), customer("3"))

    assert decided["2"] == ("quarantined", "not_looked_up")
    assert {row["externalid"]: row.get("userid") for row in importing.there()} == {"1": "1", "3": None}


@pytest.mark.long
@pytest.mark.parametrize(("otherwise", "expected"), [("blank", None), ("keep", "9"), ("error", "quarantined")])
def test_a_look_up_in_the_pond_has_a_policy_for_what_it_does_not_find(
    importing: Import, otherwise: str, expected: str | None
) -> None:
    """Any table by any column; a key with two answers is no answer, a deleted row gives none."""
    lookup = {"table": "stg_netsuite__departments", "by": "department_id", "return": "name"}
    importing.use({"field": "notes", "from": "custentity_department", "lookup": lookup, "on_unmapped": otherwise})
    departments = [
        {"department_id": "1", "name": "Sales"},
        {"department_id": "9", "name": "A"}, {"department_id": "9", "name": "B"},
        {"department_id": "8", "name": "Gone", "is_deleted": True},
    ]  # fmt: skip
    stage(importing.warehouse, departments=departments)

    staged = [customer(key, custentity_department=key) for key in ("1", "9")]
    decided = importing.run(*staged, customer("8", custentity_department="8"))

    notes = {row["externalid"]: row.get("notes") for row in importing.there()}
    assert notes["1"] == "Sales"
    if expected == "quarantined":
        assert decided["9"] == decided["8"] == (expected, "not_looked_up")
    else:
        assert notes["9"] == expected


@pytest.mark.long
def test_a_look_up_that_cannot_be_is_told_before_anything_is_sent(importing: Import) -> None:
    """The table is not there yet, or lacks the column."""
    for table, told in (
        ("target_nothing", "no table target_nothing yet"),
        ("stg_netsuite__customers", "no column nope"),
    ):
        importing.use({"field": "notes", "from": "email", "lookup": {"table": table, "by": "nope", "return": "email"}})
        with pytest.raises(MappingError, match=told):
            importing.plan(customer("1"))


def test_todays_date_is_sent_with_other_changes_and_never_alone(importing: Import) -> None:
    """`_TODAY` on each day would update every record each day."""
    importing.spp.add_custom_field("customer", "synced", picker="date", maxlength="0")
    importing.use({"field": "synced__c", "from": "_today"})
    importing.run(customer("1"), customer("2"))
    first = f"{importing.clock.now():%Y-%m-%d}"
    importing.clock.sleep(86_400 * 2)
    later = f"{importing.clock.now():%Y-%m-%d}"

    decided = importing.run(customer("1"), customer("2", company_name="New"))

    assert decided["1"] == ("unchanged", "identical")
    assert decided["2"] == ("update", "source_changed")
    assert {row["externalid"]: row["synced__c"] for row in importing.there()} == {"1": first, "2": later}
    assert importing.run(customer("1"), customer("2", company_name="New"))["2"][0] == "unchanged"


@pytest.mark.long
@pytest.mark.parametrize(("zone", "hours"), [("UTC", 0), ("Pacific/Kiritimati", 14)])
def test_today_is_a_date_of_the_workflows_zone(importing: Import, zone: str, hours: int) -> None:
    """At noon in London it is tomorrow on Kiritimati."""
    importing.clock.advance_to(datetime(2026, 11, 20, 12, tzinfo=UTC))
    importing.use({"field": "notes", "from": "_today"}, timezone=zone)

    importing.run(customer("1"))

    assert importing.there()[0]["notes"] == {0: "2026-11-20", 14: "2026-11-21"}[hours]


def test_constants_concatenations_conditions_and_lists(importing: Import) -> None:
    """One record by each form; a switched-off row does nothing, the last of two for a field counts."""
    importing.use(
        {"field": "notes", "sql": "concat(entity_number, ' / ', company_name, email)"},
        {"field": "terms", "sql": "case when country_code = 'SE' then 'Net 30' when zip is null then 'Cash' end"},
        {"field": "code", "value": "first"},
        {"field": "code", "value": "N-{1}"},
        {"field": "web", "from": "url", "active": False},
        {"field": "type", "from": "stage", "values": {"customer": "C"}, "on_unmapped": "keep"},
        {"field": "billing_code", "from": "custentity_class"},
    )

    importing.run(customer("1", country_code="SE", url="x.example", custentity_class="5"), customer("2"))

    first, second = importing.there()
    assert (first["notes"], first["terms"], first["code"]) == ("C1 / Company 1", "Net 30", "N-{1}")
    assert (second["terms"], "web" in first, first["billing_code"]) == ("Cash", False, "5")


def test_an_initial_value_is_left_to_the_people_there(importing: Import) -> None:
    """Written when the record is made, and not put back afterwards."""
    importing.use({"field": "notes", "value": "From NetSuite", "on": "create"})
    importing.run(customer("1"))
    importing.spp.modify("Customer", int(importing.there()[0]["id"]), notes="mine")

    assert importing.run(customer("1", company_name="New")) == {"1": ("update", "source_changed")}
    assert importing.there()[0]["notes"] == "mine"


@pytest.mark.parametrize(
    ("where", "taken"),
    [
        ("custentity_department = '5'", "1"),
        ("subsidiary_id in ('1', '3')", "13"),
        ("custentity_department is null or subsidiary_id = '1'", "123"),
        ("lower(company_name) like 'acme%' and not is_person", "2"),
        ("created_at >= timestamp '2026-01-01 00:00:00'", "3"),
    ],
)
def test_a_filter_may_ask_any_column(importing: Import, where: str, taken: str) -> None:
    """Custom fields, references by internal id or a list of ids, text and dates."""
    importing.use(select={"where": where})
    old, new = datetime(2025, 1, 1), datetime(2026, 6, 1)  # noqa: DTZ001 - the warehouse's timestamps are naive UTC
    decided = importing.run(
        customer("1", custentity_department="5", subsidiary_id="1", is_person=False, created_at=old),
        customer("2", company_name="ACME", subsidiary_id="2", is_person=False, created_at=old),
        customer("3", company_name="Acme", subsidiary_id="3", is_person=True, created_at=new),
    )

    assert sorted(row["externalid"] for row in importing.there()) == list(taken)
    left = [reason for key, (_, reason) in decided.items() if key not in taken]
    assert set(left) <= {"filtered_out"}


# --- what the account takes --------------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize(
    ("definition", "good", "bad", "reason"),
    [
        ({"picker": "text", "maxlength": "5"}, "12345", "123456", "too_long"),
        ({"picker": "dropdown", "valuelist": "A,B", "maxlength": "0"}, "B", "C", "not_in_list"),
        ({"picker": "numeric", "maxlength": "0"}, "1.5", "1,5", "wrong_form"),
        ({"picker": "date", "maxlength": "0"}, "2026-11-22", "22.11.2026", "wrong_form"),
        ({"picker": "checkbox", "maxlength": "0"}, "1", "T", "wrong_form"),
        ({"picker": "text", "required": "1"}, "x", None, "required_blank"),
    ],
)
def test_the_accounts_definitions_are_checked_before_anything_is_sent(
    importing: Import, definition: dict[str, str], good: str, bad: str | None, reason: str
) -> None:
    """The record waits with its reason instead of a status from the service; the others go."""
    importing.spp.add_custom_field("customer", "own", **definition)
    importing.use({"field": "own__c", "from": "custentity_class"})

    decided = importing.run(customer("1", custentity_class=good), customer("2", custentity_class=bad))

    assert decided == {"1": ("create", "new"), "2": ("quarantined", reason)}
    assert importing.there()[0]["own__c"] == good


@pytest.mark.long
def test_a_custom_field_that_is_missing_or_off_stops_before_anything_is_sent(importing: Import) -> None:
    """Every write would be refused for it."""
    importing.spp.add_custom_field("customer", "dormant", active="0")
    for name in ("dormant__c", "absent__c"):
        importing.use({"field": name, "value": "x"})
        with pytest.raises(ValueError, match=f"{name}.*must be active"):
            importing.plan(customer("1"))
    assert importing.there() == []


# --- monitored fields --------------------------------------------------------------------------------------------


def test_a_record_whose_monitored_values_are_unchanged_is_not_sent(importing: Import) -> None:
    """Its modified date moved, a field that is not monitored too: the reason says so."""
    importing.use({"field": "notes", "from": "comments"}, monitored_fields=["company"])
    importing.run(customer("1", comments="a"), customer("2", comments="a"))
    writes = importing.spp.write_calls()
    touched = {"modified_at": datetime(2026, 11, 20)}  # noqa: DTZ001 - the warehouse's timestamps are naive UTC

    plan = importing.plan(customer("1", comments="a", **touched), customer("2", comments="b", **touched))

    assert plan.select("action", "reason_code").rows() == [("unchanged", "identical"), ("unchanged", "not_monitored")]
    assert plan["reason"][1] == "differs only in fields that are not monitored: notes"
    assert importing.run(customer("1", comments="a"), customer("2", comments="b"))["2"][0] == "unchanged"
    assert importing.spp.write_calls() == writes
    importing.run(customer("1", comments="a"), customer("2", comments="b", company_name="New"))
    assert importing.there()[1]["notes"] == "b"


@pytest.mark.long
def test_by_default_every_mapped_field_is_monitored(importing: Import) -> None:
    """What is not mapped may change without a write."""
    importing.run(customer("1", phone="1"))

    assert importing.workflow.spec.monitored_fields == "mapped"
    assert importing.run(customer("1", phone="2")) == {"1": ("unchanged", "identical")}
    assert importing.run(customer("1", company_name="New")) == {"1": ("update", "source_changed")}
