"""Runs that die: `python -m tests.assets.delivery.killed_runs FOLDER` lets one die at every failpoint, each in a fork.

FOLDER/base (a world after one run and a day of edits)  ->  FOLDER/<scenario>: what the dead left behind
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
from tests.assets.delivery.run_workflow import Flow

SUITE = one_source(
    target="suiteprojects.Customer",
    fields=[
        {"field": "externalid", "from": "customer_id", "locked": True},
        {"field": "name", "from": "entity_number"},
        {"field": "company", "from": "company_name"},
        {"field": "active", "value": True},
    ],
)
SPECS: dict[str, WorkflowSpec] = {"precoro": option_tree(), "suiteprojects": SUITE}


@dataclass(frozen=True)
class Death:
    """Where a run dies: a system, a failpoint, and how often it is passed before; or how else it ends."""

    system: str
    failpoint: str
    skip: int = 0
    how: str = "kill"  # or full: from there on no file can grow

    @property
    def name(self) -> str:
        """As a test is called, and a folder."""
        return f"{self.system}-{self.failpoint}-{self.skip}-{self.how}"


DEATHS = [
    *(Death("precoro", name) for name in failpoints.FAILPOINTS),
    # the later batches: the children, and those that are switched off
    *(Death("precoro", name, skip) for name in ("request_begins", "request_served") for skip in (3, 6)),
    *(Death("precoro", name, 1) for name in ("intents_kept", "answers_read")),
    *(Death("suiteprojects", name) for name in ("intents_kept", "request_begins", "request_served", "answers_read")),
    Death("suiteprojects", "bookkeeping_open"),
    Death("precoro", "answers_read", how="full"),
    Death("suiteprojects", "answers_read", how="full"),
    Death("precoro", "bookkeeping_begins", how="full"),
]


BEFORE_SENDING = ("mart_made", "twin_read", "plan_begins", "plan_kept")


@contextmanager
def opened(folder: Path, system: str) -> Iterator[Flow]:
    """The workflow of one system over the world in this folder."""
    world = Sandbox(folder / "sandbox")
    if system == "precoro":
        with open_precoro(sandbox=world.folder) as client:
            yield _flow(folder, system, OptionTarget(client, 5144), world)
    else:
        with open_suiteprojects(sandbox=str(world.folder)) as client:
            yield _flow(folder, system, SuiteProjectsTarget(client, "Customer"), world)


def _flow(folder: Path, system: str, target: Target, world: Sandbox) -> Flow:
    return Flow(Warehouse(folder / "warehouse"), target, world.clock, SPECS[system], system)


def before(flow: Flow) -> None:
    """What NetSuite had at the first run."""
    flow.stage(customer("1"), customer("2"), customer("3"), below=(project("100"), project("101"), project("102")))


def after(flow: Flow) -> None:
    """What NetSuite has at the run that dies: a change of every kind, and a project that moved."""
    flow.stage(
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
    """One run of each workflow, then the edits."""
    for system in SPECS:
        with opened(folder, system) as flow:
            before(flow)
            flow.plan("first")
            flow.send("first")
            after(flow)


def full_disk() -> None:
    """From here on no file can grow: what a full disk or a quota does to a writer."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))


def live(folder: Path, death: Death) -> None:
    """Run until the end that was chosen."""
    strike: Callable[[], object] = failpoints.die if death.how == "kill" else full_disk
    with opened(folder, death.system) as flow:
        if death.failpoint in BEFORE_SENDING:
            failpoints.arm(death.failpoint, strike=strike)
        flow.plan("killed")
        failpoints.arm(death.failpoint, skip=death.skip, strike=strike)
        flow.send("killed")
        flow.warehouse.publish()


def forked(work: Callable[[], None]) -> int:
    """Do something in a process of its own; how it ended."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        work()
    except BaseException as error:  # noqa: BLE001 - told by the exit code
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        os._exit(1)
    os._exit(0)


def main(folder: Path) -> None:
    """Prepare the world once, then die in a copy of it at every place."""
    if forked(lambda: prepare(folder / "base")):
        sys.exit("the world could not be prepared")
    for death in DEATHS:
        shutil.copytree(folder / "base", folder / death.name)
        code = forked(lambda death=death: live(folder / death.name, death))  # type: ignore[misc]
        (folder / death.name / "exit_code").write_text(str(code))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
