"""Plans that wait for a person: list, apply whole or in part, reject; and plans that undo a run.

millpond plans | apply | reject | undo, and the Dagster job `release_plan`, all go through here.
"""

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table

from assets.asset_metadata import duration
from assets.delivery.ledger import ledger, plans
from assets.delivery.ledger.plans import Kept, SyncError
from assets.delivery.plan.planner import Workflow
from assets.delivery.plan.undo import Undone, plan_undo, runs_to_undo
from assets.delivery.send.apply import Synced, run_sync
from assets.delivery.target import Target
from assets.target_registry import TARGETS
from orchestration.authorization import decide_as
from orchestration.cli.output import print_plan, print_problems, print_summary
from orchestration.settings import MillpondSettings
from resources.clock import Clock
from resources.errors import IntegrationError
from resources.warehouse.warehouse import Warehouse


@dataclass(frozen=True)
class Connections:
    """What it takes to send something by hand."""

    warehouse: Warehouse
    workflows: dict[str, Workflow]
    clients: dict[str, Any]

    @property
    def moment(self) -> datetime:
        """Now, UTC, as the warehouse keeps it; all clients go by one clock."""
        moment: datetime = next(iter(self.clients.values())).clock.now().replace(tzinfo=None)
        return moment

    def target(self, workflow: Workflow) -> tuple[Target, Clock]:
        """The target of a workflow, and the clock that its system goes by."""
        kind = TARGETS[workflow.spec.target]
        client = self.clients[workflow.spec.connection_name]
        return kind.build(client, workflow.spec.options), client.clock

    def workflow(self, name: str) -> Workflow:
        """A workflow by name.

        Raises:
            SyncError: No usable file has that name.
        """
        if name not in self.workflows:
            raise SyncError(f"no workflow {name}; `millpond validate` says which files can be used")
        return self.workflows[name]


@contextmanager
def open_connections() -> Iterator[Connections]:
    """The warehouse, the workflows and the clients of both targets; clients connect when they are first used."""
    import dagster as dg

    from orchestration.definitions import load_workflows, resources

    settings = MillpondSettings()
    workflows, _ = load_workflows(settings.workflows)
    made = resources(settings, workflows)
    connections = {
        "netsuite",
        *(each.spec.connection_name for each in workflows),
    }  # NetSuite's for the clock: no workflow may be left
    with dg.build_resources({name: made[name] for name in ("warehouse", *connections)}) as opened:
        clients = {name: getattr(opened, name) for name in connections}
        yield Connections(opened.warehouse, {each.name: each for each in workflows}, clients)


def find_plan(warehouse: Warehouse, plan_id: str) -> Kept:
    """A plan by the beginning of its id.

    Raises:
        SyncError: There is none, or several begin so.
    """
    with warehouse.writer() as con:
        return plans.find(con, plan_id)


def apply_plan(connections: Connections, plan_id: str, only: Sequence[str], run_id: str) -> Synced:
    """Send a plan that a person names, whole or in part."""
    who, kept = decide_as(), find_plan(connections.warehouse, plan_id)
    workflow = connections.workflow(kept.workflow)
    target, clock = connections.target(workflow)
    with connections.warehouse.writer() as con:
        ledger.ensure_ledger(con)
        if kept.state in plans.OPEN:
            plans.note_decider(con, kept.plan_id, who)
        ledger.note_run(
            con, run_id, kept.workflow, {"account": connections.clients[workflow.spec.connection_name].base_url}
        )
    return run_sync(
        connections.warehouse, workflow, target, run_id=run_id, clock=clock, plan_id=kept.plan_id, only=tuple(only)
    )


def reject_plan(connections: Connections, plan_id: str, why: str) -> Kept:
    """Drop a plan that a person names."""
    who, kept = decide_as(), find_plan(connections.warehouse, plan_id)
    with connections.warehouse.writer() as con:
        ledger.ensure_ledger(con)
        plans.reject(con, kept, connections.moment, why)
        plans.note_decider(con, kept.plan_id, who)
    return kept


def print_applied(plan_id: str, only: Sequence[str], console: Console) -> int:
    """Apply and print what came of it; returns the exit code."""
    run_id = str(uuid.uuid4())
    with open_connections() as connections:
        try:
            synced = apply_plan(connections, plan_id, only, run_id)
        except (SyncError, IntegrationError) as error:
            print_problems([str(error)], console)
            return 2
        print_summary(connections.warehouse, run_id, console)
        for row in synced.decisions.filter(synced.decisions["reason_code"].str.starts_with("stale_")).iter_rows(
            named=True
        ):
            console.print(f"{row['source']} {row['source_id']}: {row['reason']}", markup=False, soft_wrap=True)
        connections.warehouse.publish()
        return 1 if synced.stop else 0


def print_rejected(plan_id: str, why: str, console: Console) -> int:
    """Drop a plan; returns the exit code."""
    with open_connections() as connections:
        try:
            kept = reject_plan(connections, plan_id, why)
        except SyncError as error:
            print_problems([str(error)], console)
            return 2
    console.print(f"plan {kept.plan_id} of {kept.workflow} is rejected", highlight=False)
    return 0


def print_plans(console: Console, *, every: bool) -> int:
    """List the plans that can still be sent, or all; returns the exit code."""
    with open_connections() as connections:
        with connections.warehouse.writer() as con:
            ledger.ensure_ledger(con)
            plans.expire(con, connections.moment)
        shown = "true" if every else "state in ('made', 'waiting')"
        rows = connections.warehouse.read(
            "select plan_id, workflow, kind, state, writes, calls_needed, seconds_needed, made_at, expires_at, note"
            f" from sync_plans where {shown} order by made_at desc limit 50"
        )
    table = Table(
        "plan", "workflow", "kind", "state", "writes", "calls", "takes", "made", "until", title_justify="left"
    )
    for row in rows.iter_rows(named=True):
        table.add_row(
            row["plan_id"], row["workflow"], row["kind"][:13], row["state"], f"{row['writes']:,}",
            f"{row['calls_needed']:,}", duration(row["seconds_needed"]), f"{row['made_at']:%m-%d %H:%M}",
            f"{row['expires_at']:%m-%d %H:%M}",
        )  # fmt: skip
    console.print(table if rows.height else "no plan waits; `millpond plan GROUP` makes one")
    for row in rows.iter_rows(named=True):
        if row["state"] == plans.WAITING and row["note"]:
            console.print(f"{row['plan_id']}: {row['note']}", markup=False, highlight=False, soft_wrap=True)
    return 0


def _undone(
    connections: Connections, run: str, records: Sequence[str], where: str
) -> tuple[list[tuple[str, Undone]], list[str]]:
    """The plans that take a run back, by workflow, and why there is none for the others."""
    made, problems = [], []
    try:
        decide_as()
        for undo_run, name in runs_to_undo(connections.warehouse, run):
            try:
                workflow = connections.workflow(name)
                target, clock = connections.target(workflow)
                undone = plan_undo(
                    connections.warehouse, workflow, target, undo_run, run_id=str(uuid.uuid4()), clock=clock,
                    records=records, where=where,
                )  # fmt: skip
                made.append((name, undone))
            except (SyncError, IntegrationError) as error:
                problems.append(str(error))
    except SyncError as error:
        problems.append(str(error))
    return made, problems


def print_undo(run: str, records: Sequence[str], console: Console, *, where: str = "") -> int:
    """Make the plans that take a run back and print them; returns the exit code."""
    with open_connections() as connections:
        made, problems = _undone(connections, run, records, where)
        if not made:
            print_problems(problems, console)
            return 2
        for problem in problems:  # a record or a field of one workflow is unknown to the others
            console.print(problem, markup=False, highlight=False, soft_wrap=True)
        for name, undone in made:
            values = MillpondSettings().personal == "show"
            print_plan(connections.warehouse, name, console, plan_id=undone.plan_id, values=values)
            if undone.conflicts:
                console.print(f"{undone.conflicts} records were edited since and would be left as they are")
            console.print(f"`millpond apply {undone.plan_id}` sends it", highlight=False)
    return 0
