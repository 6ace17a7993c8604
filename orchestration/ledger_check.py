"""Verify the ledger of an account: the command, the console and the nightly check.

warehouse, switches, the checkpoint beside it  ->  verify_ledger()  ->  Findings          check_ledger(): and record it
a finding that is known  ->  acknowledge_finding()          a key that was lost  ->  restart_ledger()
"""

from collections.abc import Collection, Sequence

from assets.delivery.chain.acknowledge import acknowledge, chosen
from assets.delivery.chain.checkpoints import ChainError, Checkpoint
from assets.delivery.chain.findings import Findings, Problem
from assets.delivery.chain.kept import FILE, keep, read_kept, require_kept
from assets.delivery.chain.restart import restart
from assets.delivery.chain.verify import verify
from assets.delivery.ledger.events import Event, Happened, record_event
from assets.delivery.spec.switches import Switches
from orchestration.ledger_sealing import ledger_signer, seal_ledger
from resources.clock import WallClock, utc_now
from resources.failpoints import reach
from resources.warehouse.warehouse import Warehouse


def verify_ledger(warehouse: Warehouse, public_keys: Collection[str] = (), kept: Sequence[Checkpoint] = ()) -> Findings:
    """Verify the ledger of a warehouse.

    Args:
        warehouse: The warehouse.
        public_keys: The keys that are trusted; those of MILLPOND_LEDGER_KEY when omitted.
        kept: Checkpoints that were kept elsewhere, besides the one beside the warehouse's file.

    Raises:
        ChainError: A key or a checkpoint that was kept is damaged.
    """
    beside, switches = read_kept(warehouse.folder / FILE), Switches(warehouse.folder).overrides()
    keys = public_keys or ledger_signer().public_keys
    with warehouse.writer(transaction=False, tuned=True) as con:
        return verify(con, keys, switches=switches, beside=beside, kept=kept)


def acknowledge_finding(warehouse: Warehouse, name: str, person: str, reason: str) -> Problem:
    """Seal a person's decision that a finding, named by its id or the beginning of it, is known; return the finding.

    Raises:
        SyncError: There is no such finding, or the chain cannot be continued, so that nothing can be added to it.
    """
    problem = chosen(verify_ledger(warehouse), name)
    if hindered := seal_ledger(warehouse):
        raise ChainError(f"nothing can be acknowledged in a chain that cannot be continued: {hindered}")
    with warehouse.writer() as con:
        acknowledge(con, problem, person, utc_now(WallClock()), reason)
    if hindered := seal_ledger(warehouse):
        raise ChainError(f"the acknowledgement is recorded and not sealed yet: {hindered}")
    return problem


def restart_ledger(warehouse: Warehouse, person: str, reason: str) -> Checkpoint:
    """Begin the signatures anew with the key that is set, because the one that signed last was lost.

    Returns:
        The first checkpoint of the new key.

    Raises:
        ChainError: The key is not lost, no new one is set, or the chain is broken at its end.
    """
    switches, signer, file = Switches(warehouse.folder).overrides(), ledger_signer(), warehouse.folder / FILE
    kept = read_kept(file)
    with warehouse.writer() as con:
        require_kept(con, kept, file)
        made = restart(con, signer, utc_now(WallClock()), person, reason, switches)
        reach("ledger_sealing")
    keep(warehouse.folder, made)
    return made


def check_ledger(warehouse: Warehouse) -> Findings:
    """Seal the ledger, verify it, and record the result, which the alert reads.

    Raises:
        ChainError: As `verify_ledger`.
    """
    hindered = seal_ledger(warehouse)
    found = verify_ledger(warehouse)
    first = found.problems[0].text if found.problems else ""
    details = {
        "findings": found.count, "first": first, "acknowledged": len(found.acknowledged), "entries": found.entries,
        "hindered": hindered,
    }  # fmt: skip
    with warehouse.writer() as con:
        record_event(con, Event(event=Happened.VERIFIED, at=utc_now(WallClock()), details=details))
    return found
