"""Workflow files from the command line: what can be mapped, a new file, a hierarchy switched on."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from assets.delivery.component.workflow_file import load_workflow
from assets.delivery.spec.sources import KEY_COLUMNS
from assets.target_registry import TARGETS
from orchestration.cli.enable import NotEnabledError, enable, enable_hierarchy
from orchestration.cli.exit_codes import CLEAN, USAGE
from orchestration.cli.fields import HIDDEN, fields
from orchestration.cli.new_workflow import NewWorkflowError, new, write_workflow
from orchestration.configuration.settings import ROOT
from tests.orchestration.conftest import Home

SOURCES = [*KEY_COLUMNS, "service_items", "customrecord_region", "customlist_area"]
CLASSES = "suiteprojects__customer_class"
CUSTOMERS = "suiteprojects__customers"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A copy of the shipped workflow files, in use."""
    shutil.copytree(ROOT / "orchestration" / "workflows", tmp_path / "workflows")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MILLPOND_WORKFLOWS", str(tmp_path / "workflows"))
        yield tmp_path / "workflows"


# --- new ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", TARGETS)
def test_a_new_file_is_valid_for_every_target_and_source(tmp_path: Path, target: str) -> None:
    """It sends nothing before someone has looked at it."""
    for source in SOURCES:
        path = write_workflow(tmp_path, f"new_{source}", target, source)

        spec = load_workflow(path).spec
        assert (spec.target, spec.records[0].source, spec.active) == (target, source, False)
        assert TARGETS[target].key_field in spec.target_fields


def test_a_new_file_begins_with_the_shipped_mapping(tmp_path: Path) -> None:
    """Of the same target and source."""
    made = load_workflow(write_workflow(tmp_path, "again", "suiteprojects.Customer", "customers")).spec
    shipped = load_workflow(ROOT / "orchestration" / "workflows" / CUSTOMERS / "defs.yaml").spec

    assert made.records == shipped.records
    assert made.match_rules == shipped.match_rules


@pytest.mark.parametrize(
    ("name", "target", "source", "text"),
    [
        ("a b", "suiteprojects.Customer", "customers", "use letters, digits and underscores"),
        ("../x", "suiteprojects.Customer", "customers", "use letters, digits and underscores"),
        (CUSTOMERS, "suiteprojects.Customer", "customers", "exists; choose another name"),
        ("x", "suiteprojects.Custmer", "customers", "did you mean suiteprojects.Customer"),
        ("x", "suiteprojects.Customer", "custmers", "did you mean customers"),
    ],
)
def test_a_new_file_with_a_mistyped_name_is_not_written(
    folder: Path, name: str, target: str, source: str, text: str
) -> None:
    """The likely name is suggested, and no file is overwritten."""
    before = {path: path.read_text() for path in folder.rglob("*.yaml")}

    with pytest.raises(NewWorkflowError, match=text.replace(".", r"\.")):
        write_workflow(folder, name, target, source)

    assert {path: path.read_text() for path in folder.rglob("*.yaml")} == before


def test_the_command_writes_the_file_where_workflows_are(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And says how to go on."""
    assert new("workflow", "suiteprojects__x", target="suiteprojects.Customer", source="customers") == CLEAN
    assert (folder / "suiteprojects__x" / "defs.yaml").exists()
    assert "`millpond plan suiteprojects__x`" in capsys.readouterr().out
    assert new("workflow", "suiteprojects__x", target="suiteprojects.Customer", source="customers") == USAGE


# --- enable ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Customer Class", "customer class", CLASSES])
def test_a_hierarchy_is_enabled_in_its_file_and_in_the_row_together(folder: Path, name: str) -> None:
    """Nothing else of the files changes, comments and line ends included."""
    file = folder / CUSTOMERS / "defs.yaml"
    file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    before = {path: path.read_bytes() for path in folder.rglob("*.yaml")}

    changed = [each.path for each in enable_hierarchy(folder, name)]

    assert changed == [folder / CLASSES / "defs.yaml", file]
    assert load_workflow(folder / CLASSES / "defs.yaml").spec.active
    assert "hierarchy:Customer Class" in load_workflow(file).spec.target_fields
    for path, content in before.items():
        now = path.read_bytes()
        assert now == content or (path in changed and len(now) == len(content) - 1)
        assert sum(a != b for a, b in zip(content.split(b"\n"), now.split(b"\n"), strict=True)) == (path in changed)
    assert enable_hierarchy(folder, name) == []


def test_neither_file_changes_if_one_would_not_be_valid(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Half of it would assign customers to nodes that no run delivers."""
    file = folder / CUSTOMERS / "defs.yaml"
    file.write_text(file.read_text().replace("from: custentity_class,", "from: no_such_column,"))
    before = (folder / CLASSES / "defs.yaml").read_text()

    assert enable("hierarchy", "Customer Class") == USAGE

    assert "no_such_column" in capsys.readouterr().out
    assert (folder / CLASSES / "defs.yaml").read_text() == before


def test_an_unknown_hierarchy_is_answered_with_what_may_have_been_meant(folder: Path) -> None:
    """And one that no row uses with the row to add."""
    with pytest.raises(NotEnabledError, match="did you mean Customer Class"):
        enable_hierarchy(folder, "Custmer Class")
    file = folder / CUSTOMERS / "defs.yaml"
    lines = [line for line in file.read_text().splitlines() if CLASSES not in line]
    file.write_text("\n".join(lines))
    with pytest.raises(NotEnabledError, match=f"reference: {CLASSES}"):
        enable_hierarchy(folder, "Customer Class")


# --- fields ---------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("home")
def test_the_fields_of_a_target_have_type_length_and_who_maps_them(capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything was read, without examples."""
    assert fields("precoro.Option") == CLEAN

    printed = capsys.readouterr().out
    assert "name  text, required, at most 256 characters\n    precoro__options ← " in printed
    assert "externalId  text\n    precoro__options ← from: customer_id\n" in printed
    assert "no examples" in printed
    assert fields("precoro.Optoin") == USAGE
    assert "did you mean precoro.Option?" in capsys.readouterr().out


@pytest.mark.usefixtures("synced")
def test_examples_are_values_of_the_last_run_unless_they_are_personal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Columns of a source, and fields of a target that derive from them."""
    assert fields("contacts") == CLEAN
    assert HIDDEN not in capsys.readouterr().out
    monkeypatch.setenv("MILLPOND_PERSONAL_DATA", "mask")

    for name, personal, plain in (
        ("contacts", ("first_name", "email", "phone"), ("contact_id",)),
        ("suiteprojects.Contact", ("addr_first", "addr_email", "name"), ("externalid",)),
    ):
        assert fields(name) == CLEAN
        rows = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line.strip()}
        assert all(HIDDEN in rows[each] for each in personal), rows
        assert not any(HIDDEN in rows[each] for each in plain)


def test_a_home_is_not_needed(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """The fields of a source are known from the files alone."""
    assert fields("customers") == CLEAN
    assert not home.warehouse.exists()
    printed = capsys.readouterr().out
    assert printed.count("    suiteprojects__customers → company\n") == 5  # columns, some read twice
