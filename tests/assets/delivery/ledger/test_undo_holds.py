"""An undo hold ends with the first change in NetSuite or of the workflow file, and with nothing else."""

import duckdb
import pytest

from assets.delivery.ledger.tables import ensure_ledger
from assets.delivery.ledger.undo_holds import end_changed_holds, read_undo_holds
from resources.warehouse.tables import replace_table
from tests.assets.delivery.builders import desired, mart

HELD, NEW = "payload of 1", "another payload"


@pytest.mark.parametrize(
    ("now", "decided", "version", "ends"),
    [
        ({}, HELD, "v1", False),
        ({"payload_hash": NEW}, NEW, "v1", True),
        ({"disposition": "retire", "reason_code": "inactive"}, HELD, "v1", True),
        ({}, HELD, "v2", True),
        ({"payload_hash": NEW, "disposition": "block"}, NEW, "v1", False),
        ({"disposition": "hold", "reason_code": "missing_without_note"}, HELD, "v1", False),
        ({"disposition": "retire", "reason_code": "missing_without_note"}, HELD, "v1", False),
        ({"payload_hash": NEW}, HELD, "v1", False),
    ],
)
def test_a_hold_ends_with_a_change_that_was_read(
    now: dict[str, str], decided: str, version: str, *, ends: bool
) -> None:
    """A record that is not shown, or of which a value is unknown, has not changed; nor has one since the decision."""
    with duckdb.connect() as con:
        ensure_ledger(con)
        con.execute(
            "insert into sync_undo_holds by name select 'flow' as workflow, 'customers' as source, '1' as source_id,"
            " ? as payload_hash, 'deliver' as disposition, 'v1' as workflow_version, 'run' as undone_run",
            [HELD],
        )
        replace_table(con, "mart_flow", mart(desired(**now)))

        end_changed_holds(con, "flow", "mart_flow", version, mart(desired(payload_hash=decided)))

        assert read_undo_holds(con, "flow").is_empty() == ends
