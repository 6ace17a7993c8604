"""Queries for the records of a plan: those that filters let through, page by page, and what can be filtered by.

Filters  ->  found_records()  ->  WRITES: one page          facets()
"""

from dataclasses import dataclass
from typing import Any

import duckdb

from assets.delivery.ledger.plans import StoredPlan
from assets.delivery.target import WRITING
from assets.warehouse.record_names import plain_text
from resources.warehouse.tables import quoted


@dataclass(frozen=True)
class Filters:
    """The part of a plan that is shown; blank: everything."""

    action: str = ""
    field: str = ""
    code: str = ""
    text: str = ""


def found_records(plan: StoredPlan, filters: Filters, named: str) -> tuple[str, dict[str, Any]]:
    """Return the records that the filters let through, as a part of a query, and its values."""
    values = {"plan_id": plan.plan_id, "writing": [each.value for each in WRITING]}
    values |= {"action": filters.action, "code": filters.code, "field": filters.field}
    matching = f"(select * from {quoted(plan.table)} as plan where {_MATCHING}) as plan"
    if not filters.text:
        return matching, values
    return f"{matching} {_NAMED.format(named=named)}", {**values, "text": filters.text}


def facets(con: duckdb.DuckDBPyConnection, plan: StoredPlan) -> tuple[list[Any], list[Any], list[Any], int]:
    """Return the records by action, by reason and by field, and the number of conflicts."""
    table, own = quoted(plan.table), {"plan_id": plan.plan_id, "writing": [each.value for each in WRITING]}
    counts, codes, fields = (
        con.execute(query.format(plan=table), own).fetchall() for query in (_COUNTS, _CODES, _FIELDS)
    )
    conflicts = con.execute(_CONFLICTS.format(plan=table), {"plan_id": plan.plan_id}).fetchall()[0][0]
    return counts, codes, fields, conflicts


_MATCHING = """
plan.plan_id = $plan_id and (list_contains($writing, plan.action) or plan.reason_code = 'conflict')
and ($action = '' or plan.action = $action) and ($code = '' or plan.reason_code = $code)
and ($field = '' or list_contains([each.field for each in plan.changes], $field))
"""
_NAMED = f"""
left join ({{named}}) as called on called.source = plan.source and called.source_id = plan.source_id
where plan.source_id = $text or plan.target_id = $text
    or contains({plain_text("called.name")}, {plain_text("$text")})
"""
WRITES = """
select plan.* from {found}
order by coalesce(list_position($order, plan.action), 99), plan.source, try_cast(plan.source_id as bigint),
    plan.source_id
limit $page offset $skipped
"""
_COUNTS = """
select action, count(*) from {plan} where plan_id = $plan_id and list_contains($writing, action)
group by action order by count(*) desc, action
"""
_CODES = """
select reason_code, min(reason), count(*) from {plan} where plan_id = $plan_id and list_contains($writing, action)
group by reason_code order by count(*) desc, reason_code
"""
_FIELDS = """
select field, count(*) from (
    select unnest([each.field for each in changes]) as field from {plan}
    where plan_id = $plan_id and list_contains($writing, action) and action not in ('create', 'adopt')
) group by field order by count(*) desc, field
"""
_CONFLICTS = "select count(*) from {plan} where plan_id = $plan_id and reason_code = 'conflict'"
