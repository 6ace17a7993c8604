"""`millpond go-live`: check that everything is ready to run by itself, and switch schedules and sensors on.

doctor, workflow files, ledger  ->  CHECKS: a Finding each  ->  groups.yaml: `on: true`

A check is a function of the connections and the active workflows that yields findings; add further ones to CHECKS.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict

import polars as pl

from assets.delivery.errors import SyncError
from assets.delivery.imports.manual_links import read_matches
from assets.delivery.ledger.events import Happened, since
from assets.delivery.ledger.plan_kind import PlanKind
from assets.delivery.ledger.plans import A_PART
from assets.delivery.ledger.shadows import confirm_off, last_shadow
from assets.delivery.ledger.tables import ensure_ledger
from assets.delivery.shadow.report import OTHER_FILE, read_parity
from assets.delivery.spec.policies import Limit
from assets.delivery.spec.workflow import Workflow
from assets.delivery.target import Action
from assets.result_texts import counted, did_you_mean
from orchestration.authorization import require_approver
from orchestration.automation.switch_on import SwitchOnError, switched_on
from orchestration.cli.doctor import findings
from orchestration.cli.exit_codes import CLEAN, FAILED, USAGE
from orchestration.cli.facts import note, with_json
from orchestration.cli.output import print_problems, print_wrapped
from orchestration.configuration.settings import MillpondSettings
from orchestration.connections import Connections, open_connections
from orchestration.dagster_instance import open_instance
from orchestration.workflow_files import load_user_files, runnable_workflows
from resources.atomic_file import write_atomically
from resources.diagnostics import Finding
from resources.warehouse.warehouse import WarehouseError

Check = Callable[[Connections, Sequence[Workflow]], Iterator[Finding]]
GROUPS = "groups.yaml"


@with_json
def go_live(
    *groups: str,
    check: bool = False,
    incumbent_off: bool = False,
) -> int:
    """Check that everything is ready, and switch schedules and sensors on.

    Args:
        groups: Groups of groups.yaml that run by themselves from now on; the nightly comparison and the maintenance do
            as well. Nothing is switched on unless every check passes.
        check: Only check.
        incumbent_off: You confirm that the other connector of these groups is switched off; recorded with your name.
    """
    settings = MillpondSettings()
    files = load_user_files(settings.workflows)
    known = [name for name, group in files.groups.groups.items() if group.timings or group.sensor]
    unknown = [name for name in groups if name not in known]
    if unknown or not (groups or check):
        print_problems([_unknown(unknown, known)])
        return USAGE
    try:
        person = require_approver() if incumbent_off or not check else ""
        is_ready = _print_checks(groups, confirmed_by=person if incumbent_off else "")
        if is_ready and not check:
            return _switch_on(settings, groups)
    except SyncError as error:
        print_problems([str(error)])
        return USAGE
    except (WarehouseError, SwitchOnError) as error:
        print_problems([str(error)])
        return FAILED
    if not is_ready:
        print_problems(["not ready: nothing was switched on"] if not check else [])
        return FAILED
    print_wrapped(f"✓ ready; `millpond go-live {' '.join(groups) or 'GROUP'}` switches on", "green")
    return CLEAN


def _unknown(unknown: Sequence[str], known: Sequence[str]) -> str:
    """Return what to write instead of an unknown group, or of none."""
    if not known:
        return "no group of groups.yaml has a schedule or a sensor; add one first"
    listed = f"the groups that can run by themselves are {', '.join(known)}"
    if not unknown:
        return f"name a group; {listed}"
    meant = did_you_mean(unknown[0], known)
    return f"no group `{unknown[0]}` with a schedule or a sensor; {meant}{' ' if meant else ''}{listed}"


def _print_checks(groups: Sequence[str], confirmed_by: str = "") -> bool:
    """Print each check; return whether all passed."""
    is_ready = True
    settings = MillpondSettings()
    files = load_user_files(settings.workflows)
    with open_connections(settings) as connections:
        chosen = {name for group in groups for name in files.groups.groups[group].workflows} or set(
            connections.workflows
        )
        runnable = runnable_workflows([*connections.workflows.values()], settings)
        workflows = [each for each in connections.workflows.values() if each.name in runnable & chosen]
        if confirmed_by:
            _confirm_off(connections, workflows, confirmed_by)
        for each in CHECKS:
            for finding in each(connections, workflows):
                is_ready &= finding.passed
                note(checks=[{**asdict(finding), "passed": finding.passed}])
                line = f"{finding.system}: {finding.check}: {finding.found}"
                fix = finding.fix.replace("GROUP", " ".join(groups) or "GROUP")
                line = f"✓ {line}" if finding.passed else f"✗ {line}; {fix}"
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
        f"{path} says so; reload the definitions in Dagster, or restart `millpond ui`."
        if made.names
        else f"everything of {', '.join(groups)} is already on in {path}"
    )
    stopped = _stopped(settings, made.on)
    print_problems([f"{each} was stopped in Dagster's pages, and stays so: start it there" for each in stopped])
    return FAILED if stopped else CLEAN


def _stopped(settings: MillpondSettings, names: Sequence[str]) -> list[str]:
    """Return which schedules and sensors were stopped in Dagster's pages, where that counts more than the file."""
    with open_instance(settings) as instance:
        stopped = {each.instigator_name for each in instance.all_instigator_state() if each.status.value == "STOPPED"}
    return [name for name in names if name in stopped]


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
        if not all(warehouse.has(name) for name in ("sync_plans", each.plan, each.mart, each.target_state)):
            yield Finding(each.name, "matched", "never planned", f"`millpond plan {each.name}`")
            continue
        if not any(warehouse.read(_PLANNED, [each.spec.version, each.name, PlanKind.SYNC]).to_series()):
            found = "not planned since the workflow file changed, or got another account"
            yield Finding(each.name, "matched", found, f"`millpond plan {each.name}`")
            continue
        with warehouse.writer(transaction=False) as con:
            pairs = read_matches(con, each)
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
    """Yield for each workflow whether a person approved a plan of it, as it is now, that was sent."""
    for each in workflows:
        rows: list[tuple[str, str, bool, bool, bool]] = []
        unread = 0
        if connections.warehouse.has("sync_plans"):
            rows = connections.warehouse.read(_REVIEWED, [each.spec.version, each.name, PlanKind.SYNC]).rows()
        plan_id, person, is_part, is_of_file, is_of_account = rows[0] if rows else ("", "", False, True, True)
        if plan_id and connections.warehouse.has(each.plan):
            unread = connections.warehouse.read(_UNREAD.format(plan=each.plan), [each.name, PlanKind.SYNC]).item()
        found = f"{'a part of ' if is_part else ''}plan {plan_id} was approved by {person}, and sent"
        fix = f"`millpond plan {each.name}`, then `millpond apply PLAN`, or approve it in the console"
        if not plan_id:
            yield Finding(each.name, "first plan", "no plan was approved by a person and sent", fix)
        elif not is_of_account:
            found += ", before the workflow got another account or was compared with another connector"
            yield Finding(each.name, "first plan", found, fix)
        elif not is_of_file:
            yield Finding(each.name, "first plan", f"{found}, but the workflow file has changed since", fix)
        elif unread:
            found = f"{counted(unread, 'records')} had to wait for what has not run, so that no plan shows them yet"
            yield Finding(each.name, "first plan", found, f"`millpond plan {each.name}`, then `millpond apply PLAN`")
        else:
            yield Finding(each.name, "first plan", found)


_PLANNED = f"""
select workflow_version is not distinct from ? and {since("plan", Happened.REBOUND)}
from sync_plans as plan where workflow = ? and kind = ? order by position desc limit 1
"""
_REVIEWED = f"""
select plan_id, decided_by, starts_with(coalesce(note, ''), '{A_PART}'), workflow_version is not distinct from ?,
    {since("plan", Happened.REBOUND, Happened.SHADOW_STARTED)}
from sync_plans as plan
where workflow = ? and kind = ? and decided_by is not null and sent_by is not null and state in ('sent', 'partial')
order by position desc limit 1
"""
_UNREAD = """
select count(*) from {plan} where reason_code = 'not_read'
    and plan_id = (select max_by(plan_id, position) from sync_plans where workflow = ? and kind = ?)
"""


def _confirm_off(connections: Connections, workflows: Sequence[Workflow], person: str) -> None:
    """Record that a person confirmed that the connector beside which workflows were compared is switched off."""
    with connections.warehouse.writer() as con:
        ensure_ledger(con)
        for each in workflows:
            shadow = last_shadow(con, each.name)
            if shadow:
                confirm_off(con, shadow, person, connections.now)


def _parity(connections: Connections, workflows: Sequence[Workflow]) -> Iterator[Finding]:
    """Yield for each workflow with a shadow whether every difference has a cause, or was accepted by a person."""
    if not connections.warehouse.exists():
        return
    with connections.warehouse.writer(transaction=False) as con:
        found = {each.name: read_parity(con, each.name, each.spec.version, hides=True) for each in workflows}
    for name, parity in found.items():
        if parity and parity.is_of_other_file:
            fix = f"`millpond plan {name}` compares again"
            yield Finding(name, "parity", OTHER_FILE, fix)
        elif parity is None:
            yield Finding(name, "parity", "no other connector was compared with it")
        elif parity.is_explained:
            yield Finding(name, "parity", parity.summary)
        elif parity.night is None:
            yield Finding(name, "parity", parity.summary, f"`millpond plan {name}`")
        else:
            places = ", ".join(dict.fromkeys(each.field for each in parity.unexplained))
            fix = f"`millpond shadow report {name}`; or `millpond shadow accept {name} FIELD --reason TEXT`"
            count = sum(each.records for each in parity.unexplained)
            yield Finding(name, "parity", f"{counted(count, 'differences')} without a cause, in {places}", fix)


def _incumbent(connections: Connections, workflows: Sequence[Workflow]) -> Iterator[Finding]:
    """Yield for each workflow with a shadow whether the other connector is off, and the shadow ended."""
    if not connections.warehouse.exists():
        return
    with connections.warehouse.writer(transaction=False) as con:
        shadows = [shadow for each in workflows if (shadow := last_shadow(con, each.name))]
    for shadow in shadows:
        off = f"{shadow.incumbent} is off, as {shadow.off_by} confirmed" if shadow.off_by else ""
        if not off:
            fix = "switch it off for these records, then `millpond go-live GROUP --incumbent-off`"
            yield Finding(shadow.workflow, "incumbent", f"no one confirmed that {shadow.incumbent} is off", fix)
        elif shadow.is_active:
            fix = f"`millpond shadow stop {shadow.workflow}`, then plan and apply as a first plan"
            yield Finding(shadow.workflow, "incumbent", f"{off}, but nothing is sent yet: shadow mode goes on", fix)
        else:
            yield Finding(shadow.workflow, "incumbent", off)


CHECKS: Sequence[Check] = (_doctor, _parity, _matched, _guards, _incumbent, _reviewed)
