"""The records above each record: below one that is not in the target, a workflow file requires nothing.

parents_of(con, rules)  ->  record -> its parent;  Family(…).state_below(record)  ->  what those above it require
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import duckdb

from orchestration.certificate_check.expected import Rules
from orchestration.certificate_check.read_outs import literal, quoted

Record = tuple[str, str]  # source, NetSuite id
PRESENT, ABSENT, RETIRED, UNSELECTED = "present", "absent", "retired", "unselected"


def parents_of(con: duckdb.DuckDBPyConnection, rules: Rules) -> dict[Record, Record]:
    """Return the parent of each record that has one: the first of the file that is not blank."""
    if not rules.parent:
        return {}
    columns = {source: f"cast({quoted(column)} as varchar)" for source, column in rules.parent.items()}
    sources = " ".join(f"when {column} is not null then {literal(source)}" for source, column in columns.items())
    parent_id = f"coalesce({', '.join(columns.values())}, null)"
    rows = con.execute(
        f"select cast({quoted(rules.id_column)} as varchar), case {sources} end, {parent_id}"
        f" from {quoted(rules.table)} where {parent_id} is not null"
    ).fetchall()
    return {(rules.source, row[0]): (row[1], row[2]) for row in rows}


def line_above(record: Record, parents: Mapping[Record, Record]) -> list[Record] | None:
    """Return the records above one, the nearest first; None in or below a cycle."""
    line = [record]
    seen = {record}
    while line[-1] in parents:
        above = parents[line[-1]]
        if above in seen:
            return None
        line.append(above)
        seen.add(above)
    return line[1:]


@dataclass(frozen=True)
class Family:
    """The records of a workflow with their parents.

    Attributes:
        parents: The parent of each record that has one.
        states: What the workflow file requires of each record by itself: active, inactive, or none.
        shown: The records that the target has as active, now and when the certificate was made.
        max_level: The deepest level that is delivered; None if there is no such limit.
    """

    rules: Mapping[str, Rules]
    parents: Mapping[Record, Record]
    states: Mapping[Record, str]
    shown: Collection[Record]
    max_level: int | None

    def state_below(self, record: Record) -> str:
        """Return what is required of a record because of those above it, or the lack of them.

        Returns:
            `inactive` below one that the workflow file deactivates; `none` below one that is not there otherwise; blank
            if they let it be there.
        """
        line = line_above(record, self.parents)
        if line is None or (self.max_level is not None and len(line) >= self.max_level):
            return "none"
        state = self._below(record, self._top_down(line))
        return {PRESENT: "", RETIRED: "inactive"}.get(state, "none")

    def _top_down(self, line: Sequence[Record]) -> str | None:
        above = None
        for each in reversed(line):
            above = self._state(each, above)
        return above

    def _below(self, record: Record, above: str | None) -> str:
        """Return what a record is that the file requires by itself, below one in this state, or at the top."""
        if above is None:
            return ABSENT if self.rules[record[0]].parent_required else PRESENT
        return above

    def _state(self, record: Record, above: str | None) -> str:
        """Return whether a record is there for its children: also if it was only left there."""
        if record[0] not in self.rules:
            return PRESENT  # delivered by another workflow; if it is not there, a decision holds the child back
        rules, required = self.rules[record[0]], self.states.get(record)
        state = self._below(record, above) if required == "active" else ABSENT
        if required == "inactive":
            state = RETIRED
        elif required == "none" and not rules.keeps_unselected:
            state = UNSELECTED  # deactivated, or held because it may only be hidden
        return PRESENT if state == ABSENT and required and record in self.shown else state
