"""The versions of a mart, kept when it is made.

mart_<workflow>  ->  keep_mart()  ->  hist_mart__<workflow>;  mapped_fields() also for what is read of a target
"""

from datetime import datetime

import duckdb

from assets.delivery.ledger.sides import MART
from assets.delivery.ledger.version_readings import ALL, SELECTED, Reading
from assets.delivery.ledger.versions import NO_KEYS, is_complete, keep_versions
from assets.delivery.mart.lineage import column_lineage
from assets.delivery.spec.expressions import date_dependent_fields
from assets.delivery.spec.workflow import Workflow
from resources.warehouse.masking import is_personal
from resources.warehouse.tables import has_table


def full_reading(workflow: Workflow, read_at: datetime, run_id: str, began_position: int | None = None) -> Reading:
    """Return the reading of all records, with what is mapped, and what of it may hold personal values."""
    spec = workflow.spec
    columns: dict[str, set[str | None]] = {}
    for field, column in column_lineage(spec, workflow.name).select("target_field", "source_column").iter_rows():
        columns.setdefault(field, set()).add(column)
    hidden = [name for name, of in columns.items() if any(each is None or is_personal(each) for each in of)]
    return Reading(
        workflow=workflow.name, kind=ALL, read_at=read_at, run_id=run_id, workflow_version=spec.version,
        began_position=began_position, fields=spec.target_fields, personal=sorted(hidden),
        dated=date_dependent_fields(spec),
    )  # fmt: skip


def selected_reading(workflow: Workflow, read_at: datetime, run_id: str, began_position: int | None = None) -> Reading:
    """Return the reading of some records."""
    return Reading(
        workflow=workflow.name, kind=SELECTED, read_at=read_at, run_id=run_id,
        workflow_version=workflow.spec.version, began_position=began_position,
        dated=date_dependent_fields(workflow.spec),
    )  # fmt: skip


def keep_mart(
    con: duckdb.DuckDBPyConnection, workflow: Workflow, read_at: datetime, run_id: str, *, changed: str | None
) -> None:
    """Keep the versions of a mart, in the transaction that made it; `read_at` is UTC, naive.

    `changed` is the table of the keys of which rows were made; blank: of none; None: of all.
    """
    is_known = is_complete(con, MART, workflow.name) if changed == "" else has_table(con, MART.versions(workflow.name))
    keys = (changed or NO_KEYS) if changed is not None and is_known else None
    keep_versions(con, MART, full_reading(workflow, read_at, run_id), keys=keys)
