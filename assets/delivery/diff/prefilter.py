"""Prefilter in SQL the records that cannot change, so that only the rest reach the decision engine.

mart_, target_, ledger  ->  Prefilter  ->  unchanged records: written to the plan in DuckDB
                                       ->  undecided records: read for decide()

A record is unchanged when both sides have its key once, every field that is ours shows its desired value, no fact of
the ledger says otherwise, and its parent is unchanged as well; or when it should not be in the target and is not. A
record of ours of which nothing is sent is unchanged unless someone edited it in the target.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import duckdb
import polars as pl

from assets.delivery.diff.actions import NO_WRITE_SQL
from assets.delivery.diff.compared_fields import ComparedFields
from assets.delivery.diff.edits import edited_undelivered
from assets.delivery.diff.ledger_facts import LedgerFacts
from assets.delivery.diff.parents import ABSENT, AFFECTED, PRESENT
from assets.delivery.diff.prefilter_queries import DROP_AFFECTED, INSERT_UNCHANGED, SELECT_UNCHANGED
from assets.delivery.diff.records import Records
from assets.delivery.diff.validate import violations
from assets.delivery.schemas import DELIVER, LINK_SCHEMA, RETIRE, TargetShape
from assets.delivery.spec.workflow import Workflow
from assets.delivery.target import TOP
from resources.warehouse.tables import columns_of, insert_frame, literal, quoted, read_frame


@dataclass(frozen=True)
class Comparison:
    """A workflow, its target's fields, and the tables that are compared."""

    workflow: Workflow
    target: TargetShape
    mart: str
    target_state: str


class Prefilter:
    """One comparison, split into temporary tables of an open writer section.

    Attributes:
        desired: The mart's keys and row hashes.
        actual: The target state's keys and row hashes.
        unchanged: Records that cannot change.
        undecided: All other records of the mart.
        unmatched: Target records that no unchanged record has.
    """

    def __init__(self, con: duckdb.DuckDBPyConnection, comparison: Comparison, facts: LedgerFacts) -> None:
        """Split the records of the mart."""
        self.desired, self.actual = "_desired", "_actual"
        self.unchanged, self.undecided, self.unmatched = "_unchanged", "_undecided", "_unmatched"
        self._facts, self._manual, self._upstream = "_facts", "_manual_links", "_upstream"
        self._con, self._comparison, self._spec = con, comparison, comparison.workflow.spec
        self._fields = ComparedFields.of(self._spec, columns_of(con, comparison.mart))
        self._insert(self._facts, ("source", "source_id"), facts.keys)
        self._insert(self._manual, ("manual_target_id",), facts.manual_links.drop_nulls("manual_target_id"))
        self._insert(self._upstream, ("source", "source_id", "target_id"), facts.upstream)
        self._read_sides()
        self._find_unchanged()
        while self._drop_affected_by_parents():
            pass  # one level further down
        self._create(self.undecided, f"from {self.desired} anti join {self.unchanged} using (place)")
        self._create(self.unmatched, f"from {self.actual} anti join {self.unchanged} using (target_id)")

    def read_undecided(self) -> Records:
        """Read the undecided records, and every target record that could be theirs."""
        con, links = self._con, f"sync_links semi join {self.undecided} using (source, source_id) where workflow = ?"
        workflow, mart = [self._comparison.workflow.name], quoted(self._comparison.mart)
        confirmed = read_frame(con, f"select {', '.join(LINK_SCHEMA)} from {links}", workflow)
        return Records(
            read_frame(con, f"from {mart} where rowid in (select place from {self.undecided}) order by rowid"),
            read_frame(
                con,
                f"from {quoted(self._comparison.target_state)} where rowid in (select place from {self.unmatched} where"
                f" external_id in (select key from {self.undecided} where key is not null)"
                f" or target_id in (select target_id from {links})"
                f" or target_id in (select manual_target_id from {self._manual}) or {self._may_match}) order by rowid",
                workflow,
            ),
            confirmed if confirmed.height else pl.DataFrame(schema=LINK_SCHEMA),
            read_frame(
                con,
                "select source as parent_source, source_id as parent_source_id, state as parent_state,"
                f" target_id as parent_target_id, level from {self.unchanged} as above semi join {self.undecided} as"
                " child on child.parent_source = above.source and child.parent_source_id = above.source_id",
            ),
        )

    def read_undecided_targets(self, keys: str) -> list[tuple[str, str | None, str | None, int]]:
        """Return the target records that undecided records may have.

        Args:
            keys: A table (KEY) of the records.

        Returns:
            Key, target id by key, linked target id, and row of the mart, of the live records that have a key.
        """
        return self._con.execute(
            "select distinct desired.key, actual.target_id, link.target_id, desired.place"
            f" from {self.undecided} as desired semi join {keys} using (source, source_id)"
            f" left join {self.actual} as actual on actual.external_id = desired.key left join sync_links as link on"
            " link.workflow = ? and link.source = desired.source and link.source_id = desired.source_id"
            f" where desired.disposition in ('{DELIVER}', '{RETIRE}') and desired.key is not null",
            [self._comparison.workflow.name],
        ).fetchall()

    def write_unchanged(self, plan: str, stamps: Mapping[str, object]) -> None:
        """Append the unchanged records to a plan's table, with their decision and its reason."""
        stamped = ", ".join(f"? as {quoted(name)}" for name in stamps)
        names = {"plan": quoted(plan), "mart": quoted(self._comparison.mart), "stamps": stamped, **NO_WRITE_SQL}
        statement = INSERT_UNCHANGED.format(**names, unchanged=self.unchanged, parents=self._parents, top=TOP)
        self._con.execute(statement, list(stamps.values()))

    def count_unchanged(self) -> dict[str, int]:
        """Return the number of unchanged records by action."""
        counts = f"select {NO_WRITE_SQL['action']}, count(*) from {self.unchanged} group by all"
        return dict(self._con.execute(counts).fetchall())

    def count_ours(self) -> int:
        """Return the number of target records that are ours, by key or by link."""
        # links also know what was ours when the source has lost every record
        rows = self._con.execute(
            f"select (select count(target_id) from {self.unchanged}) + count(*) from {self.unmatched}"
            f" where external_id in (select key from {self.undecided} where key is not null)"
            " or target_id in (select target_id from sync_links where workflow = ? and target_id is not null)",
            [self._comparison.workflow.name],
        ).fetchall()
        return int(rows[0][0])

    def count_linked(self) -> int:
        """Return the number of target records that links of the workflow point at, whatever is compared."""
        query = "select count(distinct target_id) from sync_links where workflow = ?"
        return int(self._con.execute(query, [self._comparison.workflow.name]).fetchall()[0][0])

    def count_values(self, plan: pl.DataFrame, names: Sequence[str]) -> dict[str, int]:
        """Return how many of our records have a value in these fields of the target state."""
        workflow, known = self._comparison.workflow, columns_of(self._con, self._comparison.target_state)
        counted = [name for name in names if name in known]
        if not counted:
            return {}
        self._insert("_planned", ("target_id",), plan.select("target_id").drop_nulls())
        values = self._con.execute(
            f"select {', '.join(f'count({quoted(name)})' for name in counted)} from {quoted(workflow.target_state)}"
            " where target_id in (select target_id from sync_links where workflow = ? union all"
            f" select target_id from _planned union all select target_id from {self.unchanged})",
            [workflow.name],
        ).fetchall()[0]
        return dict(zip(counted, values, strict=True))

    def keep(self, keys: str) -> None:
        """Drop the unchanged records whose key (KEY) is not in a table."""
        self._con.execute(
            f"delete from {self.unchanged} where (source, source_id) not in (select (source, source_id) from {keys})"
        )

    def _insert(self, name: str, columns: tuple[str, ...], rows: pl.DataFrame) -> None:
        self._con.execute(f"create or replace temp table {name} ({', '.join(f'{each} varchar' for each in columns)})")
        insert_frame(self._con, name, rows.select(columns))

    def _create(self, name: str, query: str, values: Mapping[str, str] | None = None) -> None:
        self._con.execute(f"create or replace temp table {name} as {query}", values or {})

    def _read_sides(self) -> None:
        target, columns = self._comparison.target, columns_of(self._con, self._comparison.mart)
        rejected = violations(target, [name for name in self._spec.target_fields if name in columns])
        valid = " and ".join(f"coalesce(not ({each.when}), true)" for each in rejected)
        self._create(
            self.desired,
            "select rowid as place, source, source_id, disposition, reason_code, parent_source, parent_source_id,"
            f" level, {quoted(target.key_field)} as key, {valid} as is_valid, {self._fields.desired_columns}"
            f" from {quoted(self._comparison.mart)}",
        )
        mapped = target.active_field in self._spec.target_fields
        switched_off = f"{quoted(target.active_field)} = '0'" if mapped else "true"
        self._create(
            self.actual,
            f"select rowid as place, target_id, external_id, is_active, parent_id, {switched_off} as is_switched_off,"
            f" {self._fields.actual_columns} from {quoted(self._comparison.target_state)} where target_id is not null",
        )

    def _find_unchanged(self) -> None:
        parented = ", ".join(literal(record.source) for record in self._spec.records if record.parent) or "null"
        # a rule that stands before the key may contradict it until a run has confirmed the record
        confirmed = "linked.target_id is not null" if self._spec.rules_before_key else "true"
        of, target = self._comparison, self._comparison.target
        both = columns_of(self._con, of.mart).keys() & columns_of(self._con, of.target_state).keys()
        conditions = {
            "equal": self._fields.equal, "parented": parented, "confirmed": confirmed,
            "edited": edited_undelivered(self._spec, target, both),
        }  # fmt: skip
        tables = {"mart": quoted(of.mart), "target_state": quoted(of.target_state), "facts": self._facts}
        query = SELECT_UNCHANGED.format(desired=self.desired, actual=self.actual, **tables, **conditions)
        self._create(self.unchanged, query, {"workflow": of.workflow.name})

    def _drop_affected_by_parents(self) -> int:
        """Move children of undecided or affecting parents to the undecided ones; return their number."""
        statement = DROP_AFFECTED.format(unchanged=self.unchanged, parents=self._parents, affected=AFFECTED)
        return int(self._con.execute(statement).fetchall()[0][0])

    @property
    def _parents(self) -> str:
        """Every record that may be a parent: of_source, of_id, of_level, parent_state, parent_target_id."""
        return (
            "select source as of_source, source_id as of_id, level as of_level, state as parent_state,"
            f" target_id as parent_target_id from {self.unchanged} union all select source, source_id, -1,"
            f" if(target_id is null, '{ABSENT}', '{PRESENT}'), target_id"
            f" from {self._upstream} anti join {self.unchanged} using (source, source_id)"
        )

    @property
    def _may_match(self) -> str:
        """Condition for the target records that a rule may find."""
        rules = self._spec.match_rules
        if self._spec.rules_before_key or any(rule.on_id_conflict != "skip" for rule in rules):
            return "true"
        return "external_id is null" if rules else "false"
