"""Full refresh: read NetSuite again, all records or those changed since a date.

group, since  ->  dependency check  ->  watermarks set back  ->  the next run reads from there

Every run compares all records of the warehouse with the target; a full refresh also reads NetSuite again. The ledger is
not affected.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from assets.delivery.spec.workflow import Workflow
from assets.netsuite.record_types import RECORD_TYPES
from orchestration.automation.groups import Group
from resources.warehouse.tables import has_table
from resources.warehouse.warehouse import Warehouse
from sql import statement


def missing_needs(group: Group, workflows: Mapping[str, Workflow]) -> Iterator[str]:
    """Yield a problem for each workflow that a group's active workflows need and the group lacks."""
    for name in group.workflows:
        if name in workflows and workflows[name].spec.active:
            for need in workflows[name].spec.upstream:
                if need not in group.workflows:
                    yield f"{name} needs {need} in the same run; run a group with both"


def reset_watermarks(warehouse: Warehouse, workflows: Sequence[Workflow], since: datetime | None) -> list[str]:
    """Set the watermarks of these workflows' NetSuite tables back to a moment, UTC, or to none; return the tables."""
    staged = {record.table for workflow in workflows for record in workflow.spec.records}
    raw = {name for table in staged for name in statement("staging", table).reads}
    tables = sorted(record_type.table for record_type in RECORD_TYPES.values() if raw & set(record_type.raw_tables))
    with warehouse.writer() as con:
        for table in tables if has_table(con, "sync_watermarks") else []:
            if since is None:
                con.execute("delete from sync_watermarks where source_table = ?", [table])
            else:
                con.execute(
                    "update sync_watermarks set watermark_at = least(watermark_at, ?) where source_table = ?",
                    [since, table],
                )
    return tables
