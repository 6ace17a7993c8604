"""The records of a workflow that a run decides on: all of them, or selected ones.

scope  ->  comparison()  ->  the tables to compare  ->  decide()  ->  restrict()  ->  the decisions on the scope
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import duckdb
import polars as pl

from assets.delivery.diff.prefilter import Comparison, Prefilter
from assets.delivery.ledger.freshness import require_current
from assets.delivery.ledger.plan_kind import PlanKind
from assets.delivery.ledger.tables import ensure_ledger
from assets.delivery.plan.existence_check import find_unlisted
from assets.delivery.run_context import RunContext
from assets.delivery.schemas import DELIVER, KEY, RETIRE, TargetShape
from resources.warehouse.tables import insert_frame, quoted


class Everything:
    """All records of the workflow."""

    kind = PlanKind.SYNC
    resends = False

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
        return Comparison(run.workflow, _shape(run), run.workflow.mart, run.workflow.target_state)

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
        key, fields = run.target.key_field, [rule.field for rule in workflow.spec.match_rules]
        selected = f"{quoted(workflow.mart)} semi join {self.table} using (source, source_id)"
        competing = _shares_value([(name, name) for name in (key, *fields)], selected)
        con.execute(
            f"create or replace temp table {mart} as from {quoted(workflow.mart)} where (source, source_id) in"
            f" (select (source, source_id) from {self.table})"
            f" or (disposition in ('{DELIVER}', '{RETIRE}') and ({competing}))"
        )
        candidates = _shares_value([("external_id", key), *((name, name) for name in fields)], mart)
        linked = "select target_id from {} semi join {} using (source, source_id) where workflow = $1"
        con.execute(
            f"create or replace temp table {state} as from {quoted(workflow.target_state)} where {candidates} or"
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
        return Comparison(workflow, _shape(run), mart, state)

    def restrict(self, plan: pl.DataFrame, prefilter: Prefilter) -> pl.DataFrame:
        """Drop the competing records from the plan and from the prefilter."""
        prefilter.keep(self.table)
        return plan.join(self.keys, on=KEY, how="semi", maintain_order="left")


Scope = Everything | SelectedRecords
EVERYTHING = Everything()


def _shares_value(columns: Sequence[tuple[str, str]], table: str) -> str:
    """Return the condition that one of (column, column of a table) has a value of that table, in any case."""
    return " or ".join(
        f"lower({quoted(mine)}) in (select lower({quoted(theirs)}) from {table})" for mine, theirs in columns
    )


def _shape(run: RunContext) -> TargetShape:
    return TargetShape(run.target.key_field, run.target.active_field, run.target.fields())
