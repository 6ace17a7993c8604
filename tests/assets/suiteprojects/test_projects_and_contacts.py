"""Projects and contacts follow their customer, wait for it, and are matched if another tool created them."""

from pathlib import Path
from typing import Any

import pytest

from assets.delivery.mart.build import make_mart
from assets.delivery.mart.current_state import read_target_state
from assets.delivery.plan.planner import make_plan
from assets.delivery.run_context import RunContext
from assets.delivery.send.apply import run_sync
from assets.delivery.spec.dependencies import unmet_dependencies
from assets.suiteprojects.target import SuiteProjectsTarget
from assets.target_registry import TARGETS
from resources.sandbox.suiteprojects.switches import SuiteProjectsSwitches
from tests.assets.suiteprojects.account import WORKFLOWS, Account, shipped
from tests.assets.suiteprojects.staged import contact, customer, project, stage, tree

DEPARTMENTS, CUSTOMERS = "suiteprojects__customer_department", "suiteprojects__customers"
PROJECTS, CONTACTS = "suiteprojects__projects", "suiteprojects__contacts"


def run(account: Account, *names: str, **tables: list[dict[str, Any]]) -> None:
    """Stage these tables and sync these workflows in this order; all of them if none is named."""
    stage(account.warehouse, **tables)
    account.runs += 1
    for name in names or (DEPARTMENTS, CUSTOMERS, PROJECTS, CONTACTS):
        account.deliver(name)


def start(account: Account) -> None:
    """Sync two customers, one of them marked, with a project and a contact each; and one of each without a customer."""
    run(
        account,
        departments=tree("department_id", ("1", "Sales", None)),
        customers=[customer("10"), customer("11", custentity_oa_export_to_openair="F")],
        projects=[project("20", "10", start_date=None, currency_code="USD"), project("21", "11"), project("22", None)],
        contacts=[contact("30", "10", email="a@example.org"), contact("31", "11"), contact("32", None)],
    )


@pytest.mark.long
def test_projects_and_contacts_have_their_documented_content(account: Account) -> None:
    """Project: name, customer, currency, start date; contact: customer, name, email, phone, address."""
    from datetime import date

    run(
        account,
        departments=[],
        customers=[customer("10")],
        projects=[project("20", "10", start_date=date(2026, 12, 1), currency_code="USD")],
        contacts=[
            contact(
                "30",
                "10",
                first_name="Ada",
                email="a@example.org",
                phone="+46 8",
                title="Buyer",
                address_line1="Storgatan 1",
                city="Lund",
                zip="222",
                country_code="SE",
            )
        ],
    )

    owner = account.records("Customer")["10"]["id"]
    created = account.records("Project")["20"]
    assert {name: created.get(name) for name in ("name", "customerid", "currency", "start_date", "active")} == {
        "name": "Project 20", "customerid": owner, "currency": "USD", "start_date": "2026-12-01", "active": "1",
    }  # fmt: skip
    assert created["netsuite_project_id__c"] == "20"
    person = account.records("Contact")["30"]
    sent = ("customerid", "addr_last", "addr_first", "addr_email", "addr_phone", "addr_addr1", "addr_city",
            "addr_zip", "addr_country")  # fmt: skip
    assert {name: person.get(name) for name in sent} == {
        "customerid": owner, "addr_last": "Last 30", "addr_first": "Ada", "addr_email": "a@example.org",
        "addr_phone": "+46 8", "addr_addr1": "Storgatan 1", "addr_city": "Lund", "addr_zip": "222",
        "addr_country": "Sweden",
    }  # fmt: skip
    assert (person["job_title"], person["netsuite_contact_id__c"]) == ("Buyer", "30")


@pytest.mark.long
def test_contacts_of_projects_may_be_included(account: Account) -> None:
    """They belong to the project's customer; without the setting they are skipped."""

    def of_projects(given: dict[str, Any]) -> None:
        given["parent"] = {"customers": "through_customer_id"}
        given["select"]["where"] = "through_customer_id is not null"

    contacts = [contact("30", "10", through_customer_id="10"), contact("31", None, through_customer_id="10")]
    run(account, CUSTOMERS, CONTACTS, departments=[], customers=[customer("10")], contacts=contacts)
    without = account.records("Contact").keys()
    account.use(shipped(CONTACTS, of_projects))
    run(account, CONTACTS)

    owner = account.records("Customer")["10"]["id"]
    assert without == {"30"}
    assert {key: row["customerid"] for key, row in account.records("Contact").items()} == {"30": owner, "31": owner}


@pytest.mark.long
def test_records_without_their_customer_in_the_target_are_blocked(account: Account) -> None:
    """The reason is that of the customer; a project that has no customer at all is quarantined."""
    start(account)

    missing = "parent customers 11 is not in the target: custentity_oa_export_to_openair is not checked"
    assert account.decisions(PROJECTS)["21"] == ("blocked", missing)
    assert account.decisions(CONTACTS)["31"] == ("blocked", missing)
    assert account.decisions(PROJECTS)["22"] == ("quarantined", "has no parent record in NetSuite")
    assert account.decisions(CONTACTS)["32"][0] == "skipped"
    assert (account.records("Project").keys(), account.records("Contact").keys()) == ({"20"}, {"30"})


@pytest.mark.long
def test_they_are_created_once_the_customer_is(account: Account) -> None:
    """They themselves did not change."""
    start(account)

    run(account, customers=[customer("10"), customer("11")])

    owner = account.records("Customer")["11"]["id"]
    assert account.records("Project")["21"]["customerid"] == owner
    assert account.records("Contact")["31"]["customerid"] == owner


@pytest.mark.long
def test_a_customer_deleted_in_the_target_blocks_its_children_until_it_is_recreated(account: Account) -> None:
    """The target's current records count, not those that were sent once."""
    start(account)
    run(account, CUSTOMERS, customers=[customer("10"), customer("11")])
    account.other.write("Delete", "Customer", id=account.records("Customer")["11"]["id"])
    projects = [project("20", "10", currency_code="USD"), project("21", "11")]

    run(account, PROJECTS, projects=projects)  # alone: the last run of the customers did not see the deletion
    assert account.decisions(PROJECTS)["21"][0] == "quarantined"  # the service itself rejects it (859)
    run(account, projects=[projects[0], project("21", "11", project_name="Later")])

    assert account.records("Project")["21"]["customerid"] == account.records("Customer")["11"]["id"]


@pytest.mark.long
def test_a_merged_customers_project_and_contact_move_to_the_survivor(account: Account) -> None:
    """NetSuite moves them to the survivor; the target's records keep their ids."""
    start(account)
    before = {name: account.records(name) for name in ("Project", "Contact")}

    run(
        account,
        customers=[customer("10", is_deleted=True), customer("12")],
        projects=[project("20", "12", currency_code="USD")],
        contacts=[contact("30", "12", email="a@example.org")],
    )

    survivor = account.records("Customer")["12"]["id"]
    for name, key in (("Project", "20"), ("Contact", "30")):
        after = account.records(name)[key]
        assert (after["customerid"], after["id"]) == (survivor, before[name][key]["id"])
    assert "active" not in account.records("Customer")["10"]


@pytest.mark.long
def test_projects_of_an_inactive_customer_follow_their_own_status(account: Account) -> None:
    """Each record has the status that it has in NetSuite; its customer is inactive, but exists."""
    start(account)

    run(
        account,
        customers=[customer("10", is_inactive=True)],
        projects=[project("20", "10", currency_code="USD", project_name="Still active")],
        contacts=[contact("30", "10", email="a@example.org", is_inactive=True)],
    )

    assert (account.records("Project")["20"]["name"], account.records("Project")["20"]["active"]) == (
        "Still active",
        "1",
    )
    assert "active" not in account.records("Contact")["30"]


@pytest.mark.long
def test_a_run_can_be_undone_below_a_parent_of_another_workflow(account: Account) -> None:
    """The plan of the undo needs the customer as well."""
    start(account)
    run(account, PROJECTS, projects=[project("20", "10", currency_code="USD", project_name="Wrong")])

    account.undo(PROJECTS, 2)

    assert account.records("Project")["20"]["name"] == "Project 20"


@pytest.mark.long
def test_records_of_oracles_connector_are_adopted_without_duplicates(account: Account) -> None:
    """Customers, projects, contacts and nodes are matched by the connector's id fields and hierarchy name."""
    other = account.other
    hierarchy = other.write("Add", "Hierarchy", name="Customer Department", type="customer")
    top, below = (
        other.write("Add", "HierarchyNode", hierarchyid=hierarchy, name=name, isalevel="1") for name in ("Top", "Below")
    )
    sales = other.write("Add", "HierarchyNode", hierarchyid=hierarchy, levelid=top, name="Sales", isanode="1")
    inside = other.write(
        "Add", "HierarchyNode", hierarchyid=hierarchy, levelid=below, parentid=sales, name="Inside", isanode="1"
    )
    owner = other.write(
        "Add", "Customer", name="C10", company="Company 10", netsuite_customer_id__c="10", hierarchy_node_ids=sales
    )
    other.write("Add", "Project", name="Old name", customerid=owner, netsuite_project_id__c="20")
    before = {name: [row["id"] for row in other.read(name)] for name in ("Customer", "Project", "Hierarchy")}

    run(
        account,
        departments=tree("department_id", ("1", "Sales", None), ("2", "Inside", "1")),
        customers=[customer("10", custentity_department="2")],
        projects=[project("20", "10")],
        contacts=[],
    )

    assert {name: [row["id"] for row in other.read(name)] for name in before} == before
    rows = {row["id"]: row for row in other.read("HierarchyNode")}
    assert {key for key, row in rows.items() if row.get("isanode")} == {sales, inside}
    assert {key for key, row in rows.items() if row.get("isalevel")} == {top, below}
    assert account.records("Customer")["10"]["hierarchy_node_ids"] == inside
    assert account.records("Project")["20"]["name"] == "Project 20"
    other.write("Modify", "Customer", id=owner, netsuite_customer_id__c="10")  # as the connector's own run does
    run(account)
    assert {name: [row["id"] for row in other.read(name)] for name in before} == before


def test_companies_people_sub_customers_and_currencies(account: Account) -> None:
    """A person has no company name; a sub-customer is a separate customer; each keeps its own currency."""
    run(
        account,
        CUSTOMERS,
        departments=[],
        customers=[
            customer("10", currency_code="SEK", country_code="SE", address_line1="Storgatan 1", city="Lund", zip="222"),
            customer("11", company_name=None, first_name="Ada", last_name="Ek", is_person=True, currency_code="EUR"),
            customer("12", parent_customer_id="10", currency_code="USD"),
            customer("13", currency_code="XXX"),
        ],
    )

    records = account.records("Customer")
    assert {key: (row["company"], row["currency"]) for key, row in records.items()} == {
        "10": ("Company 10", "SEK"), "11": ("Ada Ek", "EUR"), "12": ("Company 12", "USD"),
    }  # fmt: skip
    assert [records["10"][f"addr_{part}"] for part in ("addr1", "city", "zip", "country")] == [
        "Storgatan 1", "Lund", "222", "Sweden",
    ]  # fmt: skip
    assert "currency is not one of the currencies that are enabled" in account.decisions(CUSTOMERS)["13"][1]


@pytest.mark.long
def test_values_that_the_account_cannot_store_are_reported_and_never_truncated(account: Account) -> None:
    """Characters that XML or the account's character set lacks, and values longer than their field."""
    workflow = shipped(CUSTOMERS, lambda given: given.update(options={"charset": "latin-1"}))
    account.use(workflow)
    account.sandbox.suiteprojects.add_custom_field("customer", "short", maxlength="5")
    account.sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, strict_lengths={"Customer.company": 12})

    run(
        account,
        CUSTOMERS,
        departments=[],
        customers=[
            customer("10", company_name="Ärlig & Co"),
            customer("11", company_name="中文"),
            customer("12", company_name="a\x0bb"),
            customer("13", company_name="Thirteen chars"),
        ],
    )

    decided = account.decisions(CUSTOMERS)
    assert account.records("Customer").keys() == {"10"}
    assert decided["11"][1].endswith("a character that is not in the account's character set iso8859-1")
    assert decided["12"][1].endswith("contains a control character, which XML cannot carry")
    assert (decided["13"][0], "2001" in decided["13"][1]) == ("quarantined", True)
    with pytest.raises(ValueError, match="no character set 'latin-99'"):
        SuiteProjectsTarget(account.client, charset="latin-99")


@pytest.mark.long
def test_a_workflow_depends_on_its_upstream_workflows(account: Account) -> None:
    """Projects and contacts need the workflow of the customers, and customers that of their hierarchy, to be active."""
    active = list(account.workflows.values())
    inactive = {name: shipped(name, lambda given: given.update(active=False)) for name in (DEPARTMENTS, CUSTOMERS)}

    without_customers = unmet_dependencies(
        [inactive[each.name] if each.name == CUSTOMERS else each for each in active], WORKFLOWS
    )
    without_tree = unmet_dependencies(
        [inactive[each.name] if each.name == DEPARTMENTS else each for each in active], WORKFLOWS
    )

    assert unmet_dependencies(active, WORKFLOWS) == {}
    assert without_customers.keys() == {PROJECTS, CONTACTS}
    assert "suiteprojects__customers is switched off (active: false in its defs.yaml)" in without_customers[PROJECTS]
    assert Path(without_customers[PROJECTS].partition(":")[0]).name == "defs.yaml"
    assert without_tree.keys() == {CUSTOMERS, PROJECTS, CONTACTS}
    assert "suiteprojects__customers has a problem of its own" in without_tree[PROJECTS]


@pytest.mark.long
def test_workflows_that_depend_on_each_other_are_rejected(account: Account) -> None:
    """They could not be run in any order."""
    customers = shipped(CUSTOMERS, lambda given: given.update(needs=[PROJECTS]))

    unmet = unmet_dependencies([account.workflows[DEPARTMENTS], customers, account.workflows[PROJECTS]], WORKFLOWS)

    assert "cycle" in unmet[CUSTOMERS]


@pytest.mark.long
def test_a_plan_keeps_the_version_of_the_file_that_made_it(account: Account) -> None:
    """An edit of the workflow file does not affect an existing plan, which is sent with its own version."""
    stage(account.warehouse, departments=[], customers=[customer("10", url="planned.example")])
    original = account.workflows[CUSTOMERS]
    target = TARGETS[original.spec.target].build(account.client, {})
    warehouse, clock = account.warehouse, account.sandbox.clock
    make_mart(warehouse, original)
    read_target_state(RunContext(warehouse, original, target, "plan", clock))
    planned = make_plan(RunContext(warehouse, original, target, "plan", clock))

    def edit(given: dict[str, Any]) -> None:
        given["fields"] = [row for row in given["fields"] if row["field"] != "web"]
        given["fields"].append({"field": "terms", "value": "edited"})

    edited = shipped(CUSTOMERS, edit)
    run_sync(RunContext(warehouse, edited, target, "apply", clock), plan_id=planned.plan_id)

    record = account.records("Customer")["10"]
    assert (record["web"], "terms" in record) == ("planned.example", False)
    versions = warehouse.read("select distinct workflow_version as v from sync_attempts")["v"].to_list()
    assert versions == [original.spec.version] != [edited.spec.version]
