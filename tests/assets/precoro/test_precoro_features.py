"""FEATURES.md agrees with the fact sheet, and the tests and settings that it names exist."""

import re

import pytest

from assets.delivery.spec.field_mapping import FieldRow
from assets.delivery.spec.policies import Guards, Imports, Lifecycle, Limit, Select
from assets.delivery.spec.record_map import RecordMap
from assets.delivery.spec.workflow_spec import WorkflowSpec
from orchestration.automation.groups import Group
from orchestration.automation.schedule_spec import Timing
from orchestration.configuration.settings import ROOT
from tests.named_tests import named_tests

PAGE = (ROOT / "assets" / "precoro" / "FEATURES.md").read_text()
SHEET = (ROOT / "resources" / "sandbox" / "facts" / "precoro.md").read_text()
ROWS = re.findall(r"^\| (F\d\d) \| (.+?) \| `([\w/]+\.py)::(\w+)` \|$", PAGE, re.MULTILINE)
OURS = PAGE.partition("## What Precoro leaves open")[2].partition("## Known limitations")[0]
MODELS = (WorkflowSpec, RecordMap, Select, FieldRow, Lifecycle, Guards, Limit, Imports, Group, Timing)
# keys of the target's own options
OPTIONS = {"item_custom_field", "legal_entity_ids"}


def questions(text: str) -> list[str]:
    """Return the first cells of a table, without its header."""
    cells = re.findall(r"^\| (.+?) \|", text, re.MULTILINE)
    return [cell for cell in cells if cell != "question"]


def test_every_row_of_the_sheet_occurs_once_and_in_order() -> None:
    """There are forty-six rows."""
    expected = re.findall(r"^\| (F\d\d) \|", SHEET, re.MULTILINE)

    assert expected == [f"F{number:02}" for number in range(1, 47)]
    assert [row for row, *_ in ROWS] == expected


@pytest.mark.parametrize(("row", "path", "name"), [(row, path, name) for row, _, path, name in ROWS])
def test_every_row_names_an_existing_test(row: str, path: str, name: str) -> None:
    """A renamed or removed test fails here."""
    assert name in named_tests(ROOT / path), row


def test_every_open_question_has_an_answer() -> None:
    """The questions have the sheet's text and order."""
    expected = questions(SHEET.partition("## 10. Undocumented")[2].partition("## 11.")[0])

    assert len(expected) == 14
    assert questions(OURS) == expected


def test_every_setting_that_the_page_names_exists() -> None:
    """They are keys of workflow files and of groups.yaml."""
    known = {field.alias or name for model in MODELS for name, field in model.model_fields.items()} | OPTIONS
    in_rows = {key for _, how, *_ in ROWS for key in re.findall(r"[`{,] ?([a-z_]+): ", how)}
    answers = {row.split("|")[2].partition("`")[2].partition("`")[0] for row in OURS.splitlines() if row.count("`")}
    settings = {each for each in answers if re.fullmatch(r"[a-z_]+", each)}

    assert {"imports", "select", "subsidiary", "subsidiary_scope", "max_level", "drift", "legal_entity_ids"} <= in_rows
    assert {"parent", "lifecycle", "max_length", "drift", "match", "subsidiary_scope"} <= settings
    assert in_rows | settings <= known | {"projects", "customers"}
