"""Queries for the records that are held back, and for the decision at the end of each chain of parents.

decisions of plans or of the last runs  ->  read_decided(): which of them hold or wait  ->  held_query()

Most records are not held back. The search begins with those that are: it looks up their parents only, and reads the
mart of a workflow only if a record of it waits.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import duckdb

from assets.delivery.ledger.ignored import ignored_rows
from assets.delivery.schemas import PARENT_MISSING
from assets.delivery.spec.workflow import Workflow
from assets.delivery.target import HELD, WRITING, Action
from resources.warehouse.tables import has_table, literal, quoted

Serves = Sequence[tuple[str, str, int]]

IDENTICAL = "identical"  # the code of a record that the target has as it should be


@dataclass(frozen=True)
class Decided:
    """The places of the decisions of workflows, and what these hold back.

    Attributes:
        names: Workflows that have decisions, and a place to look up the parents of their records.
        plans: Plan id by workflow; of the others the decisions of their last runs count.
        holding: Those that hold a record back.
        waiting: Those of which a record waits for its parent.
        is_run: Whether there are decisions of runs at all.
    """

    names: Sequence[str]
    plans: Mapping[str, str]
    holding: Collection[str]
    waiting: Collection[str]
    is_run: bool

    def plan(self, name: str) -> str:
        """Return the parameter of a workflow's plan id."""
        return f"plan_{self.names.index(name)}"

    def listed(self, among: Collection[str]) -> str:
        """Return the workflows without a plan among some, as SQL; `in (null)` lets none through."""
        return ", ".join(literal(each) for each in self.names if each in among and each not in self.plans) or "null"


def serves_of(holding: Iterable[Workflow], workflows: Mapping[str, Workflow]) -> Serves:
    """Return (workflow, one that delivers its parents, precedence), for these workflows and all above them."""
    found: dict[tuple[str, str], int] = {}
    pending = list(holding)
    seen = {each.name for each in pending}
    while pending:
        each = pending.pop()
        for place, name in enumerate([each.name, *each.spec.upstream]):
            found[each.name, name] = place
            if name not in seen and name in workflows:
                seen.add(name)
                pending.append(workflows[name])
    return [(name, other, place) for (name, other), place in found.items()]


def read_decided(con: duckdb.DuckDBPyConnection, names: Iterable[str], plans: Mapping[str, str]) -> Decided:
    """Return where the decisions of these workflows are, and which of them hold or wait."""
    is_run = has_table(con, "sync_decisions")
    known = [each for each in names if each in plans or (is_run and has_table(con, f"mart_{each}"))]
    rows = con.execute(_HOLDING).fetchall() if is_run and any(each not in plans for each in known) else []
    found = {name: waits for name, waits in rows if name in known and name not in plans}
    for name in known:
        if name in plans:
            query = _HOLDING_PLAN.format(plan=quoted(f"plan_{name}"))
            (waits,) = con.execute(query, [plans[name]]).fetchall()[0]
            found |= {} if waits is None else {name: waits}
    return Decided(known, plans, found.keys(), {name for name, waits in found.items() if waits}, is_run)


def held_query(
    con: duckdb.DuckDBPyConnection, decided: Decided, holding: Collection[str], serves: Serves
) -> tuple[str, dict[str, object]]:
    """Return the query for the records that some workflows hold back, with the plans' ids as parameters.

    Other parameters are `$serves`, `$holding` for the order, and `$today`.
    """
    above = {other for name, other, _ in serves if name in decided.waiting}
    used = {*holding, *decided.waiting, *above}
    planned = [name for name in decided.names if name in decided.plans and name in used]
    parts = {
        name: {"name": literal(name), "plan": quoted(f"plan_{name}"), "id": decided.plan(name)} for name in planned
    }
    by_plan = _HELD_SINCE if decided.is_run else _HELD_BY_PLAN
    held = [by_plan.format(**parts[name]) for name in planned if name in holding]
    waiting = [
        _WAITING_BY_PLAN.format(**parts[name])
        if name in parts
        else _WAITING.format(name=literal(name), mart=quoted(f"mart_{name}"))
        for name in decided.waiting
    ]
    parents = [_DECIDED_BY_PLAN.format(**parts[name]) for name in planned if name in above]
    if decided.is_run:
        held.append(_HELD.format(names=decided.listed(holding)))
        parents.append(_DECIDED.format(names=decided.listed(above)))
    query = _QUERY.format(
        held=" union all ".join(held),
        waiting=" union all ".join(waiting or [_NONE_WAITS]),
        decided=" union all ".join(parents or [_NONE_DECIDED]),
        ignored=ignored_rows(con),
    )
    return query, {decided.plan(name): decided.plans[name] for name in planned}


_IS_HELD = f"action in ({', '.join(map(literal, HELD))})"
_WAITS = f"action = {literal(Action.BLOCKED)} and reason_code = {literal(PARENT_MISSING)}"
_HOLDING = f"""
select workflow, bool_or({_WAITS}) from sync_decisions where to_run is null and {_IS_HELD} group by workflow
"""
_HOLDING_PLAN = f"select bool_or(coalesce({_WAITS}, false)) from {{plan}} where plan_id = ? and {_IS_HELD}"
_COLUMNS = "source, source_id, action, reason_code, reason"
# what the last run wrote is in the target now, unlike what a plan writes
_DECIDED = f"""
select workflow, source, source_id, if(is_written, {literal(Action.UNCHANGED)}, action) as action,
    if(is_written and action <> {literal(Action.DEACTIVATE)}, '{IDENTICAL}', reason_code) as reason_code,
    if(is_written and action <> {literal(Action.DEACTIVATE)}, 'the target already has these values', reason) as reason
from (select *, action in ({", ".join(map(literal, sorted(WRITING)))}) as is_written from sync_decisions)
where to_run is null and workflow in ({{names}})
"""
_DECIDED_BY_PLAN = f"select {{name}} as workflow, {_COLUMNS} from {{plan}} where plan_id = ${{id}}"
_HELD = f"""
select workflow, {_COLUMNS}, from_at as since from sync_decisions
where to_run is null and {_IS_HELD} and workflow in ({{names}})
"""
_HELD_BY_PLAN = f"""
select {{name}} as workflow, {_COLUMNS}, null::timestamp as since from {{plan}} where plan_id = ${{id}} and {_IS_HELD}
"""
# a plan holds a record back for the same reason as the last run
_HELD_SINCE = f"""
select planned.* replace (known.from_at as since) from ({_HELD_BY_PLAN}) as planned
left join sync_decisions as known
    on known.workflow = planned.workflow and known.source = planned.source and known.source_id = planned.source_id
    and known.action = planned.action and known.reason_code is not distinct from planned.reason_code
    and known.to_run is null
"""
_PARENT = "source, source_id, parent_source, parent_source_id"
_WAITING = f"""
select {{name}} as workflow, {_PARENT} from {{mart}} semi join (
    select source, source_id from sync_decisions where workflow = {{name}} and to_run is null and {_WAITS}
) using (source, source_id)
"""
_WAITING_BY_PLAN = f"select {{name}} as workflow, {_PARENT} from {{plan}} where plan_id = ${{id}} and {_WAITS}"
_NONE_DECIDED = (
    "select '' as workflow, '' as source, '' as source_id, '' as action, '' as reason_code, '' as reason limit 0"
)
_NONE_WAITS = (
    "select '' as workflow, '' as source, '' as source_id, '' as parent_source, '' as parent_source_id limit 0"
)
# `union` removes rows that were there before, so that a cycle of parents ends the search
_QUERY = """
with recursive
held as materialized ({held}),
waiting as materialized ({waiting}),
decided as ({decided}),
serves as (select unnest($serves, recursive := true)),
above as materialized (
    select w.workflow, w.source, w.source_id, p.workflow as at_workflow, p.source as at_source, p.source_id as at_id,
        p.action, p.reason_code, p.reason
    from waiting as w
    join serves as s on s.workflow = w.workflow
    join decided as p on p.workflow = s.upstream and p.source = w.parent_source and p.source_id = w.parent_source_id
    qualify row_number() over (partition by w.workflow, w.source, w.source_id order by s.place) = 1
),
known as materialized (
    select above.*, next.source_id is not null as is_waiting
    from above
    left join above as next
        on next.workflow = above.at_workflow and next.source = above.at_source and next.source_id = above.at_id
),
chain as (
    select workflow, source, source_id, at_workflow, at_source, at_id from known where is_waiting
    union
    select chain.workflow, chain.source, chain.source_id, above.at_workflow, above.at_source, above.at_id
    from chain
    join above
        on above.workflow = chain.at_workflow and above.source = chain.at_source and above.source_id = chain.at_id
),
roots as (
    select * exclude (is_waiting) from known where not is_waiting
    union all
    select distinct chain.*, known.action, known.reason_code, known.reason
    from chain
    join known on known.at_workflow = chain.at_workflow and known.at_source = chain.at_source
        and known.at_id = chain.at_id and not known.is_waiting
)
select
    held.workflow, held.source, held.source_id, null as name, held.action, held.reason_code, held.reason, held.since,
    coalesce(at_workflow, held.workflow) as root_workflow,
    coalesce(at_source, held.source) as root_source,
    coalesce(at_id, held.source_id) as root_source_id,
    null as root_name,
    coalesce(roots.action, held.action) as root_action,
    case when roots.action is null then held.reason_code else roots.reason_code end as root_code,
    case when roots.action is null then held.reason else roots.reason end as root_reason,
    ignored.until_on as ignored_until, ignored.decided_by as ignored_by, ignored.note as ignored_note
from held
left join roots on roots.workflow = held.workflow and roots.source = held.source and roots.source_id = held.source_id
left join {ignored} as ignored
    on ignored.workflow = held.workflow and ignored.source = held.source and ignored.source_id = held.source_id
    and ignored.action = held.action and ignored.reason_code is not distinct from held.reason_code
    and ignored.until_on >= $today
order by list_position($holding, held.workflow), held.source, try_cast(held.source_id as bigint), held.source_id
"""
