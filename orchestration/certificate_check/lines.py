"""The records whose parents keep them out of the target, or retire them, as tables for the comparison.

rules + read-outs  ->  note_open()  ->  temp table OPEN_RECORDS;  OUTCOMES  ->  excuse_below_arrivals()
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

import duckdb

from orchestration.certificate_check.expected import STAGED, Rules
from orchestration.certificate_check.parents import Family, Record, line_above, parents_of
from orchestration.certificate_check.read_outs import PREFIX, TARGET, quoted

OPEN_RECORDS: Final = "_check_open_records"
OUTCOMES: Final = "_check_outcomes"


def note_open(
    con: duckdb.DuckDBPyConnection, workflow: str, rules: Sequence[Rules], key_field: str, max_level: int | None
) -> Mapping[Record, Record]:
    """Create the table of the records that the file requires by itself, and of which those above them say otherwise.

    Their state is `inactive` below a retired one, else `none`.

    Returns:
        All parents.
    """
    parents = {child: above for each in rules for child, above in parents_of(con, each).items()}
    con.execute(f"create or replace temp table {OPEN_RECORDS} (source varchar, source_id varchar, state varchar)")
    if any(each.parent for each in rules):
        states, shown = _states(con, workflow, rules, key_field)
        family = Family({each.source: each for each in rules}, parents, states, shown, max_level)
        active = [each for each, state in states.items() if state == "active"]
        found = [(*each, state) for each in active if (state := family.state_below(each))]
        con.execute(
            f"insert into {OPEN_RECORDS} select unnest($sources::varchar[]), unnest($ids::varchar[]),"
            " unnest($states::varchar[])",
            {name: [row[place] for row in found] for place, name in enumerate(("sources", "ids", "states"))},
        )
    return parents


def _states(
    con: duckdb.DuckDBPyConnection, workflow: str, rules: Sequence[Rules], key_field: str
) -> tuple[dict[Record, str], set[Record]]:
    """Return what the file requires of each record by itself, and those that are in the target, now and before."""
    states: dict[Record, str] = {}
    shown = set[Record]()
    for each in rules:
        rows = con.execute(
            "select source, source_id, state, key in"
            f" (select {quoted(key_field)} from {quoted(PREFIX + TARGET)} where is_active) and key in"
            f" (select external_id from {quoted(f'target_{workflow}')} where is_active) from ({each.select()})"
        ).fetchall()
        states |= {(source, source_id): state for source, source_id, state, _ in rows}
        shown |= {(source, source_id) for source, source_id, _, is_there in rows if is_there}
        states |= dict.fromkeys(_deleted(con, each), "inactive")
    return states, shown


def _deleted(con: duckdb.DuckDBPyConnection, rules: Rules) -> list[Record]:
    """Return the records that NetSuite's read-out lacks and the warehouse has as deleted, if the file retires them."""
    if not rules.retires_deleted:
        return []
    key, staged = quoted(rules.id_column), quoted(STAGED + rules.source)
    query = f"select cast({key} as varchar) from {staged} where is_deleted and {key} not in"
    rows = con.execute(f"{query} (select {key} from {quoted(rules.table)})").fetchall()
    return [(rules.source, row[0]) for row in rows]


def excuse_below_arrivals(con: duckdb.DuckDBPyConnection, parents: Mapping[Record, Record], refuted: str) -> None:
    """Give a refuted record the outcome of the one above it that was not there yet: it could not be there either."""
    rows = con.execute(f"select source, source_id from {OUTCOMES} where outcome = ?", [refuted]).fetchall()
    if not rows or not parents:
        return
    query = f"select source, source_id, arrival from {OUTCOMES} where arrival is not null"
    arrivals = {(source, source_id): arrival for source, source_id, arrival in con.execute(query).fetchall()}
    excused: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for source, source_id in rows:
        line = line_above((source, source_id), parents) or []
        if found := next((arrivals[above] for above in line if above in arrivals), None):
            excused[source, found].append(source_id)
    for (source, arrival), ids in excused.items():
        con.execute(
            f"update {OUTCOMES} set outcome = $arrival"
            f" where outcome = $refuted and source = $source and source_id in (select unnest($ids::varchar[]))",
            {"arrival": arrival, "refuted": refuted, "source": source, "ids": ids},
        )
