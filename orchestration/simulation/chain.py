"""The ledger's chain in a simulation, sealed as runs seal it, with a key that is not a secret.

seal(world), after each run          compact(world), between nights          check_chain(world), at the end

Installations have a key of their own in MILLPOND_LEDGER_KEY, which a simulation does not read.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from assets.delivery.chain.checkpoints import last_checkpoint
from assets.delivery.chain.kept import FILE, keep, read_kept, set_aside
from assets.delivery.chain.rewrite import rewriting
from assets.delivery.chain.seal import seal as seal_chain
from assets.delivery.chain.verify import verify
from assets.delivery.ledger.events import Event, Happened
from assets.warehouse.retention import prune
from orchestration.simulation.verdicts import Verdicts
from orchestration.simulation.world import World
from resources.signing import Signer

SIGNER: Final = Signer("c2ltdWxhdGlvbiBzaW11bGF0aW9uIHNpbXVsYXRpb24=")


def seal(world: World) -> None:
    """Chain and sign what was added to the ledger, and keep the checkpoint beside the warehouse."""
    with world.warehouse.writer() as con:
        made = seal_chain(con, SIGNER, world.now, {})
    if made:
        keep(world.warehouse.folder, made)


def compact(world: World, keep_days: int) -> Mapping[str, int]:
    """Delete old history, as `millpond compact` does; return the rows by table."""
    event = Event(event=Happened.PRUNED, at=world.now, details={"keep_days": keep_days})
    with world.warehouse.writer(tuned=True) as con:
        with rewriting(con, SIGNER, event):
            deleted = prune(con, world.now - timedelta(days=keep_days))
        last = last_checkpoint(con)
    if last:
        keep(world.warehouse.folder, last)
    world.warehouse.compact()
    return deleted


def leave_behind(world: World, restore_id: str) -> None:
    """Move the checkpoint aside of a ledger that a backup replaced."""
    set_aside(world.warehouse.folder, restore_id)


def check_chain(world: World, verdicts: Verdicts) -> None:
    """Check that the chain is whole, and fits the checkpoint beside the warehouse."""
    beside = read_kept(world.warehouse.folder / FILE)
    with world.warehouse.writer(transaction=False, tuned=True) as con:
        found = verify(con, SIGNER.public_keys, switches={}, beside=beside)
    for problem in found.problems:
        verdicts.broken("chain", f"{problem.what}: {problem.text}")
    verdicts.hold("chain", sum(found.rows.values()), entries=found.entries, pruned=found.pruned)
