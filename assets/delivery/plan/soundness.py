"""Conditions without which nothing may be planned or sent, whichever asset is materialized alone.

mart  ->  require_sound_mart()  ->  the plan is stored  ->  require_decisions()

The asset checks show the same counts, but a failed check stops only the run in which it failed.
"""

from typing import NamedTuple

import duckdb

from assets.delivery.errors import PlanError
from assets.delivery.schemas import DELIVER
from assets.delivery.spec.workflow import Workflow
from resources.warehouse.tables import quoted


class MartCounts(NamedTuple):
    """Counts of a mart.

    Attributes:
        blank: Delivered records without a key.
        shared: Delivered records that share their key with another.
        sources: Records of the staging tables.
        rows: Rows of the mart.
        records: Records of the mart; fewer than rows if one is there more than once.
    """

    blank: int
    shared: int
    sources: int
    rows: int
    records: int

    @property
    def keys(self) -> str:
        """The number of shared and of blank keys, in words."""
        return f"{self.shared} delivered records share their key with another, {self.blank} have none"

    @property
    def accounted(self) -> str:
        """The number of rows and of source records, in words."""
        more_than_once = "" if self.rows == self.records else ", some more than once"
        return f"{self.rows} rows for {self.sources} source records{more_than_once}"

    @property
    def are_complete(self) -> bool:
        """Every source record is there exactly once."""
        return self.sources == self.rows == self.records


class DecisionCounts(NamedTuple):
    """Counts of a plan.

    Attributes:
        expected: Records of the mart.
        rows: Rows of the plan.
        records: Records of the plan; fewer than rows if one is there more than once.
        undecided: Rows without an action.
    """

    expected: int
    rows: int
    records: int
    undecided: int

    def __str__(self) -> str:
        return f"{self.records} of {self.expected} records, {self.rows} decisions, {self.undecided} without an action"

    @property
    def are_sound(self) -> bool:
        """Every record has exactly one decision."""
        return self.expected == self.rows == self.records and not self.undecided


def count_mart(con: duckdb.DuckDBPyConnection, workflow: Workflow, key_field: str) -> MartCounts:
    """Count the keys and rows of mart_<workflow>."""
    mart, key = quoted(workflow.mart), quoted(key_field)
    blank, shared = con.execute(_KEYS.format(key=key, mart=mart, deliver=DELIVER)).fetchall()[0]
    tables = " union all ".join(f"select count(*) as n from {quoted(each.table)}" for each in workflow.spec.records)
    return MartCounts(blank, shared, *con.execute(_ROWS.format(tables=tables, mart=mart)).fetchall()[0])


def count_decisions(con: duckdb.DuckDBPyConnection, workflow: Workflow, plan_id: str) -> DecisionCounts:
    """Count the rows of a plan of all records."""
    query = _DECISIONS.format(mart=quoted(workflow.mart), plan=quoted(workflow.plan))
    return DecisionCounts(*con.execute(query, [plan_id]).fetchall()[0])


def require_sound_mart(con: duckdb.DuckDBPyConnection, workflow: Workflow, key_field: str) -> None:
    """Check the mart of which a plan is made; other runs may have staged more records since it was made.

    Raises:
        PlanError: A record is there twice, or has no key of its own.
    """
    counts = count_mart(con, workflow, key_field)
    is_repeated = counts.rows != counts.records
    problems = [counts.keys] * (counts.blank + counts.shared > 0) + [counts.accounted] * is_repeated
    if problems:
        raise PlanError(
            f"{workflow.mart} cannot be planned: {'; '.join(problems)}; correct the key's row in the workflow file, and"
            f" materialize {workflow.mart} again"
        )


def require_decisions(con: duckdb.DuckDBPyConnection, workflow: Workflow, plan_id: str) -> None:
    """Raise PlanError if a plan of all records, before it is committed, does not have one decision for each."""
    counts = count_decisions(con, workflow, plan_id)
    if not counts.are_sound:
        raise PlanError(f"{workflow.plan} was not stored: {counts}; materialize {workflow.mart} and the plan again")


_KEYS = """
select
    cast(coalesce(sum(sharing) filter ({key} is null), 0) as bigint),
    cast(coalesce(sum(sharing) filter ({key} is not null and sharing > 1), 0) as bigint)
from (select {key}, count(*) as sharing from {mart} where disposition = '{deliver}' group by all)
"""
_ROWS = """
select cast((select sum(n) from ({tables})) as bigint), count(*), count(distinct (source, source_id)) from {mart}
"""
_DECISIONS = """
select (select count(*) from {mart}), count(*), count(distinct (source, source_id)), count(*) - count(action)
from {plan} where plan_id = ?
"""
