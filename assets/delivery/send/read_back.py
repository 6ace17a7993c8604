"""Read written records back from the target: after a lost response, for a canary, and after values were restored.

writes  ->  read_back()  ->  confirmation_of(), mismatches()
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from assets.delivery.ledger.normalization import HARMLESS, differences
from assets.delivery.schemas import PARENT
from assets.delivery.target import UNFINISHED, Action, Outcome, Target, Verdict, Write, parent_of


def read_back(target: Target, writes: Sequence[Write]) -> pl.DataFrame:
    """Return the target's records with the keys of these writes, in the columns of `Target.find`.

    Raises:
        IntegrationError: They cannot be read.
    """
    keys = {write.values.get(target.key_field): write.target_id for write in writes}
    fields = sorted({name for write in writes for name in write.values})
    found = target.find([key for key in keys if key], fields)
    if target.lists_all:
        return found
    # a deactivated record may exist without being listed
    listed = set(found["external_id"])
    unlisted = {target_id: key for key, target_id in keys.items() if key and target_id and key not in listed}
    return pl.concat([found, target.read_unlisted(unlisted, fields)[0]]) if unlisted else found


def confirmation_of(write: Write, found: pl.DataFrame, target: Target) -> Outcome | None:
    """Return the confirmation of a write whose response was lost; None if it must be sent again.

    A create arrived if its key exists: the target may have changed a value, and a second record would be worse.
    """
    key, creating = write.values.get(target.key_field), write.action is Action.CREATE
    for row in found.filter(pl.col("external_id") == key).iter_rows(named=True):
        if PARENT in write.changed and parent_of(row["parent_id"]) != write.parent_id:
            return None  # unknown if the target does not return parents; sending the same move again does no harm
        if creating or all(row.get(name) == write.values.get(name) for name in write.changed if name in row):
            return Outcome(
                Verdict.CONFIRMED,
                row["target_id"],
                code=UNFINISHED if creating and target.creates_in_two_calls else "",
                reason="confirmed by reading the target back",
                echo=row,
            )
    return None


def mismatches(pairs: Sequence[tuple[Write, Mapping[str, Any] | None]]) -> str:
    """Describe how the target's records differ from what was sent, harmless normalizations excepted; blank if equal."""
    counts: Counter[str] = Counter()
    for write, row in pairs:
        if row is None:
            counts["missing"] += 1
            continue
        kinds = differences(write.values, row, write.changed & row.keys())
        counts.update(name for name, kind in kinds.items() if kind not in HARMLESS)
    return ", ".join(f"{name} ({count} of {len(pairs)})" for name, count in sorted(counts.items()))
