"""The versions of NetSuite's, the desired and the targets' records as one query, for the view `record_versions`.

hist_netsuite__<source>, hist_mart__<workflow>, hist_target__<workflow>
    ->  versions_query(): all          versions_of_record_query(): those of one record
"""

from collections.abc import Collection, Iterable, Mapping

import duckdb

from resources.warehouse.tables import columns_of, literal, quoted, tables_of
from sql import statement

NETSUITE, MART, TARGET = "hist_netsuite__", "hist_mart__", "hist_target__"
COLUMNS = (
    "side", "workflow", "source", "source_id", "target_id", "valid_from", "valid_to", "is_current", "from_position",
    "to_position", "fields", "saved_at", "cause", "attempt_id", "sent", "is_after_restore", "unseen_position", "run_id",
)  # fmt: skip
TYPES = {
    **dict.fromkeys(("valid_from", "valid_to"), "timestamp"),
    **dict.fromkeys(("is_current", "is_after_restore"), "boolean"),
    **dict.fromkeys(("from_position", "to_position", "unseen_position"), "bigint"),
    "fields": "map(varchar, varchar)",
}
_PERIOD = ("valid_from", "valid_to", "is_current")
EMPTIED = "is_emptied"  # of a version whose personal values retention has removed; the column comes with the first one
_OWN = (
    *_PERIOD, "from_position", "to_position", "version_hash", "version_run", "version_cause", "version_attempt",
    "version_sent", "is_after_restore", "unseen_at", "unseen_position", EMPTIED,
)  # fmt: skip
# columns of mart and target state that are no fields of the target, by the name under which they are among the fields
_MART_FIELDS = {
    "disposition": "(disposition)", "reason": "(reason)", "parent_source_id": "(parent)", "level": "(level)",
}  # fmt: skip
_MART_OTHERS = ("source", "source_id", "reason_code", "parent_source", "source_hash", "payload_hash")
_TARGET_FIELDS = {"external_id": "(key)", "is_active": "(active)", "parent_id": "(parent)"}
_TARGET_OTHERS = ("target_id", "updated_at")


# DuckDB takes no parameter that a statement does not name, such as those of a record without a table of versions
_NAMED = "$source <> $source_id and $target_ids::varchar[] is null"


def own_columns(name: str) -> frozenset[str]:
    """Return the columns of a table of versions that are no fields of the target."""
    if name.startswith(MART):
        return frozenset((*_OWN, *_MART_FIELDS, *_MART_OTHERS))
    return frozenset((*_OWN, *_TARGET_FIELDS, *_TARGET_OTHERS))


def versions_query(con: duckdb.DuckDBPyConnection) -> str:
    """Return the query of all versions: COLUMNS."""
    return _united(con, tables_of(con))


def versions_of_record_query(con: duckdb.DuckDBPyConnection, workflows: Iterable[str], source: str) -> str:
    """Return the query of the versions of one record in some workflows: COLUMNS.

    Parameters are `$source`, `$source_id`, and `$target_ids`, the target's records that it is or was. Each table is
    searched by its own key, so that DuckDB reads few of its rows and makes maps of those alone.
    """
    names = {f"{NETSUITE}{source}", *(f"{side}{each}" for each in workflows for side in (MART, TARGET))}
    return _united(con, tables_of(con) & names, of_record=True)


def _united(con: duckdb.DuckDBPyConnection, names: Collection[str], *, of_record: bool = False) -> str:
    nothing = ", ".join(f"cast(null as {TYPES.get(each, 'varchar')}) as {each}" for each in COLUMNS)
    where = f"false and {_NAMED}" if of_record else "false"
    return " union all ".join([f"(select {nothing} where {where})", *_queries(con, sorted(names), of_record=of_record)])


def _queries(con: duckdb.DuckDBPyConnection, names: Iterable[str], *, of_record: bool) -> Iterable[str]:
    """Yield one query per table of versions."""
    for name in names:
        if name.startswith(NETSUITE):
            yield _netsuite(con, name, of_record=of_record)
        elif name.startswith(MART):
            yield _mart(con, name, of_record=of_record)
        elif name.startswith(TARGET):
            yield _target(con, name, of_record=of_record)


def _netsuite(con: duckdb.DuckDBPyConnection, name: str, *, of_record: bool) -> str:
    columns, source = list(columns_of(con, name)), name.removeprefix(NETSUITE)
    key = statement("history", name).key[0]
    fields = {each: each for each in columns if each not in {key, "modified_at", EMPTIED, *_PERIOD}}
    saved = "cast(modified_at as varchar)" if "modified_at" in columns else "cast(null as varchar)"
    values = {
        "side": "'netsuite'", "source": literal(source), "source_id": f"cast({quoted(key)} as varchar)",
        "fields": _map(con, name, fields), "saved_at": saved, **{each: each for each in _PERIOD},
    }  # fmt: skip
    return _query(name, values, f"cast({quoted(key)} as varchar) = $source_id" if of_record else "")


def _mart(con: duckdb.DuckDBPyConnection, name: str, *, of_record: bool) -> str:
    fields = _fields(con, name, _MART_FIELDS, _MART_OTHERS)
    values = {
        "side": "'desired'", "workflow": literal(name.removeprefix(MART)), "source": "source", "source_id": "source_id",
        "fields": _map(con, name, fields), "cause": "version_cause", "run_id": "version_run",
        **{each: each for each in (*_PERIOD, "from_position", "to_position")},
    }  # fmt: skip
    return _query(name, values, "source = $source and source_id = $source_id" if of_record else "")


def _target(con: duckdb.DuckDBPyConnection, name: str, *, of_record: bool) -> str:
    fields = _fields(con, name, _TARGET_FIELDS, _TARGET_OTHERS)
    own = (*_PERIOD, "from_position", "to_position", "is_after_restore", "unseen_position")
    values = {
        "side": "'target'", "workflow": literal(name.removeprefix(TARGET)), "target_id": "target_id",
        "fields": _map(con, name, fields), "saved_at": "cast(updated_at as varchar)", "attempt_id": "version_attempt",
        "sent": "version_sent", "run_id": "version_run", **{each: each for each in own},
    }  # fmt: skip
    return _query(name, values, "target_id in (select unnest($target_ids::varchar[]))" if of_record else "")


def _fields(
    con: duckdb.DuckDBPyConnection, name: str, renamed: Mapping[str, str], others: Iterable[str]
) -> dict[str, str]:
    """Return the columns that hold values, each with the name that it has among the fields."""
    return {each: renamed.get(each, each) for each in columns_of(con, name) if each not in {*_OWN, *others}}


def _map(con: duckdb.DuckDBPyConnection, table: str, fields: Mapping[str, str]) -> str:
    """Return SQL for the values by field; of an emptied version, what is blank is not known and is left out."""
    names = ", ".join(literal(name) for name in fields.values())
    values = ", ".join(f"cast({quoted(column)} as varchar)" for column in fields)
    every = f"map([{names}]::varchar[], [{values}]::varchar[])"
    if EMPTIED not in columns_of(con, table):
        return every
    known = f"map_from_entries(list_filter(map_entries({every}), lambda each: each.value is not null))"
    return f"case when {EMPTIED} then {known} else {every} end"


def _query(name: str, values: Mapping[str, str], condition: str) -> str:
    columns = ", ".join(
        f"{values[each]} as {each}" if each in values else f"cast(null as {TYPES.get(each, 'varchar')}) as {each}"
        for each in COLUMNS
    )
    return f"(select {columns} from {quoted(name)}{' where ' if condition else ''}{condition})"
