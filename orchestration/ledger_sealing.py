"""Seal the ledger where a run or a decision ends, before analysts see it.

ledger  ->  seal_ledger(): hash chain, signed checkpoint; a copy of it beside the warehouse's file  ->  publish_sealed()

What hinders it, a missing key for example, delays no run: it is logged, the snapshot's metadata and the nightly alert
say so, and `millpond ledger verify` counts what is not sealed.
"""

import logging

from assets.delivery.chain.checkpoints import ChainError, last_checkpoint
from assets.delivery.chain.kept import FILE, keep, read_kept, require_kept
from assets.delivery.chain.seal import seal
from assets.delivery.spec.switches import Switches
from orchestration.configuration.secret_settings import secret_value
from resources.clock import WallClock, utc_now
from resources.failpoints import reach
from resources.signing import Signer, SigningKeyError
from resources.warehouse.warehouse import Warehouse

log = logging.getLogger(__name__)


def ledger_signer() -> Signer:
    """Return the signer with the keys of MILLPOND_LEDGER_KEY; ChainError if a key is malformed."""
    try:
        return Signer(secret_value("MILLPOND_LEDGER_KEY"))
    except SigningKeyError as error:
        raise ChainError(str(error)) from error


def seal_ledger(warehouse: Warehouse) -> str:
    """Seal what was added to the ledger; return what hinders it, blank if nothing does."""
    try:
        switches = Switches(warehouse.folder).overrides()
        signer, kept = ledger_signer(), read_kept(warehouse.folder / FILE)
        with warehouse.writer() as con:
            require_kept(con, kept, warehouse.folder / FILE)
            made = seal(con, signer, utc_now(WallClock()), switches)
            reach("ledger_sealing")
        reach("ledger_sealed")
        if made:
            keep(warehouse.folder, made)
    except (ChainError, ValueError) as error:
        log.warning("the ledger is not sealed: %s", error)
        return str(error)
    return ""


def keep_last(warehouse: Warehouse) -> None:
    """Copy the last checkpoint beside the warehouse's file, after a section that rewrote the chain."""
    with warehouse.writer(transaction=False) as con:
        last = last_checkpoint(con)
    if last:
        keep(warehouse.folder, last)


def publish_sealed(warehouse: Warehouse) -> int:
    """Seal the ledger, then publish the snapshot; return its size in bytes."""
    seal_ledger(warehouse)
    return warehouse.publish()
