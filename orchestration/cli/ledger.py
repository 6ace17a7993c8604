"""`millpond ledger`: verify that no one tampered with the ledger, and export it for an auditor.

warehouse, or an export  ->  ledger verify [FOLDER]          warehouse  ->  ledger export FOLDER
a finding that is known  ->  ledger acknowledge              a key that was lost  ->  ledger restart
"""

from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from cyclopts import App

from assets.delivery.chain.checkpoints import SHOWN, ChainError
from assets.delivery.chain.findings import Findings
from assets.delivery.errors import SyncError
from assets.result_texts import counted
from orchestration.authorization import require_approver
from orchestration.cli.exit_codes import CLEAN, FAILED, USAGE
from orchestration.cli.facts import note, with_json
from orchestration.cli.output import NOTHING_READ, print_line, print_problems, print_wrapped
from orchestration.configuration.settings import MillpondSettings
from orchestration.opened_warehouse import warehouse_of
from resources.redaction import redact
from resources.warehouse.warehouse import Warehouse, WarehouseError

app = App(
    name="ledger",
    help="Verify that the ledger was not changed, or export it for an auditor.",
    suppress_keyboard_interrupt=False,
)
NAMES = {"attempt": "attempts", "decision": "decisions", "ended": "decision ends", "event": "events"}


@app.command
@with_json
def verify(folder: Path | None = None, *, public_key: tuple[str, ...] = (), checkpoint: tuple[Path, ...] = ()) -> int:
    """Verify that no row of the ledger was changed, removed, inserted or moved.

    Args:
        folder: A folder of `millpond ledger export`, which needs no warehouse; the warehouse when omitted.
        public_key: Key that is trusted; those of MILLPOND_LEDGER_KEY when omitted. May be repeated.
        checkpoint: File with a checkpoint that was kept elsewhere, or the manifest of an earlier export: the chain must
            still have it. May be repeated.
    """
    try:
        found = _verified(folder, public_key, checkpoint)
    except (ChainError, WarehouseError, ValueError) as error:
        print_problems([str(error)])
        return FAILED if isinstance(error, WarehouseError) else USAGE
    note(ledger=document(found))
    _print(found)
    return CLEAN if found.is_whole else FAILED


def _verified(folder: Path | None, public_key: tuple[str, ...], checkpoint: tuple[Path, ...]) -> Findings:
    from assets.delivery.chain.export_check import verify_export  # late: one of both is needed
    from assets.delivery.chain.kept import read_kept
    from orchestration.ledger_check import verify_ledger
    from orchestration.ledger_sealing import ledger_signer

    if folder is not None:
        return verify_export(folder, public_key or ledger_signer().public_keys)
    kept = [read_kept(each) for each in checkpoint]
    if missing := [str(file) for file, each in zip(checkpoint, kept, strict=True) if each is None]:
        raise ChainError(f"{', '.join(missing)}: no such file; correct the path")
    return verify_ledger(_warehouse(), public_key, [each for each in kept if each])


def _warehouse() -> Warehouse:
    """Return the warehouse; ChainError if there is none yet."""
    warehouse = warehouse_of(MillpondSettings())
    if not warehouse.exists():
        raise ChainError(NOTHING_READ)
    return warehouse


@app.command
@with_json
def export(
    folder: Path, *, since: date | None = None, until: date | None = None, parquet: bool = False, values: bool = False
) -> int:
    """Export the ledger of some days for an auditor.

    Args:
        folder: A new folder. `millpond ledger verify FOLDER` checks it on any machine.
        since: First day; the first one when omitted.
        until: Last day; the last one when omitted.
        parquet: Write Parquet instead of CSV.
        values: Include personal values: what was sent, reasons, notes. Without them their hashes stand for them.
    """
    from assets.delivery.chain.export import Export, export_ledger  # late: it opens the warehouse

    wanted = Export(since or date.min, until or date.max, "parquet" if parquet else "csv", has_values=values)
    try:
        warehouse = _warehouse()
        with warehouse.writer(transaction=False, tuned=True) as con:
            made = export_ledger(con, wanted, folder, datetime.now(UTC).replace(tzinfo=None))
    except (ChainError, WarehouseError) as error:
        print_problems([str(error)])
        return USAGE if isinstance(error, ChainError) else FAILED
    note(ledger_export=made)
    for name, facts in made["files"].items():
        print_line(f"{name}.{made['file_format']}: {counted(facts['rows'], 'rows')}")
    keys = ", ".join(made["public_keys"]) or "none, so whoever can write the warehouse can make such an export"
    print_wrapped(f"public keys: {keys}")
    print_wrapped(f"exported to {folder}; `millpond ledger verify {folder}` checks it on any machine", "green")
    if not _verified(folder, (), ()).is_whole:
        print_problems([f"the exported ledger is not whole: `millpond ledger verify {folder}` lists the findings"])
        return FAILED
    return CLEAN


@app.command
@with_json
def acknowledge(finding: str, *, reason: str) -> int:
    """Acknowledge a finding of `ledger verify`: it stays listed, but raises no alarm unless it changes.

    Args:
        finding: Its id, or the beginning of it, as `ledger verify` prints it.
        reason: Why nothing needs to be done; chained with your name.
    """
    from orchestration.ledger_check import acknowledge_finding  # late: it opens the warehouse

    def decide(warehouse: Warehouse, person: str) -> str:
        found = acknowledge_finding(warehouse, finding, person, redact(reason))
        note(ledger_acknowledged=asdict(found))
        return f"acknowledged by {person}: {found.what}: {found.text}"

    return _decided(decide, reason)


@app.command
@with_json
def restart(*, reason: str) -> int:
    """Begin the signatures anew with the key that is set, because the one that signed last was lost.

    Args:
        reason: How the key was lost; chained with your name. Each later verification says from where on the new key
            vouches for the ledger.
    """
    from orchestration.ledger_check import restart_ledger  # late: it opens the warehouse

    def decide(warehouse: Warehouse, person: str) -> str:
        made = restart_ledger(warehouse, person, redact(reason))
        note(ledger_restarted={"checkpoint": made.number, "public_key": made.public_key})
        return (
            f"checkpoint {made.number} is signed with the new key {made.public_key[:SHOWN]}…; what was signed before it"
            " is not vouched for by that key, which `millpond ledger verify` says from now on"
        )

    return _decided(decide, reason)


def _decided(decide: Callable[[Warehouse, str], str], reason: str) -> int:
    """Carry out a person's decision about the ledger and print what was done."""
    try:
        if not reason.strip():
            raise ChainError("`--reason` is blank; the ledger keeps it with your name")
        text = decide(_warehouse(), require_approver())
    except (SyncError, WarehouseError, ValueError) as error:
        print_problems([str(error)])
        return FAILED if isinstance(error, WarehouseError) else USAGE
    print_wrapped(text, "green")
    return CLEAN


def document(found: Findings) -> dict[str, Any]:
    """Return the findings as JSON."""
    facts = asdict(found)
    del facts["known"]
    return {**facts, "is_whole": found.is_whole}


def _print(found: Findings) -> None:
    if not found.checkpoints and found.is_whole:
        print_wrapped(found.notices[-1] if found.notices else "")
        return
    covered = f"{counted(found.entries, 'entries')} in {counted(found.checkpoints, 'checkpoints')}{_days(found)}"
    if found.is_whole:
        but = f", but for {counted(len(found.acknowledged), 'known findings')}" if found.acknowledged else ""
        print_wrapped(f"✓ the ledger is whole{but}: {covered}", "green")
    else:
        print_wrapped(f"✗ the ledger is broken: {counted(found.count, 'findings')}; {covered}", "red")
    for each in found.problems:
        print_wrapped(f"{each.what}: {each.text} [{each.id}]", indent=4)
    if found.count > len(found.problems):
        print_wrapped(f"… and {found.count - len(found.problems):,} more", indent=4)
    for known in found.acknowledged:
        by = f"acknowledged by {known.by or 'no person'} on {known.at:%Y-%m-%d %H:%M} UTC: {known.reason}"
        print_wrapped(f"known: {known.what}: {known.text} [{known.id}]; {by}", indent=4)
    for line in _facts(found):
        print_wrapped(line, indent=4)


def _days(found: Findings) -> str:
    if not found.days:
        return ""
    first, last = found.days[0].day, found.days[-1].day
    return f", {first}" if first == last else f", {first} to {last}"


def _facts(found: Findings) -> list[str]:
    rows = ", ".join(counted(count, NAMES[kind]) for kind, count in found.rows.items())
    keys = ", ".join(f"{key[:SHOWN]}…" for key in found.public_keys if key)
    sealed = ((found.last or {}).get("statement") or "").partition('"sealed_at": "')[2].partition('"')[0]
    since = f" since the last checkpoint, of {sealed} UTC" if sealed else ""
    lines = [
        f"as signed: {rows}" if rows else "",
        f"deleted by retention: {counted(found.pruned, 'rows')}" if found.pruned else "",
        f"personal values erased or renamed: {counted(found.erased, 'rows')}" if found.erased else "",
        f"signed with {keys}" if keys else "",
        *found.notices,
        f"not covered: {counted(found.unsealed, 'rows')}{since}; the next run seals what is new"
        if found.unsealed
        else "",
    ]
    return [each for each in lines if each]
