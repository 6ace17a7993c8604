"""One simulated installation: three stand-ins, a warehouse, and one clock, in a folder of its own.

World(folder, options, workflows)  ->  .fill(), .clients(), .reopen()

The clock stands still unless someone waits, so that no result depends on the machine; it is stored in the folder, as is
everything else: another process that opens the folder continues where this one died.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from assets.delivery.audit.verification import read_types
from assets.delivery.spec.sources import STAGING_PREFIX
from assets.delivery.spec.workflow import Workflow
from assets.netsuite.extract.settings import ExtractionSettings
from assets.netsuite.record_types import RECORD_TYPES
from assets.result_texts import named
from orchestration.clients import custom_columns
from orchestration.simulation.accounts import declare_fields, fill_fields, missing_tables
from orchestration.simulation.crashable_warehouse import CrashableMemory, CrashableWarehouse
from orchestration.simulation.options import Options
from orchestration.simulation.shifted_clock import ShiftedClock
from orchestration.workflow_files import load_workflows
from resources.clock import SharedClock
from resources.netsuite.connect import open_netsuite
from resources.precoro.connect import open_precoro
from resources.sandbox.folder_clock import START_TIME
from resources.sandbox.generator.seed import seed as fill
from resources.sandbox.sandbox import Sandbox
from resources.suiteprojects.connect import open_suiteprojects

VERIFY_DAYS = 2  # within which the values of every record are read again


class WorkflowsError(ValueError):
    """The folder has no workflow that can be rehearsed; the text has a line for each problem."""


def usable_workflows(folder: Path, only: Sequence[str] = ()) -> list[Workflow]:
    """Return the active workflows of a folder, or some with those that they need; those come first.

    Raises:
        WorkflowsError: A file is not valid, no workflow is active, or one of the names is none of them.
    """
    workflows, broken = load_workflows(folder)
    active = {each.name: each for each in workflows if each.spec.active}
    if broken:
        raise WorkflowsError("\n".join(broken[name] for name in sorted(broken)))
    if not active:
        raise WorkflowsError(f"{folder} has no active workflow; `millpond validate` checks the files")
    if unknown := [name for name in only if name not in active]:
        raise WorkflowsError(f"no active {named('workflow', unknown)}; the active ones are {', '.join(sorted(active))}")
    needs = {name: [each for each in workflow.spec.upstream if each in active] for name, workflow in active.items()}
    chosen, wanted = set[str](), list(only or active)
    while wanted:
        name = wanted.pop()
        chosen.add(name)
        wanted += [each for each in needs[name] if each not in chosen]
    order = TopologicalSorter({name: needs[name] for name in active if name in chosen}).static_order()
    found = [active[name] for name in order]
    if missing := missing_tables(found):
        raise WorkflowsError("\n".join(missing))
    return found


class World:
    """The stand-ins and the warehouse of one simulation."""

    def __init__(self, folder: Path, options: Options, workflows: Sequence[Workflow]) -> None:
        """Open the folder, or begin in it."""
        self.folder, self.options, self.workflows = folder, options, workflows
        stand_ins = folder / "sandbox"
        stand_ins.mkdir(parents=True, exist_ok=True)
        SharedClock(stand_ins / "clock.sqlite", start=START_TIME, factor=0.0, jumps=True)
        self.sandbox = Sandbox(stand_ins)
        self.clock = ShiftedClock(self.sandbox.clock)
        # a process that gets SIGKILL needs a file; in memory, the same commits take a fraction of the time
        self.warehouse: CrashableWarehouse | CrashableMemory = (
            CrashableWarehouse(folder / "warehouse") if options.kills else CrashableMemory(folder / "warehouse")
        )
        columns = custom_columns(workflows)
        self.extraction = ExtractionSettings(
            custom_columns={source: tuple(sorted(names)) for source, names in sorted(columns.items())},
            verify_days=VERIFY_DAYS,
        )

    def fill(self) -> None:
        """Fill NetSuite with the generated account."""
        added, options = declare_fields(self.sandbox, self.workflows), self.options
        fill(self.sandbox, customers=options.customers, companies=options.companies, seed=options.seed)
        fill_fields(self.sandbox, added, options.seed)

    def reopen(self) -> None:
        """Forget what the process that died had in memory."""
        if isinstance(self.warehouse, CrashableMemory):
            self.warehouse.revive()
        else:
            self.warehouse = CrashableWarehouse(self.folder / "warehouse")

    def back_up(self) -> None:
        """Copy the warehouse."""
        self.warehouse.back_up()

    def put_back(self) -> None:
        """Put the copy in the warehouse's place."""
        self.warehouse.put_back()
        self.reopen()

    @property
    def now(self) -> datetime:
        """The stand-ins' time: UTC, naive."""
        return self.sandbox.clock.now().replace(tzinfo=None)

    def advance_to(self, moment: datetime) -> None:
        """Let time pass until a moment: UTC, naive."""
        self.sandbox.clock.sleep((moment - self.now).total_seconds())

    @property
    def record_types(self) -> list[str]:
        """The record types that the workflows read, parents first."""
        needed = {each.name for workflow in self.workflows for each in read_types(workflow)}
        needed |= {name for name in self.sources if name in RECORD_TYPES}
        return [*(name for name in RECORD_TYPES if name in needed), *sorted(needed - RECORD_TYPES.keys())]

    @property
    def sources(self) -> list[str]:
        """The staging tables that the workflows read, without their prefix."""
        spec_tables = [
            table
            for workflow in self.workflows
            for table in (
                *(record.table for record in workflow.spec.records),
                *(lookup.table for lookup in workflow.spec.lookups),
            )
        ]
        names = {each.removeprefix(STAGING_PREFIX) for each in spec_tables if each.startswith(STAGING_PREFIX)}
        return sorted(names)

    @contextmanager
    def clients(self) -> Iterator[Mapping[str, Any]]:
        """Open the real clients: NetSuite's, and one of each connection to a target."""
        folder = str(self.sandbox.folder)
        specs = {each.spec.connection_name: each.spec for each in self.workflows}
        with ExitStack() as stack:
            # one call at a time, so that calls have one order
            clients: dict[str, Any] = {"netsuite": stack.enter_context(open_netsuite(sandbox=folder, concurrency=1))}
            for name, spec in sorted(specs.items()):
                opened = (
                    open_precoro(sandbox=folder, connection=spec.connection)
                    if spec.system == "precoro"
                    else open_suiteprojects(sandbox=folder)
                )
                clients[name] = stack.enter_context(opened)
            yield clients
