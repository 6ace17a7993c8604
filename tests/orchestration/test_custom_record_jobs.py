"""A workflow of custom records: its tables are assets, its job reads them, and the doctor checks them."""

import json
from pathlib import Path

import pytest

from orchestration.automation.full_refresh import reset_watermarks
from orchestration.cli.doctor import table_needs
from orchestration.cli.validate import validate
from orchestration.workflow_files import load_workflows
from resources.warehouse.analytics import add_analytics
from tests.orchestration.cli.test_main import run_command
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


@pytest.mark.long
def test_versions_of_custom_records_are_kept_on_all_three_sides(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As of the time before a change, NetSuite, we and the target had the former name."""
    home.sandbox.netsuite.insert(TYPE, [{"id": 7, "name": "Audit", "custrecord_line_code": "A1"}])
    with edited_workflows(tmp_path / "files") as files:
        (files / WORKFLOW).mkdir()
        (files / WORKFLOW / "defs.yaml").write_text(FILE, encoding="utf-8")
        assert home.run(WORKFLOW).success
        home.sandbox.clock.sleep(3600)
        between = home.sandbox.clock.now()
        home.sandbox.clock.sleep(3600)
        home.sandbox.netsuite.update(TYPE, 7, name="Tax")
        assert home.run(WORKFLOW).success
        at = f"{between:%Y-%m-%d %H:%M:%S}"
        explained = run_command(capsys, "explain", f"{TYPE}:7", "--as-of", at, "--json")
        first = run_command(capsys, "explain", f"{TYPE}:7", "--as-of", "2020-01-01", "--field", "name")

    with home.warehouse.writer(transaction=False) as con:
        add_analytics(con)
        rows = con.execute(
            f"select side, column_name, before, after from changes_between('{at}', '2999-01-01')"
            " where column_name in ('name', 'record_name') order by side"
        ).fetchall()
    assert rows == [
        ("desired", "name", "Audit", "Tax"), ("netsuite", "record_name", "Audit", "Tax"),
        ("target", "name", "Audit", "Tax"),
    ]  # fmt: skip
    assert explained.code == 0, explained.lines
    (values,) = [each for each in json.loads(explained.out)["values"] if each["field"] == "name"]
    assert {values["netsuite"], values["desired"], values["target"]} == {"Audit"}
    assert "no version of a field name is known of that time; versions are kept since 20" in " ".join(first.out.split())
