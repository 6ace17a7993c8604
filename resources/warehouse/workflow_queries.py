"""Queries over the tables of all workflows, whose names and columns differ: the parts in braces of `sql/analytics`.

mart_<workflow>, target_<workflow>, plan_<workflow>  ->  expanded()  ->  the text of a view over those that exist
"""

from collections.abc import Callable, Iterable, Sequence

import duckdb

from resources.warehouse.bindings import of_same_account
from resources.warehouse.tables import columns_of, has_table, literal, quoted, tables_of
from resources.warehouse.version_queries import versions_query

HASH_LENGTH = 8  # of a value's fingerprint in sync_links.value_hashes
_PARENT_COLUMNS = ("workflow", "source", "source_id", "parent_source", "parent_source_id")
_COMPARED_COLUMNS = (
    "workflow", "source", "source_id", "target_id", "field", "netsuite_value", "target_value", "is_planned",
)  # fmt: skip
_EDITED_COLUMNS = (
    "workflow", "source", "source_id", "target_id", "field", "before", "after", "target_updated_at", "edited_after",
)  # fmt: skip
_TYPES = {"is_planned": "boolean", "edited_after": "timestamp"}


def expanded(con: duckdb.DuckDBPyConnection, text: str) -> str:
    """Return a definition with its parts in braces replaced by queries over the workflows' tables."""
    if "{versions}" in text:
        text = text.replace("{versions}", versions_query(con))
    for name, (part, columns) in _PARTS.items():
        marker = f"{{{name}}}"
        if marker in text:
            queries = [query for workflow in workflows_of(con) for query in part(con, workflow)]
            text = text.replace(marker, " union all by name ".join([_nothing(columns), *queries]))
    return text


def workflows_of(con: duckdb.DuckDBPyConnection) -> Sequence[str]:
    """Return the workflows that have a mart and a target state."""
    tables = tables_of(con)
    marts = sorted(name.removeprefix("mart_") for name in tables if name.startswith("mart_"))
    return [name for name in marts if f"target_{name}" in tables]


def _nothing(columns: Iterable[str]) -> str:
    """Return a query of these columns without rows."""
    nulls = (f"cast(null as {_TYPES.get(name, 'varchar')}) as {name}" for name in columns)
    return f"(select {', '.join(nulls)} limit 0)"


def _parents(_con: duckdb.DuckDBPyConnection, workflow: str) -> Iterable[str]:
    yield (
        f"(select {literal(workflow)} as workflow, source, source_id, parent_source, parent_source_id"
        f" from {quoted(f'mart_{workflow}')} where parent_source_id is not null)"
    )


def _compared(con: duckdb.DuckDBPyConnection, workflow: str) -> Iterable[str]:
    fields = _fields(con, workflow, f"mart_{workflow}", f"target_{workflow}")
    if not fields:
        return
    pairs = [(each, f"mart.{quoted(each)}", f"shown.{quoted(each)}") for each in fields]
    differs = " or ".join(_unlike(ours, theirs) for _, ours, theirs in pairs)
    tests = [
        ("(not in the target)", "null", "null", f"{_DELIVERED} and shown.target_id is null"),
        ("(still active)", "'inactive'", "'active'", "mart.disposition = 'retire' and shown.is_active"),
        *((field, ours, theirs, f"{_DELIVERED} and shown.target_id is not null and {_unlike(ours, theirs)}")
          for field, ours, theirs in pairs),
    ]  # fmt: skip
    yield _COMPARED.format(
        workflow=literal(workflow),
        mart=quoted(f"mart_{workflow}"),
        target_state=quoted(f"target_{workflow}"),
        planned=_planned(con, workflow),
        tests=", ".join(_difference(*each) for each in tests),
        differs=f"({_DELIVERED} and (shown.target_id is null or {differs}))"
        " or (mart.disposition = 'retire' and shown.is_active)",
    )


def _planned(con: duckdb.DuckDBPyConnection, workflow: str) -> str:
    """Return the query for what the newest plan makes of each record; of nothing where plans are not copied."""
    if not has_table(con, f"plan_{workflow}"):
        return _NOT_PLANNED
    newest = f"from sync_plans where workflow = {literal(workflow)} and kind = 'sync' order by position desc limit 1"
    return (
        "select source, source_id, target_id, case when state in ('ready', 'waiting') then action end as action,"
        " case when state in ('ready', 'waiting') then [each.field for each in changes] end as fields"
        f" from {quoted(f'plan_{workflow}')} join (select plan_id, state {newest}) using (plan_id)"
    )


_DELIVERED = "mart.disposition = 'deliver'"
_NOT_PLANNED = (
    "select null::varchar as source, null::varchar as source_id, null::varchar as target_id, null::varchar as action,"
    " []::varchar[] as fields limit 0"
)
_COMPARED = """(
    with linked as (
        select source, source_id, target_id from sync_links where workflow = {workflow} and target_id is not null
    ),
    planned as ({planned}),
    known as (
        select source, source_id, coalesce(planned.target_id, linked.target_id) as target_id, planned.fields,
            planned.action
        from linked full join planned using (source, source_id)
    )
    select {workflow} as workflow, source, source_id, target_id, each.field, each.netsuite_value, each.target_value,
        coalesce(list_contains(fields, each.field), false)
            or (each.field = '(not in the target)' and coalesce(action in ('create', 'adopt'), false)) as is_planned
    from (
        select mart.source, mart.source_id, shown.target_id, known.fields, known.action,
            unnest([each for each in [{tests}] if each is not null]) as each
        from {mart} as mart
        left join known using (source, source_id)
        left join {target_state} as shown on shown.target_id = known.target_id
        where {differs}
    )
    union all by name
    select {workflow} as workflow, shown.target_id, '(only in the target)' as field, false as is_planned
    from {target_state} as shown
    anti join known on known.target_id = shown.target_id
)"""


def _difference(field: str, ours: str, theirs: str, condition: str) -> str:
    value = f"{{'field': {literal(field)}, 'netsuite_value': {ours}::varchar, 'target_value': {theirs}::varchar}}"
    return f"case when {condition} then {value} end"


def _unlike(ours: str, theirs: str) -> str:
    return f"{ours} is distinct from {theirs}"


def _edited(con: duckdb.DuckDBPyConnection, workflow: str) -> Iterable[str]:
    fields = _fields(con, workflow, f"target_{workflow}")
    if not fields:
        return
    name, wanted = literal(workflow), columns_of(con, f"mart_{workflow}")
    same_account = of_same_account(con, "theirs.workflow", name)
    each = []
    for field in fields:
        path = literal('$."' + field.replace('"', '\\"') + '"')
        known, now = f"json_extract_string(link.value_hashes, {path})", f"shown.{quoted(field)}"
        ours = f"mart.{quoted(field)}" if field in wanted else "null::varchar"
        before = f"case when {_hash(ours)} = {known} then {ours} end"
        value = f"{{'field': {literal(field)}, 'before': {before}, 'after': {now}::varchar}}"
        by_others = f"[json_extract_string(each, {path}) for each in others.value_hashes]"
        edited = f"{known} <> {_hash(now)} and not coalesce(list_contains({by_others}, {_hash(now)}), false)"
        each.append(f"case when {edited} then {value} end")
    hashes = ", ".join(f"{literal(field)}: {_hash(f'shown.{quoted(field)}')}" for field in fields)
    yield f"""(
        select {name} as workflow, source, source_id, target_id, each.field, each.before, each.after,
            target_updated_at, edited_after
        from (
            select link.source, link.source_id, link.target_id,
                least(run.started_at, link.confirmed_at) as edited_after,
                shown.updated_at::varchar as target_updated_at,
                unnest([each for each in [{", ".join(each)}] if each is not null]) as each
            from sync_links as link
            join {quoted(f"target_{workflow}")} as shown on shown.target_id = link.target_id
            left join sync_runs as run on run.run_id = link.run_id and run.workflow = link.workflow
            left join (
                select target, target_id, list(value_hashes) as value_hashes
                from sync_links as theirs where workflow <> {name} and {same_account} group by all
            ) as others on others.target = link.target and others.target_id = link.target_id
            left join {quoted(f"mart_{workflow}")} as mart
                on mart.source = link.source and mart.source_id = link.source_id
            where link.workflow = {name} and json_valid(link.value_hashes)
                and link.value_hashes <> cast(to_json({{{hashes}}}) as varchar)
        )
    )"""


def _hash(value: str) -> str:
    return f"left(md5(coalesce({value}, '')), {HASH_LENGTH})"


def _fields(con: duckdb.DuckDBPyConnection, workflow: str, *tables: str) -> Sequence[str]:
    """Return the mapped fields of a workflow that all of these tables have, in the order of the last one."""
    rows = con.execute("select distinct target_field from lineage_columns where workflow = ?", [workflow]).fetchall()
    mapped = {str(row[0]) for row in rows}.intersection(*(columns_of(con, table) for table in tables))
    return [name for name in columns_of(con, tables[-1]) if name in mapped]


Part = Callable[[duckdb.DuckDBPyConnection, str], Iterable[str]]
_PARTS: dict[str, tuple[Part, Sequence[str]]] = {
    "parents": (_parents, _PARENT_COLUMNS),
    "compared": (_compared, _COMPARED_COLUMNS),
    "edited": (_edited, _EDITED_COLUMNS),
}
