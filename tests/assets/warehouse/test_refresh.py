"""Records that are read again by a change notification, before a full run has made their tables."""

from pathlib import Path

import pytest

from assets.netsuite.extract.extract import extract
from assets.netsuite.extract.settings import ExtractionSettings
from assets.warehouse.refresh import ParentColumn, refresh_records
from resources.netsuite.connect import open_netsuite
from resources.sandbox.sandbox import Sandbox
from resources.warehouse.warehouse import Warehouse


@pytest.mark.parametrize("is_read", [True, False])
def test_a_notification_before_the_first_staging_waits_for_the_full_run(tmp_path: Path, *, is_read: bool) -> None:
    """The first runs may fail before a table is staged; until then no parent is known, and nothing is sent."""
    sandbox, settings = Sandbox(tmp_path / "sandbox"), ExtractionSettings()
    sandbox.netsuite.insert("customer", [{"id": 1, "entityid": "C1", "companyname": "Acme"}])
    sandbox.netsuite.insert("job", [{"id": 101, "entityid": "P1", "companyname": "Project", "customer": 1}])
    warehouse = Warehouse(tmp_path / "warehouse")
    parents = {ParentColumn("projects", "customers", "customer_id")}
    with open_netsuite(sandbox=str(sandbox.folder)) as client:
        if is_read:
            extract(warehouse, client, "projects", settings, run_id="a night that ended early")

        keys = refresh_records(warehouse, client, {("projects", "101"): False}, parents, settings, run_id="saved")

    assert keys.rows() == [("projects", "101")]
