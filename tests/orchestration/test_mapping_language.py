"""What a workflow file may say about rows, look-ups and matching, and how a mistake in it is told."""

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError
from rich.console import Console

from assets.delivery.mart.lineage import column_lineage
from assets.delivery.spec.workflow_spec import WorkflowSpec
from orchestration.cli.validate import SHIPPED, validate_folder

KEY = {"field": "externalid", "from": "customer_id", "locked": True}
LOOKUP = {"table": "stg_netsuite__currencies", "by": "currency_id", "return": "currency_code"}


def written(folder: Path, *rows: dict[str, Any], **said: Any) -> Path:
    """A workflow file with these rows after the key's, a line for each."""
    attributes = {"target": "suiteprojects.Customer", "source": "customers", **said}
    lines = ["type: assets.delivery.component.component.SyncWorkflow", "attributes:"]
    lines += [f"  {name}: {_flow(value)}" for name, value in attributes.items()]
    lines += ["  fields:", *(f"    - {_flow(row)}" for row in (KEY, *rows))]
    file = folder / "flow" / "defs.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("\n".join(lines) + "\n")
    return file


def _flow(value: Any) -> str:
    return yaml.safe_dump(value, default_flow_style=True, width=1000).removesuffix("...\n").strip()


def validated(folder: Path) -> tuple[int, str]:
    """What `millpond validate` answers and prints."""
    printed = StringIO()
    code = validate_folder(folder, Console(file=printed, width=300))
    return code, printed.getvalue()


def test_a_row_of_the_shipped_file_that_is_gone_can_be_had_back(tmp_path: Path) -> None:
    """Retargeted, it is a row of its own and the shipped one is missing; what is only switched off is still there."""
    shipped = (SHIPPED / "suiteprojects__contacts" / "defs.yaml").read_text(encoding="utf-8")
    file = tmp_path / "suiteprojects__contacts" / "defs.yaml"
    file.parent.mkdir()
    edited = shipped.replace("field: addr_fax,", "field: code,").replace("  needs: [suiteprojects__customers]\n", "")
    edited = edited.replace("from: email}", "from: email, active: false}").replace("  parent_required: true\n", "")
    file.write_text(edited.replace("  parent: {customers: customer_id}\n", ""), encoding="utf-8")
    printed = StringIO()

    code = validate_folder(tmp_path, Console(file=printed, width=300), defaults=True)

    missing = [line for line in printed.getvalue().splitlines() if line.startswith("~")]
    assert code == 0, printed.getvalue()
    assert [line.partition("to have it back: ")[2] for line in missing] == ["- {field: addr_fax, from: fax}"]
    assert "~" not in validated(tmp_path)[1]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"lookup": {**LOOKUP, "table": "stg_netsuite__currency"}},
         "no table `stg_netsuite__currency`; did you mean"),
        ({"lookup": {**LOOKUP, "by": "currencyid"}}, "no column `currencyid`; did you mean currency_id"),
        ({"lookup": {**LOOKUP, "return": "nope"}}, "no column `nope`"),
        ({"lookup": {**LOOKUP, "table": "suiteprojects.Nobody"}}, "`suiteprojects.Nobody` has no `currency_id`"),
        ({"lookup": {"table": "suiteprojects.User", "by": "nope", "return": "id"}}, "has no `nope`"),
        ({"lookup": {"table": LOOKUP["table"], "by": "x"}}, "Field required"),
        ({"lookup": LOOKUP, "values": {"1": "2"}}, "give `values` or `lookup`, not both"),
        ({"from": "_tomorrow"}, "no column `_tomorrow`; did you mean"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_row_is_told_with_its_line(tmp_path: Path, row: dict[str, Any], told: str) -> None:
    """Before anything is read or sent."""
    file = written(tmp_path, {"field": "notes", "from": "currency_id", **row})

    code, printed = validated(tmp_path)

    assert code == 1
    assert f"{file}:7: " in printed
    assert told in printed


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
def test_a_row_that_can_be_is_taken(tmp_path: Path, row: dict[str, Any]) -> None:
    """Today's date, the warehouse's tables, the account's own records with their custom fields."""
    written(tmp_path, {"field": "notes", **row})

    assert validated(tmp_path)[0] == 0


TWICE = ({"field": "notes", "from": "email"}, {"field": "notes", "from": "phone"})


def test_two_rows_for_one_target_are_told_and_the_last_one_counts(tmp_path: Path) -> None:
    """The connector's rule without strict validation; a switched-off row is no second one."""
    file = written(tmp_path, *TWICE, {**TWICE[0], "active": False})

    code, printed = validated(tmp_path)

    assert code == 0
    assert f"! {file}:7: fields.1.field: target `notes` is used by more than one row" in printed


def test_strict_mapping_refuses_two_rows_for_one_target(tmp_path: Path) -> None:
    """Its admin box *Enable strict mapping validation*."""
    file = written(tmp_path, *TWICE, strict_mapping=True)

    code, printed = validated(tmp_path)

    assert code == 1
    assert f"✗ {file}:8: fields.1.field: target `notes` is used by more than one row" in printed


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"timezone": "Mars/Olympus"}, "no time zone `Mars/Olympus`"),
        ({"record_link": "https://x.example/"}, "write an address with {id} in it"),
        ({"record_link": "javascript:{id}"}, "write an address with {id} in it"),
        ({"match": [{"field": "name", "stored_id": "code"}]}, "list `code` as a rule before `name`"),
        ({"match": [{"field": "name", "stored_id": "nope"}]}, "no active row maps nope"),
        ({"match": [{"field": "name", "other_id": "guess"}]}, "'skip', 'ask' or 'overwrite'"),
        ({"fields": [{**KEY, "active": False}]}, "a locked row carries the identity; it cannot be switched off"),
        ({"fields": [{"field": "", "value": "x"}]}, None),
    ],
)  # fmt: skip
def test_a_setting_that_cannot_mean_anything_is_refused(tmp_path: Path, said: dict[str, Any], told: str | None) -> None:
    """The text says what to write instead; a blank target and a missing key stop the file as well."""
    rows = said.pop("fields", [KEY, {"field": "name", "value": "x"}, {"field": "code", "value": "y"}])
    file = written(tmp_path, *rows[1:], **said)
    if rows[0] != KEY:
        file.write_text(file.read_text().replace(_flow(KEY), _flow(rows[0])))

    code, printed = validated(tmp_path)

    assert code == 1
    assert (told or "externalid") in printed


def test_a_file_without_the_identity_is_refused(tmp_path: Path) -> None:
    """The row of the internal id cannot be deleted either."""
    file = written(tmp_path, {"field": "name", "value": "x"})
    file.write_text(file.read_text().replace(f"    - {_flow(KEY)}\n", ""))

    assert "no active row of customers fills `externalid`, our key there" in validated(tmp_path)[1]


def test_a_look_ups_table_is_in_the_lineage() -> None:
    """Who changes the other table can see what depends on it; the day of the run is no column of it."""
    rows = [KEY, {"field": "currency", "from": "currency_id", "lookup": LOOKUP}, {"field": "notes", "from": "_today"}]
    spec = WorkflowSpec.model_validate({"target": "suiteprojects.Customer", "source": "customers", "fields": rows})

    told = column_lineage(spec, "flow").select("target_field", "source_table", "source_column").rows()

    assert ("currency", "stg_netsuite__currencies", "currency_code") in told
    assert ("currency", "stg_netsuite__customers", "currency_id") in told
    assert ("notes", "stg_netsuite__customers", None) in told


def test_what_stands_before_the_key_may_contradict_it() -> None:
    """The order of `match` is the order of trust."""
    rows = [KEY, {"field": "name", "value": "x"}, {"field": "code", "value": "x"}]
    said = {"target": "suiteprojects.Customer", "source": "customers", "fields": rows}

    spec = WorkflowSpec.model_validate({**said, "match": ["code", "external_id", "name"]})
    silent = WorkflowSpec.model_validate({**said, "match": ["code", "name"]})

    assert [rule.field for rule in spec.doubting] == ["code"]
    assert silent.doubting == []
    with pytest.raises(ValidationError):
        WorkflowSpec.model_validate({**said, "match": ["nope"]})
