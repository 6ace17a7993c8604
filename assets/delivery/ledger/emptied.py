"""Values that the runs of the last days emptied, field by field: a permission may be lost a few records at a time.

deliver  ->  sync_attempts.emptied  ->  count_emptied()  ->  the guard `emptied_slowly`

Days are those on which the workflow ran, in the order of the ledger's sequence: a clock that is set forgets nothing.
"""

from collections.abc import Sequence

import duckdb

from assets.delivery.ledger.events import since_rebind
from assets.delivery.ledger.runs import WHOLE
from assets.delivery.spec.workflow import Workflow
from resources.warehouse.tables import columns_of, has_table, quoted

GUARD = "emptied_slowly"

# the attempts of the last days that may have arrived; what a person applied was accepted, and so was, with a plan that
# the guard held back and that was applied as a whole, all that came before it; another account has other records
WRITTEN_LATELY = f"""
days as (
    select cast(started_at as date) as day
    from sync_runs
    where workflow = $workflow
    group by day
    order by max(position) desc nulls last
    limit $days
),

accepted as (
    select sent_by as run_id
    from sync_plans
    where workflow = $workflow and decided_by is not null and sent_by is not null
),

since as (
    select coalesce(max(plan.position), 0) as position
    from sync_plans as plan
    join sync_runs as run on run.run_id = plan.sent_by and run.workflow = plan.workflow
    where plan.workflow = $workflow and plan.decided_by is not null and contains(plan.note, $guard) and {WHOLE}
),

written as (
    select *
    from sync_attempts as attempt
    where workflow = $workflow and state = 'intent' and action <> 'create'
        and position > (select position from since) and {since_rebind("attempt")}
        and run_id not in (select run_id from accepted)
        and run_id in (
            select run_id from sync_runs
            where workflow = $workflow and cast(started_at as date) in (select day from days)
        )
        and attempt_id not in (
            select attempt_id from sync_attempts
            where workflow = $workflow and state in ('rejected', 'not_sent', 'absent')
        )
)
"""
_EMPTIED = f"""
with {WRITTEN_LATELY},

emptied as (
    select source, source_id, target_id
    from written
    where list_contains(from_json(emptied, '["varchar"]'), $field)
)

select count(distinct (source, source_id))
from emptied
join {{target_state}} as target_state using (target_id)
where {{field}} is null
"""


def count_emptied(
    con: duckdb.DuckDBPyConnection, workflow: Workflow, days: int, fields: Sequence[str]
) -> dict[str, int]:
    """Return how many records lost the value of each field in the last days, and still have none in the target."""
    state = workflow.target_state
    if not days or not has_table(con, state):
        return {}
    known, values = columns_of(con, state), {"workflow": workflow.name, "days": days, "guard": f"guards.{GUARD}"}
    return {
        name: int(
            con.execute(
                _EMPTIED.format(target_state=quoted(state), field=quoted(name)), {**values, "field": name}
            ).fetchall()[0][0]
        )
        for name in fields
        if name in known
    }
