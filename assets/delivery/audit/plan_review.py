"""Review a plan: its writes, field by field, and the records that it holds back, by root cause.

sync_plans, plan_<workflow>, staging names  ->  review_plan()  ->  PlanReview

The command line prints it, `--html`, `--csv` and `--json` hand it on, and the console shows it.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

import duckdb
import polars as pl

from assets.delivery.audit.held_back import cause_texts, held_back, held_records, without_values
from assets.delivery.audit.value_names import Names, names_of_values
from assets.delivery.ledger.plans import OPEN_STATES
from assets.delivery.ledger.sealing import unseal
from assets.delivery.ledger.shadows import active_shadow
from assets.delivery.schemas import KEY, PARENT
from assets.delivery.spec.workflow import Workflow
from assets.delivery.target import WRITING, Action
from assets.warehouse.record_names import named_records
from resources.encryption import Cipher, EncryptionError
from resources.warehouse.tables import has_table, quoted, read_frame
from resources.warehouse.warehouse import Warehouse

# in the order of a review: what is new, what changes, what disappears
ORDER = (Action.CREATE, Action.ADOPT, Action.UPDATE, Action.REACTIVATE, Action.DEACTIVATE)


@dataclass(frozen=True)
class FieldChange:
    """One field of a record that is written; both values are null if they are encrypted or hidden.

    Where a value is the id of another record, such as the parent, the names are those of the records.
    """

    field: str
    before: str | None
    after: str | None
    before_name: str = ""
    after_name: str = ""

    @property
    def was(self) -> str:
        """The value before, as people read it: `EMEA (12)`."""
        return _shown(self.before, self.before_name)

    @property
    def becomes(self) -> str:
        """The value after."""
        return _shown(self.after, self.after_name)


def _shown(value: str | None, name: str) -> str:
    return f"{name} ({value})" if name and value else name or value or ""


@dataclass(frozen=True)
class PlannedWrite:
    """One record that a plan writes; `name` is blank if personal data is hidden."""

    action: str
    source: str
    source_id: str
    name: str
    target_id: str | None
    reason_code: str
    reason: str
    fields: Sequence[FieldChange]


@dataclass(frozen=True)
class PlanReview:
    """A plan as it is reviewed.

    Attributes:
        plan: Its row of sync_plans.
        counts: Records by action and reason code, the most records first: action, reason_code, reason, records.
        writes: The records that it writes, in the order of ORDER.
        held: HELD_RECORD_COMMENTS: the records that it holds back.
        conflicts: Records that an undo leaves as they are, such as those that were edited after the run.
        is_hidden: Values are not shown: personal data is hidden, or they cannot be decrypted.
        is_shadowed: The workflow is in shadow mode, so nothing is sent.
        sealed: Why the values cannot be decrypted, so that the plan cannot be sent either; blank if they can.
    """

    plan: Mapping[str, Any]
    counts: Sequence[Mapping[str, Any]]
    writes: Sequence[PlannedWrite]
    held: pl.DataFrame
    conflicts: Sequence[PlannedWrite] = ()
    is_hidden: bool = False
    is_shadowed: bool = False
    sealed: str = ""

    @property
    def causes(self) -> list[str]:
        """A sentence for each root cause; see `cause_texts`."""
        return cause_texts(held_back(self.held))

    @property
    def how_to_send(self) -> tuple[str, str]:
        """The command that sends the plan, and until when; or why none does, after a blank."""
        plan = self.plan
        if plan["state"] not in OPEN_STATES:
            return "", f"cannot be sent: it is {plan['state']}"
        if self.is_shadowed:
            name = plan["workflow"]
            return "", f"cannot be sent: {name} is in shadow mode; `millpond shadow stop {name}` ends it"
        if self.sealed:
            return "", f"cannot be sent: {self.sealed}"
        return f"millpond apply {plan['plan_id']}", f"sends it until {plan['expires_at']:%Y-%m-%d %H:%M} UTC"

    @property
    def is_new_to_hold(self) -> pl.DataFrame:
        """The records that the plan is the first to hold back."""
        return self.held.filter(pl.col("since").is_null())

    def as_dict(self) -> dict[str, Any]:
        """Return the review as JSON can hold it: the plan's columns, counts, writes, held_back."""
        private = {"checksum", "clock_origin", "clock_s", "position"}
        return {
            **{name: value for name, value in self.plan.items() if name not in private},
            "counts": list(self.counts),
            "writes_planned": [asdict(each) for each in self.writes],
            "held_back": held_back(self.held).to_dicts(),
        }


def review_plan(
    warehouse: Warehouse, workflow: Workflow, workflows: Mapping[str, Workflow], plans: Mapping[str, str], now: datetime
) -> PlanReview | None:
    """Return the review of a workflow's plan; None if its rows are no longer kept.

    Args:
        warehouse: The warehouse.
        workflow: The workflow.
        workflows: All usable workflows by name.
        plans: Plan ids by workflow: that of this workflow, and those that were made with it.
        now: The time of the ledger, UTC.
    """
    plan_id = plans[workflow.name]
    with warehouse.writer(transaction=False) as con:
        found = read_frame(con, "select * from sync_plans where plan_id = ?", [plan_id]).to_dicts()
        if not found or not _is_kept(con, workflow, found[0]):
            return None
        is_shadowed = active_shadow(con, workflow.name) is not None
        held = held_records(con, [workflow], workflows, plans, now)
        counts = read_frame(con, _COUNTS.format(quoted(workflow.plan)), [plan_id]).to_dicts()
        query = _WRITES.format(plan=quoted(workflow.plan), named=named_records(con))
        rows = read_frame(con, query, [plan_id, [each.value for each in WRITING]])
        read, sealed = planned_writes(rows, warehouse)
        is_hidden = warehouse.hides_personal or bool(sealed)
        if not is_hidden:
            parents = {(source, key): name or "" for source, key, name in rows.select(*KEY, "parent_name").iter_rows()}
            read = _with_names(read, names_behind(con, workflow, read), parents)
    if warehouse.hides_personal:
        held = without_values(held)
    writes = [each for action in ORDER for each in read if each.action == action]
    conflicts = [each for each in read if each.action not in ORDER]
    return PlanReview(found[0], counts, writes, held, conflicts, is_hidden, is_shadowed, sealed)


def _is_kept(con: duckdb.DuckDBPyConnection, workflow: Workflow, plan: Mapping[str, Any]) -> bool:
    """Return whether the rows of a plan are there; one that would write something has some."""
    if not plan["writes"]:
        return True
    return bool(
        con.execute(f"select 1 from {quoted(workflow.plan)} where plan_id = ? limit 1", [plan["plan_id"]]).fetchall()
    )


_COUNTS = (
    "select action, reason_code, min(reason) as reason, count(*) as records from {} where plan_id = ?"
    " group by action, reason_code order by records desc, action, reason_code"
)
_WRITES = """
with named as ({named})
select plan.*, named.name, parent.name as parent_name
from {plan} as plan
left join named using (source, source_id)
left join named as parent on parent.source = plan.parent_source and parent.source_id = plan.parent_source_id
where plan_id = ? and (action in (select unnest(?::varchar[])) or reason_code = 'conflict')
order by source, try_cast(source_id as bigint), source_id
"""


def planned_writes(rows: pl.DataFrame, warehouse: Warehouse) -> tuple[list[PlannedWrite], str]:
    """Return rows of a plan's table, with a column `name`, as they are reviewed, and why values cannot be decrypted."""
    rows, sealed = _unsealed(rows, warehouse.encryption_key)
    return [_write(row, hides=warehouse.hides_personal) for row in rows.iter_rows(named=True)], sealed


def names_behind(con: duckdb.DuckDBPyConnection, workflow: Workflow, writes: Iterable[PlannedWrite]) -> Names:
    """Return the names behind the ids in these records."""
    fields = [each for write in writes for each in write.fields]
    return names_of_values(
        con, workflow, [(each.field, value) for each in fields for value in (each.before, each.after)]
    )


def _with_names(
    writes: Sequence[PlannedWrite], names: Names, parents: Mapping[tuple[str, str], str]
) -> list[PlannedWrite]:
    """Return the records with the names behind their values; a parent may be yet to be created."""
    named = []
    for write in writes:
        above = parents.get((write.source, write.source_id), "")
        fields = [
            replace(
                each,
                before_name=names.of(each.field, each.before),
                after_name=(above if each.field == PARENT else "") or names.of(each.field, each.after),
            )
            for each in write.fields
        ]
        named.append(replace(write, fields=fields))
    return named


def _unsealed(rows: pl.DataFrame, key: str) -> tuple[pl.DataFrame, str]:
    """Return the rows with their values, and why these stay encrypted; blank if they do not."""
    try:
        return unseal(rows, Cipher(key)), ""
    except EncryptionError as error:
        return rows, str(error)


def _write(row: Mapping[str, Any], *, hides: bool) -> PlannedWrite:
    fields = [FieldChange(each["field"], each["before"], each["after"]) for each in row["changes"] or []]
    if row["action"] == Action.CREATE:
        fields = list(_created(row["payload"]))
    if hides:
        fields = [FieldChange(each.field, None, None) for each in fields]
    name = "" if hides else row["name"] or ""
    kept = ("action", *KEY, "target_id", "reason_code", "reason")
    return PlannedWrite(name=name, fields=fields, **{each: row[each] for each in kept})


def _created(payload: str | None) -> Sequence[FieldChange]:
    """Return the values of a new record; none if they are encrypted."""
    try:
        values = json.loads(payload or "{}")
    except json.JSONDecodeError:
        return []
    return [FieldChange(name, None, value) for name, value in values.items() if value is not None]


def newest_plans(con: duckdb.DuckDBPyConnection, run_id: str) -> dict[str, str]:
    """Return the plan that a run made of each workflow, in the order in which they were made."""
    if not has_table(con, "sync_plans"):  # the first run failed before its first plan
        return {}
    rows = con.execute(
        "select workflow, plan_id from sync_plans where made_by = ? order by position", [run_id]
    ).fetchall()
    return dict(rows)
