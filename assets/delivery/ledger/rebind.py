"""Give a workflow another account: what the ledger knows of the old account's records no longer applies.

`millpond rebind`  ->  forget_account()  ->  the next delivery records its account; records are matched by key again
"""

from datetime import datetime

import duckdb

from assets.delivery.ledger.certificates import void_certificates
from assets.delivery.ledger.events import Event, Happened, record_event
from assets.delivery.ledger.plans import OPEN_STATES, PlanState
from assets.delivery.ledger.sequence import next_position
from assets.delivery.ledger.sides import TARGET
from assets.delivery.ledger.tables import ensure_ledger
from assets.delivery.ledger.version_readings import FORGOTTEN, Reading
from assets.delivery.ledger.versions import forget_versions
from assets.delivery.spec.workflow import Workflow
from resources.warehouse.tables import has_table, quoted

NOTE = "the workflow was given another account"

# an open attempt, an unfinished create and a rejection say nothing about the new account
_END_ATTEMPTS = """
insert into sync_attempts by name
select * replace (
    if(state = 'rejected', 'not_sent', if(code = 'unfinished', 'finished', 'absent')) as state,
    '' as code, $note as reason, null as image, $moment as seen_at, $position as position
)
from sync_attempts
where workflow = $workflow
qualify row_number() over (partition by attempt_id order by position desc) = 1
    and (state in ('intent', 'unknown', 'ambiguous', 'rejected') or code = 'unfinished')
"""


def forget_account(
    con: duckdb.DuckDBPyConnection, workflow: Workflow, moment: datetime, run_id: str, decided_by: str = ""
) -> int:
    """Forget a workflow's links and what follows from them, and return their number; runs and attempts stay."""
    ensure_ledger(con)
    name = workflow.name
    links = int(con.execute("select count(*) from sync_links where workflow = ?", [name]).fetchall()[0][0])
    for table in ("sync_links", "sync_manual_links", "sync_undo_holds", "sync_normalizations", "sync_ignored",
                  "sync_shadow_records", "sync_shadow_differences", "sync_shadow_nights"):  # fmt: skip
        con.execute(f"delete from {table} where workflow = ?", [name])
    con.execute(
        "update sync_decisions set to_run = ?, to_at = ? where workflow = ? and to_run is null", [run_id, moment, name]
    )
    con.execute(
        "update sync_plans set state = ?, state_at = ?, note = ? where workflow = ? and state in (?, ?)",
        [PlanState.REJECTED, moment, NOTE, name, *OPEN_STATES],
    )
    void_certificates(con, moment, NOTE, name)
    values = {"workflow": name, "note": NOTE, "moment": moment, "position": next_position(con)}
    con.execute(_END_ATTEMPTS, values)
    rebound = Event(event=Happened.REBOUND, at=moment, workflow=name, by=decided_by, details={"links": links})
    record_event(con, rebound)
    forgotten = Reading(workflow=name, kind=FORGOTTEN, read_at=moment, run_id=run_id)
    forget_versions(con, TARGET, forgotten)
    if has_table(con, workflow.target_state):
        con.execute(f"delete from {quoted(workflow.target_state)}")
    con.execute("delete from sync_inputs where table_name = ?", [workflow.target_state])  # it was not read yet
    return links
