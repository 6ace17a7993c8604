"""A few records of a workflow, so that the engine decides on them as it would on all.

keys  ->  .sides()  ->  temporary tables of mart and target state: these records, whoever may claim the same target records, and
those  ->  decide  ->  .only()  ->  the decisions on these records alone
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import duckdb
import polars as pl

from assets.delivery.schemas import KEY
from assets.delivery.spec.workflow_spec import WorkflowSpec
from resources.warehouse.tables import insert_frame, quoted

MART: Final = "_few_mart"
TARGET_STATE: Final = "_few_target_state"


@dataclass(frozen=True)
class Few:
    """Which records, and what is not known of the target.

    Attributes:
        spec: The workflow.
        keys: KEY: the records that are decided on, with those above them.
        unasked: Target ids of records of which it could not be asked whether they are still there.
    """

    spec: WorkflowSpec
    keys: pl.DataFrame
    unasked: Collection[str] = ()

    def sides(self, con: duckdb.DuckDBPyConnection, workflow: str, key_field: str) -> tuple[str, str]:
        """Make temporary tables of the part of mart and target state that counts; their names."""
        con.execute("create or replace temp table _few (source varchar, source_id varchar)")
        insert_frame(con, "_few", self.keys.select(KEY))
        mart, target_state = quoted(f"mart_{workflow}"), quoted(f"target_{workflow}")
        fields = [rule.field for rule in self.spec.match_order]
        # somebody else may claim what one of these matches by: then a person is asked, as in a run of all
        alike = [key_field, *fields]
        shared = " or ".join(
            f"lower({quoted(name)}) in"
            f" (select lower({quoted(name)}) from {mart} semi join _few using (source, source_id))"
            for name in alike
        )
        con.execute(
            f"create or replace temp table {MART} as select * from {mart} where (source, source_id) in"
            f" (select (source, source_id) from _few) or (disposition in ('deliver', 'retire') and ({shared}))"
        )
        meant = " or ".join(
            f"lower({quoted(theirs)}) in (select lower({quoted(name)}) from {MART})"
            for name, theirs in ((key_field, "external_id"), *((name, name) for name in fields))
        )
        con.execute(
            f"create or replace temp table {TARGET_STATE} as select * from {target_state} where {meant} or target_id in"
            f" (select target_id from sync_links semi join {MART} using (source, source_id) where workflow = ?)"
            f" or target_id in (select target_id from sync_pins semi join {MART} using (source, source_id)"
            " where workflow = ?)",
            [workflow, workflow],
        )
        # whose the others of these target records are, so that none is given away
        con.execute(
            f"insert into {MART} select * from {mart} as mart anti join {MART} using (source, source_id)"
            f" where {quoted(key_field)} in (select external_id from {TARGET_STATE}) or (source, source_id) in"
            " (select (source, source_id) from sync_links where workflow = ?"
            f" and target_id in (select target_id from {TARGET_STATE}))",
            [workflow],
        )
        return MART, TARGET_STATE

    def only(self, con: duckdb.DuckDBPyConnection, plan: pl.DataFrame) -> pl.DataFrame:
        """The plan, and what is settled, without the records that were there for comparison."""
        con.execute("delete from _settled where (source, source_id) not in (select (source, source_id) from _few)")
        return plan.join(self.keys.select(KEY), on=KEY, how="semi", maintain_order="left")
