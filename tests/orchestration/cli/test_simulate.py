"""`millpond simulate` refuses what it cannot start, before anything is simulated."""

import re
from pathlib import Path
from shutil import copytree

import pytest

from orchestration.cli.exit_codes import CLEAN, USAGE
from orchestration.cli.output import console
from orchestration.cli.simulate import print_document, simulate
from orchestration.configuration.settings import ROOT
from orchestration.simulation.saved import save
from orchestration.simulation.verdicts import INVARIANTS
from tests.orchestration.simulation.documents import found
from tests.orchestration.simulation.installation import WORKFLOWS, options


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home that does not exist yet."""
    monkeypatch.setenv("MILLPOND_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def problems(code: int) -> str:
    """Return the printed problems of a command that did not start."""
    assert code == USAGE
    text = "\n".join(console.problems)
    console.problems.clear()
    return text


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    """With the option that named it."""
    assert "--workflows" in problems(simulate(workflows=tmp_path / "none"))


def test_a_folder_without_workflows_is_named(tmp_path: Path) -> None:
    """An empty rehearsal would hold every invariant."""
    assert "has no active workflow" in problems(simulate(workflows=tmp_path))


@pytest.mark.parametrize(("name", "text"), [("none", "--compare"), ("", "has no active workflow")])
def test_a_folder_to_compare_with_is_refused_first(tmp_path: Path, name: str, text: str) -> None:
    """Not after the days are simulated."""
    assert text in problems(simulate(workflows=WORKFLOWS, compare=tmp_path / name))


def test_a_file_that_is_not_valid_is_named_with_its_line(tmp_path: Path) -> None:
    """As `millpond validate` names it: the other workflows would hide that this one is missing."""
    copytree(WORKFLOWS, tmp_path / "files")
    file = tmp_path / "files" / "precoro__options" / "defs.yaml"
    file.write_text(file.read_text().replace("from: project_name", "from: project_nmae"))

    assert "precoro__options/defs.yaml:" in problems(simulate(workflows=tmp_path / "files"))


def test_an_unknown_workflow_is_named() -> None:
    """With those that there are."""
    assert "no active workflow nothing" in problems(simulate(only=("nothing",), workflows=WORKFLOWS))


@pytest.mark.parametrize("name", ["../x", "all"])
def test_a_name_that_cannot_be_saved_is_refused_first(name: str) -> None:
    """Not after the days are simulated."""
    assert "cannot be a name" in problems(simulate(save=name))


def test_an_unknown_saved_simulation_is_refused() -> None:
    """Also `all`, if there is none."""
    assert "none is saved yet" in problems(simulate(saved="first"))
    assert "no simulation is saved" in problems(simulate(saved="all"))


def test_a_file_of_companies_needs_names(tmp_path: Path) -> None:
    """The text says which column is missing."""
    (tmp_path / "c.csv").write_text("title\nAcme\n")

    assert "no column 'name'" in problems(
        simulate(companies=tmp_path / "c.csv", only=("precoro__options",), workflows=WORKFLOWS)
    )


def test_nothing_is_written_by_a_refusal(home: Path) -> None:
    """The home is not even created."""
    problems(simulate(saved="first"))

    assert not home.exists()


def test_the_sample_on_the_page_has_the_headings_and_invariants_of_today(capsys: pytest.CaptureFixture[str]) -> None:
    """The counts are those of one seed; `make screenshots` shows them as a picture."""
    page = (ROOT / "docs" / "simulate.md").read_text(encoding="utf-8")
    command, _, sample = page.partition("```text\n$ millpond simulate ")[2].partition("```")[0].partition("\n")

    print_document(found())

    assert "--days 10" in command
    assert _headings(sample) == _headings(capsys.readouterr().out)
    assert re.findall(r"✓ (.+?\.) [\d,]+ checks", " ".join(sample.split())) == list(INVARIANTS.values())


def _headings(text: str) -> list[str]:
    """Return the lines that are not indented, without numbers and what follows a colon."""
    lines = (re.sub(r"[\d,]+|:.*|storm|weather", "", line) for line in text.splitlines() if line[:1].strip())
    return [re.sub(r"\s+", " ", line).strip() for line in lines]


def test_a_failure_prints_the_line_that_repeats_it(capsys: pytest.CaptureFixture[str]) -> None:
    """One line, without a break, to copy."""
    verdict = {"name": "once", "text": "No record is twice.", "checked": 3, "broken": 1, "evidence": {}}
    document = found(violations=1, verdicts=[{**verdict, "examples": ["day 1: twice"]}])

    print_document(document)

    lines = capsys.readouterr().out.splitlines()
    assert document["line"] in lines
    assert any("1 of 3 checks failed" in line for line in lines)
    assert any("day 1: twice" in line for line in lines)


@pytest.mark.long
def test_a_saved_simulation_is_repeated(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With its verdict of now: what was broken when it was saved may hold."""
    save(home, "kept", options(), found(violations=3))

    assert simulate(saved="all") == CLEAN
    assert "kept:" in capsys.readouterr().out
    assert "violations: 0" in (home / "simulations" / "kept.yaml").read_text()
