"""What a workflow file may say, and what is said of a bad one."""

from pathlib import Path

import pytest

from assets.delivery.component.component import load_workflow
from assets.delivery.spec.loader import WorkflowFileError, read_workflow
from assets.delivery.spec.workflow_spec import WorkflowSpec
from tests.assets.delivery.builders import OPTION_ROWS, one_source

GOOD = """\
type: assets.delivery.component.component.SyncWorkflow
attributes:
  target: precoro.Option
  source: customers
  fields:
    - {field: externalId, from: customer_id, locked: true}
    - {field: name, from: company_name}
"""


def written(folder: Path, text: str) -> Path:
    """A workflow file."""
    path = folder / "defs.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def complaint(folder: Path, text: str) -> str:
    """What is said of a file, without the path before the line."""
    path = written(folder, text)
    with pytest.raises(WorkflowFileError) as caught:
        read_workflow(path)
    lines = str(caught.value).splitlines()
    assert all(line.startswith(f"{path}:") for line in lines)
    return "\n".join(line.removeprefix(f"{path}:") for line in lines)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("  source:", "  sauce: 1\n  source:", "4: sauce: no such key here; check its spelling"),
        ("name, from: company_name", "name, form: company_name", "7: fields.1.form: no such key here"),
        ("name, from: company_name", "name, from: a, sql: b", "7: fields.1: give exactly one of `from`"),
        ("name, from: company_name", "name", "7: fields.1: give exactly one of `from`, `sql`, `value`; found none"),
        ("locked: true", "locked: true, active: false", "6: fields.0: a locked row carries the identity"),
        ("  target: precoro.Option\n", "", "2: target: Field required"),
        ("  source: customers\n", "", "2: attributes: give either `records`, or `source` with its `fields`"),
        ("  source:", "  records: []\n  select: {stage: x}\n  source:", "5: select.stage: no such key here"),
        ("  source:", "  select: {stages: {client: include}}\n  source:", "4: select.stages.client"),
        ("  source:", "  lifecycle: {deleted: drop}\n  source:", "4: lifecycle.deleted: Input should be 'deactivate'"),
        ("  source:", "  guards: {create: {percent: 101, rows: 1}}\n  source:", "4: guards.create.percent: Input sh"),
        ("  source:", "  match: [code]\n  source:", "2: attributes: match: no active row maps code; add the row"),
        ("  source:", "  monitored: [code]\n  source:", "2: attributes: monitored: no active row maps code"),
        ("  source:", "  parent_required: true\n  source:", "`parent_required` needs `parent`"),
        ("  source:", "  source: projects\n  source:", "5: the key `source` is there twice"),
        ("attributes:", "attribute:", "1: the file needs `type:` and `attributes:`"),
        ("company_name}", "company_name", "expected ',' or '}'"),
        ("    - {field: name, from: company_name}", "\t- x", "cannot start any token; check quotes, brackets"),
    ],
)
def test_a_bad_file_is_told_with_line_field_and_mend(tmp_path: Path, old: str, new: str, expected: str) -> None:
    """Who writes a workflow file is no programmer; a traceback helps nobody."""
    assert old in GOOD

    assert expected in complaint(tmp_path, GOOD.replace(old, new))


def test_every_problem_of_a_file_is_told_at_once(tmp_path: Path) -> None:
    """One round of corrections, not five."""
    text = GOOD.replace("locked: true", "looked: true").replace("from: company_name", "form: company_name")

    said = complaint(tmp_path, text)

    assert "6: fields.0.looked" in said
    assert "7: fields.1" in said


def test_no_fields_at_all_is_told_in_our_words(tmp_path: Path) -> None:
    """The short form is checked as a whole, not by an error inside an error."""
    said = complaint(tmp_path, GOOD.partition("  fields:")[0])

    assert said == "2: attributes: give either `records`, or `source` with its `fields` on the top level"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("precoro.Option", "precoro.Optoin", "target: no target `precoro.Optoin`; there are precoro.Option"),
        ("field: externalId", "field: code", "fields: no active row of customers fills `externalId`, our key there"),
    ],
)
def test_what_the_target_needs_is_told(tmp_path: Path, old: str, new: str, expected: str) -> None:
    """Without our key in it no record could be found again, and every run would make a new one."""
    with pytest.raises(WorkflowFileError, match=expected):
        load_workflow(written(tmp_path, GOOD.replace(old, new)))


def test_rows_that_are_all_switched_off_are_told(tmp_path: Path) -> None:
    """A workflow without a single field could only make empty records."""
    rows = "    - {field: name, from: company_name, active: false}\n"

    said = complaint(tmp_path, GOOD.partition("    - {field")[0] + rows)

    assert "every row of `fields` is switched off" in said


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"type: x\nattributes: {description: M\xfcller}\n", "the file must be UTF-8"),
        (b"", "needs `type:` and `attributes:`"),
        (b"- 1\n", "needs `type:` and `attributes:`"),
        (b"attributes: [1]\n", "needs `type:` and `attributes:`"),
        (b"a: 1\n---\nb: 2\n", "but found another document"),
    ],
)
def test_a_file_that_is_no_workflow_is_told(tmp_path: Path, content: bytes, expected: str) -> None:
    """Whatever the bytes, it is one kind of error with the file's name in it."""
    path = tmp_path / "defs.yaml"
    path.write_bytes(content)

    with pytest.raises(WorkflowFileError, match=expected) as caught:
        read_workflow(path)

    assert str(caught.value).startswith(f"{path}:")


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    """The same error as for a bad one."""
    with pytest.raises(WorkflowFileError, match="No such file"):
        read_workflow(tmp_path / "defs.yaml")


def test_the_short_form_says_the_same_as_the_long_one() -> None:
    """One source needs no list; nothing else differs, not even the version."""
    record = {"source": "customers", "fields": list(OPTION_ROWS)}
    long = WorkflowSpec.model_validate({"target": "precoro.Option", "records": [record]})

    short = one_source()

    assert short.records == long.records
    assert short.version == long.version


def test_both_forms_together_are_refused() -> None:
    """Which of the two is meant cannot be known."""
    record = {"source": "customers", "fields": list(OPTION_ROWS)}

    with pytest.raises(ValueError, match="give either `records`, or `source`"):
        one_source(records=[record])


@pytest.mark.parametrize(
    ("written_as", "meant"),
    [
        ("true", "1"),
        ("false", "0"),
        ("1", "1"),
        ("1.5", "1.5"),
        ("-3", "-3"),
        ("'true'", "true"),
        ("NO", "NO"),
        ("on", "on"),
        ("010", "010"),
        ("12:30", "12:30"),
        ("2026-11-02", "2026-11-02"),
        ("1_000", "1_000"),
    ],
)
def test_constants_are_canonical_text(tmp_path: Path, written_as: str, meant: str) -> None:
    """YAML 1.1 reads Norway as false, a number with a zero before it as octal and half past twelve as 750."""
    text = GOOD.replace("from: company_name", f"value: {written_as}, active: true")

    spec = read_workflow(written(tmp_path, text))

    assert spec.records[0].rows[1].value == meant


def test_the_keys_of_value_lists_are_canonical_text(tmp_path: Path) -> None:
    """NO is a country and true is a ticked box, on both sides of the list."""
    values = "from: country_code, values: {NO: Norway, 2: two, true: yes}"

    spec = read_workflow(written(tmp_path, GOOD.replace("from: company_name", values)))

    assert spec.records[0].rows[1].values == {"NO": "Norway", "2": "two", "1": "yes"}


def test_initial_only_may_be_written_without_quotes(tmp_path: Path) -> None:
    """`on` is true in YAML 1.1, which Dagster's own loader still reads."""
    ours = read_workflow(written(tmp_path, GOOD.replace("company_name", "company_name, on: create")))
    theirs = one_source(fields=[{"field": "name", "from": "company_name", True: "create"}])

    assert ours.records[0].rows[1].on == theirs.records[0].rows[0].on == "create"


def test_the_shipped_workflows_can_be_read() -> None:
    """They are what a user copies."""
    paths = sorted((Path(__file__).parents[4] / "orchestration" / "workflows").glob("*/defs.yaml"))

    specs = {path.parent.name: read_workflow(path) for path in paths}

    assert {"suiteprojects__customers", "precoro__options"} <= specs.keys()
    notes = next(row for row in specs["suiteprojects__customers"].records[0].rows if row.field == "notes")
    assert notes.on == "create"


def test_the_last_of_several_rows_for_a_field_counts() -> None:
    """A row that is switched off is as if it were not there."""
    off = {"field": "name", "value": "off", "active": False}
    rows = [{"field": "name", "value": "first"}, {"field": "name", "value": "last"}, off]

    spec = one_source(fields=rows)

    assert [row.value for row in spec.records[0].rows] == ["last"]
    assert spec.columns == ["name"]


def test_the_version_ignores_how_the_file_is_written(tmp_path: Path) -> None:
    """Comments and the order of keys say nothing; a new version would make drift look like an edit of the file."""
    values = "from: stage, values: {a: 1, b: 2}"
    plain = read_workflow(written(tmp_path, GOOD.replace("from: company_name", values)))
    other = "# why\n" + GOOD.replace("from: company_name", "values: {b: 2, a: 1}, from: stage")
    other = other.replace(
        "  target: precoro.Option\n  source: customers", "  source: customers\n  target: precoro.Option"
    )

    assert read_workflow(written(tmp_path, other)).version == plain.version


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
    """A decision names the rules it followed."""
    assert one_source(**changes).version != one_source().version


def test_the_order_of_parents_is_content() -> None:
    """It is the order of preference."""
    near = one_source(parent={"projects": "p", "customers": "c"})
    far = one_source(parent={"customers": "c", "projects": "p"})

    assert near.version != far.version


def test_the_external_id_comes_first_in_every_match() -> None:
    """Our own key cannot be outvoted by a name."""
    spec = one_source(match=[{"field": "name", "ignore_case": True}, "external_id"])

    assert [(rule.field, rule.ignore_case) for rule in spec.match_order] == [("name", True)]


def test_linked_rows_become_value_lists_and_name_what_they_wait_for(tmp_path: Path) -> None:
    """The ids are known when the mart is made; two workflows that are waited for are each told once."""
    text = f"{GOOD}    - {{field: parent, from: city, links: trees, otherwise: blank}}\n  needs: [owners, trees]\n"
    spec = read_workflow(written(tmp_path, text))

    linked = spec.linked({"trees": {"1": "17"}})

    assert spec.waits_for == ["owners", "trees"]
    assert [row.values for row in linked.records[0].rows] == [None, None, {"1": "17"}]
    assert "8: fields.2: `links` makes the value list" in complaint(
        tmp_path, text.replace("links: trees", "links: trees, values: {a: b}")
    )
