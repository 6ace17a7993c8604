"""The transcripts in docs/plans.md are what the commands print at 80 columns.

After a change of the output, `transcripts` returns the new text of each block.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from assets.delivery.component.workflow_file import load_workflow
from assets.precoro.target import OptionTarget
from orchestration.cli.exit_codes import CLEAN, HELD_BACK
from orchestration.cli.explain import explain
from orchestration.cli.output import console
from orchestration.cli.plan_list import plans
from orchestration.cli.plan_output import review_code
from orchestration.cli.run import print_planned
from orchestration.configuration.settings import ROOT
from resources.precoro.connect import open_precoro
from resources.sandbox.sandbox import Sandbox
from resources.warehouse.warehouse import Warehouse
from tests.assets.delivery.builders import customer, project
from tests.assets.delivery.run_workflow import WorkflowRunner
from tests.orchestration.conftest import at_home

NAME = "precoro__options"
WIDTH = 80
PAGE = ROOT / "docs" / "plans.md"
FILE = """\
type: assets.components.SyncWorkflow
attributes:
  target: precoro.Option
  options: {item_custom_field: 5144}
  records:
    - source: customers
      select: {stages: {customer: include, prospect: include, lead: skip}, require_flag: custentity_export}
      fields:
        - {field: externalId, from: customer_id, locked: true}
        - {field: name, from: company_name, required: true}
        - {field: enable, value: true}
    - source: projects
      parent: {projects: parent_project_id, customers: customer_id}
      parent_required: true
      fields:
        - {field: externalId, from: project_id, locked: true}
        - {field: name, from: project_name, required: true, max_length: 30}
        - {field: enable, value: true}
"""
LONG = "Implementation of the new planning system"
# what differs between two runs of the same records
IDS = [
    (r"\b[0-9a-f]{12}\b", "3f2a91c07b4d"),
    (r"\bversion \w+", "version 51c86e40a2d9"),
    (r"\d\d:\d\d:\d\d", "06:02:07"),
    (r"(1[67]) \d\d:\d\d(?!:)", r"\1 06:03"),
    (r"\d{4}-\d\d-\d\d (06:02:07 desired)", r"2026-11-16 \1"),  # this runner makes marts by the machine's clock
]


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkflowRunner]:
    """Deliver some records, edit them in NetSuite, and plan."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "workflows" / NAME).mkdir(parents=True)
    (folder / "workflows" / NAME / "defs.yaml").write_text(FILE)
    sandbox = Sandbox(folder / "sandbox")
    sandbox.netsuite.insert("customer", [])
    spec = load_workflow(folder / "workflows" / NAME / "defs.yaml").spec
    with open_precoro(sandbox=sandbox.folder) as client, at_home(folder), pytest.MonkeyPatch.context() as patch:
        patch.setenv("MILLPOND_WORKFLOWS", str(folder / "workflows"))
        runner = WorkflowRunner(
            Warehouse(folder / "warehouse"), OptionTarget(client, 5144), sandbox.clock, spec=spec, name=NAME
        )
        acme, beta = customer("107", company_name="Acme Holding"), customer("120", company_name="Beta Works")
        left_out = [customer(str(number), custentity_export="F") for number in range(130, 133)]
        lead = customer("140", company_name="Gamma Trading", stage="lead")
        runner.stage(acme, beta, *left_out, lead, below=(project("301", customer_id="107", project_name="Audit"),))
        runner.plan("a51c0d93-run")
        runner.send("a51c0d93-run")
        runner.stage(
            acme | {"company_name": "Acme Holding Europe"},
            beta | {"is_inactive": True},
            *left_out,
            lead,
            customer("151", company_name="Public joint stock company ROSBANK"),
            below=(
                project("301", customer_id="107", project_name="Audit 2026"),
                *(project(str(number), customer_id=str(number - 180)) for number in range(310, 313)),
                project("313", customer_id="140"),
                project("320", customer_id="130", parent_project_id="310"),
                project("330", customer_id="107", project_name=LONG),
            ),
        )
        runner.plan("0b7e4c52-plan")
        yield runner


def at_width(width: int, capsys: pytest.CaptureFixture[str], command: object) -> str:
    """Return what a command prints on a terminal of this width, with the ids and times of the page."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(console, "_width", width)
        patch.setattr(console, "_force_terminal", True)
        patch.setattr(console, "no_color", True)
        patch.setattr(console, "_color_system", None)
        capsys.readouterr()
        command()  # type: ignore[operator]
    printed = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    assert all(len(line) <= width for line in printed.splitlines()), printed
    for pattern, text in IDS:
        printed = re.sub(pattern, text, printed)
    return "\n".join(line.rstrip() for line in printed.splitlines())


def transcripts(runner: WorkflowRunner, capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """Return what each command prints at 80 columns."""

    def plan() -> None:
        reviews = print_planned(runner.warehouse, [runner.workflow], "0b7e4c52-plan")
        assert review_code(reviews) == HELD_BACK

    commands = {
        f"plan {NAME}": plan, "plans": plans, "explain acme": lambda: explain("acme"),
    }  # fmt: skip
    return {f"$ millpond {name}": at_width(WIDTH, capsys, command) for name, command in commands.items()}


def test_the_transcripts_are_what_the_commands_print(
    planned: WorkflowRunner, capsys: pytest.CaptureFixture[str]
) -> None:
    """So a reader sees what to expect."""
    page = PAGE.read_text()

    for command, printed in transcripts(planned, capsys).items():
        assert f"```text\n{command}\n{printed}\n```" in page


@pytest.mark.usefixtures("planned")
def test_nothing_is_cut_in_a_pipe(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Every word of the terminal is there, on lines that are not broken; so are the files for reviewers."""
    html, csv = tmp_path / "plan.html", tmp_path / "plan.csv"
    narrow = at_width(WIDTH, capsys, lambda: explain("acme"))
    assert explain("acme") == CLEAN
    wide = capsys.readouterr().out
    (listed,) = re.findall(r"^(\w+)  precoro__options", _printed(capsys), re.MULTILINE)

    assert plans(listed, html=html, csv=csv) == HELD_BACK

    def words(text: str) -> list[str]:
        return re.sub("[│├└─]", " ", text).split()

    assert len(words(narrow)) == len(words(wide))
    assert "  ~ update      customers 107  Acme Holding Europe\n      name: Acme Holding → Acme Holding Europe\n" in (
        capsys.readouterr().out
    )
    page, table = html.read_text(), csv.read_text()
    assert "<td>Public joint stock company ROSBANK</td>" in page
    assert "leads are not part of this workflow" in page
    assert "update,customers,107,Acme Holding Europe," in table
    assert "name,Acme Holding,Acme Holding Europe" in table
    assert html.stat().st_mode & 0o777 == csv.stat().st_mode & 0o777 == 0o600


def _printed(capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert plans() == CLEAN
    return capsys.readouterr().out
