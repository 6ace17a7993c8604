"""Compare a target with NetSuite, record by record, independently of the engine that wrote it.

mart (desired) + links + target state (current)  ->  reconcile()  ->  equal, explained by cause, unexplained

Equality is claimed only of what was read: see `verification.py`.

A difference is explained by a cause that can be looked up: the ledger holds the record back, a plan waits, NetSuite
changed after the last plan, the target was edited after our last write. A difference without a cause is a defect, of
Millpond or of the target.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from assets.delivery.audit.verification import Verification, read_verification
from assets.delivery.diff.compared_fields import unowned_fields
from assets.delivery.ledger.normalization import target_hash
from assets.delivery.ledger.plans import PlanState
from assets.delivery.ledger.runs import WHOLE
from assets.delivery.ledger.tables import ensure_ledger
from assets.delivery.schemas import DELIVER, HOLD, PARENT, RETIRE
from assets.delivery.spec.expressions import date_dependent_fields
from assets.delivery.spec.workflow import Workflow
from assets.delivery.target import HELD, TOP, WRITING, Action
from resources.warehouse.tables import has_table, literal, quoted, read_frame
from resources.warehouse.warehouse import Warehouse

MISSING, ACTIVE, DUPLICATE = "(missing)", "(still active)", "(duplicate)"
NOT_SENT = (*HELD, Action.DEFERRED.value)
# reason codes of records that a person or the workflow file leaves unchanged
EXCLUDED = (
    "undone", "not_picked", "not_imported", "left_for_update", "no_match", "drift_reported", "drift_adopted",
    "other_workflow",
)  # fmt: skip
EDITED, PENDING, NOT_MONITORED = "edited_in_target", "changed_in_netsuite_since", "not_monitored"
NEVER_RAN, NORMALIZED = "never_ran", "normalized_by_target"
WITH_PARENT = "parent_inactive"  # reason code of a record that is retired with the one above it; its mart row is not
EXAMPLES = 8  # NetSuite ids listed per cause


@dataclass(frozen=True)
class Reconciliation:
    """The comparison of a target with NetSuite.

    Attributes:
        records: Number of records compared: those to deliver, and those to deactivate that are linked or carry our key.
        equal: Number of records of which every field is as desired, by the values that were read of NetSuite.
        explained: Number of records that differ, by cause.
        unexplained: NetSuite ids that differ without a cause, by field.
        upto: NetSuite's time up to which reported changes were read, UTC; None when unknown.
        verification: What of NetSuite's records was read by value, and what was not.
        examples: Some NetSuite ids by cause.
    """

    records: int
    equal: int
    explained: Mapping[str, int]
    unexplained: Mapping[str, list[str]]
    upto: datetime | None
    verification: Verification
    examples: Mapping[str, list[str]] = field(default_factory=dict)

    @property
    def unexplained_ids(self) -> set[str]:
        """NetSuite ids of the records that differ without a cause."""
        return {each for ids in self.unexplained.values() for each in ids}

    @property
    def is_identical(self) -> bool:
        """Every record is equal, and every value was read."""
        return self.equal == self.records and not self.unexplained and self.verification.is_complete

    @property
    def is_passed(self) -> bool:
        """No difference is unexplained, every column is shown, and both sides are current."""
        return not (self.unexplained or self.verification.columns or self.verification.outdated)

    @property
    def summary(self) -> str:
        """One line of counts, for the check, with what was not verified."""
        causes = ", ".join(f"{count:,} {cause}" for cause, count in sorted(self.explained.items()))
        explained = f"{sum(self.explained.values()):,} explained ({causes})" if causes else "0 explained"
        unexplained = f"{len(self.unexplained_ids):,} unexplained differences"
        counts = f"{self.equal:,} of {self.records:,} records equal, {explained}, {unexplained}"
        through, gaps = _at(self.verification.through), self.verification.gaps
        if self.is_identical:
            head = f"identical, by values read through {through}"
        else:
            head = f"compared; changes read up to {_at(self.upto)}, values through {through}"
        not_verified = f"; not verified: {', '.join(gaps)}" if gaps else ""
        uncompared = ", ".join(f"{name} ({reason})" for name, reason in sorted(self.verification.uncompared.items()))
        return f"{head}: {counts}{not_verified}{f'; not compared: {uncompared}' if uncompared else ''}"


def _at(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC" if moment else "an unknown time"


def reconcile(warehouse: Warehouse, workflow: Workflow, *, key_field: str, verify_days: float) -> Reconciliation:
    """Compare mart and target state, both just built; NetSuite's values may be `verify_days` old, or any age if 0."""
    with warehouse.writer() as con:
        ensure_ledger(con)
        count = _COUNT.format(
            mart=quoted(workflow.mart), target_state=quoted(workflow.target_state), key=quoted(key_field)
        )
        records = int(con.execute(count, [workflow.name]).fetchall()[0][0])
        verification = read_verification(con, workflow, verify_days)
        upto = con.execute("select min(watermark_at) from sync_watermarks").fetchall()[0][0]
        if not has_table(con, workflow.plan):  # switched on after the last run: everything is still to be sent
            waiting = {NEVER_RAN: records} if records else {}
            return Reconciliation(records, 0, waiting, {}, upto, verification, {NEVER_RAN: []})
        differing = read_frame(con, _query(workflow, key_field), {"workflow": workflow.name})
    explained: Counter[str] = Counter()
    unexplained: dict[str, list[str]] = {}
    examples: dict[str, list[str]] = {}
    for row in differing.iter_rows(named=True):
        cause = _cause(row, workflow)
        if cause is None:
            for name in row["differs"]:
                unexplained.setdefault(name, []).append(row["source_id"])
        else:
            explained[cause] += 1
            examples.setdefault(cause, []).append(row["source_id"])
    first = {cause: ids[:EXAMPLES] for cause, ids in examples.items()}
    equal = records - differing.height
    return Reconciliation(records, equal, dict(explained), unexplained, upto, verification, first)


def _cause(row: Mapping[str, Any], workflow: Workflow) -> str | None:
    """Return why a record differs; None if nothing explains it."""
    fields, differing, monitored = workflow.spec.target_fields, set(row["differs"]), workflow.spec.monitored_fields
    not_monitored = set() if monitored == "mapped" else set(fields) - set(monitored)
    cases: list[tuple[bool, str | None]] = [
        (DUPLICATE in differing, None),
        (row["action"] in NOT_SENT or row["reason_code"] in EXCLUDED, row["reason_code"]),
        (row["is_held"], "undone"),
        (row["is_pending"], PENDING),
        (row["plan_state"] != PlanState.SENT, f"plan_{row['plan_state']}"),
        (differing <= not_monitored, NOT_MONITORED),
        (row["target_id"] is None, EDITED if row["linked_id"] and row["confirmed_hash"] else None),
        (ACTIVE in differing, EDITED if row["linked_id"] else None),
        # the plan with these values was sent, but the target was never seen to have them
        (row["confirmed_hash"] != row["payload_hash"] or row["seen_hash"] is None, None),
        (row["seen_hash"] != target_hash({name: row[f"target_{name}"] for name in fields}, fields), EDITED),
        (PARENT in differing, EDITED if row["is_placed"] else None),  # which no fingerprint of the values covers
    ]
    return next((cause for applies, cause in cases if applies), NORMALIZED)


def _query(workflow: Workflow, key_field: str) -> str:
    """Return the query for the records that differ: the differing fields, and the ledger's facts about each record."""
    tests = ", ".join(f"case when {test} then {literal(name)} end" for name, test in differences(workflow))
    fields = [f"target_state.{quoted(name)} as {quoted(f'target_{name}')}" for name in workflow.spec.target_fields]
    return _DIFFERING.format(
        mart=quoted(workflow.mart),
        target_state=quoted(workflow.target_state),
        plan=quoted(workflow.plan),
        key=quoted(key_field),
        differences=tests,
        parents=", ".join(map(literal, [workflow.name, *workflow.spec.upstream])),
        target_fields=", ".join(fields),
    )


def differences(workflow: Workflow) -> Iterator[tuple[str, str]]:
    """Yield each kind of difference with its SQL condition."""
    yield MISSING, "target_state.target_id is null"
    yield DUPLICATE, "others.is_duplicate"
    not_compared, changing = unowned_fields(workflow.spec), date_dependent_fields(workflow.spec)
    for name in workflow.spec.target_fields:
        if name not in changing:
            compared = f"mart.source not in ({', '.join(map(literal, not_compared.get(name, [''])))})"
            differs = f"mart.{quoted(name)} is distinct from target_state.{quoted(name)}"
            yield name, f"target_state.target_id is not null and {compared} and {differs}"
    children = [record.source for record in workflow.spec.records if record.parent]
    if children:
        place = f"coalesce(above.target_id, if(mart.parent_source_id is null, '{TOP}', null))"
        moved = f"target_state.parent_id is not null and target_state.parent_id is distinct from {place}"
        yield PARENT, f"mart.source in ({', '.join(map(literal, children))}) and {moved}"


_COUNT = f"""
select count(*) from {{mart}} as mart
where disposition = '{DELIVER}' or (disposition in ('{RETIRE}', '{HOLD}') and exists (
    select 1 from sync_links as link where link.workflow = ? and link.source = mart.source
        and link.source_id = mart.source_id and link.target_id is not null
    union all select 1 from {{target_state}} as shown where shown.external_id = mart.{{key}}))
"""

# what is to become of a record; the mart does not know what happens to those above it
DUE = (
    f"if(mart.disposition = '{DELIVER}' and planned.reason_code = '{WITH_PARENT}' and planned.action <> 'quarantined',"
    f" '{RETIRE}', mart.disposition)"
)

# what the ledger and the target have; the certificate compares the same
SIDES = f"""
with link as (select * from sync_links where workflow = $workflow),
decided as (select * from sync_decisions where workflow = $workflow and to_run is null),
newest as (
    select plan.plan_id, plan.state, plan.position, {WHOLE} as is_whole
    from sync_plans as plan left join sync_runs as run on run.run_id = plan.sent_by and run.workflow = plan.workflow
    where plan.workflow = $workflow and plan.kind = 'sync' order by plan.position desc limit 1
),
planned as (
    select
        plan.*, newest.state as plan_state,
        -- of a plan that waited, or of which a part was approved, only what it sent was decided when it was sent
        newest.state in ('sent', 'partial') and (coalesce(decided.from_position >= newest.position, false)
            or (newest.is_whole and plan.action in {tuple(each.value for each in WRITING)!r})) as is_decided,
        if(is_decided, coalesce(decided.action, plan.action), plan.action) as last_action,
        if(is_decided, coalesce(decided.reason_code, plan.reason_code), plan.reason_code) as last_reason
    from {{plan}} as plan join newest using (plan_id) left join decided using (source, source_id)
),
others as (
    select external_id, min(target_id) as target_id, count(*) > 1 as is_duplicate from {{target_state}}
    where external_id is not null group by external_id
),
"""

_DIFFERING = f"""{SIDES}compared as (
    select
        mart.source, mart.source_id, mart.payload_hash, target_state.target_id, link.target_id as linked_id,
        link.payload_hash as confirmed_hash, link.target_hash as seen_hash,
        link.parent_target_id is not distinct from above.target_id as is_placed,
        coalesce(planned.last_action, decided.action) as action,
        coalesce(planned.last_reason, decided.reason_code) as reason_code,
        (select state from newest) as plan_state,
        exists (
            select 1 from sync_undo_holds as hold where hold.workflow = $workflow and hold.source = mart.source
                and hold.source_id = mart.source_id
        ) as is_held,
        planned.source_id is null or planned.payload_hash is distinct from mart.payload_hash
            or (mart.disposition in ('{RETIRE}', '{HOLD}') and planned.reason_code is distinct from mart.reason_code)
            or ({DUE} = '{DELIVER}' and planned.action = 'deactivate') as is_pending,
        case when {DUE} in ('{RETIRE}', '{HOLD}') then [case when target_state.is_active then '{ACTIVE}' end]
            else [{{differences}}] end as tested,
        {{target_fields}}
    from {{mart}} as mart
    left join link using (source, source_id)
    left join others on others.external_id = mart.{{key}}
    left join {{target_state}} as target_state on target_state.target_id = coalesce(link.target_id, others.target_id)
    left join decided using (source, source_id)
    left join planned using (source, source_id)
    left join (select source, source_id, target_id from sync_links where workflow in ({{parents}})) as above
        on above.source = mart.parent_source and above.source_id = mart.parent_source_id
    where mart.disposition in ('{DELIVER}', '{RETIRE}', '{HOLD}')
)
select * exclude (tested), [each for each in tested if each is not null] as differs
from compared where len(differs) > 0
order by source, try_cast(source_id as bigint)
"""
