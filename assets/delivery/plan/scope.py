"""The records of a workflow that a run decides on: all of them, or selected ones.

scope  ->  comparison()  ->  the tables to compare  ->  decide()  ->  restrict()  ->  the decisions on the scope
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar

import duckdb
import polars as pl

from assets.delivery.diff.near_duplicates import folded
from assets.delivery.diff.prefilter import Comparison, Prefilter
from assets.delivery.ledger.freshness import require_current
from assets.delivery.ledger.plan_kind import PlanKind
from assets.delivery.ledger.tables import ensure_ledger
from assets.delivery.plan.exclude import Exclusion
from assets.delivery.plan.existence_check import find_unlisted
from assets.delivery.run_context import RunContext
from assets.delivery.schemas import DELIVER, KEY, RETIRE
from assets.delivery.spec.sources import key_column
from assets.delivery.spec.workflow import Workflow
from resources.warehouse.tables import columns_of, insert_frame, quoted, read_frame

REFRESH_TAG = "millpond/full_refresh"  # run tag of a full refresh: ALL_RECORDS, or the moment since which
ALL_RECORDS = "all"


@dataclass(frozen=True)
class Everything:
    """All records of the workflow.

    Attributes:
        full: A full refresh: fields that are not monitored count as well.
        since: Write only records that changed in NetSuite at or after this moment, UTC, and those above them.
    """

    full: bool = False
    since: datetime | None = None
    resends: ClassVar = False
    kind: ClassVar = PlanKind.SYNC

    @classmethod
    def of(cls, tag: str) -> "Everything":
        """Return the scope that a run's tag REFRESH_TAG asks for: blank, `all` or a moment."""
        since = datetime.fromisoformat(tag) if tag not in {"", ALL_RECORDS} else None
        if since is not None and since.tzinfo is not None:
            since = since.astimezone(UTC).replace(tzinfo=None)
        return cls(full=bool(tag), since=since)

    @property
    def monitored(self) -> bool:
        """False if a record that differs only in fields that are not monitored is to be written."""
        return not self.full

    def exclusions(self, con: duckdb.DuckDBPyConnection, workflow: Workflow, plan: pl.DataFrame) -> list[Exclusion]:
        """Return the records of a plan that did not change since the moment; deletions have no date and stay in."""
        if self.since is None:
            return []
        changed = changed_since(con, workflow, self.since)
        reason = f"not changed in NetSuite since {self.since:%Y-%m-%d %H:%M} UTC; a run without --since sends it"
        return [Exclusion(plan.select(KEY).join(changed, on=KEY, how="anti"), "not_changed_since", reason)]

    def require_current(self, run: RunContext) -> Mapping[str, object]:
        """Return the columns of sync_runs that say from which state of the target this run plans.

        Raises:
            PlanError: Mart or target state is missing or out of date.
        """
        with run.warehouse.writer() as con:
            ensure_ledger(con)
            return {"read_position": require_current(con, run.workflow, run.run_id)}

    def find_unverified(self, run: RunContext) -> Collection[str]:
        """Return the target ids of records that may exist, but could not be looked up in this run."""
        return find_unlisted(run)

    def comparison(self, con: duckdb.DuckDBPyConnection, run: RunContext) -> Comparison:  # noqa: ARG002
        """Return mart and target state as they are."""
        return Comparison(run.workflow, run.target_shape, run.workflow.mart, run.workflow.target_state)

    def restrict(self, plan: pl.DataFrame, prefilter: Prefilter) -> pl.DataFrame:  # noqa: ARG002
        """Return the whole plan."""
        return plan


@dataclass(frozen=True)
class SelectedRecords:
    """Some records, with the records above them.

    Attributes:
        keys: KEY.
        unverified: The target ids of records that may exist, but could not be looked up in this run.
        resends: A person asked to send them again: fields that are not monitored count as well, and so do records that
            the target rejected with the same values.
        table: The temporary table of the keys.
    """

    keys: pl.DataFrame
    unverified: Collection[str] = ()
    resends: bool = False
    kind: ClassVar = PlanKind.REALTIME
    table: ClassVar = "_selected"

    @property
    def monitored(self) -> bool:
        """False if a record that differs only in fields that are not monitored is to be written."""
        return not self.resends

    def exclusions(self, con: duckdb.DuckDBPyConnection, workflow: Workflow, plan: pl.DataFrame) -> list[Exclusion]:  # noqa: ARG002
        """Return nothing: the records were selected."""
        return []

    def require_current(self, run: RunContext) -> Mapping[str, object]:  # noqa: ARG002
        """Return nothing: mart and target state of the selected records were just read."""
        return {}

    def find_unverified(self, run: RunContext) -> Collection[str]:  # noqa: ARG002
        """Return the ids that the look-up left out."""
        return self.unverified

    def comparison(self, con: duckdb.DuckDBPyConnection, run: RunContext) -> Comparison:
        """Create temporary tables of the records, and of all that compete with them for a target record.

        A competing record makes a match ambiguous, as it does when all records are compared.
        """
        workflow, mart, state = run.workflow, "_selected_mart", "_selected_target_state"
        con.execute(f"create or replace temp table {self.table} (source varchar, source_id varchar)")
        insert_frame(con, self.table, self.keys.select(KEY))
        key, fields = run.target.key_field, list(dict.fromkeys(rule.field for rule in run.workflow.spec.match_rules))
        desired = _Values.of(con, workflow.mart, key, fields)
        shown = _Values.of(con, workflow.target_state, "external_id", fields)
        selected = f"{quoted(workflow.mart)} semi join {self.table} using (source, source_id)"
        con.execute(
            f"create or replace temp table {mart} as from {quoted(workflow.mart)} where (source, source_id) in"
            f" (select (source, source_id) from {self.table})"
            f" or (disposition in ('{DELIVER}', '{RETIRE}') and {desired.shared_with(desired, selected)})"
        )
        competing = f"{quoted(workflow.mart)} semi join {mart} using (source, source_id)"
        linked = "select target_id from {} semi join {} using (source, source_id) where workflow = $1"
        con.execute(
            f"create or replace temp table {state} as from {quoted(workflow.target_state)} where"
            f" {shown.shared_with(desired, competing)} or"
            f" target_id in ({linked.format('sync_links', mart)} union all {linked.format('sync_manual_links', mart)})",
            [workflow.name],
        )
        # the owners of the other target records, so that none is given away
        con.execute(
            f"insert into {mart} from {quoted(workflow.mart)} as mart anti join {mart} using (source, source_id)"
            f" where {quoted(key)} in (select external_id from {state}) or (source, source_id) in (select (source,"
            f" source_id) from sync_links where workflow = ? and target_id in (select target_id from {state}))",
            [workflow.name],
        )
        return Comparison(workflow, run.target_shape, mart, state)

    def restrict(self, plan: pl.DataFrame, prefilter: Prefilter) -> pl.DataFrame:
        """Drop the competing records from the plan and from the prefilter."""
        prefilter.keep(self.table)
        return plan.join(self.keys, on=KEY, how="semi", maintain_order="left")


Scope = Everything | SelectedRecords
EVERYTHING = Everything()

_ABOVE = """
with recursive chosen as (
    select mart.source, mart.source_id, mart.parent_source, mart.parent_source_id
    from {mart} as mart semi join {changed} as changed using (source, source_id)
    union
    select above.source, above.source_id, above.parent_source, above.parent_source_id
    from chosen join {mart} as above
        on above.source = chosen.parent_source and above.source_id = chosen.parent_source_id
)
select source, source_id from chosen
"""


def changed_since(con: duckdb.DuckDBPyConnection, workflow: Workflow, since: datetime) -> pl.DataFrame:
    """Return KEY of the records that changed in NetSuite since a moment, or may have, and of those above them."""
    con.execute("create or replace temp table _changed_since (source varchar, source_id varchar)")
    for record in workflow.spec.records:
        columns, key = columns_of(con, record.table), f"cast({quoted(key_column(record.source))} as varchar)"
        dated = (
            "modified_at is null or modified_at >= ? or is_deleted"
            if "modified_at" in columns
            else "?::timestamp is not null"
        )
        gone = " or is_missing" if "is_missing" in columns else ""
        con.execute(
            f"insert into _changed_since select ?, {key} from {quoted(record.table)} where {dated}{gone}",
            [record.source, since],
        )
    return read_frame(con, _ABOVE.format(mart=quoted(workflow.mart), changed="_changed_since"))


@dataclass(frozen=True)
class _Values:
    """The values of a table by which its rows are matched: their key, and a temporary table of the rules' fields.

    These are folded as for near duplicates, since the lower case of a Greek letter in DuckDB is not that of the rules.
    """

    key: str
    folded: str

    @classmethod
    def of(cls, con: duckdb.DuckDBPyConnection, table: str, key: str, fields: Sequence[str]) -> "_Values":
        """Fold the values of a table."""
        name = f"_folded_{table}"
        con.execute(f"create or replace temp table {quoted(name)} (place bigint, field varchar, value varchar)")
        for field in fields:
            rows = read_frame(con, f"select rowid as place, {quoted(field)} as value from {quoted(table)}").drop_nulls()
            value = folded(pl.col("value")).fill_null(pl.col("value"))
            insert_frame(con, name, rows.select("place", pl.lit(field).alias("field"), value))
        return cls(key, name)

    def shared_with(self, other: "_Values", rows: str) -> str:
        """Return the condition that a row has the key of one of some rows of a table, or one of their values."""
        values = f"from {quoted(other.folded)} where place in (select rowid from {rows})"
        return (
            f"({quoted(self.key)} in (select {quoted(other.key)} from {rows}) or rowid in (select place from"
            f" {quoted(self.folded)} where (field, value) in (select (field, value) {values})))"
        )
