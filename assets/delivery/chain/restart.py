"""Begin the chain's signatures anew after its key was lost: the new key says so in what it signs.

last checkpoint, new key  ->  restart()  ->  an event, and a checkpoint that names the lost key and the reason

Nothing is hidden by it: each verification says from which entry on the new key vouches for the ledger.
"""

from collections.abc import Mapping
from datetime import datetime

import duckdb

from assets.delivery.chain.checkpoints import SHOWN, ChainError, Checkpoint, last_checkpoint
from assets.delivery.chain.seal import seal
from assets.delivery.ledger.events import Event, Happened, record_event
from assets.delivery.spec.switches import Override
from resources.signing import Signer

FROM = "restarted_from"


def is_restart(each: Checkpoint, before: Checkpoint) -> bool:
    """Return whether a checkpoint says that its key follows the lost key of the one before."""
    return bool(each.public_key) and each.facts.get(FROM) == before.public_key != each.public_key


def require_lost(last: Checkpoint | None, signer: Signer) -> Checkpoint:
    """Return the last checkpoint, whose key is not among those that are set.

    Raises:
        ChainError: There is nothing to restart, or a key is missing, or the checkpoint itself was changed.
    """
    if last is None or not last.public_key:
        raise ChainError(
            "the ledger is not signed yet: the next run signs it with MILLPOND_LEDGER_KEY, no restart is needed"
        )
    if last.public_key in signer.public_keys:
        raise ChainError(
            f"the key {last.public_key[:SHOWN]}… that signed last is set, so nothing is lost; to replace it, set"
            " MILLPOND_LEDGER_KEY to `new,old`"
        )
    if not signer.public_key:
        raise ChainError("no new key is set: make one, set MILLPOND_LEDGER_KEY for all processes, and repeat")
    if not last.is_signature_valid or last.facts.get("number") != last.number:
        raise ChainError(
            f"checkpoint {last.number} was changed, and its key is not lost: `millpond ledger verify`, and"
            " `millpond restore` of a backup that was whole"
        )
    return last


def restart(
    con: duckdb.DuckDBPyConnection,
    signer: Signer,
    moment: datetime,
    person: str,
    reason: str,
    switches: Mapping[str, Override] | None = None,
) -> Checkpoint:
    """Record the restart and sign it with the new key, in the caller's transaction; return the checkpoint.

    Raises:
        ChainError: The key is not lost, or the chain does not end where its last checkpoint says.
    """
    last = require_lost(last_checkpoint(con), signer)
    details = {"checkpoint": last.number, "lost": last.public_key, "new": signer.public_key}
    record_event(con, Event(event=Happened.RESTARTED, at=moment, by=person, details=details, note=reason))
    more = {FROM: last.public_key, "restarted_by": person}
    made = seal(con, signer, moment, switches, more)
    if made is None:
        raise ChainError("the restart could not be recorded, and nothing was changed; repeat the command")
    return made
