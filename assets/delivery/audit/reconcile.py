"""Hold a target against NetSuite, record by record, without asking the engine that wrote it.

mart (as it shall be) + links + target state (as it is)  ->  reconcile()  ->  identical, explained by cause, unexplained

A difference is explained by what somebody can look up: the ledger holds the record back, a plan waits, NetSuite
changed since the last plan, somebody edited the target since our last write. Whatever nothing explains is a mistake of
ours, or of the target's.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import duckdb

from assets.delivery.diff.compare import left_alone
from assets.delivery.ledger import ledger
from assets.delivery.ledger.normalization import shown_hash
from assets.delivery.ledger.plans import SENT
from assets.delivery.mart.transform import DELIVER, RETIRE
from assets.delivery.plan.planner import Workflow
from assets.delivery.schemas import PARENT
from assets.delivery.spec.expressions import dated
from assets.delivery.target import Action
from resources.warehouse.backend import literal
from resources.warehouse.tables import has_table, quoted, read_frame
from resources.warehouse.warehouse import Warehouse

HELD = tuple(action.value for action in (Action.QUARANTINED, Action.BLOCKED, Action.AMBIGUOUS, Action.FAILED))
MISSING, ON, TWICE = "(not there)", "(still on)", "(twice there)"
# what a person or the file decided about a record; it is left alone
LEFT = ("undone", "not_picked", "not_imported", "left_for_update", "no_match", "drift_reported", "drift_adopted")
EDITED, PENDING, NOT_WATCHED = "edited_in_target", "changed_in_netsuite_since", "not_monitored"
NEVER_RAN = "never_ran"
KEPT_SO = "kept_so_by_target"
SHOWN = 8  # NetSuite ids named of each cause


@dataclass(frozen=True)
class Reconciled:
    """How a target compares with NetSuite.

    Attributes:
        records: Records that were compared: what shall be there, and what was there and shall be off.
        identical: Those of which every field is as it shall be.
        explained: Cause to the records that differ for it.
        unexplained: Field to NetSuite ids that differ there for no known cause.
        upto: NetSuite's time up to which the source was read, UTC; None when that is not known.
        examples: Cause to some NetSuite ids.
    """

    records: int
    identical: int
    explained: Mapping[str, int]
    unexplained: Mapping[str, list[str]]
    upto: datetime | None
    examples: Mapping[str, list[str]] = field(default_factory=dict)

    @property
    def unexplained_ids(self) -> set[str]:
        """NetSuite ids of the records that differ for no known cause."""
        return {each for ids in self.unexplained.values() for each in ids}

    @property
    def told(self) -> str:
        """As the check says it."""
        upto = f"{self.upto:%Y-%m-%d %H:%M:%S} UTC" if self.upto else "an unknown time"
        causes = ", ".join(f"{count} {cause}" for cause, count in sorted(self.explained.items()))
        wrong = len(self.unexplained_ids)
        found = "identical up to" if not wrong else "compared up to"
        known = f"{sum(self.explained.values())} explained ({causes})" if causes else "0 explained"
        return f"{found} {upto}: {self.identical} of {self.records} records, {known}, {wrong} unexplained differences"


def reconcile(warehouse: Warehouse, workflow: Workflow, *, key_field: str) -> Reconciled:
    """Compare mart and target state, which were made just before.

    Args:
        warehouse: The warehouse.
        workflow: The workflow.
        key_field: The target's field that carries the source's key.
    """
    with warehouse.writer() as con:
        ledger.ensure_ledger(con)
        records = int(con.execute(_COUNT.format(mart=quoted(workflow.mart)), [workflow.name]).fetchall()[0][0])
        if not has_table(con, workflow.plan):  # switched on since the last run: everything is still to be sent
            return Reconciled(records, 0, {NEVER_RAN: records} if records else {}, {}, _upto(con), {NEVER_RAN: []})
        differing = read_frame(con, _query(workflow, key_field), {"workflow": workflow.name})
        upto = _upto(con)
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
    kept = {cause: ids[:SHOWN] for cause, ids in examples.items()}
    return Reconciled(records, records - differing.height, dict(explained), unexplained, upto, kept)


def _cause(row: Mapping[str, Any], workflow: Workflow) -> str | None:
    """Why a record differs; None when nothing tells."""
    fields, differing = workflow.spec.columns, set(row["differs"])
    unwatched = set() if workflow.spec.monitored == "mapped" else set(fields) - set(workflow.spec.monitored)
    cases: list[tuple[bool, str | None]] = [
        (TWICE in differing, None),
        (row["action"] in HELD or row["reason_code"] in LEFT, row["reason_code"]),
        (row["held"], "undone"),
        (row["is_pending"], PENDING),
        (row["plan_state"] != SENT, f"plan_{row['plan_state']}"),
        (differing <= unwatched, NOT_WATCHED),
        (row["target_id"] is None, EDITED if row["linked_id"] and row["confirmed_hash"] else None),
        (ON in differing, EDITED if row["linked_id"] else None),
        # we never saw these values there, though the plan that has them was sent
        (row["confirmed_hash"] != row["payload_hash"] or row["shown"] is None, None),
        (row["shown"] != shown_hash({name: row[f"target_{name}"] for name in fields}, fields), EDITED),
    ]
    return next((cause for applies, cause in cases if applies), KEPT_SO)


def _query(workflow: Workflow, key_field: str) -> str:
    """The records that differ, with the fields in which they do and what the ledger knows of them."""
    alone, moving = left_alone(workflow.spec), dated(workflow.spec)
    tests = [("target_state.target_id is null", MISSING), ("others.twice", TWICE)]
    for name in workflow.spec.columns:
        if name not in moving:
            ours = f"mart.source not in ({', '.join(map(literal, alone.get(name, [''])))})"
            column = quoted(name)
            tests.append(
                (
                    f"target_state.target_id is not null and {ours} and mart.{column} is distinct from target_state.{column}",
                    name,
                )
            )
    parented = [record.source for record in workflow.spec.records if record.parent]
    if parented:
        listed = ", ".join(map(literal, parented))
        moved = "target_state.parent_id is not null and target_state.parent_id is distinct from above.target_id"
        tests.append((f"mart.source in ({listed}) and {moved}", PARENT))
    found = ", ".join(f"case when {test} then {literal(name)} end" for test, name in tests)
    parents = ", ".join(map(literal, [workflow.name, *workflow.spec.waits_for]))
    return _DIFFERING.format(
        mart=quoted(workflow.mart), target_state=quoted(workflow.target_state), plan=quoted(workflow.plan), key=quoted(key_field),
        found=found, parents=parents,
        shown=", ".join(f"target_state.{quoted(name)} as {quoted(f'target_{name}')}" for name in workflow.spec.columns),
    )  # fmt: skip


def _upto(con: duckdb.DuckDBPyConnection) -> datetime | None:
    rows = con.execute("select min(watermark_at) from sync_watermarks").fetchall()
    found: datetime | None = rows[0][0]
    return found


_COUNT = f"""
select count(*) from {{mart}} as mart
where disposition = '{DELIVER}' or (disposition = '{RETIRE}' and exists (
    select 1 from sync_links as link where link.workflow = ? and link.source = mart.source
        and link.source_id = mart.source_id and link.target_id is not null))
"""

_DIFFERING = f"""
with link as (select * from sync_links where workflow = $workflow),
decided as (select * from sync_decisions where workflow = $workflow and to_run is null),
newest as (
    select plan_id, state from sync_plans where workflow = $workflow and kind = 'sync' order by made_at desc limit 1
),
planned as (select plan.*, newest.state as plan_state from {{plan}} as plan join newest using (plan_id)),
others as (
    select external_id, min(target_id) as target_id, count(*) > 1 as twice from {{target_state}}
    where external_id is not null group by external_id
),
compared as (
    select
        mart.source, mart.source_id, mart.payload_hash, target_state.target_id, link.target_id as linked_id,
        link.payload_hash as confirmed_hash, link.shown_hash as shown, decided.action, decided.reason_code,
        (select state from newest) as plan_state,
        exists (
            select 1 from sync_holds as hold where hold.workflow = $workflow and hold.source = mart.source
                and hold.source_id = mart.source_id
        ) as held,
        planned.source_id is null or planned.payload_hash is distinct from mart.payload_hash
            or (mart.disposition = '{RETIRE}' and planned.reason_code is distinct from mart.reason_code)
            or (mart.disposition = '{DELIVER}' and planned.action = 'deactivate') as is_pending,
        case when mart.disposition = '{RETIRE}' then [case when target_state.is_active then '{ON}' end]
            else [{{found}}] end as tested,
        {{shown}}
    from {{mart}} as mart
    left join link using (source, source_id)
    left join others on others.external_id = mart.{{key}}
    left join {{target_state}} as target_state on target_state.target_id = coalesce(link.target_id, others.target_id)
    left join decided using (source, source_id)
    left join planned using (source, source_id)
    left join (select source, source_id, target_id from sync_links where workflow in ({{parents}})) as above
        on above.source = mart.parent_source and above.source_id = mart.parent_source_id
    where mart.disposition in ('{DELIVER}', '{RETIRE}')
)
select * exclude (tested), [each for each in tested if each is not null] as differs
from compared where len(differs) > 0
order by source, try_cast(source_id as bigint)
"""
