"""A type of NetSuite's custom records as a workflow's source: read, shaped, sent and told like any other."""

from datetime import date
from pathlib import Path

import pytest

from assets.delivery.audit.explain import find_records
from assets.delivery.component.component import load_workflow
from assets.delivery.plan.planner import Workflow
from assets.delivery.spec.loader import WorkflowFileError
from tests.assets.suiteprojects.account import Account, shipped

LINES = """\
type: assets.delivery.component.component.SyncWorkflow
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


def lines(folder: Path, text: str = LINES) -> Workflow:
    """The workflow of this file."""
    file = folder / "suiteprojects__service_lines" / "defs.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return load_workflow(file)


def world(account: Account) -> None:
    """A customer with three service lines, of which one is internal."""
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


def test_custom_records_become_records_over_there_and_follow_every_change(account: Account, tmp_path: Path) -> None:
    """Created under their customer, renamed in place, switched off when they are deleted; the filter keeps one out."""
    account.workflows = {"suiteprojects__customers": shipped("suiteprojects__customers", without_hierarchies)}
    account.use(lines(tmp_path))
    world(account)

    account.run()
    first = account.held("Project")
    account.sandbox.netsuite.update("customrecord_service_line", 1, name="Support, day and night")
    account.sandbox.netsuite.delete("", "customrecord_service_line", 2)
    account.run()

    owner = account.held("Customer")["1"]["id"]
    assert {key: (row["name"], row["customerid"], row.get("start_date")) for key, row in first.items()} == {
        "line 1": ("Support", owner, "2026-12-01"),
        "line 2": ("Audit", owner, None),
    }
    assert {key: (row["name"], "active" in row) for key, row in account.held("Project").items()} == {
        "line 1": ("Support, day and night", True),
        "line 2": ("Audit", False),
    }
    assert account.decided("suiteprojects__service_lines")["3"][0] == "skipped"


@pytest.mark.long
def test_a_custom_record_is_found_beside_a_customer_of_the_same_id(account: Account, tmp_path: Path) -> None:
    """Types have ids of their own, so 1 alone is the customer."""
    account.workflows = {"suiteprojects__customers": shipped("suiteprojects__customers", without_hierarchies)}
    account.use(lines(tmp_path))
    world(account)
    account.extract()

    def found(text: str) -> list[tuple[str, str]]:
        return [(each.source, each.source_id) for each in find_records(account.warehouse, text)]

    assert found("1") == [("customers", "1")]
    assert found("customrecord_service_line:1") == found("Support") == [("customrecord_service_line", "1")]


@pytest.mark.long
def test_values_are_looked_up_in_custom_records(account: Account) -> None:
    """A type that no workflow has as its source is read for a look-up's sake."""

    def edit(given: dict[str, object]) -> None:
        without_hierarchies(given)
        rows = given["fields"]
        assert isinstance(rows, list)
        lookup = {
            "table": "stg_netsuite__customrecord_service_line",
            "by": "custrecord_line_customer",
            "return": "custrecord_line_code",
        }
        rows.append({"field": "code", "from": "customer_id", "lookup": lookup, "otherwise": "blank"})

    account.workflows = {"suiteprojects__customers": shipped("suiteprojects__customers", edit)}
    world(account)
    account.sandbox.netsuite.delete("", "customrecord_service_line", 3)

    account.run()

    assert account.held("Customer")["1"]["code"] == "A"


@pytest.mark.parametrize(
    ("written", "line", "told"),
    [
        ("source: customrecord_Service", 5, "customrecord_<type> in small letters"),
        ("source: customrecord", 5, "no source `customrecord`"),
    ],
)
def test_a_type_that_cannot_be_one_is_told_with_its_line(tmp_path: Path, written: str, line: int, told: str) -> None:
    """NetSuite's ids are small letters; the name becomes a table's."""
    with pytest.raises(WorkflowFileError) as refused:
        lines(tmp_path, LINES.replace("source: customrecord_service_line", written))

    assert f"defs.yaml:{line}:" in str(refused.value)
    assert told in str(refused.value)


def test_a_field_that_is_none_of_the_type_is_told_before_a_run(tmp_path: Path) -> None:
    """The type's own fields begin with custrecord; whether the account has them only NetSuite can say."""
    with pytest.raises(WorkflowFileError) as refused:
        lines(tmp_path, LINES.replace("from: record_name", "from: custentity_name"))

    assert "no column `custentity_name`" in str(refused.value)


def without_hierarchies(given: dict[str, object]) -> None:
    """Customers alone."""
    rows = given["fields"]
    assert isinstance(rows, list)
    given["fields"] = [row for row in rows if not row["field"].startswith("hierarchy:")]


@pytest.mark.long
def test_service_items_are_a_source_as_well(account: Account, tmp_path: Path) -> None:
    """The other source of Oracle's custom import workflows; other kinds of items stay out."""
    file = lines(
        tmp_path,
        """\
type: assets.delivery.component.component.SyncWorkflow
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
    account.workflows = {file.name: file}
    item = {"itemtype": "Service", "isinactive": False, "custitem_unit": "hour"}
    account.sandbox.netsuite.insert(
        "item", [{**item, "id": 1, "itemid": "Audit"}, {**item, "id": 2, "itemid": "Paper", "itemtype": "InvtPart"}]
    )

    account.run()

    ((key, held),) = account.held("Customer").items()
    assert (key, held["name"], held["code"]) == ("item 1", "Audit", "hour")
