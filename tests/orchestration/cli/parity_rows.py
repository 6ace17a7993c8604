"""One night of a workflow in shadow mode: a row that differs, one without a cause, and a record that is missing."""

from datetime import datetime

import duckdb

from assets.delivery.component.workflow_file import load_workflow
from assets.delivery.ledger.shadows import Shadow, begin_shadow
from assets.delivery.ledger.tables import ensure_ledger
from orchestration.configuration.settings import ROOT
from resources.warehouse.tables import replace_table
from tests.assets.delivery.builders import actual, desired, mart, target_state

NOW = datetime(2026, 11, 20, 6)  # noqa: DTZ001 - as the warehouse's times


def compare_once(con: duckdb.DuckDBPyConnection, workflow: str) -> None:
    """Start the shadow mode of a workflow, and store what a night found."""
    version = load_workflow(ROOT / "orchestration" / "workflows" / workflow / "defs.yaml").spec.version
    ensure_ledger(con)
    begin_shadow(con, Shadow(workflow, 0, "Oracle's connector", 3600.0, "ada", NOW))
    replace_table(con, f"mart_{workflow}", mart(desired("1", name="Ours <b>"), desired("2")))
    replace_table(con, f"target_{workflow}", target_state(actual("900", None, name="Theirs"), actual("901", "2")))
    con.execute(
        "insert into sync_shadow_nights by name select ? as workflow, 1 as period, 1 as night, ?::timestamp as"
        " compared_at, 12 as records, 9 as alike, 2 as differing, 1 as missing, 0 as left_out, 3 as held,"
        " 4 as only_there, 1 as unexplained, ?::timestamp as netsuite_at, ?::timestamp as target_at,"
        " ? as workflow_version",
        [workflow, NOW, NOW, NOW, version],
    )
    for source_id, target_id, name, cause, kind in (
        ("1", "900", "name", "unknown", "unknown"),
        ("2", "901", "enable", "mapping_row", "other_column"),
        ("3", None, "(not in the target)", "filter", "not_selected_there"),
    ):
        con.execute(
            "insert into sync_shadow_differences by name select ? as workflow, 1 as period, 'customers' as source,"
            " ? as source_id, ? as target_id, ? as field, ? as cause, ? as kind, 'the evidence' as evidence,"
            " 1 as first_night, ?::timestamp as first_at, 1 as last_night, true as is_open",
            [workflow, source_id, target_id, name, cause, kind, NOW],
        )
