"""Checkpoints: signed statements about the state of the chain, each of which names the one before by its hash.

statement  ->  sign  ->  sync_checkpoints          last_checkpoint(), read_checkpoints()  <-  sync_checkpoints
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

import duckdb

from assets.delivery.chain.covered import CHECKPOINTS
from assets.delivery.errors import SyncError
from resources.signing import Signer, is_signed
from resources.warehouse.tables import has_table, insert_row

FORMAT = 1
SHOWN = 12  # characters of a public key or hash in texts
COUNTS = ("number", "first", "last", "through")  # whole numbers of a statement


class ChainError(SyncError):
    """The chain cannot be continued; the text says why and what to do."""


@dataclass(frozen=True)
class Checkpoint:
    """A row of sync_checkpoints."""

    number: int
    day: date
    statement: str
    signature: str
    handover: str

    @property
    def facts(self) -> dict[str, Any]:
        """The content of the statement; empty if it was damaged, or has something else where numbers belong."""
        try:
            facts = json.loads(self.statement)
        except (ValueError, RecursionError):
            return {}
        return facts if isinstance(facts, dict) and all(_is_count(facts.get(each, 0)) for each in COUNTS) else {}

    @property
    def digest(self) -> str:
        """The hash by which the next checkpoint names this one."""
        return hashlib.sha256(f"{self.statement}\n{self.signature}\n{self.handover}".encode()).hexdigest()

    @property
    def public_key(self) -> str:
        """The public key of the key that signed; blank if none did."""
        return str(self.facts.get("public_key", ""))

    @property
    def is_signature_valid(self) -> bool:
        """True if the owner of the public key signed it; a checkpoint without a key needs no signature."""
        if not self.public_key:
            return not self.signature
        return is_signed(self.statement, self.signature, self.public_key)

    @property
    def document(self) -> dict[str, Any]:
        """The checkpoint as JSON."""
        return {**asdict(self), "day": self.day.isoformat()}


def checkpoint_of(document: dict[str, Any]) -> Checkpoint:
    """Return a checkpoint from JSON; ValueError if it is not one."""
    try:
        names = ("statement", "signature", "handover")
        day = date.fromisoformat(document["day"])
        return Checkpoint(int(document["number"]), day, *(str(document[name]) for name in names))
    except (KeyError, TypeError, OverflowError) as error:
        raise ValueError(f"not a checkpoint: {error}") from error


def _is_count(value: object) -> bool:
    return type(value) is int and -1 <= value < 2**63


def read_checkpoints(con: duckdb.DuckDBPyConnection) -> list[Checkpoint]:
    """Return all checkpoints, by their numbers."""
    if not has_table(con, CHECKPOINTS):
        return []
    query = f"select number, day, statement, signature, handover from {CHECKPOINTS} order by number"
    return [_checkpoint(row) for row in con.execute(query).fetchall()]


def last_checkpoint(con: duckdb.DuckDBPyConnection) -> Checkpoint | None:
    """Return the newest checkpoint."""
    if not has_table(con, CHECKPOINTS):
        return None
    query = f"select number, day, statement, signature, handover from {CHECKPOINTS} order by number desc limit 1"
    rows = con.execute(query).fetchall()
    return _checkpoint(rows[0]) if rows else None


def _checkpoint(row: Sequence[Any]) -> Checkpoint:
    number, day, *texts = row
    return Checkpoint(number or 0, day or date.min, *(text or "" for text in texts))


def require_key(last: Checkpoint | None, signer: Signer) -> None:
    """Raise if another checkpoint after this one would not be believed.

    Raises:
        ChainError: It was changed, or is signed with a key that is not set.
    """
    if last is None:
        return
    if not last.is_signature_valid or last.facts.get("number") != last.number:
        raise ChainError(
            f"checkpoint {last.number} of the ledger was changed; nothing is added to it: `millpond ledger verify`"
        )
    if last.public_key and last.public_key not in signer.public_keys:
        missing = "no key is set" if not signer.public_key else "another one is set"
        raise ChainError(
            f"the ledger's last checkpoint is signed with the key {last.public_key[:SHOWN]}…, and {missing}: set"
            " MILLPOND_LEDGER_KEY to it, or to `new,old` to replace it"
        )


def add_checkpoint(
    con: duckdb.DuckDBPyConnection, signer: Signer, moment: datetime, last: Checkpoint | None, facts: dict[str, Any]
) -> Checkpoint:
    """Sign and store the next checkpoint; `facts` are first, last, head and through."""
    before = last.public_key if last else ""
    statement = json.dumps(
        {
            "format": FORMAT,
            "number": (last.number if last else 0) + 1,
            "day": moment.date().isoformat(),
            "sealed_at": moment.isoformat(" ", "seconds"),
            **facts,
            "previous": last.digest if last else "",
            "public_key": signer.public_key,
        },
        sort_keys=True,
    )
    changes = bool(before) and before != signer.public_key
    number, handover = (last.number if last else 0) + 1, signer.sign(statement, before) if changes else ""
    made = Checkpoint(number, moment.date(), statement, signer.sign(statement), handover)
    insert_row(con, CHECKPOINTS, asdict(made))
    return made
