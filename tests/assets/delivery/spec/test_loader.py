"""Workflow files are read as written, and every problem is reported with file, line, field and fix."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.delivery.component.workflow_file import load_workflow
from assets.delivery.spec.loader import read_workflow
from assets.delivery.spec.yaml_file import WorkflowFileError
from tests.assets.delivery.builders import one_source

GOOD = """\
type: assets.components.SyncWorkflow
attributes:
  target: precoro.Option
  source: customers
  fields:
    - {field: externalId, from: customer_id, locked: true}
    - {field: name, from: company_name}
"""


def write_file(folder: Path, text: str) -> Path:
    """Write a workflow file, and return its path."""
    path = folder / "defs.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def problems_of(folder: Path, text: str) -> str:
    """Return the problems of a file that cannot be used, each without the path before the line number."""
    path = write_file(folder, text)
    with pytest.raises(WorkflowFileError) as caught:
        read_workflow(path)
    lines = str(caught.value).splitlines()
    assert all(line.startswith(f"{path}:") for line in lines)
    return "\n".join(line.removeprefix(f"{path}:") for line in lines)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("  source:", "  sauce: 1\n  source:", "4: sauce: unknown key; did you mean `source`?"),
        ("  source:", "  zzz: 1\n  source:", "4: zzz: unknown key; check its spelling"),
        ("name, from: company_name", "name, form: company_name", "7: fields.1.form: unknown key; did you mean `from`?"),
        ("name, from: company_name", "name, from: a, sql: b", "7: fields.1: give exactly one of `from`"),
        ("name, from: company_name", "name", "7: fields.1: give exactly one of `from`, `sql`, `value`; found none"),
        ("locked: true", "locked: true, active: false", "6: fields.0: a locked row carries the record's key"),
        ("  target: precoro.Option\n", "", "2: target: Field required"),
        ("  source: customers\n", "", "2: attributes: give either `records`, or `source` with its `fields`"),
        ("  source:", "  records: []\n  select: {stage: x}\n  source:",
         "5: select.stage: unknown key; did you mean `stages`?"),
        ("  source:", "  select: {stages: {client: include}}\n  source:", "4: select.stages.client"),
        ("  source:", "  lifecycle: {deleted: drop}\n  source:", "4: lifecycle.deleted: Input should be 'deactivate'"),
        ("  source:", "  guards: {create: {percent: 101, rows: 1}}\n  source:", "4: guards.create.percent: Input sh"),
        ("  source:", "  guards: {create: {percents: 1, rows: 1}}\n  source:",
         "create.percents: unknown key; did you mean `percent`?"),
        ("  source:", "  match: [{field: name, ignorecase: true}]\n  source:",
         "ignorecase: unknown key; did you mean `ignore_case`?"),
        ("name, from: company_name", "name, from: a, lookup: {table: t, by: b, retrun: c}",
         "retrun: unknown key; did you mean `return`?"),
        ("  source:", "  match: [code]\n  source:", "2: attributes: match: no active row maps code; add the row"),
        ("  source:", "  monitored_fields: [code]\n  source:",
         "2: attributes: monitored_fields: no active row maps code"),
        ("  source:", "  parent_required: true\n  source:", "`parent_required` needs `parent`"),
        ("  source:", "  source: projects\n  source:", "5: duplicate key `source`; remove one"),
        ("attributes:", "guards: {}\nattributes:", "2: guards: not a key beside `attributes`: indent it"),
        ("type:", "typ:", "typ: unknown key; did you mean `type`?"),
        ("type: assets.components.SyncWorkflow\n", "", "1: type: write `type: assets.components.SyncWorkflow`"),
        ("components.Sync", "component.Sync", "1: type: write `type: assets.components.SyncWorkflow`"),
        ("attributes:", "post_processing: {}\nattributes:", "2: post_processing: not a key beside `attributes`"),
        ("attributes:", "attribute:", "1: the file needs `type:` and `attributes:`"),
        ("company_name}", "company_name", "expected ',' or '}'"),
        ("    - {field: name, from: company_name}", "\t- x", "cannot start any token; check quotes, brackets"),
    ],
)  # fmt: skip
def test_a_problem_is_reported_with_line_field_and_fix(tmp_path: Path, old: str, new: str, expected: str) -> None:
    """The author of a workflow file is no programmer; a traceback would not help."""
    assert old in GOOD

    assert expected in problems_of(tmp_path, GOOD.replace(old, new))


def test_all_problems_of_a_file_are_reported_at_once(tmp_path: Path) -> None:
    """One round of corrections, not five."""
    text = GOOD.replace("locked: true", "looked: true").replace("from: company_name", "form: company_name")

    problems = problems_of(tmp_path, text)

    assert "6: fields.0.looked" in problems
    assert "7: fields.1" in problems


def test_missing_fields_are_reported_once(tmp_path: Path) -> None:
    """The short form is checked as a whole, not by an error inside an error."""
    problems = problems_of(tmp_path, GOOD.partition("  fields:")[0])

    assert problems == "2: attributes: give either `records`, or `source` with its `fields` on the top level"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("precoro.Option", "precoro.Optoin", "target: no target `precoro.Optoin`; .* precoro.Option"),
        ("field: externalId", "field: code", "fields: no active row of customers fills `externalId`, our key"),
    ],
)
def test_a_file_without_the_targets_requirements_is_rejected(tmp_path: Path, old: str, new: str, expected: str) -> None:
    """Without our key no record could be found again, and every run would create a new one."""
    with pytest.raises(WorkflowFileError, match=expected):
        load_workflow(write_file(tmp_path, GOOD.replace(old, new)))


def test_a_workflow_whose_rows_are_all_switched_off_is_rejected(tmp_path: Path) -> None:
    """Without a single field it could only create empty records."""
    rows = "    - {field: name, from: company_name, active: false}\n"

    problems = problems_of(tmp_path, GOOD.partition("    - {field")[0] + rows)

    assert "every row of `fields` is switched off" in problems


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"type: x\nattributes: {description: M\xfcller}\n", "not UTF-8 text; save the file as UTF-8"),
        (b"", "needs `type:` and `attributes:`"),
        (b"- 1\n", "needs `type:` and `attributes:`"),
        (b"attributes: [1]\n", "needs `type:` and `attributes:`"),
        (b"a: 1\n---\nb: 2\n", "but found another document"),
    ],
)
def test_a_file_that_is_not_a_workflow_is_rejected(tmp_path: Path, content: bytes, expected: str) -> None:
    """Any content at all ends in one type of error, with the file's name."""
    path = tmp_path / "defs.yaml"
    path.write_bytes(content)

    with pytest.raises(WorkflowFileError, match=expected) as caught:
        read_workflow(path)

    assert str(caught.value).startswith(f"{path}:")


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    """It is the same type of error as for a malformed file."""
    with pytest.raises(WorkflowFileError, match="No such file"):
        read_workflow(tmp_path / "defs.yaml")


@pytest.mark.parametrize(
    ("text", "value"),
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
def test_constants_are_canonical_text(tmp_path: Path, text: str, value: str) -> None:
    """YAML 1.1 reads Norway as false, a number with a leading zero as octal, and half past twelve as 750."""
    spec = read_workflow(write_file(tmp_path, GOOD.replace("from: company_name", f"value: {text}, active: true")))

    assert spec.records[0].rows[1].value == value


def test_the_keys_of_value_lists_are_canonical_text(tmp_path: Path) -> None:
    """NO is a country and true is a checked box, on both sides of the list."""
    values = "from: country_code, values: {NO: Norway, 2: two, true: yes}"

    spec = read_workflow(write_file(tmp_path, GOOD.replace("from: company_name", values)))

    assert spec.records[0].rows[1].values == {"NO": "Norway", "2": "two", "1": "yes"}


def test_the_key_on_needs_no_quotes(tmp_path: Path) -> None:
    """YAML 1.1, which Dagster's own loader reads, takes `on` for true."""
    ours = read_workflow(write_file(tmp_path, GOOD.replace("company_name", "company_name, on: create")))
    dagsters = one_source(fields=[{"field": "name", "from": "company_name", True: "create"}])

    assert ours.records[0].rows[1].on == dagsters.records[0].rows[0].on == "create"


def test_the_shipped_workflows_can_be_read() -> None:
    """Users copy them."""
    paths = sorted((Path(__file__).parents[4] / "orchestration" / "workflows").glob("*/defs.yaml"))

    specs = {path.parent.name: read_workflow(path) for path in paths}

    assert {"suiteprojects__customers", "precoro__options"} <= specs.keys()
    notes = next(row for row in specs["suiteprojects__customers"].records[0].rows if row.field == "notes")
    assert notes.on == "create"


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (GOOD.replace("from: company_name", "from: {{ stage }}"), "7: braces or brackets as a key; put quotes"),
        (GOOD.replace("customer_id", "[" * 5000 + "]" * 5000), "6: nested too deeply"),
        (GOOD.replace("customer_id", "{a: " * 5000 + "}" * 5000), "6: nested too deeply"),
        (GOOD.replace("customer_id", "- " * 5000), "6: "),
        ("".join(f"{' ' * n}a:\n" for n in range(3000)), "51: nested too deeply; at most 50 levels"),
        (BOMB + GOOD, "5: aliases (`*…`) that repeat too much"),
        ("a: &a [*a]\n" + GOOD, "1: an alias (`*…`) within its own anchor"),
        (GOOD.replace("company_name", "!!python/name:os.system x"), "7: a value with a tag"),
        (GOOD.replace("company_name", "!!int abc"), "7: a value with a tag"),
        (GOOD.replace("company_name", "!env SECRET"), "7: a value with a tag"),
        (GOOD.replace("\n  source", "\n\tsource"), "4: "),
        (GOOD.replace("  source", "  target: a\n  source"), "4: duplicate key `target`; remove one"),
        (GOOD.replace("company_name", "[a: 1, ? [b] : 2]"), "7: "),
        (GOOD.replace("company_name", "*unknown"), "7: found undefined alias 'unknown'"),
        (GOOD.replace("company_name", "'unclosed"), "8: found unexpected end of stream"),
        (GOOD + "---\n" + GOOD, "8: "),
    ],
)
def test_whatever_a_file_contains_is_that_files_problem(tmp_path: Path, text: str, expected: str) -> None:
    """With its line, at once, and never an error of Python that would stop all other workflows."""
    assert problems_of(tmp_path, text).startswith(expected)


@pytest.mark.parametrize("text", [GOOD.replace("company_name", "a\0b"), GOOD.replace("customer_id", "9" * 5000)])
def test_a_problem_without_a_line_names_the_file(tmp_path: Path, text: str) -> None:
    """Such as a control character, or a number that no program reads."""
    assert problems_of(tmp_path, text)


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_a_file_in_another_encoding_is_that_files_problem(tmp_path: Path, encoding: str) -> None:
    """Editors on Windows save such files."""
    path = tmp_path / "defs.yaml"
    path.write_text(f"{GOOD}# für\n", encoding=encoding)
    with pytest.raises(WorkflowFileError, match="not UTF-8 text; save the file as UTF-8"):
        read_workflow(path)


def test_a_byte_order_mark_is_skipped(tmp_path: Path) -> None:
    """It is UTF-8 all the same."""
    path = tmp_path / "defs.yaml"
    path.write_text(GOOD, encoding="utf-8-sig")
    assert read_workflow(path).source == "customers"


@given(st.text(st.sampled_from("[]{}:,-?!&*#|>'\"%@`~ \n\tab0.\0\ufeff"), max_size=60))
def test_any_text_is_a_workflow_or_that_files_problem(text: str) -> None:
    """Nothing else is raised, whatever the parser makes of it."""
    with TemporaryDirectory() as folder, pytest.raises(WorkflowFileError):
        read_workflow(write_file(Path(folder), text))
