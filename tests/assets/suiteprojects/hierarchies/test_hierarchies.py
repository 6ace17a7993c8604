"""Classifications as hierarchies: levels, nodes and memberships, checked with an independent client."""

from pathlib import Path
from typing import Any

import pytest

from assets.delivery.imports.manual_links import ManualLink, save_manual_link
from assets.delivery.run_context import RunContext
from assets.delivery.send.apply import run_sync
from assets.delivery.spec.record_map import RecordMap
from assets.delivery.spec.workflow import Workflow
from assets.delivery.target import Action, Verdict, Write
from assets.suiteprojects.hierarchies.trees import Trees
from assets.suiteprojects.node_target import NodeTarget
from assets.suiteprojects.target import SuiteProjectsTarget
from resources.clock import utc_now
from resources.errors import CredentialsError, RequestRejectedError
from resources.sandbox.sandbox import Sandbox
from resources.sandbox.suiteprojects.switches import SuiteProjectsSwitches
from resources.suiteprojects.connect import open_suiteprojects
from resources.warehouse.warehouse import Warehouse
from tests.assets.suiteprojects.account import Account, shipped, switched_on
from tests.assets.suiteprojects.staged import customer, project, stage, tree

DEPARTMENTS = "suiteprojects__customer_department"
CUSTOMERS = "suiteprojects__customers"
START = (("1", "Sales", None), ("2", "Inside", "1"), ("3", "Services", None), ("4", "Consulting", "3"))
HIERARCHY = "Customer Department"


def nodes(account: Account, hierarchy: str = HIERARCHY) -> dict[str, tuple[str, str | None, str]]:
    """Return every node of a hierarchy: name to its parent's name, the name of its level, and its external id."""
    (tree_id,) = [row["id"] for row in account.other.read("Hierarchy") if row["name"] == hierarchy]
    rows = {row["id"]: row for row in account.other.read("HierarchyNode") if row["hierarchyid"] == tree_id}
    return {
        row["name"]: (rows.get(row["parentid"], {}).get("name"), rows[row["levelid"]]["name"], row["externalid"])
        for row in rows.values()
        if row.get("isanode") == "1"
    }  # type: ignore[return-value]


def ids(account: Account) -> dict[str, str]:
    """Return the id of each node by its external id."""
    return {row["externalid"]: row["id"] for row in account.other.read("HierarchyNode") if row.get("isanode") == "1"}


def attached(account: Account) -> dict[str, list[str]]:
    """Return the names of each customer's nodes by external id; record and associations must agree."""
    rows = {row["id"]: row for row in account.other.read("HierarchyNode")}
    found = {}
    for each in account.other.read("Customer"):
        listed = sorted(rows[key]["name"] for key in each.get("hierarchy_node_ids", "").split(",") if key)
        associations = [row for row in rows.values() if row.get("recordid") == each["id"]]
        assert sorted(rows[row["parentid"]]["name"] for row in associations) == listed
        found[each["externalid"]] = listed
    return found


def departments(account: Account, *given: tuple[str, str, str | None], **changed: dict[str, Any]) -> dict[str, str]:
    """Sync these departments and return the action of each."""
    stage(account.warehouse, departments=tree("department_id", *(given or START), **changed))
    account.runs += 1
    account.deliver(DEPARTMENTS)
    return {key: action for key, (action, _) in account.decisions(DEPARTMENTS).items()}


def customers(account: Account, *rows: dict[str, Any]) -> dict[str, str]:
    """Sync these customers and return the action of each."""
    stage(account.warehouse, customers=list(rows))
    account.runs += 1
    account.deliver(CUSTOMERS)
    return {key: action for key, (action, _) in account.decisions(CUSTOMERS).items()}


def test_a_new_warehouse_clears_no_node_before_the_departments_have_run(account: Account, tmp_path: Path) -> None:
    """The targets are filled; who runs the customers alone sends nothing about records that have a department."""
    departments(account)
    rows = [customer("1", custentity_department="2"), customer("2")]
    customers(account, *rows)
    before = attached(account)
    account.warehouse = Warehouse(tmp_path / "new")
    stage(account.warehouse, departments=tree("department_id", *START))

    alone = customers(account, *rows)

    assert alone == {"1": "blocked", "2": "unchanged"}
    reason = f"hierarchy:Customer Department: {DEPARTMENTS} has not run"
    assert account.decisions(CUSTOMERS)["1"] == ("blocked", reason)
    assert attached(account) == before == {"1": ["Inside"], "2": []}
    departments(account)
    assert customers(account, *rows) == {"1": "unchanged", "2": "unchanged"}


@pytest.mark.long
@pytest.mark.parametrize("beside", ["", "projects"])
def test_a_plan_that_waited_attaches_nothing_to_a_node_that_another_one_replaced(account: Account, beside: str) -> None:
    """A person linked another node of that department after the plan was made; the next plan has its id.

    Also if the workflow has another source, whose row of that field refers to nothing.
    """
    if beside:
        spec = account.workflows[CUSTOMERS].spec
        row = {"field": f"hierarchy:{HIERARCHY}", "from": "custentity_department"}
        second = RecordMap.model_validate(
            {"source": beside, "fields": [{"field": "externalid", "from": "project_id"}, row]}
        )
        account.use(Workflow(CUSTOMERS, spec.model_copy(update={"records": [*spec.records, second]})))
        stage(account.warehouse, **{beside: []})
    departments(account)
    customers(account, customer("1", custentity_department="1"))
    rows = [customer("1", custentity_department="3"), customer("2", custentity_department="3")]
    stage(account.warehouse, customers=rows)
    account.runs += 1
    target, clock, known = account.plan(CUSTOMERS), account.sandbox.clock, account.other.read("HierarchyNode")
    (old,) = (each for each in known if each.get("externalid") == "Customer Department 3")
    place = {name: old[name] for name in ("hierarchyid", "levelid", "isanode")}
    other = account.other.write("Add", "HierarchyNode", name="Professional services", **place)
    account.sandbox.suiteprojects.modify("HierarchyNode", int(old["id"]), externalid="")
    account.runs += 1
    account.plan(DEPARTMENTS)
    with account.warehouse.writer() as con:
        save_manual_link(con, ManualLink(DEPARTMENTS, "departments", "3", other, "ada", utc_now(clock)))
    departments(account)
    run = RunContext(account.warehouse, account.workflows[CUSTOMERS], target, "applied", clock)
    run_sync(run, plan_id=account.planned[CUSTOMERS].plan_id)

    assert attached(account) == {"1": ["Sales"]}
    assert account.decisions(CUSTOMERS)["1"][1].startswith("not sent: hierarchy:Customer Department is the id")
    assert customers(account, *rows) == {"1": "update", "2": "create"}
    assert {row["hierarchy_node_ids"] for row in account.other.read("Customer")} == {other}


@pytest.mark.parametrize("rows", [23, 10])
def test_nodes_of_a_list_that_is_silently_cut_are_not_missing(sandbox: Sandbox, rows: int) -> None:
    """An account may return fewer rows than were asked for: a node that is not shown would be created again."""
    keys = {str(number) for number in range(1, 25)}
    with open_suiteprojects(sandbox=str(sandbox.folder)) as client:
        target = NodeTarget(client, hierarchy=HIERARCHY)
        sent = {key: {"name": f"Department {key}", "externalid": key, "active": "1", "depth": "1"} for key in keys}
        target.send(
            [Write("departments", key, Action.CREATE, None, values, frozenset()) for key, values in sent.items()]
        )
        sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, max_rows=rows)

        assert {*NodeTarget(client, hierarchy=HIERARCHY).read(["name"])["external_id"]} == keys
        assert {*Trees(client, "customer").hierarchy_of.values()} == {HIERARCHY}
        assert len(Trees(client, "customer").hierarchy_of) == len(keys)


def test_a_rejected_sign_in_is_not_tried_again(sandbox: Sandbox) -> None:
    """Several attempts with a wrong password may lock the user."""
    sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, auth_status=401)
    with open_suiteprojects(sandbox=str(sandbox.folder)) as client:
        with pytest.raises(CredentialsError):
            Trees(client, "customer")
        assert client.calls == 1


def test_a_classification_is_mirrored_with_its_levels(account: Account) -> None:
    """There is one hierarchy, with the connector's name; a second run sends nothing, and finds nothing edited."""
    departments(account)
    seen = account.warehouse.read(f"select depth from target_{DEPARTMENTS} order by target_id").rows()
    assert sorted(seen) == [("1",), ("1",), ("2",), ("2",)], "as the responses show it; none is blank"
    writes = account.sandbox.suiteprojects.write_calls()

    again = departments(account)

    assert nodes(account) == {
        "Sales": (None, "Level 1", "Customer Department 1"),
        "Inside": ("Sales", "Level 2", "Customer Department 2"),
        "Services": (None, "Level 1", "Customer Department 3"),
        "Consulting": ("Services", "Level 2", "Customer Department 4"),
    }
    (hierarchy,) = account.other.read("Hierarchy")
    assert (hierarchy["name"], hierarchy["type"], hierarchy["active"]) == ("Customer Department", "customer", "1")
    assert set(again.values()) == {"unchanged"}
    assert account.sandbox.suiteprojects.write_calls() == writes


def test_a_key_that_is_stored_in_upper_case_makes_no_second_node(account: Account) -> None:
    """The responses name the nodes, which the listing then does not show with the key that was sent: they are held."""
    account.sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, text_case="upper")
    first, made = departments(account), ids(account)
    later = [departments(account) for _ in range(2)]

    assert sorted(first.values()) == ["create", "create", "failed", "failed"]
    assert [sorted(each.values()) for each in later] == 2 * [["blocked", "blocked", "quarantined", "quarantined"]]
    assert ids(account) == made


def test_only_changed_nodes_are_sent(account: Account) -> None:
    """A renamed node keeps its id and its records."""
    departments(account)
    before = ids(account)

    done = departments(
        account, ("1", "Sales", None), ("2", "Inside", "1"), ("3", "Delivery", None), ("4", "Advice", "3")
    )

    assert done == {"1": "unchanged", "2": "unchanged", "3": "update", "4": "update"}
    assert ids(account) == before
    assert nodes(account)["Advice"] == ("Delivery", "Level 2", "Customer Department 4")


@pytest.mark.long
def test_a_node_moves_with_its_children(account: Account) -> None:
    """Nodes move from the top level and to it; their levels follow, and a level is added for the deepest."""
    departments(account)
    before = ids(account)

    departments(account, ("3", "Services", None), ("4", "Consulting", "3"), ("1", "Sales", "4"), ("2", "Inside", None))

    assert nodes(account) == {
        "Services": (None, "Level 1", "Customer Department 3"),
        "Consulting": ("Services", "Level 2", "Customer Department 4"),
        "Sales": ("Consulting", "Level 3", "Customer Department 1"),
        "Inside": (None, "Level 1", "Customer Department 2"),
    }
    assert ids(account) == before
    assert set(departments(
        account, ("3", "Services", None), ("4", "Consulting", "3"), ("1", "Sales", "4"), ("2", "Inside", None)
    ).values()) == {"unchanged"}  # fmt: skip


@pytest.mark.long
def test_an_inactive_department_is_marked_and_keeps_its_customers(account: Account) -> None:
    """Nodes cannot be deactivated, so the name is marked. Deleted ones stay as well, for their records."""
    departments(account)
    customers(account, customer("10", custentity_department="4"))

    departments(account, _4={"is_inactive": True}, _2={"is_deleted": True})

    assert nodes(account).keys() == {"Sales", "Inside (inactive)", "Services", "Consulting (inactive)"}
    assert attached(account) == {"10": ["Consulting (inactive)"]}
    assert departments(account, _4={"is_inactive": True}, _2={"is_deleted": True})["4"] == "unchanged"
    assert departments(account)["4"] == "reactivate"
    assert nodes(account).keys() == {"Sales", "Inside", "Services", "Consulting"}
    assert account.other.read("HierarchyNode", deleted=True) == []


@pytest.mark.long
def test_a_run_that_changed_nodes_can_be_undone(account: Account) -> None:
    """Names, parents and marks are restored; a node that the run created is marked, because none is deleted."""
    departments(account)
    before = nodes(account), ids(account)
    customers(account, customer("10", custentity_department="2"))
    departments(
        account,
        ("3", "Delivery", None), ("4", "Consulting", "3"), ("1", "Sales", "4"), ("2", "Inside", "1"),
        ("5", "Training", "3"),
        _4={"is_inactive": True},
    )  # fmt: skip
    customers(account, customer("10", custentity_department="5"))
    changed = nodes(account)

    of_customers, of_nodes = account.undo(CUSTOMERS, 4), account.undo(DEPARTMENTS, 3)

    after, created = nodes(account), ("Services", "Level 2", "Customer Department 5")
    assert changed["Consulting (inactive)"][0] == "Delivery"
    assert (of_customers.conflicts, of_nodes.conflicts) == (0, 0)
    assert after.pop("Training (inactive)") == created
    assert (after, {key: value for key, value in ids(account).items() if not key.endswith("5")}) == before
    assert attached(account) == {"10": ["Inside"]}


@pytest.mark.long
def test_a_manual_edit_of_a_node_is_restored(account: Account) -> None:
    """NetSuite is primary; but the hierarchy itself may be renamed."""
    departments(account)
    account.other.write("Modify", "HierarchyNode", id=ids(account)["Customer Department 4"], name="Edited")
    account.other.write("Modify", "Hierarchy", id=account.other.read("Hierarchy")[0]["id"], name="Our departments")

    assert departments(account)["4"] == "update"
    assert account.decisions(DEPARTMENTS)["4"][1].startswith("edited in the target")
    assert nodes(account, "Our departments").keys() == {"Sales", "Inside", "Services", "Consulting"}
    assert len(account.other.read("Hierarchy")) == 1


@pytest.mark.long
def test_a_customer_is_attached_moved_and_detached(account: Account) -> None:
    """The record's list and the associations always agree."""
    departments(account)

    customers(account, customer("10", custentity_department="2"), customer("11"))
    assert attached(account) == {"10": ["Inside"], "11": []}

    done = customers(account, customer("10", custentity_department="4"), customer("11", custentity_department="1"))
    assert attached(account) == {"10": ["Consulting"], "11": ["Sales"]}
    assert done == {"10": "update", "11": "update"}

    customers(account, customer("10"), customer("11", custentity_department="1"))
    assert attached(account) == {"10": [], "11": ["Sales"]}


@pytest.mark.long
@pytest.mark.parametrize("node_ids", ["replace", "add"])
def test_nodes_of_other_hierarchies_stay(account: Account, node_ids: str) -> None:
    """A region that is not mapped stays, whether the account replaces the list or adds to it (1051)."""
    account.sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, node_ids=node_ids)
    departments(account)
    customers(account, customer("10", custentity_department="2"))
    other = account.other
    region = other.write("Add", "Hierarchy", name="Region", type="customer")
    level = other.write("Add", "HierarchyNode", hierarchyid=region, name="Level 1", isalevel="1")
    north = other.write("Add", "HierarchyNode", hierarchyid=region, levelid=level, name="North", isanode="1")
    (record,) = other.read("Customer")
    other.write("Add", "HierarchyNode", hierarchyid=region, parentid=north, recordid=record["id"])

    assert customers(account, customer("10", custentity_department="4")) == {"10": "update"}
    assert attached(account) == {"10": ["Consulting", "North"]}

    assert customers(account, customer("10")) == {"10": "update"}
    assert attached(account) == {"10": ["North"]}
    assert customers(account, customer("10")) == {"10": "unchanged"}


@pytest.mark.long
def test_nodes_that_were_not_read_again_are_not_replaced(account: Account) -> None:
    """A filter set may hide a record after it was planned: the nodes of other hierarchies would be lost."""
    departments(account)
    customers(account, customer("10", custentity_department="2"), customer("11"))
    other = account.other
    region = other.write("Add", "Hierarchy", name="Region", type="customer")
    level = other.write("Add", "HierarchyNode", hierarchyid=region, name="Level 1", isalevel="1")
    north = other.write("Add", "HierarchyNode", hierarchyid=region, levelid=level, name="North", isanode="1")
    hidden = next(row["id"] for row in other.read("Customer") if row["externalid"] == "10")
    other.write("Add", "HierarchyNode", hierarchyid=region, parentid=north, recordid=hidden)
    changed = [customer("10", custentity_department="4"), customer("11", custentity_department="1")]
    stage(account.warehouse, customers=changed)
    account.runs += 1
    target = account.plan(CUSTOMERS)
    workflow, switches = account.workflows[CUSTOMERS], account.sandbox.switches
    switches.set("suiteprojects", SuiteProjectsSwitches, hidden_records=[f"Customer.{hidden}"])
    run_sync(RunContext(account.warehouse, workflow, target, f"run {account.runs}", account.sandbox.clock))
    switches.set("suiteprojects", SuiteProjectsSwitches, hidden_records=[])
    decisions = account.decisions(CUSTOMERS)

    assert attached(account) == {"10": ["Inside", "North"], "11": ["Sales"]}
    assert (decisions["10"][0], decisions["11"][0]) == ("failed", "update")
    assert "hierarchy nodes" in decisions["10"][1]
    assert customers(account, *changed) == {"10": "update", "11": "unchanged"}
    assert attached(account) == {"10": ["Consulting", "North"], "11": ["Sales"]}


@pytest.mark.long
def test_a_customer_has_several_classifications(account: Account) -> None:
    """Department, class, location and subsidiary are separate hierarchies; two change and the others stay."""
    names = {"Class": "classifications", "Location": "locations", "Subsidiary": "subsidiaries"}
    for name, source in names.items():
        workflow = shipped(f"suiteprojects__customer_{name.lower()}", lambda given: given.update(active=True))
        account.use(workflow)
        key = {"Class": "classification_id"}.get(name, f"{name.lower()}_id")
        stage(account.warehouse, **{source: tree(key, ("1", f"{name} 1", None), ("2", f"{name} 2", "1"))})
        account.deliver(workflow.name)
    departments(account)
    account.use(shipped(CUSTOMERS, switched_on(*(f"hierarchy:Customer {name}" for name in names))))
    all_four: dict[str, Any] = {
        "custentity_department": "2", "custentity_class": "1", "custentity_location": "2", "subsidiary_id": "1",
    }  # fmt: skip

    customers(account, customer("10", **all_four))
    assert attached(account) == {"10": ["Class 1", "Inside", "Location 2", "Subsidiary 1"]}

    customers(account, customer("10", **{**all_four, "custentity_class": "2", "custentity_location": None}))
    assert attached(account) == {"10": ["Class 2", "Inside", "Subsidiary 1"]}


@pytest.mark.long
@pytest.mark.parametrize("node_ids", ["replace", "add"])
def test_projects_have_their_own_hierarchies(account: Account, node_ids: str) -> None:
    """They have other keys, so a customer and a project with the same id are not confused."""
    account.sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, node_ids=node_ids)
    tree_of_projects = shipped("suiteprojects__project_department", switched_on(active=True))
    projects = shipped("suiteprojects__projects", switched_on("hierarchy:Project Department"))
    account.use(tree_of_projects, projects)
    departments(account)
    account.deliver(tree_of_projects.name)

    for number in ("2", "4"):
        customers(account, customer("10", custentity_department="2"))
        stage(account.warehouse, projects=[project("20", "10", custentity_department=number)])
        account.deliver(projects.name)

    (owner,), (created,) = account.other.read("Customer"), account.other.read("Project")
    assert owner["id"] == created["id"] == "1"
    assert owner["hierarchy_node_ids"] == ids(account)["Customer Department 2"]
    assert created["hierarchy_node_ids"] == ids(account)["Project Department 4"]
    assert {row["name"]: row["type"] for row in account.other.read("Hierarchy")} == {
        "Customer Department": "customer", "Project Department": "project",
    }  # fmt: skip


@pytest.mark.long
def test_a_project_has_a_node_in_all_four_project_hierarchies(account: Account) -> None:
    """They come from NetSuite's tables: its department, class and location, and its customer's subsidiary."""
    names, netsuite = ("Department", "Class", "Location", "Subsidiary"), account.sandbox.netsuite
    for table in ("department", "classification", "location", "subsidiary"):
        netsuite.insert(table, [{"id": key, "name": f"{table} {key}", "isinactive": False} for key in (1, 2)])
    netsuite.insert("currency", [{"id": 1, "symbol": "USD", "name": "USD"}])
    marked = {"id": 1, "entityid": "C1", "companyname": "Acme", "currency": 1, "custentity_oa_export_to_openair": True}
    netsuite.insert("customer", [{**marked, "searchstage": "Customer"}])
    netsuite.insert("customersubsidiaryrelationship", [{"entity": 1, "subsidiary": 2, "isprimarysub": True}])
    classified = {"custentity_department": 1, "custentity_class": 2, "custentity_location": 1}
    netsuite.insert("job", [{**marked, "id": 2, "customer": 1, "parent": 1, **classified}])
    active = [
        shipped(f"suiteprojects__project_{name.lower()}", lambda given: given.update(active=True)) for name in names
    ]
    rows = switched_on(*(f"hierarchy:Project {name}" for name in names))
    account.use(*active, shipped("suiteprojects__projects", rows))

    account.run()

    nodes_of = {row["id"]: row["name"] for row in account.other.read("HierarchyNode") if row.get("isanode") == "1"}
    (created,) = account.other.read("Project")
    assert {nodes_of[key] for key in created["hierarchy_node_ids"].split(",")} == {
        "department 1", "classification 2", "location 1", "subsidiary 2",
    }  # fmt: skip


@pytest.mark.long
def test_existing_nodes_are_matched_by_a_manually_entered_netsuite_id(account: Account) -> None:
    """With `create: false` nothing is written to the hierarchy; ids that move between nodes wait for a person."""
    account.sandbox.suiteprojects.add_custom_field("hierarchy_node", "ns_id")
    other = account.other
    region = other.write("Add", "Hierarchy", name="Region", type="customer")
    level = other.write("Add", "HierarchyNode", hierarchyid=region, name="Level 1", isalevel="1")
    north, south = (
        other.write("Add", "HierarchyNode", hierarchyid=region, levelid=level, name=name, isanode="1", ns_id__c=key)
        for name, key in (("North", "1"), ("South", "2"))
    )

    def mapped(given: dict[str, Any]) -> None:
        given.update(create=False, options={"hierarchy": "Region", "type": "customer", "id_field": "ns_id__c"})
        given.update(fields=[{"field": "externalid", "from": "department_id", "locked": True}], match=["external_id"])
        del given["parent"]

    def with_region(given: dict[str, Any]) -> None:
        given["fields"].append(
            {
                "field": "hierarchy:Region",
                "from": "custentity_department",
                "reference": DEPARTMENTS,
                "on_unmapped": "blank",
            }
        )
        given["fields"] = [row for row in given["fields"] if row["field"] != "hierarchy:Customer Department"]

    account.use(shipped(DEPARTMENTS, mapped), shipped(CUSTOMERS, with_region))
    before = other.read("HierarchyNode")

    done = departments(account)
    customers(account, customer("10", custentity_department="1"), customer("11", custentity_department="3"))

    assert done == {"1": "unchanged", "2": "unchanged", "3": "skipped", "4": "skipped"}
    assert account.decisions(DEPARTMENTS)["3"][1] == "not in the target, and this workflow creates no records"
    assert [row for row in other.read("HierarchyNode") if row.get("isanode") or row.get("isalevel")] == before
    assert attached(account) == {"10": ["North"], "11": []}

    other.write("Modify", "HierarchyNode", id=north, ns_id__c="3")
    other.write("Modify", "HierarchyNode", id=south, ns_id__c="1")
    done = departments(account)
    customers(account, customer("10", custentity_department="1"), customer("11", custentity_department="3"))

    assert done == {"1": "ambiguous", "2": "ambiguous", "3": "ambiguous", "4": "skipped"}
    assert attached(account) == {"10": ["North"], "11": []}


@pytest.mark.long
def test_invalid_hierarchies_are_reported_before_a_write(account: Account) -> None:
    """Only customers, projects and users have hierarchies (868); two with the same name are ambiguous."""
    with pytest.raises(ValueError, match="customer, project or user"):
        NodeTarget(account.client, hierarchy="X", association="contact")
    for _ in range(2):
        account.other.write("Add", "Hierarchy", name="Customer Department", type="customer")

    with pytest.raises(RequestRejectedError, match="2 hierarchies are called Customer Department"):
        departments(account)


@pytest.mark.long
def test_a_customer_with_a_rejected_node_does_not_stop_the_others(account: Account) -> None:
    """Status 1050 concerns one record, which is created once its node exists."""
    departments(account)
    customers(account, customer("10", custentity_department="2"))
    deleted = ids(account)["Customer Department 4"]
    stage(account.warehouse, customers=[customer("11", custentity_department="4"), customer("12")])
    account.sandbox.suiteprojects.delete("HierarchyNode", int(deleted))  # after the ledger recorded it

    account.deliver(CUSTOMERS)

    action, reason = account.decisions(CUSTOMERS)["11"]
    assert (action, "1050" in reason) == ("quarantined", True)
    assert account.decisions(CUSTOMERS)["12"][0] == "create"
    departments(account)
    assert customers(account, customer("11", custentity_department="4"))["11"] == "create"
    assert attached(account)["11"] == ["Consulting"]


@pytest.mark.parametrize("node_ids", ["replace", "add"])
def test_a_record_in_two_nodes_of_a_hierarchy_is_in_neither(
    customers: SuiteProjectsTarget, sandbox: Sandbox, node_ids: str
) -> None:
    """Clients move a record by adding the new association and then deleting the old one; the second may never come."""
    add, made = sandbox.suiteprojects.add, {}
    for name in ("Department", "Class"):
        made[name] = hierarchy = str(add("Hierarchy", name=name, type="customer", active="1"))
        level = str(add("HierarchyNode", hierarchyid=hierarchy, name="Level 1", isalevel="1"))
        for each in ("old", "new"):
            node = add("HierarchyNode", hierarchyid=hierarchy, levelid=level, name=each, isanode="1")
            made[f"{each} {name}"] = str(node)
    old, new, other = made["old Department"], made["new Department"], made["old Class"]
    record = str(add("Customer", name="Acme", externalid="10", hierarchy_node_ids=f"{old},{other}"))
    add("HierarchyNode", hierarchyid=made["Department"], parentid=new, recordid=record)
    sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, node_ids=node_ids)
    field = "hierarchy:Department"

    assert customers.read([field])[field].to_list() == [f"{old},{new}"]
    values = {"externalid": "10", field: new}
    customers.send([Write("customers", "10", Action.UPDATE, record, values, frozenset({field}), None)])
    assert customers.read(["hierarchy_node_ids"])["hierarchy_node_ids"].to_list() == [f"{new},{other}"]


def test_an_active_node_is_not_named_like_an_inactive_one(sandbox: Sandbox) -> None:
    """It would be read as inactive, and a deactivation in NetSuite would change nothing."""
    values: dict[str, str | None] = {"name": "Old (inactive)", "active": "1", "externalid": "1", "depth": "1"}
    create = Write("departments", "1", Action.CREATE, None, values, frozenset(values), None)
    with open_suiteprojects(sandbox=str(sandbox.folder)) as client:
        refused, sent = (
            NodeTarget(client, hierarchy="Departments", inactive_suffix=suffix).send([create]).outcomes[0]
            for suffix in (" (inactive)", " (off)")
        )

    assert (refused.verdict, refused.code, sent.verdict) == (Verdict.REJECTED, "suffix_in_name", Verdict.CONFIRMED)
