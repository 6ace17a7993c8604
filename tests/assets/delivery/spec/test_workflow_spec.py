"""The content of a workflow file: its two forms, its version, its rules."""

from pathlib import Path

import pytest

from assets.delivery.spec.loader import read_workflow
from assets.delivery.spec.workflow_spec import WorkflowSpec
from tests.assets.delivery.builders import OPTION_ROWS, one_source
from tests.assets.delivery.spec.test_loader import GOOD, problems_of, write_file


def test_the_short_form_means_the_same_as_the_long_one() -> None:
    """One source needs no list; nothing else differs, not even the version."""
    record = {"source": "customers", "fields": list(OPTION_ROWS)}
    long = WorkflowSpec.model_validate({"target": "precoro.Option", "records": [record]})

    short = one_source()

    assert short.records == long.records
    assert short.version == long.version


def test_both_forms_together_are_rejected() -> None:
    """It would be ambiguous which one counts."""
    record = {"source": "customers", "fields": list(OPTION_ROWS)}

    with pytest.raises(ValueError, match="give either `records`, or `source`"):
        one_source(records=[record])


def test_the_last_active_row_of_a_field_counts() -> None:
    """A row that is switched off has no effect."""
    off = {"field": "name", "value": "off", "active": False}
    rows = [{"field": "name", "value": "first"}, {"field": "name", "value": "last"}, off]

    spec = one_source(fields=rows)

    assert [row.value for row in spec.records[0].rows] == ["last"]
    assert spec.target_fields == ["name"]


def test_the_version_ignores_formatting(tmp_path: Path) -> None:
    """If comments or the order of keys changed it, drift would look like an edit of the file."""
    values = "from: stage, values: {a: 1, b: 2}"
    plain = read_workflow(write_file(tmp_path, GOOD.replace("from: company_name", values)))
    other = "# why\n" + GOOD.replace("from: company_name", "values: {b: 2, a: 1}, from: stage")
    other = other.replace(
        "  target: precoro.Option\n  source: customers", "  source: customers\n  target: precoro.Option"
    )

    assert read_workflow(write_file(tmp_path, other)).version == plain.version


@pytest.mark.parametrize(
    "changes",
    [
        {"target": "suiteprojects.Customer"},
        {"max_level": 3},
        {"match": ["external_id", "name"]},
        {"select": {"subsidiary": 2}},
        {"guards": {"create": {"percent": 1, "rows": 1}}},
        {"options": {"item_custom_field": 1}},
        {"lifecycle": {"inactive": "report"}},
        {"parent": {"projects": "p", "customers": "c"}},
        {"fields": [*OPTION_ROWS, {"field": "code", "from": "entity_number"}]},
        {"fields": [OPTION_ROWS[1], OPTION_ROWS[0], OPTION_ROWS[2]]},
    ],
)
def test_the_version_changes_with_the_content(changes: dict[str, object]) -> None:
    """A decision records the rules that it followed."""
    assert one_source(**changes).version != one_source().version


@pytest.mark.parametrize(
    "changes",
    [
        {"description": "Other words."},
        {"owners": ["ada@example.com"]},
        {"stewards": ["ada@example.com"]},
        {"record_url": "https://example.com/{id}"},
        {"active": False},
        {"realtime": True},
    ],
)
def test_the_version_stays_if_nothing_is_decided_by_what_was_edited(changes: dict[str, object]) -> None:
    """Otherwise `workflow_changed` would be the reason of updates, undone records sent again, and a canary begin."""
    assert one_source(**changes).version == one_source().version


def test_the_version_covers_the_order_of_parents() -> None:
    """It is the order of preference."""
    projects_first = one_source(parent={"projects": "p", "customers": "c"})
    customers_first = one_source(parent={"customers": "c", "projects": "p"})

    assert projects_first.version != customers_first.version


def test_the_external_id_is_not_a_match_rule() -> None:
    """Our own key always matches first."""
    spec = one_source(match=[{"field": "name", "ignore_case": True}, "external_id"])

    assert [(rule.field, rule.ignore_case) for rule in spec.match_rules] == [("name", True)]


def test_references_become_value_lists_and_upstream_workflows(tmp_path: Path) -> None:
    """The ids are known when the mart is made; a workflow that is referenced and needed is upstream once."""
    text = (
        f"{GOOD}    - {{field: parent, from: city, reference: trees, on_unmapped: blank}}\n  needs: [owners, trees]\n"
    )
    spec = read_workflow(write_file(tmp_path, text))

    resolved = spec.with_references({"trees": {"1": "17"}})

    assert spec.upstream == ["owners", "trees"]
    assert [row.values for row in resolved.records[0].rows] == [None, None, {"1": "17"}]
    assert "8: fields.2: `reference` supplies the value list" in problems_of(
        tmp_path, text.replace("reference: trees", "reference: trees, values: {a: b}")
    )
