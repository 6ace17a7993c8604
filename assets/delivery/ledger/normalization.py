"""Normalizations: changes that a target makes to sent values without reporting them.

sent values, the target's values  ->  differences()  ->  sync_normalizations; the record counts as unchanged
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Final

import duckdb
import polars as pl

TRIMMED: Final = "trimmed"
SPACES: Final = "spaces"
CASE: Final = "case"
CUT: Final = "cut"
ROUNDED: Final = "rounded"
EMPTIED: Final = "emptied"
OTHER: Final = "other"

# kinds without loss of information; the others halt a canary
HARMLESS: Final = frozenset({TRIMMED, SPACES, CASE, ROUNDED})


def classify(sent: str | None, actual: str | None) -> str | None:
    """Return the kind of change of one value; None if it is equal."""
    before, after = sent or "", actual or ""
    if before == after:
        return None
    rules: tuple[tuple[bool, str], ...] = (
        (before.strip() == after, TRIMMED),
        (not after, EMPTIED),
        (" ".join(before.split()) == " ".join(after.split()), SPACES),
        (before.casefold() == after.casefold(), CASE),
        (_is_rounded(before, after), ROUNDED),
        (before.startswith(after), CUT),
    )
    return next((kind for applies, kind in rules if applies), OTHER)


def _is_rounded(sent: str, actual: str) -> bool:
    """Return whether the actual number is the sent one, rounded to its decimals."""
    try:
        before, after = Decimal(sent), Decimal(actual)  # exact: 1.25 is 1.3 to one decimal
    except InvalidOperation:
        return False
    if not (before.is_finite() and after.is_finite()):
        return False
    decimals = len(actual.partition(".")[2])
    return abs(before - after) <= Decimal(5).scaleb(-decimals - 1)


def differences(
    sent: Mapping[str, str | None], actual: Mapping[str, str | None], fields: Iterable[str]
) -> dict[str, str]:
    """Return field to kind of change, for every field whose actual value differs from the sent one."""
    found = {name: classify(sent.get(name), actual.get(name)) for name in fields if name in actual}
    return {name: kind for name, kind in found.items() if kind}


def request_hash(changes: Iterable[Mapping[str, str | None]]) -> str:
    """Return the fingerprint of a record's changes, before and after."""
    values = sorted((str(each["field"]), each["before"] or "", each["after"] or "") for each in changes)
    return hashlib.blake2b(json.dumps(values).encode(), digest_size=8).hexdigest()


def target_hash(actual: Mapping[str, str | None], fields: Iterable[str]) -> str:
    """Return the fingerprint of a target record's fields."""
    return _digest("\x1f".join(f"{name}\x1e{actual.get(name) or ''}" for name in sorted(fields)))


def target_hashes(rows: pl.DataFrame, fields: Iterable[str], prefix: str = "") -> list[str]:
    """Return `target_hash` of every row, whose field columns begin with the prefix."""
    parts = [pl.format("{}\x1e{}", pl.lit(name), pl.col(prefix + name).fill_null("")) for name in sorted(fields)]
    return [_digest(text) for text in rows.select(pl.concat_str(parts, separator="\x1f")).to_series()]


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def record_normalizations(
    con: duckdb.DuckDBPyConnection, workflow: str, run_id: str, moment: datetime, seen: Mapping[tuple[str, str], int]
) -> None:
    """Add a run's counts of (field, kind) to sync_normalizations."""
    for (name, kind), records in seen.items():
        ((updated,),) = con.execute(
            "update sync_normalizations set records = records + ?, last_run = ?, last_at = ?"
            " where workflow = ? and field = ? and kind = ?",
            [records, run_id, moment, workflow, name, kind],
        ).fetchall()
        if not updated:
            con.execute(
                "insert into sync_normalizations values (?, ?, ?, ?, ?, ?, ?)",
                [workflow, name, kind, records, run_id, run_id, moment],
            )
