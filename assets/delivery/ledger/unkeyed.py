"""Creates without a response that may have left a record without our key.

creates, records of their names without a key  ->  match_unkeyed()  ->  the record, none, or several possible ones
"""

import json
from collections import Counter
from collections.abc import Collection, Sequence
from itertools import chain
from typing import NamedTuple

import duckdb

from assets.delivery.target import Target, Write
from resources.warehouse.tables import columns_of, quoted


class LostCreate(NamedTuple):
    """A create that may have arrived; `existing` are the records of its name that were there before it, if known."""

    write: Write
    existing: frozenset[str] | None


class Possible(NamedTuple):
    """The records that a create may have made; `is_certain` if it is the only one for one record."""

    target_ids: tuple[str, ...]
    is_certain: bool

    @property
    def reason(self) -> str:
        """The records in words."""
        return f"a create without a response may have made one of: target {', '.join(self.target_ids)}"


def match_unkeyed(target: Target, creates: Sequence[LostCreate], taken: Collection[str]) -> list[Possible]:
    """Return for each create the records without our key that it may have made.

    Args:
        target: The target.
        creates: Creates whose key the target does not have.
        taken: Target ids of records that are known to belong to others.
    """
    if not creates or not target.name_field:
        return [Possible((), is_certain=False)] * len(creates)
    found = target.find_unkeyed([create.write for create in creates])
    possible = [
        [each for each in ids if each not in taken and each not in (create.existing or ())]
        for create, ids in zip(creates, found, strict=True)
    ]
    claims = Counter(chain.from_iterable(possible))
    return [
        Possible(tuple(ids), is_certain=create.existing is not None and len(ids) == 1 and claims[ids[0]] == 1)
        for create, ids in zip(creates, possible, strict=True)
    ]


def existing_by_name(
    con: duckdb.DuckDBPyConnection, target_state: str, field: str, names: Collection[str]
) -> dict[str, str]:
    """Return the target ids of the records without our key by name, as JSON; a name without any has an empty list.

    Args:
        con: An open section.
        target_state: The table of the target's records.
        field: The target's `name_field`.
        names: The names of the records to create.
    """
    if field not in columns_of(con, target_state):
        return {}
    rows = con.execute(
        f"select {quoted(field)}, target_id from {quoted(target_state)}"
        f" where external_id is null and {quoted(field)} in (select unnest(?::varchar[]))",
        [sorted(names)],
    ).fetchall()
    found: dict[str, list[str]] = {name: [] for name in names}
    for name, target_id in rows:
        found[name].append(target_id)
    return {name: json.dumps(ids) for name, ids in found.items()}


def parse_existing(text: str | None) -> frozenset[str] | None:
    """Return the ids of `existing_by_name`."""
    return None if text is None else frozenset(json.loads(text))
