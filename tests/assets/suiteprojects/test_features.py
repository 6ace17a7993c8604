"""FEATURES.md against the fact sheet, and against the tests that it names."""

import re

import pytest

from orchestration.settings import ROOT
from tests.assets.suiteprojects.account import Account
from tests.named_tests import named_tests

PAGE = (ROOT / "assets" / "suiteprojects" / "FEATURES.md").read_text()
SHEET = (ROOT / "resources" / "sandbox" / "facts" / "suiteprojects_connector.md").read_text()
ROW = re.compile(r"^\| (F\d\d) \| (.+?) \| (documented|our definition) \| (.+?) \| (.+?) \|$", re.MULTILINE)
FEATURES = {row[0]: row[1:] for row in ROW.findall(PAGE)}
EVIDENCE = dict(re.findall(r"^\| (F\d\d) \| .* \| ([^|]+) \| [^|]*\|$", SHEET, re.MULTILINE))
NOT_YET, OUT_OF_SCOPE = "not yet", "out of scope"


def test_every_row_of_the_sheet_is_there_once_and_in_order() -> None:
    """Eighty rows, none forgotten."""
    assert list(EVIDENCE) == [f"F{number:02}" for number in range(1, 81)]
    assert [row[0] for row in ROW.findall(PAGE)] == list(EVIDENCE)


@pytest.mark.parametrize("row", EVIDENCE)
def test_what_oracle_leaves_open_is_called_ours(row: str) -> None:
    """Inferred, unknown or only partly verified: nobody shall take our behaviour for Oracle's."""
    left_open = re.search(r"\b[IUP]\b", EVIDENCE[row])

    assert FEATURES[row][1] == ("our definition" if left_open else "documented")


@pytest.mark.parametrize("row", EVIDENCE)
def test_every_row_names_a_test_that_exists_or_says_that_there_is_none(row: str) -> None:
    """A test that was renamed or removed fails here; one that only the long lane runs would be noticed too late."""
    shown_by = FEATURES[row][3]
    if shown_by in {NOT_YET, OUT_OF_SCOPE}:
        return

    path, _, name = shown_by.strip("`").partition("::")

    assert name in named_tests(ROOT / path)
    assert not re.search(r"^pytestmark = pytest\.mark\.long", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE)


def test_what_is_missing_is_counted() -> None:
    """The number at the top of the page is the number of rows below; a row that is finished changes both."""
    told = re.search(r"Not yet: (\d+) rows", PAGE)

    assert told
    assert int(told[1]) == sum(row[3] == NOT_YET for row in FEATURES.values())
    assert {row for row, told in FEATURES.items() if told[3] == OUT_OF_SCOPE} == {"F72", "F73"}


def test_a_setting_that_the_page_names_exists() -> None:
    """Keys of workflow files and of groups.yaml, as they are written there."""
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
    """Neither by a run that delivers nor by one that finds an edit over there: NetSuite is as it was."""
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
    account.sandbox.suiteprojects.modify("Customer", int(row["id"]), company="edited over there")
    account.run()

    assert row["externalid"] == "1"
    assert {table: netsuite.rows(table) for table in before} == before
