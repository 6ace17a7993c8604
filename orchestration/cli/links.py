"""Which record is which, by hand: candidates with their evidence, links that a person makes, the list of links.

millpond adopt | link | unlink | links
"""

import csv
import sys
from typing import Any

import polars as pl
from rich.console import Console

from assets.delivery.audit.explain import Record, find_records, workflows_of
from assets.delivery.imports.manual_links import Pin, candidates, pin, unpin
from assets.delivery.ledger import ledger
from assets.delivery.ledger.plans import SyncError
from assets.delivery.plan.planner import Workflow
from assets.delivery.spec.workflow_spec import WorkflowSpec
from assets.delivery.target import Action
from orchestration.authorization import decide_as
from orchestration.cli.explain import choose
from orchestration.cli.output import print_problems
from orchestration.cli.plans import Connections, open_connections
from resources.warehouse.tables import add_analytics, read_frame
from resources.warehouse.warehouse import Warehouse, WarehouseError

NEW = "new"  # in place of a target id: none of them is it
SHOWN_RECORDS = 20
SHOWN_CANDIDATES = 5
ASKED = {
    Action.AMBIGUOUS.value: "wait for a person",
    Action.ADOPT.value: "would be adopted",
    Action.CREATE.value: "would be created, though something like it is there",
}


def print_candidates(name: str, console: Console, *, every: bool) -> int:
    """Print the pairs that could be one, of one workflow or of all; returns the exit code."""
    with open_connections() as connections:
        try:
            for each in _planned(connections, name):
                _print_candidates(connections.warehouse, each, console, every=every)
        except (SyncError, WarehouseError) as error:
            print_problems([str(error)], console)
            return 2
    return 0


def _planned(connections: Connections, name: str) -> list[Workflow]:
    """The workflow of that name, or all, as far as there is a plan.

    Raises:
        SyncError: Nothing has been planned.
    """
    asked = [connections.workflow(name)] if name else list(connections.workflows.values())
    known = [
        each for each in asked if connections.warehouse.has(each.plan) and connections.warehouse.has(each.target_state)
    ]
    if not known:
        raise SyncError(f"nothing has been planned yet: `millpond plan {name or 'all'}` first")
    return known


def _print_candidates(warehouse: Warehouse, workflow: Workflow, console: Console, *, every: bool) -> None:
    target_state = warehouse.table(workflow.target_state)
    pairs = candidates(workflow.spec, warehouse.table(workflow.mart), target_state, warehouse.table(workflow.plan))
    _line(f"{workflow.name}: {pairs.select('source', 'source_id').n_unique()} records with candidates", console, "bold")
    there = {row["target_id"]: row for row in target_state.iter_rows(named=True)}
    for action, words in ASKED.items():
        of_action = pairs.filter(pl.col("action") == action)
        groups = of_action.group_by("source", "source_id", maintain_order=True)
        _line(f"{of_action.select('source', 'source_id').n_unique()} {words}", console, "italic")
        for number, ((source, source_id), rows) in enumerate(groups):
            if number == SHOWN_RECORDS and not every:
                _line("  … `--every` shows the others as well", console)
                break
            _line(f"  {source} {source_id}: {rows['reason'][0]}", console)
            for row in rows.head(SHOWN_CANDIDATES).iter_rows(named=True):
                _line(f"    {_candidate(workflow.spec, there[row['target_id']], row)}", console)
    if pairs.height:
        _line(
            "`millpond link RECORD TARGET_ID` says which one it is, `millpond link RECORD new` that it is none", console
        )


def _candidate(spec: WorkflowSpec, there: dict[str, Any], row: dict[str, Any]) -> str:
    """One candidate with what speaks for it and against it."""
    named = [rule.field for rule in spec.match_order] + ["name", "company"]
    name = next((there[field] for field in reversed(named) if there.get(field)), "")
    state = "" if there["is_active"] else ", switched off"
    agree, differ = (", ".join(row[part]) or "nothing" for part in ("agree", "differ"))
    holds = f"; holds the key {there['external_id']}" if there["external_id"] else ""
    return f"{row['target_id']}  {name}{state}: agrees in {agree}; differs in {differ}{holds}"


def print_linked(text: str, target_id: str, console: Console, *, workflow: str, why: str) -> int:
    """Keep a person's decision; returns the exit code."""
    with open_connections() as connections:
        try:
            record, chosen = _meant(connections, text, workflow, console)
            _, clock = connections.target(_planned(connections, chosen.name)[0])
            decided = Pin(
                workflow=chosen.name,
                source=record.source,
                source_id=record.source_id,
                target_id=None if target_id == NEW else target_id,
                decided_by=decide_as(),
                decided_at=clock.now().replace(tzinfo=None),
                note=why,
            )
            with connections.warehouse.writer() as con:
                pin(con, decided)
        except (SyncError, WarehouseError) as error:
            print_problems([str(error)], console)
            return 2
    what = "a new record" if decided.target_id is None else f"record {decided.target_id}"
    _line(f"{record.source} {record.source_id} is {what} of {chosen.spec.target}, says {decided.decided_by};", console)
    _line(f"the next run of {chosen.name} follows that. `millpond unlink {record.source_id}` takes it back", console)
    return 0


def print_unlinked(text: str, console: Console, *, workflow: str) -> int:
    """Forget a person's decision; returns the exit code."""
    with open_connections() as connections:
        try:
            decide_as()
            record, chosen = _meant(connections, text, workflow, console)
            with connections.warehouse.writer() as con:
                known = unpin(con, chosen.name, record.source, record.source_id)
        except (SyncError, WarehouseError) as error:
            print_problems([str(error)], console)
            return 2
    if not known:
        print_problems([f"nobody linked {record.source} {record.source_id} in {chosen.name}"], console)
        return 1
    _line(
        f"forgotten: {record.source} {record.source_id} in {chosen.name}. If a run has written our key into the",
        console,
    )
    _line("target's record since, that key still says that it is this one; clear it there to part them", console)
    return 0


def print_links(name: str, console: Console, *, as_csv: bool) -> int:
    """Every link with the address of the target's record; returns the exit code."""
    with open_connections() as connections:
        try:
            links = _links(connections.warehouse)
        except WarehouseError as error:
            print_problems([str(error)], console)
            return 2
    rows = links.filter(pl.col("workflow") == name) if name else links
    if as_csv:
        table = csv.writer(sys.stdout)
        table.writerows([rows.columns, *rows.rows()])
        return 0
    for row in rows.iter_rows(named=True):
        _line(
            f"{row['source']} {row['source_id']}: {row['target']} {row['target_id']}  {row['target_url'] or ''}",
            console,
        )
    if rows.is_empty():
        _line("nothing is linked yet", console)
    return 0


def _links(warehouse: Warehouse) -> pl.DataFrame:
    with warehouse.writer(transaction=False) as con:
        ledger.ensure_ledger(con)
        add_analytics(con)
        return read_frame(con, "from target_links")


def _meant(connections: Connections, text: str, name: str, console: Console) -> tuple[Record, Workflow]:
    """The one record that is meant, and the workflow: the one named, or the only one that reads such records.

    Raises:
        SyncError: None, or several.
    """
    found = find_records(connections.warehouse, text) if connections.warehouse.exists() else []
    if len(found) > 1:
        choose(found, console)
        raise SyncError(f"{text} means several records")
    if not found:
        raise SyncError(f"no record has the NetSuite id, number or name {text!r}, as of the last run")
    source = found[0].source
    names = [name] if name else workflows_of(connections.warehouse, source)
    if len(names) != 1:
        raise SyncError(f"{source} go to {', '.join(names) or 'no workflow'}; say which: `--workflow NAME`")
    return found[0], connections.workflow(names[0])


def _line(line: str, console: Console, style: str = "") -> None:
    console.print(line, style=style, markup=False, highlight=False, soft_wrap=True)
