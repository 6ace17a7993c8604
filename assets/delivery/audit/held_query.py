"""Queries for the records that are held back, and for the decision at the end of each chain of parents.

decisions of a plan or of the last runs, parents  ->  QUERY
"""

from collections.abc import Mapping, Sequence

import duckdb

from assets.delivery.spec.workflow import Workflow
from assets.delivery.target import HELD
from resources.warehouse.tables import has_table, quoted


def serves_of(workflow: Workflow, workflows: Mapping[str, Workflow]) -> Sequence[tuple[str, str, int]]:
    """Return (workflow, one that delivers its parents, precedence), for the workflow and all above it."""
    found: dict[tuple[str, str], int] = {}
    pending, seen = [workflow], {workflow.name}
    while pending:
        each = pending.pop()
        for place, name in enumerate([each.name, *each.spec.upstream]):
            found[each.name, name] = place
            if name not in seen and name in workflows:
                seen.add(name)
                pending.append(workflows[name])
    return [(name, other, place) for (name, other), place in found.items()]


def is_decided(con: duckdb.DuckDBPyConnection, workflow: str, plans: Mapping[str, str]) -> bool:
    """Return whether there is a decision of the workflow, and a place to look up the parents of its records."""
    return workflow in plans or (has_table(con, "sync_decisions") and has_table(con, f"mart_{workflow}"))


def holds_any(con: duckdb.DuckDBPyConnection, workflow: str, plans: Mapping[str, str]) -> bool:
    """Return whether a workflow holds a record back: most hold none, and the search for roots reads whole tables."""
    decided = "sync_decisions where workflow = $of and to_run is null"
    if workflow in plans:
        decided = f"{quoted(f'plan_{workflow}')} where plan_id = $of"
    query = f"select 1 from {decided} and list_contains($held, action) limit 1"
    return bool(con.execute(query, {"of": plans.get(workflow, workflow), "held": list(HELD)}).fetchall())


def decided_query(number: int, workflow: str, is_planned: bool) -> str:  # noqa: FBT001
    """Return the query for a workflow's decisions, with the parent of each record."""
    columns = "source, source_id, action, reason_code, reason, parent_source, parent_source_id"
    if is_planned:
        table = quoted(f"plan_{workflow}")
        return f"select $workflow_{number} as workflow, {columns} from {table} where plan_id = $plan_{number}"
    mart = quoted(f"mart_{workflow}")
    return (
        "select known.workflow, source, source_id, known.action, known.reason_code, known.reason,"
        f" parent_source, parent_source_id from sync_decisions as known left join {mart} as mart"
        f" using (source, source_id) where known.workflow = $workflow_{number} and known.to_run is null"
    )


def since_query(con: duckdb.DuckDBPyConnection) -> str:
    """Return the query for the time since when each decision holds."""
    if has_table(con, "sync_decisions"):
        return (
            "select workflow, source, source_id, action, reason_code, from_at from sync_decisions where to_run is null"
        )
    return (
        "select '' as workflow, '' as source, '' as source_id, '' as action, '' as reason_code,"
        " null::timestamp as from_at limit 0"
    )


NAMES = """
select source, source_id, any_value(name) as name from ({named})
semi join (select unnest($source::varchar[]) as source, unnest($source_id::varchar[]) as source_id)
    using (source, source_id)
group by all
"""
# `union` removes rows that were there before, so that a cycle of parents ends the search
QUERY = """
with recursive
decided as materialized ({decided}),
serves as (select unnest($serves, recursive := true)),
above as materialized (
    select d.workflow, d.source, d.source_id, p.workflow as above_workflow, p.source as above_source,
        p.source_id as above_id
    from decided as d
    join serves as s on s.workflow = d.workflow
    join decided as p on p.workflow = s.upstream and p.source = d.parent_source and p.source_id = d.parent_source_id
    where d.action = $blocked and d.reason_code = $parent
    qualify row_number() over (partition by d.workflow, d.source, d.source_id order by s.place) = 1
),
held as (select * from decided where workflow = $held_workflow and action in $held),
chain as (
    select source, source_id, workflow as at_workflow, source as at_source, source_id as at_id from held
    union
    select chain.source, chain.source_id, above.above_workflow, above.above_source, above.above_id
    from chain
    join above on above.workflow = at_workflow and above.source = at_source and above.source_id = at_id
),
roots as (
    select chain.* from chain
    anti join above on above.workflow = at_workflow and above.source = at_source and above.source_id = at_id
),
named as ({named}),
since as ({since})
select
    held.workflow, held.source, held.source_id, own.name, held.action, held.reason_code, held.reason,
    since.from_at as since,
    coalesce(root.workflow, held.workflow) as root_workflow,
    coalesce(root.source, held.source) as root_source,
    coalesce(root.source_id, held.source_id) as root_source_id,
    root_named.name as root_name,
    coalesce(root.action, held.action) as root_action,
    case when root.source_id is null then held.reason_code else root.reason_code end as root_code,
    case when root.source_id is null then held.reason else root.reason end as root_reason,
    ignored.until_on as ignored_until, ignored.decided_by as ignored_by, ignored.note as ignored_note
from held
left join roots on roots.source = held.source and roots.source_id = held.source_id
left join decided as root
    on root.workflow = at_workflow and root.source = at_source and root.source_id = at_id
left join named as own on own.source = held.source and own.source_id = held.source_id
left join named as root_named on root_named.source = root.source and root_named.source_id = root.source_id
left join since
    on since.workflow = $held_workflow and since.source = held.source and since.source_id = held.source_id
    and since.action = held.action and since.reason_code is not distinct from held.reason_code
left join {ignored} as ignored
    on ignored.workflow = $held_workflow and ignored.source = held.source and ignored.source_id = held.source_id
    and ignored.action = held.action and ignored.reason_code is not distinct from held.reason_code
    and ignored.until_on >= $today
order by held.source, try_cast(held.source_id as bigint), held.source_id
"""
