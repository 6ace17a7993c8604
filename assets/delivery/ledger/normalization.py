"""Learn what a target silently makes of the values it is given.

what was sent, what the target shows  ->  classify()  ->  sync_quirks; the record counts as settled, not as different
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Final

import polars as pl

TRIMMED: Final = "trimmed"
SPACES: Final = "spaces"
CASE: Final = "case"
CUT: Final = "cut"
ROUNDED: Final = "rounded"
EMPTIED: Final = "emptied"
OTHER: Final = "other"

# kinds that lose nothing a person would miss; the others stop a canary
HARMLESS: Final = frozenset({TRIMMED, SPACES, CASE, ROUNDED})


def classify(sent: str | None, shown: str | None) -> str | None:
    """What became of one value; None when it is the same."""
    given, kept = sent or "", shown or ""
    if given == kept:
        return None
    rules: tuple[tuple[bool, str], ...] = (
        (given.strip() == kept, TRIMMED),
        (not kept, EMPTIED),
        (" ".join(given.split()) == " ".join(kept.split()), SPACES),
        (given.casefold() == kept.casefold(), CASE),
        (_same_number(given, kept), ROUNDED),
        (given.startswith(kept), CUT),
    )
    return next((kind for applies, kind in rules if applies), OTHER)


def _same_number(sent: str, shown: str) -> bool:
    """Whether the shown number is the sent one with no more decimals than the target keeps."""
    try:
        given, kept = Decimal(sent), Decimal(shown)  # exact: 1.25 is 1.3 to one decimal
    except InvalidOperation:
        return False
    if not (given.is_finite() and kept.is_finite()):
        return False
    decimals = len(shown.partition(".")[2])
    return abs(given - kept) <= Decimal(5).scaleb(-decimals - 1)


def differences(
    sent: Mapping[str, str | None], shown: Mapping[str, str | None], fields: Iterable[str]
) -> dict[str, str]:
    """Field to kind, for every field that the target shows otherwise than it was sent."""
    found = {name: classify(sent.get(name), shown.get(name)) for name in fields if name in shown}
    return {name: kind for name, kind in found.items() if kind}


def request_hash(changes: Iterable[Mapping[str, str | None]]) -> str:
    """Fingerprint of what is to change in a record, before and after."""
    told = sorted((str(each["field"]), each["before"] or "", each["after"] or "") for each in changes)
    return hashlib.blake2b(json.dumps(told).encode(), digest_size=8).hexdigest()


def shown_hash(shown: Mapping[str, str | None], fields: Iterable[str]) -> str:
    """Fingerprint of a target record's fields as the target shows them."""
    return _digest("\x1f".join(f"{name}\x1e{shown.get(name) or ''}" for name in sorted(fields)))


def shown_hashes(rows: pl.DataFrame, fields: Iterable[str], prefix: str = "") -> list[str]:
    """`shown_hash` of every row; the fields' columns begin with the prefix."""
    parts = [pl.format("{}\x1e{}", pl.lit(name), pl.col(prefix + name).fill_null("")) for name in sorted(fields)]
    return [_digest(text) for text in rows.select(pl.concat_str(parts, separator="\x1f")).to_series()]


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()
