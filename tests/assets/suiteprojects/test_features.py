"""FEATURES.md agrees with the fact sheet, and the tests and settings that it names exist."""

import re

import pytest

from orchestration.configuration.settings import ROOT
from tests.assets.suiteprojects.account import Account
from tests.named_tests import named_tests

PAGE = (ROOT / "assets" / "suiteprojects" / "FEATURES.md").read_text()
SHEET = (ROOT / "resources" / "sandbox" / "facts" / "suiteprojects_connector.md").read_text()
ROW = re.compile(r"^\| (F\d\d) \| (.+?) \| (documented|our definition) \| (.+?) \| (.+?) \|$", re.MULTILINE)
FEATURES = {row[0]: row[1:] for row in ROW.findall(PAGE)}
EVIDENCE = dict(re.findall(r"^\| (F\d\d) \| .* \| ([^|]+) \| [^|]*\|$", SHEET, re.MULTILINE))
NOT_YET, OUT_OF_SCOPE = "not yet", "out of scope"


def test_every_row_of_the_sheet_occurs_once_and_in_order() -> None:
    """There are eighty rows."""
    assert list(EVIDENCE) == [f"F{number:02}" for number in range(1, 81)]
    assert [row[0] for row in ROW.findall(PAGE)] == list(EVIDENCE)


@pytest.mark.parametrize("row", EVIDENCE)
def test_undocumented_behavior_is_marked_as_our_definition(row: str) -> None:
    """Inferred, unknown or partly verified behavior must not be mistaken for Oracle's."""
    left_open = re.search(r"\b[IUP]\b", EVIDENCE[row])

    assert FEATURES[row][1] == ("our definition" if left_open else "documented")


@pytest.mark.parametrize("row", EVIDENCE)
def test_every_row_names_an_existing_test_or_none(row: str) -> None:
    """A renamed or removed test fails here; a test that runs only with the long ones would be noticed too late."""
    shown_by = FEATURES[row][3]
    if shown_by in {NOT_YET, OUT_OF_SCOPE}:
        return

    path, _, name = shown_by.strip("`").partition("::")

    assert name in named_tests(ROOT / path)
    assert not re.search(r"^pytestmark = pytest\.mark\.long", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE)


def test_missing_features_are_counted() -> None:
    """The number at the top of the page equals the number of rows."""
    stated = re.search(r"Not yet: (\d+) rows", PAGE)

    assert stated
    assert int(stated[1]) == sum(row[3] == NOT_YET for row in FEATURES.values())
    assert {row for row, cells in FEATURES.items() if cells[3] == OUT_OF_SCOPE} == {"F72", "F73"}


def test_every_setting_that_the_page_names_exists() -> None:
    """They are keys of workflow files and of groups.yaml."""
    from assets.delivery.spec.field_mapping import FieldRow, Lookup
    from assets.delivery.spec.policies import Lifecycle, MatchRule, Select
    from assets.delivery.spec.workflow_spec import WorkflowSpec
    from orchestration.automation.groups import Group

    known = {
        field.alias or name
        for model in (FieldRow, Group, Lifecycle, Lookup, MatchRule, Select, WorkflowSpec)
        for name, field in model.model_fields.items()
    }
    named = {key for row in FEATURES.values() for key in re.findall(r"`(?:\{field: \w+, )?([a-z_]+):", row[2])}

    assert {"monitored_fields", "forbid_duplicate_fields", "lookup"} <= named
    assert named - {"hierarchy"} <= known


def test_nothing_is_ever_written_to_netsuite(account: Account) -> None:
    """Neither a run that creates a record nor one that finds a manual edit in the target changes NetSuite."""
    netsuite = account.sandbox.netsuite
    netsuite.insert("currency", [{"id": 1, "symbol": "USD", "name": "USD"}])
    netsuite.insert(
        "customer",
        [{"id": 1, "entityid": "C1", "companyname": "Acme", "currency": 1, "searchstage": "Customer",
          "custentity_oa_export_to_openair": True}],
    )  # fmt: skip
    before = {table: netsuite.rows(table) for table in ("customer", "job", "contact", "currency", "deletedrecord")}

    account.run()
    (row,) = account.sandbox.suiteprojects.rows("Customer")
    account.sandbox.suiteprojects.modify("Customer", int(row["id"]), company="edited manually")
    account.run()

    assert row["externalid"] == "1"
    assert {table: netsuite.rows(table) for table in before} == before
