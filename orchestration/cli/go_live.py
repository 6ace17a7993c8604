"""`millpond go-live`: check that everything is ready to run by itself, and switch schedules and sensors on.

doctor, workflow files, ledger  ->  CHECKS: a Finding each  ->  groups.yaml: `on: true`

A check is a function of the connections and the active workflows that yields findings; add further ones to CHECKS.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Annotated

import polars as pl
from cyclopts import Parameter

from assets.delivery.errors import SyncError
from assets.delivery.imports.manual_links import possible_matches
from assets.delivery.ledger.plan_kind import PlanKind
from assets.delivery.spec.policies import Limit
from assets.delivery.spec.workflow import Workflow
from assets.delivery.target import Action
from assets.result_texts import counted, did_you_mean
from orchestration.authorization import require_approver
from orchestration.automation.switch_on import switched_on
from orchestration.cli.doctor import findings
from orchestration.cli.exit_codes import CLEAN, FAILED, USAGE
from orchestration.cli.facts import note, with_json
from orchestration.cli.output import print_problems, print_wrapped
from orchestration.configuration.settings import MillpondSettings
from orchestration.connections import Connections, open_connections
from orchestration.workflow_files import load_user_files
from resources.atomic_file import write_atomically
from resources.diagnostics import Finding
from resources.warehouse.warehouse import WarehouseError

Check = Callable[[Connections, Sequence[Workflow]], Iterator[Finding]]
GROUPS = "groups.yaml"


@with_json
def go_live(*groups: str, check: Annotated[bool, Parameter(negative="")] = False) -> int:
    """Check that everything is ready, and switch schedules and sensors on.

    Args:
        groups: Groups of groups.yaml that run by themselves from now on; the nightly comparison and the maintenance do
            as well. Nothing is switched on unless every check passes.
        check: Only check.
    """
    settings = MillpondSettings()
    files = load_user_files(settings.workflows)
    known = [name for name, group in files.groups.groups.items() if group.timings or group.sensor]
    unknown = [name for name in groups if name not in known]
    if unknown or not (groups or check):
        meant = did_you_mean(unknown[0], known) if unknown else ""
        print_problems(
            [f"name the groups that run by themselves: {', '.join(known) or 'none has a schedule'}; {meant}"]
        )
        return USAGE
    try:
        if not check:
            require_approver()
        is_ready = _print_checks(groups)
    except SyncError as error:
        print_problems([str(error)])
        return USAGE
    except WarehouseError as error:
        print_problems([str(error)])
        return FAILED
    if not is_ready:
        print_problems(["not ready: nothing was switched on"] if not check else [])
        return FAILED
    return CLEAN if check else _switch_on(settings, groups)


def _print_checks(groups: Sequence[str]) -> bool:
    """Print each check; return whether all passed."""
    is_ready = True
    files = load_user_files(MillpondSettings().workflows)
    with open_connections() as connections:
        chosen = {name for group in groups for name in files.groups.groups[group].workflows} or set(
            connections.workflows
        )
        workflows = [each for each in connections.workflows.values() if each.spec.active and each.name in chosen]
        for each in CHECKS:
            for finding in each(connections, workflows):
                is_ready &= finding.passed
                note(checks=[{**asdict(finding), "passed": finding.passed}])
                line = f"{finding.system}: {finding.check}: {finding.found}"
                line = f"✓ {line}" if finding.passed else f"✗ {line}; {finding.fix}"
                print_wrapped(line, "green" if finding.passed else "red")
    return is_ready


def _switch_on(settings: MillpondSettings, groups: Sequence[str]) -> int:
    path = settings.workflows / GROUPS
    made = switched_on(path.read_bytes().decode("utf-8"), groups)
    if made.names:
        write_atomically(path, made.text)
    for each in made.names:
        print_wrapped(f"✓ {each} is on", "green")
    print_wrapped(
        f"{path} says so; reload the definitions in Dagster, or restart `millpond ui`. A schedule that was stopped in"
        " Dagster's pages is started there."
        if made.names
        else f"everything of {', '.join(groups)} is on already"
    )
    return CLEAN


def _doctor(_connections: Connections, _workflows: Sequence[Workflow]) -> Iterator[Finding]:
    """Yield what `millpond doctor` finds wrong, or that it finds nothing."""
    wrong = [each for each in findings() if not each.passed]
    yield from wrong
    if not wrong:
        yield Finding("millpond", "doctor", "every check passed")


def _guards(_connections: Connections, workflows: Sequence[Workflow]) -> Iterator[Finding]:
    """Yield for each workflow whether a run without a person can create and update any number of records."""
    if not workflows:
        yield Finding("millpond", "workflows", "none is active", "`millpond activate WORKFLOW`")
    for each in workflows:
        open_ended = [name for name in ("create", "update") if getattr(each.spec.guards, name) == Limit()]
        found = f"{' and '.join(open_ended)} {'has' if len(open_ended) == 1 else 'have'} no limit" if open_ended else ""
        fix = "set `guards: {create: {rows: 500}, update: {rows: 500}}` in its file" if open_ended else ""
        yield Finding(each.name, "guards", found or "creates and updates have limits", fix)


def _matched(connections: Connections, workflows: Sequence[Workflow]) -> Iterator[Finding]:
    """Yield for each workflow whether records that exist in the target are linked, and not created once more."""
    for each in workflows:
        warehouse = connections.warehouse
        if not all(warehouse.has(name) for name in (each.plan, each.mart, each.target_state)):
            yield Finding(each.name, "matched", "never planned", f"`millpond plan {each.name}`")
            continue
        pairs = possible_matches(
            each.spec, warehouse.table(each.mart), warehouse.table(each.target_state), warehouse.table(each.plan)
        )
        doubtful = pairs.filter(pl.col("action").is_in([Action.CREATE.value, Action.AMBIGUOUS.value]))
        count = doubtful.select("source", "source_id").n_unique()
        found = f"{counted(count, 'records')} would be created, or match several, although similar ones exist"
        if count:
            yield Finding(
                each.name, "matched", found, f"`millpond match {each.name}` lists them; `millpond link` decides"
            )
        else:
            yield Finding(each.name, "matched", "no record would be created that may exist")


def _reviewed(connections: Connections, workflows: Sequence[Workflow]) -> Iterator[Finding]:
    """Yield for each workflow whether a person approved a plan of it that was sent."""
    for each in workflows:
        rows = []
        if connections.warehouse.has("sync_plans"):
            rows = connections.warehouse.read(_REVIEWED, [each.name, PlanKind.SYNC]).rows()
        if rows and rows[0][0]:
            yield Finding(each.name, "first plan", f"plan {rows[0][0]} was approved by {rows[0][1]}, and sent")
        else:
            fix = f"`millpond plan {each.name}`, then `millpond apply PLAN`, or approve it in the console"
            yield Finding(each.name, "first plan", "no plan was approved by a person and sent", fix)


_REVIEWED = """
select max_by(plan_id, position), max_by(decided_by, position) from sync_plans
where workflow = ? and kind = ? and decided_by is not null and sent_by is not null and state in ('sent', 'partial')
"""
CHECKS: Sequence[Check] = (_doctor, _guards, _matched, _reviewed)
