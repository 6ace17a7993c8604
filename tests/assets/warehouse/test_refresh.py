"""Records that are read again by a change notification, before a full run has made their tables."""

from pathlib import Path

import pytest

from assets.netsuite.extract.extract import extract
from assets.netsuite.extract.raw_queries import ensure_raw_table
from assets.netsuite.extract.settings import ExtractionSettings
from assets.netsuite.record_types import RECORD_TYPES
from assets.warehouse.refresh import ParentColumn, refresh_records
from assets.warehouse.staging import stage_table
from resources.netsuite.connect import open_netsuite
from resources.sandbox.sandbox import Sandbox
from resources.warehouse.tables import read_frame
from resources.warehouse.warehouse import Warehouse
from sql import statement


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


def test_a_parent_that_was_never_read_is_read_with_the_record(tmp_path: Path) -> None:
    """A project and its sub-project, or a contact, are saved at once; the notification of the one below comes first."""
    account = Sandbox(tmp_path / "sandbox")
    account.netsuite.insert("customer", [{"id": 9, "entityid": "C9"}])
    warehouse, settings, tables = Warehouse(tmp_path / "warehouse"), ExtractionSettings(), ("projects", "contacts")
    with open_netsuite(sandbox=str(account.folder)) as client:
        with warehouse.writer() as con:
            for record_type in RECORD_TYPES.values():
                for table in record_type.raw_tables:
                    ensure_raw_table(con, table, record_type.query)
            for name in ("customers", *tables):
                stage_table(con, statement("staging", f"stg_netsuite__{name}"))
        account.netsuite.insert("customer", [{"id": 1, "entityid": "C1"}, {"id": 2, "entityid": "C2"}])
        above = [
            {"id": 101, "entityid": "P1", "customer": 1, "parent": 1},
            {"id": 103, "entityid": "P3", "customer": 2},
        ]
        account.netsuite.insert("job", [*above, {"id": 102, "entityid": "P2", "customer": 1, "parent": 101}])
        account.netsuite.insert("contact", [{"id": 202, "company": 103, "lastname": "Lund"}])
        parents = {
            ParentColumn("projects", "projects", "parent_project_id"),
            ParentColumn("contacts", "customers", "through_customer_id"),
        }

        saved = {("projects", "102"): False, ("contacts", "202"): False}
        keys = refresh_records(warehouse, client, saved, parents, settings, run_id="saved")

    assert {("projects", "101"), ("customers", "2")} <= set(keys.rows())
    with warehouse.writer() as con:
        project, contact = (read_frame(con, f"from stg_netsuite__{name}") for name in tables)
    assert project.filter(project_id="102")["parent_project_id"].item() == "101"
    assert contact["through_customer_id"].item() == "2"


def test_a_row_that_is_looked_up_is_read_with_the_record_if_it_never_was(tmp_path: Path) -> None:
    """A currency or a subsidiary that is newer than the last run would be taken as blank; a known one costs no call."""
    account = Sandbox(tmp_path / "sandbox")
    account.netsuite.insert("customer", [])
    warehouse, settings = Warehouse(tmp_path / "warehouse"), ExtractionSettings()
    columns = {
        ParentColumn("contacts", "subsidiaries", "subsidiary_id", is_looked_up=True),
        ParentColumn("contacts", "departments", "custentity_hidden", is_looked_up=True),  # the role may not see it
    }
    saved = {("customers", "1"): False, ("contacts", "2"): False}
    with open_netsuite(sandbox=str(account.folder)) as client:
        for name in RECORD_TYPES:
            extract(warehouse, client, name, settings, run_id="a night")
        with warehouse.writer() as con:
            for name in ("customers", "contacts", "currencies", "entity_statuses", "subsidiaries"):
                stage_table(con, statement("staging", f"stg_netsuite__{name}"))
        account.netsuite.insert("currency", [{"id": 7, "name": "Krona", "symbol": "SEK"}])
        account.netsuite.insert("entitystatus", [{"key": 19, "name": "Won"}])
        account.netsuite.insert("subsidiary", [{"id": 4, "name": "Nordic"}])
        account.netsuite.insert("customer", [{"id": 1, "entityid": "C1", "currency": 7, "entitystatus": 19}])
        account.netsuite.insert("contact", [{"id": 2, "company": 1, "subsidiary": 4}])
        calls = []
        for run_id in ("saved", "saved again"):
            before = client.calls
            refresh_records(warehouse, client, saved, columns, settings, run_id=run_id)
            calls.append(client.calls - before)

    with warehouse.writer() as con:
        customer, subsidiary = (read_frame(con, f"from stg_netsuite__{name}") for name in ("customers", "subsidiaries"))
    assert customer.select("currency_code", "status_name").rows() == [("SEK", "Won")]
    assert subsidiary["name"].to_list() == ["Nordic"]
    assert calls[1] <= calls[0] - 3
