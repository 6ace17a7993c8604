"""`millpond forget`: erase the personal values of one record, and prove it; or let them be read again.

SOURCE ID --reason TEXT  ->  forget_record()  ->  the proof: what was searched and erased, and what is left
"""

from assets.delivery.audit.find import find_records
from assets.delivery.chain.checkpoints import ChainError
from assets.delivery.errors import MappingError, SyncError
from assets.delivery.forget.erase import Decision
from assets.delivery.spec.sources import STAGING_PREFIX
from assets.result_texts import did_you_mean
from orchestration.authorization import require_approver
from orchestration.cli.exit_codes import CLEAN, FAILED, USAGE
from orchestration.cli.facts import note, with_json
from orchestration.cli.output import NOTHING_READ, print_problems, print_wrapped
from orchestration.cli.records import print_choices
from orchestration.configuration.settings import MillpondSettings
from orchestration.forgetting.perform import forget_record, lift_forgetting, plan_forgetting
from orchestration.opened_warehouse import warehouse_clock, warehouse_of
from orchestration.workflow_files import load_workflows
from resources.clock import utc_now
from resources.warehouse.tables import tables_of
from resources.warehouse.warehouse import Warehouse, WarehouseError


@with_json
def forget(
    source: str,
    record: str,
    *,
    reason: str = "",
    dry_run: bool = False,
    lift: bool = False,
) -> int:
    """Erase the personal values of one record everywhere, and prove it.

    Args:
        source: The record type, such as contacts or customers.
        record: The NetSuite id. Ids, counts and decisions stay; backups from before are not changed.
        reason: Why; recorded with your name. It cannot be undone.
        dry_run: Print what would be erased, and change nothing.
        lift: Let the next reading store the values again that NetSuite still has.
    """
    settings = MillpondSettings()
    warehouse = warehouse_of(settings)
    if not warehouse.exists():
        print_problems([NOTHING_READ])
        return USAGE
    if not dry_run and not reason.strip():
        print_problems(["add `--reason TEXT`, which is recorded with your name, or `--dry-run` to see what it erases"])
        return USAGE
    try:
        decision = Decision(require_approver(), utc_now(warehouse_clock(settings)), reason.strip())
        _require_source(warehouse, source)
        if lift:
            return _lift(settings, source, record, decision)
        if dry_run:
            proof = plan_forgetting(settings, source, record, decision)
        else:
            workflows, _ = load_workflows(settings.workflows)
            proof = forget_record(settings, workflows, source, record, decision)
    except (SyncError, MappingError) as error:
        _suggest(warehouse, record)
        print_problems([str(error)])
        return USAGE
    except (ChainError, WarehouseError, TimeoutError, OSError) as error:
        print_problems([f"{error}; correct this and repeat the command: it continues"])
        return FAILED
    note(forgotten=proof.document())
    for line in proof.lines():
        print_wrapped(line)
    return CLEAN


def _require_source(warehouse: Warehouse, source: str) -> None:
    """Raise SyncError, with the record types that were read, if this one never was."""
    with warehouse.writer(transaction=False) as con:
        known = sorted(each.removeprefix(STAGING_PREFIX) for each in tables_of(con) if each.startswith(STAGING_PREFIX))
    if source not in known:
        raise SyncError(f"no record type {source}; {did_you_mean(source, known)}known are {', '.join(known)}")


def _lift(settings: MillpondSettings, source: str, record: str, decision: Decision) -> int:
    if not lift_forgetting(settings, source, record, decision):
        raise SyncError(f"{source} {record} is not forgotten; there is nothing to lift")
    print_wrapped(
        f"{source} {record}: the next reading that shows it stores its values again; `millpond resend {record}` reads"
        " it now"
    )
    return CLEAN


def _suggest(warehouse: Warehouse, text: str) -> None:
    """List the records that a text may mean, if it is not an id of the record type."""
    found = find_records(warehouse, text, partial=True)
    if found:
        print_choices(found)
