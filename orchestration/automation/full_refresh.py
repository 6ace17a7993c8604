"""Full synchronisation: read NetSuite's records again, all of them or those changed since a date.

group, since  ->  dependency check  ->  watermarks put back  ->  the next run reads from there

Every run compares all that was read with all that the target shows; what a full synchronisation adds is that NetSuite
is read again, whatever was read before. The history of what was decided and sent stays.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from assets.delivery.plan.planner import Workflow
from assets.netsuite.record_types import RECORD_TYPES
from orchestration.automation.jobs import Group
from resources.warehouse.tables import has_table
from resources.warehouse.warehouse import Warehouse
from sql import statement


def missing_needs(group: Group, workflows: Mapping[str, Workflow]) -> Iterator[str]:
    """Which workflows of a group need others that would not run with them, as Oracle's dependency check tells it."""
    for name in group.workflows:
        if name in workflows and workflows[name].spec.active:
            for need in workflows[name].spec.waits_for:
                if need not in group.workflows:
                    yield f"{name} needs {need} in the same run; name a group that has both"


def read_again(warehouse: Warehouse, workflows: Sequence[Workflow], since: datetime | None) -> list[str]:
    """Put the watermarks of these workflows' NetSuite tables back; the names of the tables.

    Args:
        warehouse: The warehouse.
        workflows: Whose sources are read again.
        since: Records changed at or after this moment, UTC; None: every record.
    """
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
