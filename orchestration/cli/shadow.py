"""`millpond shadow`: compare beside another connector for some nights, and send nothing meanwhile.

start WORKFLOW  ->  each run and plan compares  ->  report WORKFLOW: every difference with its cause  ->  stop WORKFLOW
"""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import duckdb
from cyclopts import App

from assets.delivery.errors import SyncError
from assets.delivery.ledger.shadows import Shadow, begin_shadow, end_shadow
from assets.delivery.locks import writer_lock
from assets.delivery.shadow.facts import span
from assets.delivery.shadow.report import TITLES, Example, Parity, accept, read_parity, shadowed_workflows
from assets.delivery.spec.workflow import Workflow
from assets.result_texts import counted, did_you_mean
from orchestration.authorization import require_approver
from orchestration.cli.exit_codes import CLEAN, FAILED, USAGE
from orchestration.cli.facts import note, with_json
from orchestration.cli.html_page import write_page
from orchestration.cli.output import print_line, print_problems, print_wrapped
from orchestration.configuration.settings import MillpondSettings
from orchestration.opened_warehouse import warehouse_clock, warehouse_of
from orchestration.workflow_files import load_workflows
from resources.clock import utc_now
from resources.failpoints import reach
from resources.warehouse.warehouse import Warehouse, WarehouseError

NO_VALUE = "∅"
HOUR_S = 3600.0

app = App(
    name="shadow",
    help="Compare beside another connector and send nothing: start, report, accept, stop.",
    suppress_keyboard_interrupt=False,
)


@app.command
@with_json
def start(*workflows: str, beside: str = "the connector", interval_h: float | None = None) -> int:
    """Start the shadow mode of workflows: from now on, nothing of them is sent.

    Args:
        workflows: The workflows; those that they need first.
        beside: The connector that writes meanwhile, as reports name it.
        interval_h: Hours between two of its runs, such as 1 or 24; when omitted, they are observed.
    """

    def begin(con: duckdb.DuckDBPyConnection, workflow: Workflow, person: str, now: Any) -> Shadow:
        declared_s = None if interval_h is None else interval_h * HOUR_S
        return begin_shadow(con, Shadow(workflow.name, 0, beside, declared_s, person, now))

    if interval_h is not None and interval_h <= 0:
        print_problems(["`--interval-h` is a number of hours, such as 1 or 24"])
        return USAGE
    return _decide(workflows, begin, lambda shadow: f"{shadow.sentence}; each run and plan compares from now on")


@app.command
@with_json
def stop(*workflows: str, reason: str = "") -> int:
    """Stop the shadow mode of workflows: their next runs send again, within their guards.

    Args:
        workflows: The workflows. Plans that were made in shadow mode expire; the next run makes new ones.
        reason: Why; recorded with your name.
    """

    def end(con: duckdb.DuckDBPyConnection, workflow: Workflow, person: str, now: Any) -> Shadow:
        return end_shadow(con, workflow.name, person, now, reason)

    def text(shadow: Shadow) -> str:
        return f"{shadow.workflow} is no longer in shadow mode, as {shadow.stopped_by} decided; the next run may send"

    return _decide(workflows, end, text)


@app.command
@with_json
def report(*workflows: str, html: Path | None = None) -> int:
    """Report the newest comparison: how many records are alike, and why the others differ.

    Args:
        workflows: The workflows; all in shadow mode when omitted.
        html: Also write it as a page to this file.
    """
    settings = MillpondSettings()
    hides = settings.personal_data != "show"
    versions = {each.name: each.spec.version for each in load_workflows(settings.workflows)[0]}
    try:
        with warehouse_of(settings).writer(transaction=False) as con:
            known = shadowed_workflows(con)
            found = {
                name: read_parity(con, name, versions.get(name, ""), hides=hides)
                for name in workflows or known
                if name in known
            }
    except WarehouseError as error:
        print_problems([str(error)])
        return FAILED
    unknown = [name for name in workflows if name not in known]
    if unknown or not known:
        meant = did_you_mean(unknown[0], known) if unknown else ""
        names = " and ".join(unknown) or "no workflow"
        print_problems([f"never in shadow mode: {names}; {meant}`millpond shadow start` begins it"])
        return USAGE
    shown = [each for each in found.values() if each]
    note(parity=[document(each) for each in shown])
    if html:
        texts = {"titles": TITLES, "facts": facts, "example": example_text, "span": span}
        write_page("shadow", html, found=shown, hides=hides, **texts)
    for each in shown:
        _print(each)
    return CLEAN if all(each.is_explained for each in shown) else FAILED


@app.command(name="accept")
@with_json
def accept_(workflow: str, *what: str, reason: str = "") -> int:
    """Accept differences without a known cause, by field or NetSuite id.

    Args:
        workflow: The workflow.
        what: Fields, or NetSuite ids; the same difference stays accepted as long as both values stay.
        reason: Why; recorded with your name.
    """
    if not what or not reason.strip():
        print_problems(["name fields or NetSuite ids, and add `--reason TEXT`; it is recorded with your name"])
        return USAGE

    def take(con: duckdb.DuckDBPyConnection, of: Workflow, person: str, now: Any) -> int:
        count = accept(con, of, what, person, now, reason)
        if not count:
            raise SyncError(f"{of.name} has no difference without a cause in {', '.join(what)}")
        return count

    return _decide((workflow,), take, lambda count: f"{counted(count, 'differences')} accepted")


def _decide(names: tuple[str, ...], decide: Callable[..., Any], text: Callable[[Any], str]) -> int:
    """Decide on each workflow while no run writes to its target, and record who did."""
    settings = MillpondSettings()
    workflows = {each.name: each for each in load_workflows(settings.workflows)[0]}
    unknown = [name for name in names if name not in workflows]
    if unknown or not names:
        meant = did_you_mean(unknown[0], workflows) if unknown else ""
        print_problems([f"name workflows; {meant}known are {', '.join(workflows)}"])
        return USAGE
    warehouse, now = warehouse_of(settings), utc_now(warehouse_clock(settings))
    try:
        person = require_approver()
        for name in names:
            made = _alone(warehouse, workflows[name], decide, person, now)
            print_wrapped(f"✓ {text(made)}", "green")
    except SyncError as error:
        print_problems([str(error)])
        return USAGE
    except WarehouseError as error:
        print_problems([str(error)])
        return FAILED
    if warehouse.exists():
        warehouse.publish()
    return CLEAN


def _alone(warehouse: Warehouse, workflow: Workflow, decide: Callable[..., Any], person: str, now: Any) -> Any:
    with writer_lock(warehouse, workflow.spec.connection_name):
        with warehouse.writer() as con:
            made = decide(con, workflow, person, now)
            reach("shadow_begins")
        reach("shadow_kept")
        return made


def document(parity: Parity) -> dict[str, Any]:
    """Return a parity as an object."""
    groups = [{**asdict(each), "text": each.text, "is_accepted": each.is_accepted} for each in parity.groups]
    return {
        "workflow": parity.shadow.workflow, "shadow": asdict(parity.shadow), "summary": parity.summary,
        "is_explained": parity.is_explained, "interval": parity.interval, "night": parity.night, "groups": groups,
        "nights": list(parity.nights),
    }  # fmt: skip


def _print(parity: Parity) -> None:
    good = parity.is_explained
    print_wrapped(f"{'✓' if good else '✗'} {parity.shadow.workflow}: {parity.summary}", "green" if good else "red")
    for line in facts(parity):
        print_wrapped(line, indent=4)
    for each in parity.groups:
        print_line("")
        print_wrapped(f"  {each.text}", "bold")
        print_wrapped(f"cause: {TITLES.get(each.cause, each.cause)}", indent=4)
        print_wrapped(f"evidence: {each.evidence}", indent=4)
        for example in each.examples:
            print_wrapped(example_text(example), indent=4)


def facts(parity: Parity) -> list[str]:
    """Return when both sides were read, what was not compared, and what the connector is known to do."""
    shadow, night = parity.shadow, parity.night
    until = f" until {shadow.stopped_at:%Y-%m-%d %H:%M} UTC by {shadow.stopped_by}" if shadow.stopped_at else ""
    lines = [f"beside {shadow.incumbent} since {shadow.started_at:%Y-%m-%d %H:%M} UTC by {shadow.started_by}{until}"]
    if night:
        read = [
            f"{name} read at {night[key]:%Y-%m-%d %H:%M} UTC"
            for name, key in (("NetSuite", "netsuite_at"), ("the target", "target_at"))
            if night[key]
        ]
        lines.append(f"comparison {night['night']}: {', '.join(read) or 'times of reading not known'}")
        lines.append(f"the connector: {parity.interval}")
        aside = [f"{counted(night['held'], 'records')} held back by us"] if night["held"] else []
        aside += (
            [f"{counted(night['only_there'], 'records')} of the target without a NetSuite record"]
            if night["only_there"]
            else []
        )
        lines += [f"not compared: {', '.join(aside)}"] if aside else []
    return lines


def example_text(example: Example) -> str:
    """Return one example as a line: both ids, and both values if there are any."""
    ids = f"{example.source} {example.source_id}" + (f", target {example.target_id}" if example.target_id else "")
    if example.wanted is None and example.found is None:
        return ids
    return f"{ids}: we {example.wanted or NO_VALUE}, the target {example.found or NO_VALUE}"
