"""A workflow of custom records: its tables are assets, its job reads them, and the doctor checks them."""

from pathlib import Path

import pytest

from orchestration.automation.full_refresh import reset_watermarks
from orchestration.cli.doctor import table_needs
from orchestration.cli.validate import validate
from orchestration.workflow_files import load_workflows
from tests.orchestration.conftest import Home, edited_workflows

FILE = """\
type: assets.components.SyncWorkflow
attributes:
  target: suiteprojects.Customer
  source: customrecord_service_line
  fields:
    - {field: externalid, sql: "concat('line ', record_id)", locked: true}
    - {field: name, from: record_name, required: true}
    - {field: code, from: custrecord_line_code}
"""
TYPE, WORKFLOW = "customrecord_service_line", "suiteprojects__service_lines"


@pytest.mark.long
def test_a_custom_record_workflow_needs_only_its_file(home: Home, tmp_path: Path) -> None:
    """No Python and no SQL: the type's tables are created because a workflow names it."""
    home.sandbox.netsuite.insert(TYPE, [{"id": 7, "name": "Audit", "custrecord_line_code": "A1"}])
    with edited_workflows(tmp_path / "files") as files:
        (files / WORKFLOW).mkdir()
        (files / WORKFLOW / "defs.yaml").write_text(FILE, encoding="utf-8")

        result = home.run(WORKFLOW)
        workflows, broken = load_workflows(files)
        needs = {need.table: need for need in table_needs(workflows, [])}
        code = validate(files)

    (row,) = home.sandbox.suiteprojects.rows("Customer")
    assert result.success
    assert (row["externalid"], row["name"], row["code"]) == ("line 7", "Audit", "A1")
    assert home.warehouse.table(f"stg_netsuite__{TYPE}")["custrecord_line_code"].to_list() == ["A1"]
    assert (broken, code) == ({}, 0)
    assert dict(needs[TYPE].mapped_by) == dict.fromkeys(("name", "custrecord_line_code"), WORKFLOW)
    assert reset_watermarks(home.warehouse, [each for each in workflows if each.name == WORKFLOW], None) == []
