"""Rows, lookups and match rules of workflow files, and how `millpond validate` reports mistakes in them."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from assets.delivery.mart.lineage import column_lineage
from assets.delivery.spec.workflow_spec import WorkflowSpec
from orchestration.cli.validate import SHIPPED, validate

KEY = {"field": "externalid", "from": "customer_id", "locked": True}
LOOKUP = {"table": "stg_netsuite__currencies", "by": "currency_id", "return": "currency_code"}


def write_file(folder: Path, *rows: dict[str, Any], **settings: Any) -> Path:
    """Write a workflow file with the key's row and these rows, a line each, and return its path."""
    attributes = {"target": "suiteprojects.Customer", "source": "customers", **settings}
    lines = ["type: assets.components.SyncWorkflow", "attributes:"]
    lines += [f"  {name}: {_flow(value)}" for name, value in attributes.items()]
    lines += ["  fields:", *(f"    - {_flow(row)}" for row in (KEY, *rows))]
    file = folder / "flow" / "defs.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("\n".join(lines) + "\n")
    return file


def _flow(value: Any) -> str:
    return yaml.safe_dump(value, default_flow_style=True, width=1000).removesuffix("...\n").strip()


def run_validate(folder: Path, capsys: pytest.CaptureFixture[str], *, defaults: bool = False) -> tuple[int, str]:
    """Run `millpond validate`; return its exit code and everything that it printed."""
    code = validate(folder, defaults=defaults)
    printed = capsys.readouterr()
    return code, printed.out + printed.err


def test_missing_rows_of_the_shipped_file_are_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A row with another target leaves the shipped row missing; a row that is only switched off is still there."""
    shipped = (SHIPPED / "suiteprojects__contacts" / "defs.yaml").read_text(encoding="utf-8")
    file = tmp_path / "suiteprojects__contacts" / "defs.yaml"
    file.parent.mkdir()
    edited = shipped.replace("field: addr_fax,", "field: code,").replace("  needs: [suiteprojects__customers]\n", "")
    edited = edited.replace("from: email}", "from: email, active: false}").replace("  parent_required: true\n", "")
    file.write_text(edited.replace("  parent: {customers: customer_id}\n", ""), encoding="utf-8")

    code, printed = run_validate(tmp_path, capsys, defaults=True)

    missing = [line for line in printed.splitlines() if line.startswith("~")]
    assert code == 0, printed
    assert [line.partition("to add it: ")[2] for line in missing] == ["- {field: addr_fax, from: fax}"]
    assert "~" not in run_validate(tmp_path, capsys)[1]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"lookup": {**LOOKUP, "table": "stg_netsuite__currency"}},
         "no table `stg_netsuite__currency`; did you mean"),
        ({"lookup": {**LOOKUP, "by": "currencyid"}}, "no column `currencyid`; did you mean currency_id"),
        ({"lookup": {**LOOKUP, "return": "nope"}}, "no column `nope`"),
        ({"lookup": {**LOOKUP, "table": "suiteprojects.Nothing"}}, "`suiteprojects.Nothing` has no `currency_id`"),
        ({"lookup": {"table": "suiteprojects.User", "by": "nope", "return": "id"}}, "has no `nope`"),
        ({"lookup": {"table": LOOKUP["table"], "by": "x"}}, "Field required"),
        ({"lookup": LOOKUP, "values": {"1": "2"}}, "give `values` or `lookup`, not both"),
        ({"from": "_tomorrow"}, "no column `_tomorrow`; did you mean"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_row_is_reported_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], row: dict[str, Any], problem: str
) -> None:
    """Nothing is read from NetSuite or sent before."""
    file = write_file(tmp_path, {"field": "notes", "from": "currency_id", **row})

    code, printed = run_validate(tmp_path, capsys)

    assert code == 1
    assert f"{file}:7: " in printed
    assert problem in printed


@pytest.mark.parametrize(
    "row",
    [
        {"from": "_today"},
        {"sql": "case when _today > created_at then 'old' end"},
        {"from": "currency_id", "lookup": LOOKUP},
        {"from": "sales_rep_id", "lookup": {"table": "suiteprojects.User", "by": "own__c", "return": "id"}},
        {"from": "customer_id", "lookup": {"table": "target_other", "by": "x", "return": "y"}},
    ],
)
def test_a_valid_row_is_accepted(tmp_path: Path, capsys: pytest.CaptureFixture[str], row: dict[str, Any]) -> None:
    """A row may use today's date, tables of the warehouse, and the account's own records with their custom fields."""
    write_file(tmp_path, {"field": "notes", **row})

    assert run_validate(tmp_path, capsys)[0] == 0


DUPLICATES = ({"field": "notes", "from": "email"}, {"field": "notes", "from": "phone"})


def test_duplicate_fields_are_a_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The last row counts, as in Oracle's connector; a row that is switched off is no duplicate."""
    file = write_file(tmp_path, *DUPLICATES, {**DUPLICATES[0], "active": False})

    code, printed = run_validate(tmp_path, capsys)

    assert code == 0
    assert f"! {file}:7: fields.1.field: more than one active row maps `notes`" in printed


def test_duplicate_fields_can_be_forbidden(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The setting is *Enable strict mapping validation* in the connector."""
    file = write_file(tmp_path, *DUPLICATES, forbid_duplicate_fields=True)

    code, printed = run_validate(tmp_path, capsys)

    assert code == 1
    assert f"✗ {file}:8: fields.1.field: more than one active row maps `notes`" in printed


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"timezone": "Mars/Olympus"}, "no time zone `Mars/Olympus`"),
        ({"record_url": "https://x.example/"}, "not a URL with {id} in it"),
        ({"record_url": "javascript:{id}"}, "not a URL with {id} in it"),
        ({"match": [{"field": "name", "id_field": "code"}]}, "add a rule for `code` before `name`"),
        ({"match": [{"field": "name", "id_field": "nope"}]}, "no active row maps nope"),
        ({"match": [{"field": "name", "on_id_conflict": "guess"}]}, "'skip', 'ask' or 'overwrite'"),
        ({"fields": [{**KEY, "active": False}]}, "a locked row carries the record's key and cannot be switched off"),
        ({"fields": [{"field": "", "value": "x"}]}, None),
    ],
)  # fmt: skip
def test_an_invalid_setting_is_rejected(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], settings: dict[str, Any], problem: str | None
) -> None:
    """The text includes the fix; a blank target field and a missing key are rejected as well."""
    rows = settings.pop("fields", [KEY, {"field": "name", "value": "x"}, {"field": "code", "value": "y"}])
    file = write_file(tmp_path, *rows[1:], **settings)
    if rows[0] != KEY:
        file.write_text(file.read_text().replace(_flow(KEY), _flow(rows[0])))

    code, printed = run_validate(tmp_path, capsys)

    assert code == 1
    assert (problem or "externalid") in printed


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        ({"from": "external_id", "locked": True}, "NetSuite's internal id alone"),
        ({"value": "x", "locked": True}, "NetSuite's internal id alone"),
        ({"sql": "coalesce(external_id, customer_id)", "locked": True}, "NetSuite's internal id alone"),
        ({"from": "customer_id", "values": {"1": "2"}, "locked": True}, "NetSuite's internal id alone"),
        ({"from": "customer_id"}, "add `locked: true`"),
    ],
)
def test_the_key_is_the_internal_id_and_locked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], key: dict[str, Any], problem: str
) -> None:
    """Any other value may change, or belong to several records; SQL may add to the id."""
    file = write_file(tmp_path, {"field": "name", "value": "x"})
    file.write_text(file.read_text().replace(_flow(KEY), _flow({"field": "externalid", **key})))

    code, printed = run_validate(tmp_path, capsys)

    assert code == 1
    assert f"{file}:6: fields.0: " in printed
    assert problem in printed


@pytest.mark.parametrize(
    "row",
    [{"field": "externalid", "from": "external_id"}, {"field": "code", "from": "email"},
     {"field": "externalid", "from": "customer_id", "locked": True}],
)  # fmt: skip
def test_no_row_overrides_a_locked_one(tmp_path: Path, capsys: pytest.CaptureFixture[str], row: dict[str, Any]) -> None:
    """The last row for a field counts otherwise; one that is switched off is harmless."""
    locked = {"field": "code", "from": "customer_id", "locked": True}

    code, printed = run_validate(write_file(tmp_path / "a", locked, row).parents[1], capsys)

    assert code == 1
    assert f"fields.2.field: `{row['field']}` has a locked row" in printed
    harmless = write_file(tmp_path / "b", locked, {"field": "code", "from": "email", "active": False})
    assert run_validate(harmless.parents[1], capsys)[0] == 0


def test_a_file_without_the_key_is_rejected(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The row of the NetSuite id cannot be deleted either."""
    file = write_file(tmp_path, {"field": "name", "value": "x"})
    file.write_text(file.read_text().replace(f"    - {_flow(KEY)}\n", ""))

    assert "no active row of customers fills `externalid`, our key" in run_validate(tmp_path, capsys)[1]


def test_the_lineage_includes_lookup_tables() -> None:
    """A change of the other table shows what depends on it; the date of the run is no column of any."""
    rows = [KEY, {"field": "currency", "from": "currency_id", "lookup": LOOKUP}, {"field": "notes", "from": "_today"}]
    spec = WorkflowSpec.model_validate({"target": "suiteprojects.Customer", "source": "customers", "fields": rows})

    lineage = column_lineage(spec, "flow").select("target_field", "source_table", "source_column").rows()

    assert ("currency", "stg_netsuite__currencies", "currency_code") in lineage
    assert ("currency", "stg_netsuite__customers", "currency_id") in lineage
    assert ("notes", "stg_netsuite__customers", None) in lineage


def test_rules_before_the_key_can_contradict_it() -> None:
    """The order of `match` is the order of trust."""
    rows = [KEY, {"field": "name", "value": "x"}, {"field": "code", "value": "x"}]
    settings = {"target": "suiteprojects.Customer", "source": "customers", "fields": rows}

    with_key = WorkflowSpec.model_validate({**settings, "match": ["code", "external_id", "name"]})
    without_key = WorkflowSpec.model_validate({**settings, "match": ["code", "name"]})

    assert [rule.field for rule in with_key.rules_before_key] == ["code"]
    assert without_key.rules_before_key == []
    with pytest.raises(ValidationError):
        WorkflowSpec.model_validate({**settings, "match": ["nope"]})
