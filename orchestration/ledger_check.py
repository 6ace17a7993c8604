"""Verify the ledger of an account: the command, the console and the nightly check.

warehouse, switches, the checkpoint beside it  ->  verify_ledger()  ->  Findings          check_ledger(): and record it
"""

from collections.abc import Collection, Sequence

from assets.delivery.chain.checkpoints import Checkpoint
from assets.delivery.chain.findings import Findings
from assets.delivery.chain.kept import FILE, read_kept
from assets.delivery.chain.verify import verify
from assets.delivery.ledger.events import Event, Happened, record_event
from assets.delivery.spec.switches import Switches
from orchestration.ledger_sealing import ledger_signer, seal_ledger
from resources.clock import WallClock, utc_now
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


def check_ledger(warehouse: Warehouse) -> Findings:
    """Seal the ledger, verify it, and record the result, which the alert reads.

    Raises:
        ChainError: As `verify_ledger`.
    """
    hindered = seal_ledger(warehouse)
    found = verify_ledger(warehouse)
    first = found.problems[0].text if found.problems else ""
    details = {"findings": found.count, "first": first, "entries": found.entries, "hindered": hindered}
    with warehouse.writer() as con:
        record_event(con, Event(event=Happened.VERIFIED, at=utc_now(WallClock()), details=details))
    return found
