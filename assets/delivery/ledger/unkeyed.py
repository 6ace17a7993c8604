"""Creates without a response that may have left a record without our key.

creates, records without our key  ->  match_unkeyed()  ->  the record, none, or several possible ones
"""

import json
from collections import Counter
from collections.abc import Collection, Sequence
from html import unescape
from itertools import chain
from typing import NamedTuple
from unicodedata import normalize

import duckdb

from assets.delivery.ledger.attempts import AFTER_BACKUP
from assets.delivery.target import Target, Write
from resources.warehouse.tables import quoted

NAMED = 5  # possible records that a reason lists


class LostCreate(NamedTuple):
    """A create that may have arrived; `existing` are the records without our key that were there before, if known."""

    write: Write
    existing: frozenset[str] | None


class Possible(NamedTuple):
    """The records that a create may have made.

    `is_certain` if it is the only one for one record; `is_edited` if none has the record's name and place, so a person
    must have renamed or moved it since.
    """

    target_ids: tuple[str, ...] = ()
    is_certain: bool = False
    is_edited: bool = False

    @property
    def reason(self) -> str:
        """The records in words."""
        return self.reason_of("")

    def reason_of(self, code: str) -> str:
        """Return the records in words, for a create whose attempt has this code."""
        who = "a run after the backup that was restored" if code == AFTER_BACKUP else "a create without a response"
        more = f" and {len(self.target_ids) - NAMED} more" if len(self.target_ids) > NAMED else ""
        ids, edited = ", ".join(self.target_ids[:NAMED]), ", renamed or moved since" if self.is_edited else ""
        return f"{who} may have made one of: target {ids}{more}{edited}"


def match_unkeyed(
    target: Target, creates: Sequence[LostCreate], taken: Collection[str], *, edited: bool = False
) -> list[Possible]:
    """Return for each create the records without our key that it may have made.

    Args:
        target: The target.
        creates: Creates whose key the target does not have.
        taken: Target ids of records that are known to belong to others.
        edited: Whether a person may have renamed or moved the record since; then any new record may be it.
    """
    if not creates or not target.name_field:
        return [Possible()] * len(creates)
    found = target.find_unkeyed([create.write for create in creates])
    alike = [
        tuple(each for each in ids if each not in taken and each not in (create.existing or ()))
        for create, ids in zip(creates, found.alike, strict=True)
    ]
    claims = Counter(chain.from_iterable(alike))
    others = [each for each in found.target_ids if each not in taken and each not in claims] if edited else []
    return [
        _possible(create, ids, claims) if ids else _edited(create, others)
        for create, ids in zip(creates, alike, strict=True)
    ]


def _possible(create: LostCreate, ids: tuple[str, ...], claims: Counter[str]) -> Possible:
    return Possible(ids, is_certain=create.existing is not None and len(ids) == 1 and claims[ids[0]] == 1)


def _edited(create: LostCreate, others: Sequence[str]) -> Possible:
    """Return the records that appeared since the create and that no other create explains."""
    if create.existing is None:
        return Possible()
    return Possible(tuple(each for each in others if each not in create.existing), is_edited=True)


def read_unkeyed(con: duckdb.DuckDBPyConnection, target_state: str) -> frozenset[str]:
    """Return the target ids of the records without our key, by the stored target state."""
    rows = con.execute(f"select target_id from {quoted(target_state)} where external_id is null").fetchall()
    return frozenset(row[0] for row in rows)


def format_existing(target_ids: Collection[str]) -> str:
    """Return target ids as `existing_ids` of an attempt."""
    return json.dumps(sorted(target_ids))


def parse_existing(text: str | None) -> frozenset[str] | None:
    """Return the target ids of `format_existing`."""
    return None if text is None else frozenset(json.loads(text))


def plain_name(name: str | None) -> str:
    """Return a name without what a service may change in it: spaces, case, Unicode form and entities."""
    return " ".join(normalize("NFKC", unescape(name or "")).split()).casefold()
