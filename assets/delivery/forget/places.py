"""The places of the warehouse that hold a record's personal values, and what becomes of each.

Subject  ->  places_of()  ->  Place: table, rows, columns with their new values  ->  count, or erase
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import duckdb

from assets.delivery.forget.sections import Sections, searching
from assets.delivery.forget.subject import MIN_LENGTH, Subject
from assets.delivery.forget.texts import contains, found_by
from assets.delivery.ledger.sides import MART, TARGET
from assets.delivery.ledger.tables import LEDGER_TABLES
from assets.delivery.schemas import FORGOTTEN, HOLD, MART_COLUMNS
from assets.delivery.target import TARGET_STATE_COLUMNS
from resources.warehouse.forgotten import HASH, STAGED, TARGET_IDS, TEXT, hidden_fields
from resources.warehouse.masking import QUOTES_A_VALUE
from resources.warehouse.tables import columns_of, literal, quoted, tables_of

_RECORD = "source = $source and source_id = $source_id"
_WITHOUT_VALUES = "[{'field': each.field, 'before': null::varchar, 'after': null::varchar} for each in changes]"
_REASON = f"case when coalesce(reason, '') = '' then reason else {literal(TEXT)} end"
# fingerprints of single values, or of few of them: whoever has a list of names could look them up
_HASHES = {
    "sync_links": ("payload_hash", "target_hash", "value_hashes"),
    "sync_undo_holds": ("payload_hash",),
    "sync_shadow_records": ("source_hash", "wanted_hash", "found_hash"),
    "sync_shadow_differences": ("wanted_hash", "found_hash"),
    "sync_attempts": ("payload_hash", "request_hash", "image", "replaced"),
}
# texts about any record, by people, by us or by a target
_TEXTS = {
    "sync_decisions": ("reason",),
    "sync_attempts": ("reason",),
    "sync_runs": ("note",),
    "sync_plans": ("note",),
    "sync_events": ("note",),
    "sync_manual_links": ("note",),
    "sync_ignored": ("note",),
    "sync_shadow_periods": ("note",),
    "sync_shadow_differences": ("accepted_note",),
}
_VALUES = ("mart_", "target_", "hist_mart__", "hist_target__")
_REASONED = ("mart_", "hist_mart__", "plan_", "sync_")  # of a workflow, with the reason of each record
_OWN_LAYERS = ("candidates_", "selection_", "tree_")  # of records that people choose from
_OF_PARENTS = ("parent_label", "path")  # columns of theirs that name the records above


@dataclass(frozen=True)
class Place:
    """Columns of a table's rows, with the SQL of what they become."""

    table: str
    where: str
    sets: Mapping[str, str]
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def _rows(self) -> str:
        differs = " or ".join(f"{quoted(name)} is distinct from {new}" for name, new in self.sets.items())
        return f"where ({self.where}) and ({differs})"

    def count(self, con: duckdb.DuckDBPyConnection) -> dict[str, int]:
        """Return how many values of each column change."""
        counts = ", ".join(
            f"count(*) filter ({quoted(name)} is distinct from {new})" for name, new in self.sets.items()
        )
        rows = con.execute(
            f"select count(*), {counts} from {quoted(self.table)} {self._rows}", dict(self.values)
        ).fetchall()[0]
        return {"": int(rows[0]), **{name: int(each) for name, each in zip(self.sets, rows[1:], strict=True) if each}}

    def erase(self, con: duckdb.DuckDBPyConnection) -> None:
        """Change them."""
        sets = ", ".join(f"{quoted(name)} = {new}" for name, new in self.sets.items())
        con.execute(f"update {quoted(self.table)} set {sets} {self._rows}", dict(self.values))


def places_of(con: duckdb.DuckDBPyConnection, subject: Subject) -> list[Place]:
    """Return every place, in the order of the layers; those without a column to change are left out."""
    tables = tables_of(con) - _views(con)
    found = [
        *_netsuite(con, subject),
        *(place for name in sorted(tables) for place in _of_workflow(con, subject, name)),
        *_ledger(con, subject, tables),
    ]
    return [each for each in found if each.sets and each.table in tables]


def with_target_texts(sections: Sections, subject: Subject) -> Subject:
    """Return the record with the values that only marts and targets have, as of an edit there, to look for as well."""
    found = {*subject.texts}
    with sections() as con:
        names = sorted(each for each in tables_of(con) - _views(con) if each.startswith(_VALUES))
    for name in names:
        with searching(sections, name) as con:
            for place in _of_workflow(con, subject, name):
                found |= _own_texts(con, place)
    found -= {*subject.common}
    return replace(subject, texts=sorted(found, key=lambda each: (-len(each), each)))


def _own_texts(con: duckdb.DuckDBPyConnection, place: Place) -> set[str]:
    """Return the values of a mart or a target that no other of its records has."""
    found, table, kinds = set[str](), quoted(place.table), columns_of(con, place.table)
    for column in (each for each in place.sets if kinds.get(each) == "VARCHAR" and each not in MART_COLUMNS):
        value = quoted(column)
        query = (
            f"select distinct {value} from {table} where ({place.where}) and length({value}) >= {MIN_LENGTH}"
            f" and {value} not in (select {value} from {table} where not ({place.where})"
            f" and {value} is not null)"
        )
        found.update(row[0] for row in con.execute(query, dict(place.values)).fetchall())
    return found


def _views(con: duckdb.DuckDBPyConnection) -> set[str]:
    query = "select view_name from duckdb_views() where database_name = current_database() and not internal"
    return {row[0] for row in con.execute(query).fetchall()}


def _netsuite(con: duckdb.DuckDBPyConnection, subject: Subject) -> Iterator[Place]:
    key = {"id": subject.source_id}
    for record_type, column in subject.owners():
        for table in record_type.raw_tables:
            hidden = subject.hidden(con, table, record_type.name)
            sets = {**dict.fromkeys(hidden, "null"), "_row_hash": literal(HASH)} if hidden else {}
            yield Place(table, f"{quoted(column)} = $id", sets, key)
    history = f"hist_{subject.staging.removeprefix('stg_')}"
    for table, own in ((subject.staging, ()), (history, ("valid_from", "valid_to", "is_current"))):
        hidden = [name for name in subject.hidden(con, table, STAGED) if name not in own]
        yield Place(table, f"{quoted(subject.key)} = $id", dict.fromkeys(hidden, "null"), key)


def _of_workflow(con: duckdb.DuckDBPyConnection, subject: Subject, table: str) -> Iterator[Place]:
    record = {"source": subject.source, "source_id": subject.source_id}
    for side in (MART, TARGET):
        for prefix, own in ((side.table(""), ()), (side.versions(""), tuple(side.own))):
            if not table.startswith(prefix):
                continue
            workflow = table.removeprefix(prefix)
            fixed = (*(MART_COLUMNS if side is MART else TARGET_STATE_COLUMNS), *own)
            fields = [name for name in columns_of(con, table) if name not in fixed]
            hidden = hidden_fields(con, workflow, subject.source, subject.kept[STAGED], fields)
            sets = {**dict.fromkeys(hidden, "null"), **(_mart_sets(con, table) if side is MART else {})}
            if own:
                sets["version_hash"] = "null"
            if side is MART:
                yield Place(table, _RECORD, sets, record)
            else:
                yield Place(table, f"target_id in ({TARGET_IDS})", sets, {**record, "workflow": workflow})
    if table.startswith("plan_"):
        names = columns_of(con, table)
        emptied = ("payload", "payload_hash", "source_hash")
        sets = {**dict.fromkeys((each for each in emptied if each in names), "null"), "changes": _WITHOUT_VALUES}
        sets |= {"reason": _REASON} if "reason" in names else {}
        yield Place(table, _RECORD, sets, record)
    if table.startswith(_REASONED) and table not in LEDGER_TABLES:
        yield from _reasons(con, subject, table)
    if table.startswith(_OWN_LAYERS) and {"source", "source_id"} <= columns_of(con, table).keys():
        yield from _texts_of(con, subject, table, record)
        for name in (each for each in _OF_PARENTS if each in columns_of(con, table)):
            found = f"{name} is not null and {contains(name)}"
            yield Place(table, found, {name: literal(TEXT)}, found_by(subject.texts))


def _reasons(con: duckdb.DuckDBPyConnection, subject: Subject, table: str) -> Iterator[Place]:
    """Yield the reasons of a workflow's own table: the record's that quote a value, and any that has one of these."""
    if not {"source", "source_id", "reason_code", "reason"} <= columns_of(con, table).keys():
        return
    record = {"source": subject.source, "source_id": subject.source_id}
    yield Place(table, f"{_RECORD} and {QUOTES_A_VALUE}", {"reason": _REASON}, record)
    found = f"reason is not null and reason <> {literal(TEXT)} and {contains('reason')}"
    yield Place(table, found, {"reason": literal(TEXT)}, found_by(subject.texts))


def _mart_sets(con: duckdb.DuckDBPyConnection, table: str) -> dict[str, str]:
    """Return what becomes of a mart's own columns: the record is held, and its row is made again by the next run."""
    emptied = ("source_hash", "payload_hash", "input_hash")
    sets = dict.fromkeys((each for each in emptied if each in columns_of(con, table)), "null") | {"reason": _REASON}
    if not table.startswith("hist_"):
        sets |= {"disposition": literal(HOLD), "reason_code": literal(FORGOTTEN)}
    return sets


def _ledger(con: duckdb.DuckDBPyConnection, subject: Subject, tables: Sequence[str] | set[str]) -> Iterator[Place]:
    record = {"source": subject.source, "source_id": subject.source_id}
    for table, names in _HASHES.items():
        if table in tables:
            sets = {**dict.fromkeys(names, "null"), **({"reason": _REASON} if table == "sync_attempts" else {})}
            yield Place(table, _RECORD, sets, record)
    if "sync_decisions" in tables:
        yield Place("sync_decisions", f"{_RECORD} and {QUOTES_A_VALUE}", {"reason": _REASON}, record)
    done = {"sync_attempts": _RECORD, "sync_decisions": f"{_RECORD} and {QUOTES_A_VALUE}"}
    for table, names in _TEXTS.items():
        if table in tables and subject.texts:
            known = columns_of(con, table)
            for name in (each for each in names if each in known):
                emptied = f" and not ({done[table]})" if table in done else ""  # by the places above
                found = f"{quoted(name)} is not null and {contains(quoted(name))}{emptied}"
                yield Place(
                    table, found, {name: literal(TEXT)}, {**(record if emptied else {}), **found_by(subject.texts)}
                )


def _texts_of(
    con: duckdb.DuckDBPyConnection, subject: Subject, table: str, record: Mapping[str, Any]
) -> Iterator[Place]:
    for name, kind in columns_of(con, table).items():
        if kind == "VARCHAR" and not name.endswith("_id") and name not in ("source", "workflow"):
            condition = f"{_RECORD} and {quoted(name)} is not null and {contains(quoted(name))}"
            yield Place(table, condition, {name: "null"}, {**record, **found_by(subject.texts)})
