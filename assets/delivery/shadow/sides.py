"""Compare the records that a workflow would write with those that the target has, by the matches of its newest plan.

mart, plan, target state  ->  make_sides()  ->  temp table SIDES: state and differing fields of each record

Our key is not compared: another connector does not write it. Neither are fields that a run would leave as they are.
"""

from collections.abc import Iterator
from typing import Final

import duckdb

from assets.delivery.audit.reconcile import differences
from assets.delivery.diff.compared_fields import kept_when_blank, unowned_fields
from assets.delivery.schemas import PARENT
from assets.delivery.spec.expressions import date_dependent_fields
from assets.delivery.spec.workflow import Workflow
from assets.delivery.target import HELD, TOP
from resources.warehouse.tables import columns_of, literal, quoted

SIDES: Final = "_shadow_sides"
MISSING, HELD_BACK, LEFT_OUT = "missing", "held", "left_out"
NOT_THERE, ONLY_THERE, STILL_ACTIVE = "(not in the target)", "(not selected)", "(still active)"
WHOLE_RECORD = (NOT_THERE, ONLY_THERE, STILL_ACTIVE)
# null for a parent that is yet to be created
WANTED_PARENT: Final = f"coalesce(planned.parent_target_id, case when mart.parent_source_id is null then '{TOP}' end)"


def compared_fields(workflow: Workflow, key_field: str) -> list[str]:
    """Return the fields that are compared: those that a run writes into existing records, without our key."""
    moving, unowned = date_dependent_fields(workflow.spec), unowned_fields(workflow.spec)
    sources = {record.source for record in workflow.spec.records}
    return [
        name
        for name in workflow.spec.target_fields
        if name != key_field and name not in moving and sources - set(unowned.get(name, ()))
    ]


def make_sides(con: duckdb.DuckDBPyConnection, workflow: Workflow, key_field: str, plan_id: str) -> None:
    """Create the temp table SIDES: source, source_id, target_id, state, code, reason, differing, hashes of both sides.

    `found_hash` is null of records that are not compared field by field.

    Args:
        con: An open writer section.
        workflow: The workflow; its mart, target state and plan were made by the same run.
        key_field: The target's field with our key.
        plan_id: The plan.
    """
    fields = [name for name in compared_fields(workflow, key_field) if name in columns_of(con, workflow.target_state)]
    tests = list(_tests(workflow, key_field))
    listed = ", ".join(f"case when {test} then {literal(name)} end" for name, test in tests) or "null::varchar"
    shown = ", ".join(f"coalesce(shown.{quoted(name)}, '')" for name in fields)
    con.execute(
        _SIDES.format(
            sides=SIDES,
            mart=quoted(workflow.mart),
            plan=quoted(workflow.plan),
            target_state=quoted(workflow.target_state),
            differing=listed,
            found=f"md5(concat_ws('\\x1f', {shown}))" if fields else "''",
            left_out=_left_out(con, workflow, key_field),
        ),
        {"plan_id": plan_id, "held": list(HELD)},
    )


def _tests(workflow: Workflow, key_field: str) -> Iterator[tuple[str, str]]:
    """Yield each compared field with the SQL condition that it differs."""
    kept = kept_when_blank(workflow.spec)
    known = set(compared_fields(workflow, key_field))
    for name, test in differences(workflow):
        if name in known:
            sources = ", ".join(map(literal, kept.get(name, [])))
            is_kept = f" and not (mart.source in ({sources}) and mart.{quoted(name)} is null)" if sources else ""
            yield name, f"{test.replace('target_state.', 'shown.')}{is_kept}"
    children = [record.source for record in workflow.spec.records if record.parent]
    if children:
        of_children = f"mart.source in ({', '.join(map(literal, children))})"
        yield PARENT, f"{of_children} and coalesce(shown.parent_id <> {WANTED_PARENT}, false)"


def _left_out(con: duckdb.DuckDBPyConnection, workflow: Workflow, key_field: str) -> str:
    """Return SQL for the target records of NetSuite records that the workflow leaves out: by key, then by its rules."""
    shown = columns_of(con, workflow.target_state)
    rules = [(key_field, "external_id", False)]
    rules += [(rule.field, rule.field, rule.ignore_case) for rule in workflow.spec.match_rules if rule.field in shown]
    parts = []
    for place, (mine, theirs, ignores_case) in enumerate(rules):
        ours, other = quoted(mine), quoted(theirs)
        if ignores_case:
            ours, other = f"lower({ours})", f"lower({other})"
        parts.append(
            f"select mart.source, mart.source_id, free.target_id, {place} as place"
            f" from (select source, source_id, {ours} as value from others) as mart"
            f" join (select target_id, {other} as value from free) as free on free.value = mart.value"
            " qualify count(*) over (partition by free.target_id) = 1"
            " and count(*) over (partition by mart.source, mart.source_id) = 1"
        )
    return " union all ".join(f"({part})" for part in parts)


_SIDES = """
create or replace temp table {sides} as
with planned as (from {plan} where plan_id = $plan_id),
others as (
    select mart.* from {mart} as mart join planned using (source, source_id)
    where mart.disposition in ('skip', 'retire', 'hold') and planned.target_id is null
),
free as (
    select * from {target_state}
    where target_id not in (select target_id from planned where target_id is not null) and is_active is not false
),
candidates as ({left_out}),
brought as (
    select source, source_id, target_id from candidates
    qualify row_number() over (partition by source, source_id order by place) = 1
        and row_number() over (partition by target_id order by place, source, source_id) = 1
),
compared as (
    select
        mart.source, mart.source_id, mart.disposition, mart.source_hash,
        coalesce(planned.target_id, brought.target_id) as target_id, planned.action,
        coalesce(planned.reason_code, mart.reason_code) as code, coalesce(planned.reason, mart.reason) as reason,
        brought.target_id is not null as is_brought, shown.is_active,
        case when mart.disposition = 'deliver' and shown.target_id is not null
            then [each for each in [{differing}] if each is not null] else [] end as fields,
        mart.payload_hash as wanted_hash,
        case when mart.disposition = 'deliver' and shown.target_id is not null then {found} end as found_hash
    from {mart} as mart
    join planned using (source, source_id)
    left join brought using (source, source_id)
    left join {target_state} as shown on shown.target_id = planned.target_id
)
select
    source, source_id, target_id, code, reason, source_hash, wanted_hash, found_hash,
    case
        when is_brought then 'left_out'
        when disposition = 'skip' and target_id is not null and is_active is not false then 'left_out'
        when disposition = 'retire' and target_id is not null and is_active then 'differing'
        when list_contains($held, action) then 'held'
        when disposition <> 'deliver' then 'aside'
        when target_id is null and action in ('create', 'adopt') then 'missing'
        when target_id is null and code = 'no_match' then 'missing'
        when target_id is null then 'held'
        when len(fields) > 0 then 'differing'
        else 'alike'
    end as state,
    case
        when is_brought or (disposition = 'skip' and target_id is not null and is_active is not false)
            then ['(not selected)']
        when disposition = 'retire' and target_id is not null and is_active then ['(still active)']
        when list_contains($held, action) then []
        when disposition = 'deliver' and target_id is null then
            case when action in ('create', 'adopt') or code = 'no_match' then ['(not in the target)'] else [] end
        else fields
    end as differing
from compared
"""
