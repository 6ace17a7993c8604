"""The state of each record: verified, held by a decision, pending, wrong, or no longer shown by NetSuite.

mart + links + target state as read + plan + ledger  ->  make_record_states()  ->  temp table _certificate_records

The comparison is that of the reconciliation, not of the engine that decided. A record that differs is pending only if
the target still has what was last confirmed: its earlier state is then still proven. So is that of one that NetSuite no
longer shows.
"""

from collections.abc import Iterable, Iterator
from typing import Final

import duckdb

from assets.delivery.audit.reconcile import ACTIVE, DUE, DUPLICATE, EXCLUDED, MISSING, SIDES, differences
from assets.delivery.audit.verification import readings_of
from assets.delivery.diff.compared_fields import unowned_fields
from assets.delivery.diff.edits import moved_in_target
from assets.delivery.ledger.links import confirmed_hash, shown_hash
from assets.delivery.schemas import BLOCK, HOLD, MOVED_KEY, PARENT, QUARANTINE, RETIRE, SKIP
from assets.delivery.spec.expressions import date_dependent_fields
from assets.delivery.spec.sources import key_column
from assets.delivery.spec.workflow import Workflow
from assets.netsuite.record_types import record_type_of
from resources.warehouse.tables import columns_of, has_table, literal, quoted

RECORDS: Final = "_certificate_records"
VERIFIED, LEFT_OUT, HELD, PENDING, WRONG, ABSENT = "verified", "left_out", "held", "pending", "wrong", "absent"
INACTIVE = "(inactive)"
NORMALIZED, NOT_MONITORED = "normalized_by_target", "not_monitored"
LEFT_DIFFERENT: Final = (NORMALIZED, NOT_MONITORED)  # verified, though a value differs
# reason codes of what a run skipped and a later one decides anew; of a record that the target was not asked for,
# nothing is known
PASSING: Final = ("not_asked", "not_changed_since", "stale_source", "stale_target", "conflict", "nothing_to_undo")
NOT_ASKED = PASSING[0]
NOT_DUE: Final = ("no_match", "parent_inactive")  # nothing is required of a record that was never in the target
EDITED, UNDECIDED, SENT_SINCE, NOT_SHOWN = "edited_in_target", "not_decided", "sent_since_read", "not_as_sent"


def make_record_states(con: duckdb.DuckDBPyConnection, workflow: Workflow, key_field: str, read_position: int) -> None:
    """Create the temp table RECORDS: source, source_id, kind, reason, created_before.

    Args:
        con: An open writer section.
        workflow: The workflow; its mart and target state are current.
        key_field: The target's field that carries our key.
        read_position: Place in the ledger's sequence when the target was read.
    """
    compared = _STATES.format(
        records=RECORDS,
        mart=quoted(workflow.mart),
        target_state=quoted(workflow.target_state),
        plan=quoted(workflow.plan),
        key=quoted(key_field),
        differences=_listed([*differences(workflow), (INACTIVE, "not target_state.is_active")]),
        edited=_listed(_edits(workflow)),
        created=_created(con, workflow),
        absent=_absent(con, workflow),
        parents=", ".join(map(literal, [workflow.name, *workflow.spec.upstream])),
    )
    monitored = workflow.spec.monitored_fields
    free = [] if monitored == "mapped" else sorted(set(workflow.spec.target_fields) - set(monitored))
    con.execute(compared, {"workflow": workflow.name, "read_position": read_position, "not_monitored": free})


def _listed(tests: Iterable[tuple[str, str]]) -> str:
    """Return SQL that lists the names whose condition holds; nearly always none, so lists are made of the others."""
    named = list(tests)
    cases = ", ".join(f"case when {test} then {literal(name)} end" for name, test in named)
    some = " or ".join(f"({test})" for _, test in named)
    return f"case when {some} then [each for each in [{cases}] if each is not null] else [] end"


def _edits(workflow: Workflow) -> Iterator[tuple[str, str]]:
    """Yield each compared field with the condition that its value is not the one that was confirmed."""
    unowned, moving = unowned_fields(workflow.spec), date_dependent_fields(workflow.spec)
    for name in workflow.spec.target_fields:
        if name not in moving:
            ours = f"mart.source not in ({', '.join(map(literal, unowned.get(name, [''])))})"
            yield name, f"{ours} and {confirmed_hash(name)} <> {shown_hash(f'target_state.{quoted(name)}')}"
    yield PARENT, f"coalesce({moved_in_target(workflow.spec, 'target_state')}, false)"


def _created(con: duckdb.DuckDBPyConnection, workflow: Workflow) -> str:
    """Return SQL for source, source_id and the second before NetSuite created the record."""
    parts = []
    for record in workflow.spec.records:
        columns, key = columns_of(con, record.table), key_column(record.source)
        at = "created_at - interval 1 second" if columns.get("created_at") == "TIMESTAMP" else "null::timestamp"
        parts.append(f"select {literal(record.source)} as source, {quoted(key)} as source_id, {at} as created_before"
                     f" from {quoted(record.table)}")  # fmt: skip
    return " union all ".join(parts)


def _absent(con: duckdb.DuckDBPyConnection, workflow: Workflow) -> str:
    """Return SQL for source and source_id of the records that NetSuite no longer shows, without a deletion note.

    Their last values say nothing about now, whatever these were; unless the workflow file takes absence for an end.
    """
    parts = ["select null::varchar as source, null::varchar as source_id limit 0"]
    for record in (each for each in workflow.spec.records if each.lifecycle.missing == "hold"):
        for table in record_type_of(record.source).raw_tables:
            if has_table(con, table):
                rows = readings_of(con, record_type_of(record.source), table)
                parts.append(f"select {literal(record.source)}, key from ({rows}) where is_gone")
    return " union all ".join(f"({part})" for part in parts)


_REASONS = f"""
case
    when kind = '{WRONG}' and list_contains(differs, '{DUPLICATE}') then 'duplicate'
    when (kind = '{WRONG}' or (kind = '{ABSENT}' and is_lost)) and is_target_missing then 'missing_in_target'
    when kind in ('{WRONG}', '{ABSENT}') and (is_edited or is_switched_off) then '{EDITED}'
    when kind = '{WRONG}' then '{NOT_SHOWN}'
    when kind = '{ABSENT}' then 'missing_without_note'
    when kind = '{PENDING}' and action is null then '{UNDECIDED}'
    when kind = '{PENDING}' and is_sent_since then '{SENT_SINCE}'
    when kind = '{PENDING}' and action = 'skipped' then decided_reason
    when kind = '{PENDING}' then action
    when kind = '{VERIFIED}' and len(differs) > 0 and differs_freely then '{NOT_MONITORED}'
    when kind = '{VERIFIED}' and len(differs) > 0 then '{NORMALIZED}'
    else coalesce(nullif(decided_reason, ''), mart_reason, '')
end
"""

_KIND = f"""
case
    when is_sent_since then '{PENDING}'
    when action is null then '{PENDING}'
    when is_absent then '{ABSENT}'
    when list_contains(differs, '{DUPLICATE}') then '{WRONG}'
    when action = 'skipped' and not is_linked and (disposition in ('{SKIP}', '{RETIRE}', '{HOLD}')
        or decided_reason in {NOT_DUE!r}) then '{LEFT_OUT}'
    when disposition in ('{SKIP}', '{QUARANTINE}', '{BLOCK}', '{HOLD}') then '{HELD}'
    when action = 'skipped' and decided_reason = '{NOT_ASKED}' then '{PENDING}'
    when action = 'skipped' and decided_reason not in {PASSING!r} and len(differs) > 0 then '{HELD}'
    when len(differs) > 0 and (is_undone or decided_reason in {EXCLUDED!r}) then '{HELD}'
    when action in ('quarantined', 'blocked') or (action = 'ambiguous' and not is_key_moved) then '{HELD}'
    when len(differs) > 0 and is_lost then '{WRONG}'
    when action = 'ambiguous' then '{HELD}'
    when len(differs) = 0 then '{VERIFIED}'
    when differs_freely then '{VERIFIED}'
    when is_pending or action = 'skipped' then '{PENDING}'
    when action in ('failed', 'deferred') then '{PENDING}'
    when is_as_confirmed and is_placed and (action = 'unchanged' or plan_state in ('sent', 'partial')) then '{VERIFIED}'
    when plan_state is distinct from 'sent' and action <> 'unchanged' then '{PENDING}'
    else '{WRONG}'
end
"""

_STATES = f"""
create or replace temp table {{records}} as
{SIDES}sent as (
    select distinct source, source_id from sync_attempts
    where workflow = $workflow and state = 'intent' and position > $read_position
),
held as (select distinct source, source_id from sync_undo_holds where workflow = $workflow),
created as ({{created}}),
absent as ({{absent}}),
compared as (
    select
        mart.source, mart.source_id, mart.disposition, mart.reason_code as mart_reason, created.created_before,
        absent.source_id is not null as is_absent, sent.source_id is not null as is_sent_since,
        held.source_id is not null as is_undone, planned.plan_state,
        planned.last_action as action, planned.last_reason as decided_reason,
        -- the decision waits because of an edit in the target; NetSuite's record is fine
        planned.matched_by is not distinct from '{MOVED_KEY}' as is_key_moved,
        link.target_id is not null as is_linked, target_state.target_id is null as is_target_missing,
        coalesce(link.payload_hash, link.target_hash) is not null and not target_state.is_active as is_switched_off,
        link.payload_hash is not distinct from mart.payload_hash as is_as_confirmed,
        planned.payload_hash is distinct from mart.payload_hash
            or (mart.disposition in ('retire', 'hold') and planned.reason_code is distinct from mart.reason_code)
            or ({DUE} = 'deliver' and planned.action = 'deactivate') as is_pending,
        case
            when {DUE} in ('retire', 'hold') then if(target_state.is_active, ['{ACTIVE}'], [])
            when mart.disposition = 'deliver' then {{differences}}
            else []
        end as differs,
        case
            when link.target_id is null or len(differs) = 0 then false
            else link.value_hashes is null or len({{edited}}) > 0
        end as is_edited
    from {{mart}} as mart
    left join link using (source, source_id)
    left join others on others.external_id = mart.{{key}}
    left join {{target_state}} as target_state on target_state.target_id = coalesce(link.target_id, others.target_id)
    left join planned using (source, source_id)
    left join sent using (source, source_id)
    left join held using (source, source_id)
    left join created using (source, source_id)
    left join absent using (source, source_id)
    left join (select source, source_id, target_id from sync_links where workflow in ({{parents}})) as above
        on above.source = mart.parent_source and above.source_id = mart.parent_source_id
),
judged as (
    select *, is_linked and (is_target_missing or is_edited or coalesce(is_switched_off, false)) as is_lost,
        list_has_all($not_monitored::varchar[], differs) as differs_freely,
        not list_has_any(differs, {[MISSING, ACTIVE, INACTIVE, PARENT]!r}) as is_placed
    from compared
),
known as (select *, {_KIND} as kind from judged)
select
    source, source_id, kind, {_REASONS} as reason, created_before,
    kind in ('{PENDING}', '{ABSENT}') and not is_sent_since and decided_reason is distinct from '{NOT_ASKED}'
        and not is_lost and (is_linked or is_target_missing) as keeps_time
from known
"""
