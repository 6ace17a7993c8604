"""Every form in which an account may answer is read as the same records; what was not read is never a blank."""

import re
from typing import Any

import pytest

from assets.delivery.target import Action, TargetField, Verdict, Write
from assets.suiteprojects.custom_fields import custom_fields
from assets.suiteprojects.hierarchies.trees import Trees
from assets.suiteprojects.node_target import NodeTarget
from assets.suiteprojects.target import SuiteProjectsTarget
from resources.errors import ContractError, RequestRejectedError
from resources.sandbox.sandbox import Sandbox
from resources.sandbox.suiteprojects.switches import SuiteProjectsSwitches
from resources.suiteprojects.client import SuiteProjectsClient
from resources.suiteprojects.connect import open_suiteprojects
from resources.warehouse.warehouse import Warehouse
from tests.assets.delivery.builders import customer, suite_customers
from tests.assets.delivery.run_workflow import WorkflowRunner
from tests.resources.altered import suiteprojects_with

PLAIN = TargetField("segment__c", "Segment", max_length=20)


def without(name: str) -> Any:
    """Return a change that leaves a property out."""
    return lambda body: re.sub(rf"<{name}>[^<]*</{name}>|<{name}/>".encode(), b"", body)


def with_value(name: str, value: str) -> Any:
    """Return a change that gives a property another value, which may be markup."""
    filled = f"<{name}>{value}</{name}>".encode()
    return lambda body: re.sub(rf"<{name}>[^<]*</{name}>|<{name}/>".encode(), filled, body)


FIELD_ANSWERS = [
    (lambda body: body, PLAIN),
    (without("title"), TargetField("segment__c", "", max_length=20)),
    (with_value("title", ""), TargetField("segment__c", "", max_length=20)),
    (without("picker"), PLAIN),
    (with_value("picker", "Checkbox"), TargetField("segment__c", "Segment", "boolean", 20)),
    (with_value("picker", "some_new_kind"), PLAIN),
    (without("maxlength"), TargetField("segment__c", "Segment")),
    (with_value("maxlength", ""), TargetField("segment__c", "Segment")),
    (with_value("maxlength", "0"), TargetField("segment__c", "Segment")),
    (with_value("maxlength", "20.00"), PLAIN),
    (with_value("maxlength", "-1"), TargetField("segment__c", "Segment")),
    (with_value("maxlength", "²"), TargetField("segment__c", "Segment")),
    (with_value("maxlength", "none"), TargetField("segment__c", "Segment")),
    (without("required"), PLAIN),
    (with_value("required", "true"), TargetField("segment__c", "Segment", max_length=20, required=True)),
    (with_value("required", "false"), PLAIN),
    (with_value("required", "T"), TargetField("segment__c", "Segment", max_length=20, required=True)),
    (without("active"), PLAIN),
    (with_value("active", "true"), PLAIN),
    (with_value("active", " 1 "), PLAIN),
    (with_value("active", "false"), None),
    (with_value("active", "0"), None),
    (without("valuelist"), PLAIN),
    (with_value("valuelist", "a,b"), PLAIN),
    (without("association"), PLAIN),
    (with_value("association", "Customer"), PLAIN),
    (lambda body: body.replace(b"<name>segment</name>", b"<name>segment__c</name>"), PLAIN),
    (without("name"), None),
    (lambda body: body.replace(b"<name>segment</name>", b"<name>2nd segment</name>"), None),  # no name of an element
    (lambda body: body.replace(b"<title>", b"<new/><more><x>1</x></more><title>"), PLAIN),
    (lambda body: body.replace(b"</CustField>", b"<title/><title>Other</title></CustField>"), PLAIN),
    (lambda body: body.replace(b"</Read>", b"<log>1 row</log></Read>"), PLAIN),
]


@pytest.mark.parametrize(("change", "expected"), FIELD_ANSWERS, ids=range(len(FIELD_ANSWERS)))
def test_custom_fields_in_any_form_are_read(sandbox: Sandbox, change: Any, expected: TargetField | None) -> None:
    """Absent, blank, of another type, unknown, twice: one definition never stops a workflow."""
    sandbox.suiteprojects.add_custom_field("customer", "segment", title="Segment")

    with suiteprojects_with(sandbox, change) as client:
        found = custom_fields(client, "customer")
    assert {name: each for name, each in found.items() if "segment" in name} == (
        {"segment__c": expected} if expected else {}
    )


@pytest.mark.parametrize("order", [("0", "1"), ("1", "0")])
def test_an_inactive_custom_field_of_the_same_name_does_not_count(sandbox: Sandbox, order: tuple[str, str]) -> None:
    """A field that was replaced by a new one of its name stays in the list."""
    for active in order:
        sandbox.suiteprojects.add_custom_field("customer", "segment", title=f"active {active}", active=active)

    with open_suiteprojects(sandbox=str(sandbox.folder)) as client:
        found = custom_fields(client, "customer")["segment__c"]
        assert found.description == "active 1"
        target = SuiteProjectsTarget(client)
        assert target.read(["segment__c"]).is_empty()


def test_two_active_custom_fields_of_a_name_validate_what_they_share(sandbox: Sandbox) -> None:
    """The service does not say which of them it means."""
    sandbox.suiteprojects.add_custom_field("customer", "segment", maxlength="20", required="1")
    sandbox.suiteprojects.add_custom_field("customer", "segment", maxlength="9")

    with open_suiteprojects(sandbox=str(sandbox.folder)) as client:
        assert custom_fields(client, "customer")["segment__c"] == TargetField("segment__c", "segment")


DIALECTS: list[dict[str, Any]] = [
    {"false_as": "zero"},
    {"flag_style": "words"},
    {"blank_properties": "absent"},
    {"blank_properties": "absent", "flag_style": "words", "node_flags": "both"},
]


def fill(sandbox: Sandbox) -> None:
    """Add records with and without values, active and not."""
    account = sandbox.suiteprojects
    account.add_custom_field("customer", "segment", picker="checkbox")
    tree = str(account.add("Hierarchy", name="Region", type="customer"))
    level = str(account.add("HierarchyNode", hierarchyid=tree, name="One", isalevel="1"))
    top = str(account.add("HierarchyNode", hierarchyid=tree, name="North", isanode="1", levelid=level))
    account.add("HierarchyNode", hierarchyid=tree, name="Far", isanode="1", levelid=level, parentid=top)
    account.add("Customer", name="A", externalid="1", code="x", hierarchy_node_ids=top, segment__c="1")
    account.add("Customer", name="B", active="0", notes="n", addr_city="X")
    account.add("Customer", name="C", externalid="3", segment__c="0")
    account.add("Project", name="P", customerid="1", externalid="9", start_date="2026-03-09")
    account.add("Project", name="Q", customerid="2", active="0")
    account.add("Contact", name="D", customerid="1", addr_last="D", addr_email="d@x.example")


def frames(client: SuiteProjectsClient) -> list[list[dict[str, Any]]]:
    """Return everything that the targets read."""
    customer_fields = ["name", "code", "notes", "active", "addr_city", "segment__c", "hierarchy:Region"]
    customers = SuiteProjectsTarget(client, "Customer")
    frames = [
        customers.read(customer_fields),
        customers.find(["3"], customer_fields),
        SuiteProjectsTarget(client, "Project").read(["name", "start_date", "active", "code"]),
        SuiteProjectsTarget(client, "Contact").read(["name", "can_bill_to", "addr_email"]),
        NodeTarget(client, hierarchy="Region").read(["name", "path", "depth", "notes", "active"]),
    ]
    return [frame.to_dicts() for frame in frames]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_an_account_reads_the_same_in_every_dialect(sandbox: Sandbox, dialect: dict[str, Any]) -> None:
    """Flags as digits, blanks or words; blanks as empty elements or left out."""
    fill(sandbox)
    with open_suiteprojects(sandbox=str(sandbox.folder)) as client:
        expected = frames(client)

    sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, **dialect)
    with open_suiteprojects(sandbox=str(sandbox.folder)) as client:
        assert frames(client) == expected
        fields = ["name", "code", "hierarchy:Region"]
        alone = SuiteProjectsTarget(client, "Customer").find(["3"], fields).to_dicts()
    assert [(row["code"], row["hierarchy:Region"], row["is_active"]) for row in alone] == [(None, None, True)]


def test_a_property_that_no_record_has_is_not_blank(sandbox: Sandbox) -> None:
    """It may be hidden from this user; blanks would overwrite what people entered."""
    fill(sandbox)

    with suiteprojects_with(sandbox, without("code")) as client, pytest.raises(ContractError, match="without code"):
        SuiteProjectsTarget(client).read(["name", "code"])


def test_nodes_that_were_not_read_are_not_replaced(sandbox: Sandbox) -> None:
    """A list without the nodes of other hierarchies would remove them."""
    fill(sandbox)

    hidden = without("hierarchy_node_ids")
    with suiteprojects_with(sandbox, hidden) as client, pytest.raises(ContractError, match="hierarchy:Region"):
        SuiteProjectsTarget(client).read(["name", "hierarchy:Region"])


@pytest.mark.parametrize("status", [601, 0, 1, 910])
def test_an_empty_read_in_any_status_is_empty(sandbox: Sandbox, status: int) -> None:
    """Clients of live accounts saw each of them."""
    sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, empty_read_status=status)

    with open_suiteprojects(sandbox=str(sandbox.folder)) as client:
        target = SuiteProjectsTarget(client)
        assert target.read(["name"]).is_empty()
        assert target.find(["7"], ["name"]).is_empty()
        assert NodeTarget(client, hierarchy="Region").read(["name"]).is_empty()


def test_an_unknown_error_that_passes_is_not_an_empty_account(sandbox: Sandbox) -> None:
    """Status 1 can mean either, so the request is repeated once."""
    fill(sandbox)
    answers = []

    def first_fails(body: bytes) -> bytes:
        answers.append(body)
        return (
            re.sub(rb'<Read status="0">.*</Read>', b'<Read status="1"/>', body, count=1) if len(answers) == 1 else body
        )

    with suiteprojects_with(sandbox, first_fails) as client:
        assert len(list(client.read_all("Customer", ["name"]))) == 3


def test_a_status_that_contradicts_its_records_is_not_believed(sandbox: Sandbox) -> None:
    """Neither as an empty list nor as the records."""
    fill(sandbox)
    change = lambda body: body.replace(b'<Read status="0">', b'<Read status="601">')  # noqa: E731

    with suiteprojects_with(sandbox, change) as client, pytest.raises(ContractError, match="601"):
        list(client.read_all("Customer", ["name"]))


HIERARCHY_ANSWERS = [without("type"), with_value("type", "Customer"), without("active"), without("externalid"),
                     without("notes"), without("updated"), without("parentid")]  # fmt: skip


@pytest.mark.parametrize("change", HIERARCHY_ANSWERS, ids=range(len(HIERARCHY_ANSWERS)))
def test_hierarchies_in_any_form_are_found(sandbox: Sandbox, change: Any) -> None:
    """One that is not found would be created a second time."""
    fill(sandbox)

    with suiteprojects_with(sandbox, change) as client:
        assert [each["name"] for each in Trees(client, "customer").hierarchies] == ["Region"]
        tree = Trees(client, "customer").tree("1")
        assert [tree.depth(node) for node in tree.nodes.values()] == ["1", "1"]


def test_a_node_without_a_level_or_a_name_does_not_stop_the_others(sandbox: Sandbox) -> None:
    """Its depth is unknown, its path has a gap."""
    fill(sandbox)

    with suiteprojects_with(sandbox, without("levelid")) as client:
        tree = Trees(client, "customer").tree("1")
        assert [tree.depth(node) for node in tree.nodes.values()] == [None, None]
    with suiteprojects_with(sandbox, without("name")) as client:
        assert Trees(client, "customer").hierarchy_of == {}
        tree = Trees(client, "customer").tree("1")
        assert [tree.path(node) for node in tree.nodes.values()] == ["", " : "]


def test_an_inactive_hierarchy_of_the_same_name_does_not_count(sandbox: Sandbox) -> None:
    """A person must distinguish two active ones."""
    fill(sandbox)
    sandbox.suiteprojects.add("Hierarchy", name="Region", type="customer", active="0")
    with open_suiteprojects(sandbox=str(sandbox.folder)) as client:
        assert NodeTarget(client, hierarchy="Region").read(["name"])["name"].to_list() == ["North", "Far"]

    sandbox.suiteprojects.add("Hierarchy", name="Region", type="customer")
    with open_suiteprojects(sandbox=str(sandbox.folder)) as client:
        with pytest.raises(RequestRejectedError, match="2 hierarchies are called Region"):
            NodeTarget(client, hierarchy="Region").read(["name"])
        with pytest.raises(RequestRejectedError, match="2 hierarchies are called Region"):
            SuiteProjectsTarget(client).read(["hierarchy:Region"])


@pytest.mark.parametrize("value", ["x", "-1", "0", "", "7", "<a>1</a>"])
def test_records_without_an_id_of_their_own_are_not_read(sandbox: Sandbox, value: str) -> None:
    """A garbled id, or one for all, would link our records with none or with another's."""
    for name in ("A", "B"):
        sandbox.suiteprojects.add("Customer", name=name)

    with suiteprojects_with(sandbox, with_value("id", value)) as client, pytest.raises(ContractError):
        list(client.read_all("Customer", ["id", "name"]))


@pytest.mark.parametrize("value", ["x", "0", ""])
def test_a_create_that_is_answered_with_a_garbled_id_is_not_confirmed(sandbox: Sandbox, value: str) -> None:
    """It is looked up by our key instead."""
    values = {"externalid": "1", "name": "A", "active": "1"}
    write = Write("customers", "1", Action.CREATE, None, values, frozenset(values))

    with suiteprojects_with(
        sandbox, lambda body: body if b"<CustField>" in body else with_value("id", value)(body)
    ) as client:
        sent = SuiteProjectsTarget(client, "Customer").send([write])

    assert [each.verdict for each in sent.outcomes] == [Verdict.UNKNOWN]


def test_creates_that_are_answered_with_one_id_are_looked_up(sandbox: Sandbox, warehouse: Warehouse) -> None:
    """Four records would be linked with one, and the next changes of all of them sent to it."""
    spec = suite_customers(canary=[])
    rows = [customer(str(number)) for number in range(1, 5)]
    with open_suiteprojects(sandbox=str(sandbox.folder)) as client:
        WorkflowRunner(warehouse, SuiteProjectsTarget(client, "Customer"), sandbox.clock, spec).stage(*rows).plan("run")
    answers = re.compile(rb"<Add .*</Add>", re.DOTALL)

    def same_id(body: bytes) -> bytes:
        return answers.sub(lambda found: with_value("id", "7")(found[0]), body)

    with suiteprojects_with(sandbox, same_id) as client:
        sent = WorkflowRunner(warehouse, SuiteProjectsTarget(client, "Customer"), sandbox.clock, spec).send("run")

    ids = warehouse.read("select target_id from sync_links")["target_id"].to_list()
    assert sorted(ids) == sorted(str(row["id"]) for row in sandbox.suiteprojects.rows("Customer"))
    assert (sent.counts["created"], len(ids)) == (4, 4)
