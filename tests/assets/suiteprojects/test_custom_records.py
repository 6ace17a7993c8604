"""NetSuite custom records as a workflow's source: extracted, transformed, sent and explained like any other."""

from datetime import date
from pathlib import Path

import pytest

from assets.delivery.audit.find import find_records
from assets.delivery.component.workflow_file import load_workflow
from assets.delivery.spec.workflow import Workflow
from assets.delivery.spec.yaml_file import WorkflowFileError
from tests.assets.suiteprojects.account import Account, shipped

LINES = """\
type: assets.components.SyncWorkflow
attributes:
  target: suiteprojects.Project
  needs: [suiteprojects__customers]
  source: customrecord_service_line
  parent: {customers: custrecord_line_customer}
  parent_required: true
  select: {where: "custrecord_line_code <> 'internal'"}
  fields:
    - {field: externalid, sql: "concat('line ', record_id)", locked: true}
    - {field: name, from: record_name, required: true}
    - {field: start_date, from: custrecord_line_from}
    - {field: active, value: true}
"""
LINE = {"custrecord_line_customer": 1, "custrecord_line_code": "A", "isinactive": False}


def service_lines(folder: Path, text: str = LINES) -> Workflow:
    """Return the workflow of this file."""
    file = folder / "suiteprojects__service_lines" / "defs.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return load_workflow(file)


def fill_netsuite(account: Account) -> None:
    """Insert a customer with three service lines, one of them internal."""
    netsuite = account.sandbox.netsuite
    netsuite.insert("currency", [{"id": 1, "symbol": "USD", "name": "USD"}])
    netsuite.insert(
        "customer",
        [{"id": 1, "entityid": "C1", "companyname": "Acme", "currency": 1, "searchstage": "Customer",
          "custentity_oa_export_to_openair": True}],
    )  # fmt: skip
    netsuite.insert(
        "customrecord_service_line",
        [
            {**LINE, "id": 1, "name": "Support", "custrecord_line_from": date(2026, 12, 1)},
            {**LINE, "id": 2, "name": "Audit"},
            {**LINE, "id": 3, "name": "Inside", "custrecord_line_code": "internal"},
        ],
    )


@pytest.mark.long
def test_custom_records_are_created_updated_and_deactivated(account: Account, tmp_path: Path) -> None:
    """They are created under their customer, renamed in place, and deactivated when deleted; one is filtered out."""
    account.workflows = {"suiteprojects__customers": shipped("suiteprojects__customers", without_hierarchies)}
    account.use(service_lines(tmp_path))
    fill_netsuite(account)

    account.run()
    first = account.records("Project")
    account.sandbox.netsuite.update("customrecord_service_line", 1, name="Support, day and night")
    account.sandbox.netsuite.delete("customrecord_service_line", "customrecord_service_line", 2)
    account.run()

    owner = account.records("Customer")["1"]["id"]
    assert {key: (row["name"], row["customerid"], row.get("start_date")) for key, row in first.items()} == {
        "line 1": ("Support", owner, "2026-12-01"),
        "line 2": ("Audit", owner, None),
    }
    assert {key: (row["name"], "active" in row) for key, row in account.records("Project").items()} == {
        "line 1": ("Support, day and night", True),
        "line 2": ("Audit", False),
    }
    assert account.decisions("suiteprojects__service_lines")["3"][0] == "skipped"


@pytest.mark.long
def test_a_custom_record_is_found_beside_a_customer_with_the_same_id(account: Account, tmp_path: Path) -> None:
    """Each type has its own ids, so 1 alone is the customer."""
    account.workflows = {"suiteprojects__customers": shipped("suiteprojects__customers", without_hierarchies)}
    account.use(service_lines(tmp_path))
    fill_netsuite(account)
    account.extract()

    def found(text: str) -> list[tuple[str, str]]:
        return [(each.source, each.source_id) for each in find_records(account.warehouse, text)]

    assert found("1") == [("customers", "1")]
    assert found("customrecord_service_line:1") == found("Support") == [("customrecord_service_line", "1")]


@pytest.mark.long
def test_values_are_looked_up_in_custom_records(account: Account) -> None:
    """A type that is no workflow's source is extracted for a lookup."""

    def edit(given: dict[str, object]) -> None:
        without_hierarchies(given)
        rows = given["fields"]
        assert isinstance(rows, list)
        lookup = {
            "table": "stg_netsuite__customrecord_service_line",
            "by": "custrecord_line_customer",
            "return": "custrecord_line_code",
        }
        rows.append({"field": "code", "from": "customer_id", "lookup": lookup, "on_unmapped": "blank"})

    account.workflows = {"suiteprojects__customers": shipped("suiteprojects__customers", edit)}
    fill_netsuite(account)
    account.sandbox.netsuite.delete("", "customrecord_service_line", 3)

    account.run()

    assert account.records("Customer")["1"]["code"] == "A"


@pytest.mark.parametrize(
    ("source", "line", "message"),
    [
        ("source: customrecord_Service", 5, "customrecord_<type> in lower case"),
        ("source: customrecord", 5, "no source `customrecord`"),
    ],
)
def test_an_invalid_record_type_is_reported_with_its_line(tmp_path: Path, source: str, line: int, message: str) -> None:
    """NetSuite's script ids are lower case, and the name becomes part of a table name."""
    with pytest.raises(WorkflowFileError) as raised:
        service_lines(tmp_path, LINES.replace("source: customrecord_service_line", source))

    assert f"defs.yaml:{line}:" in str(raised.value)
    assert message in str(raised.value)


def test_a_field_of_another_type_is_reported_before_a_run(tmp_path: Path) -> None:
    """The type's own fields begin with custrecord; only NetSuite knows which exist."""
    with pytest.raises(WorkflowFileError) as raised:
        service_lines(tmp_path, LINES.replace("from: record_name", "from: custentity_name"))

    assert "no column `custentity_name`" in str(raised.value)


def without_hierarchies(given: dict[str, object]) -> None:
    """Remove the rows of hierarchies, so that customers depend on no other workflow."""
    rows = given["fields"]
    assert isinstance(rows, list)
    given["fields"] = [row for row in rows if not row["field"].startswith("hierarchy:")]


@pytest.mark.long
def test_service_items_are_a_source(account: Account, tmp_path: Path) -> None:
    """Oracle's custom import workflows have them too; other types of items are omitted."""
    workflow = service_lines(
        tmp_path,
        """\
type: assets.components.SyncWorkflow
attributes:
  target: suiteprojects.Customer
  source: service_items
  fields:
    - {field: externalid, sql: "concat('item ', item_id)", locked: true}
    - {field: name, from: item_number, required: true}
    - {field: code, from: custitem_unit}
    - {field: active, value: true}
""",
    )
    account.workflows = {workflow.name: workflow}
    item = {"itemtype": "Service", "isinactive": False, "custitem_unit": "hour"}
    account.sandbox.netsuite.insert(
        "item", [{**item, "id": 1, "itemid": "Audit"}, {**item, "id": 2, "itemid": "Paper", "itemtype": "InvtPart"}]
    )

    account.run()

    ((key, record),) = account.records("Customer").items()
    assert (key, record["name"], record["code"]) == ("item 1", "Audit", "hour")
