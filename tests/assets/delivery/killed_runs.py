"""Kill a run at every failpoint, each in a fork: `python -m tests.assets.delivery.killed_runs FOLDER`.

FOLDER/base (sandbox and warehouse after one run and a day of edits)  ->  FOLDER/<scenario>: the same after the kill
"""

import os
import resource
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from assets.delivery.spec.workflow_spec import WorkflowSpec
from assets.delivery.target import Target
from assets.precoro.target import OptionTarget
from assets.suiteprojects.target import SuiteProjectsTarget
from resources import failpoints
from resources.precoro.connect import open_precoro
from resources.sandbox.sandbox import Sandbox
from resources.suiteprojects.connect import open_suiteprojects
from resources.warehouse.warehouse import Warehouse
from tests.assets.delivery.builders import customer, one_source, option_tree, project
from tests.assets.delivery.run_workflow import WorkflowRunner

SUITEPROJECTS = one_source(
    target="suiteprojects.Customer",
    fields=[
        {"field": "externalid", "from": "customer_id", "locked": True},
        {"field": "name", "from": "entity_number"},
        {"field": "company", "from": "company_name"},
        {"field": "active", "value": True},
    ],
)
SPECS: dict[str, WorkflowSpec] = {"precoro": option_tree(), "suiteprojects": SUITEPROJECTS}


@dataclass(frozen=True)
class Scenario:
    """A failpoint at which a run ends; `skip` passes go unharmed before."""

    system: str
    failpoint: str
    skip: int = 0
    end: str = "kill"  # or full_disk: from there on no file can grow

    @property
    def name(self) -> str:
        """Name of the test case and of the folder."""
        return f"{self.system}-{self.failpoint}-{self.skip}-{self.end}"


SCENARIOS = [
    *(Scenario("precoro", name) for name in failpoints.FAILPOINTS),
    # the later batches: children and deactivations
    *(Scenario("precoro", name, skip) for name in ("request_begins", "request_served") for skip in (3, 6)),
    *(Scenario("precoro", name, 1) for name in ("intents_kept", "answers_read")),
    *(Scenario("suiteprojects", name) for name in ("intents_kept", "request_begins", "request_served", "answers_read")),
    Scenario("suiteprojects", "bookkeeping_open"),
    Scenario("precoro", "answers_read", end="full_disk"),
    Scenario("suiteprojects", "answers_read", end="full_disk"),
    Scenario("precoro", "bookkeeping_begins", end="full_disk"),
]


BEFORE_SENDING = ("mart_made", "target_state_read", "plan_begins", "plan_kept")


@contextmanager
def opened(folder: Path, system: str) -> Iterator[WorkflowRunner]:
    """Yield the workflow of one system over the sandbox and warehouse in this folder."""
    sandbox = Sandbox(folder / "sandbox")
    if system == "precoro":
        with open_precoro(sandbox=sandbox.folder) as client:
            yield _runner(folder, system, OptionTarget(client, 5144), sandbox)
    else:
        with open_suiteprojects(sandbox=str(sandbox.folder)) as client:
            yield _runner(folder, system, SuiteProjectsTarget(client, "Customer"), sandbox)


def _runner(folder: Path, system: str, target: Target, sandbox: Sandbox) -> WorkflowRunner:
    return WorkflowRunner(Warehouse(folder / "warehouse"), target, sandbox.clock, SPECS[system], system)


def stage_first(runner: WorkflowRunner) -> None:
    """Stage the records of the first run."""
    runner.stage(customer("1"), customer("2"), customer("3"), below=(project("100"), project("101"), project("102")))


def stage_edited(runner: WorkflowRunner) -> None:
    """Stage the records of the run that is killed: a change of every kind, and a project that moved."""
    runner.stage(
        customer("1", company_name="New 1"),
        customer("2"),
        customer("3", is_inactive=True),
        customer("4"),
        below=(
            project("100", customer_id="2"),
            project("101", is_deleted=True),
            project("102", project_name="New 102"),
            project("103", customer_id="4"),
        ),
    )


def prepare(folder: Path) -> None:
    """Run each workflow once, then stage the edits."""
    for system in SPECS:
        with opened(folder, system) as runner:
            stage_first(runner)
            runner.plan("first")
            runner.send("first")
            stage_edited(runner)


def fill_disk() -> None:
    """Prevent files from growing, as a full disk or a quota does."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))


def run_to_its_end(folder: Path, scenario: Scenario) -> None:
    """Run until the scenario's failpoint."""
    strike: Callable[[], object] = failpoints.die if scenario.end == "kill" else fill_disk
    with opened(folder, scenario.system) as runner:
        if scenario.failpoint in BEFORE_SENDING:
            failpoints.arm(scenario.failpoint, strike=strike)
        runner.plan("killed")
        failpoints.arm(scenario.failpoint, skip=scenario.skip, strike=strike)
        runner.send("killed")
        runner.warehouse.publish()


def forked(work: Callable[[], None]) -> int:
    """Call a function in a child process and return its exit code."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        work()
    except BaseException as error:  # noqa: BLE001 - reported by the exit code
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        os._exit(1)
    os._exit(0)


def main(folder: Path) -> None:
    """Prepare the base once, then kill a run in a copy of it for each scenario."""
    if forked(lambda: prepare(folder / "base")):
        sys.exit("the base could not be prepared")
    for scenario in SCENARIOS:
        shutil.copytree(folder / "base", folder / scenario.name)
        code = forked(lambda scenario=scenario: run_to_its_end(folder / scenario.name, scenario))  # type: ignore[misc]
        (folder / scenario.name / "exit_code").write_text(str(code))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
