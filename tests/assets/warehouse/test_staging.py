"""From NetSuite's names and types to ours: raw rows in, staged rows out."""

import shutil
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from assets.netsuite.extract.deletions import nothing_deleted
from assets.netsuite.extract.load import Batch, Guard, load
from assets.netsuite.extract.spool import Shape, Spool, pages_of, scratch
from assets.netsuite.extract.stage_routing import by_value
from assets.netsuite.record_types import RECORD_TYPES, STAGES
from assets.warehouse.staging import STAGING_ASSETS, build, duplicate_keys
from resources.netsuite.pages import raw_page
from resources.warehouse.backend import literal
from resources.warehouse.tables import columns_of
from resources.warehouse.warehouse import Warehouse
from sql import statement

NOW = datetime(2026, 11, 16, 6, tzinfo=UTC)


class Pond:
    """A warehouse with raw tables, into which a test puts rows."""

    def __init__(self, warehouse: Warehouse) -> None:
        self.warehouse = warehouse

    def put(self, name: str, *rows: dict[str, str], custom: tuple[str, ...] = ()) -> None:
        """Raw rows as NetSuite would send them."""
        record_type = RECORD_TYPES[name]
        query = record_type.query.with_columns(custom)
        table = by_value('upper("searchstage")', STAGES) if record_type.split else literal(record_type.raw_tables[0])
        columns = {column.name: column.comment for column in query.columns}
        with scratch(self.warehouse.folder) as folder:
            spool = Spool(folder, Shape(query.key, query.names, table, record_type.raw_tables[0]))
            spool.take(pages_of([raw_page(sorted(rows, key=lambda row: int(row[query.key])), query.key)]))
            batch = Batch(record_type, query.key, columns, [spool], nothing_deleted(), None, "test")
            with self.warehouse.writer() as con:
                load(con, batch, Guard(1, 0), now=NOW, run_id="run")

    def delete(self, table: str, key: str) -> None:
        """Mark a raw row as deleted."""
        with self.warehouse.writer() as con:
            con.execute(f"update raw_netsuite__{table} set _deleted_at = timestamp '2026-11-16' where id = ?", [key])

    def staged(self, name: str) -> list[dict[str, Any]]:
        """The rows of a staging table, built now."""
        of = statement("staging", f"stg_netsuite__{name}")
        with self.warehouse.writer() as con:
            build(con, of)
        return self.warehouse.read(f"select * from {of.name} order by {of.key[0]}").rows(named=True)


@pytest.fixture(scope="module")
def empty_stage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every raw table, empty: made once, for it takes a second."""
    warehouse = Pond(Warehouse(tmp_path_factory.mktemp("empty")))
    for record_type in RECORD_TYPES:
        warehouse.put(record_type)
    return warehouse.warehouse.stage


@pytest.fixture
def warehouse(warehouse: Warehouse, empty_stage: Path) -> Pond:
    """Every raw table, empty."""
    warehouse.folder.mkdir(parents=True)
    shutil.copy(empty_stage, warehouse.stage)
    return Pond(warehouse)


def address(key: str, entity: str, **fields: str) -> dict[str, str]:
    """An address of a customer."""
    return {"internalid": key, "entity": entity, "city": f"City {key}", "country": "SE", **fields}


def test_leads_prospects_and_customers_are_one_table_with_a_stage(warehouse: Pond) -> None:
    """One row per NetSuite id, whichever raw table it stands in."""
    warehouse.put("customers", {"id": "1"}, {"id": "2", "searchstage": "Lead"}, {"id": "3", "searchstage": "PROSPECT"})

    stages = {row["customer_id"]: row["stage"] for row in warehouse.staged("customers")}

    assert stages == {"1": "customer", "2": "lead", "3": "prospect"}


def test_a_customer_in_our_names_and_types(warehouse: Pond) -> None:
    """The contract that mappings are written against."""
    warehouse.put("currencies", {"id": "4", "name": "Krona", "symbol": "SEK"})
    warehouse.put("entity_statuses", {"key": "13", "name": "Closed Won"})
    warehouse.put(
        "customers",
        {
            "id": "1",
            "entityid": "CUST-1",
            "companyname": "Acme",
            "currency": "4",
            "entitystatus": "13",
            "isperson": "F",
            "isinactive": "T",
            "datecreated": "2026-01-02 03:04:05",
            "lastmodifieddate": "2026-02-03 04:05:06",
            "custentity_region": "North",
        },
        custom=("custentity_region",),
    )

    row = warehouse.staged("customers")[0]

    told = {
        "customer_id": "1",
        "entity_number": "CUST-1",
        "company_name": "Acme",
        "currency_code": "SEK",
        "status_name": "Closed Won",
        "is_person": False,
        "is_inactive": True,
        "is_deleted": False,
        "created_at": datetime.fromisoformat("2026-01-02T03:04:05"),  # the warehouse keeps UTC without a zone
        "modified_at": datetime.fromisoformat("2026-02-03T04:05:06"),
        "custentity_region": "North",
        "subsidiary_ids": None,
    }
    assert {name: row[name] for name in told} == told


@pytest.mark.parametrize(
    ("addresses", "city", "shipping_city"),
    [
        (
            [address("1", "1"), address("2", "1", defaultbilling="T"), address("3", "1", defaultshipping="T")],
            "City 2",
            "City 3",
        ),
        ([address("1", "1", defaultbilling="T", defaultshipping="T")], "City 1", "City 1"),
        ([address("1", "1"), address("3", "1", defaultshipping="T")], "City 3", "City 3"),
        ([address("10", "1"), address("9", "1")], "City 9", None),
        ([], None, None),
    ],
)
def test_the_default_billing_address_is_preferred(
    warehouse: Pond, addresses: list[dict[str, str]], city: str, shipping_city: str
) -> None:
    """Else the default shipping one, which has columns of its own too, else the first by number (not by text)."""
    warehouse.put("customers", {"id": "1"})
    warehouse.put("addresses", *addresses)

    assert [(row["city"], row["shipping_city"]) for row in warehouse.staged("customers")] == [(city, shipping_city)]


def test_all_subsidiaries_and_the_primary_one_are_told(warehouse: Pond) -> None:
    """A workflow may filter on either."""
    warehouse.put("customers", {"id": "1"}, {"id": "2"})
    warehouse.put(
        "customer_subsidiaries",
        {"id": "1", "entity": "1", "subsidiary": "3", "isprimarysub": "F"},
        {"id": "2", "entity": "1", "subsidiary": "2", "isprimarysub": "T"},
    )

    rows = warehouse.staged("customers")

    assert [(row["subsidiary_id"], row["subsidiary_ids"]) for row in rows] == [("2", ["2", "3"]), (None, None)]


def test_a_deleted_customer_stays_with_what_it_had(warehouse: Pond) -> None:
    """Switching it off elsewhere must not blank its address there."""
    warehouse.put("customers", {"id": "1"})
    warehouse.put("addresses", address("1", "1"))
    warehouse.delete("customers", "1")
    with warehouse.warehouse.writer() as con:
        con.execute("update raw_netsuite__addresses set _deleted_at = timestamp '2026-11-16'")

    row = warehouse.staged("customers")[0]

    assert (row["is_deleted"], row["city"]) == (True, "City 1")
    assert row["deleted_at"] is not None


def test_a_removed_address_of_a_live_customer_is_gone(warehouse: Pond) -> None:
    """Only a deleted customer keeps deleted addresses."""
    warehouse.put("customers", {"id": "1"})
    warehouse.put("addresses", address("1", "1"))
    with warehouse.warehouse.writer() as con:
        con.execute("update raw_netsuite__addresses set _deleted_at = timestamp '2026-11-16'")

    assert warehouse.staged("customers")[0]["city"] is None


@pytest.mark.parametrize(
    ("parent", "expected"),
    [("1", None), ("10", "10"), ("99", None)],
    ids=["the customer", "a project", "unknown"],
)
def test_only_a_known_project_is_a_parent_project(warehouse: Pond, parent: str, expected: str | None) -> None:
    """NetSuite's parent of a top project is its customer."""
    warehouse.put("customers", {"id": "1"})
    warehouse.put("customer_subsidiaries", {"id": "1", "entity": "1", "subsidiary": "5", "isprimarysub": "T"})
    warehouse.put(
        "projects",
        {"id": "10", "customer": "1", "parent": "1", "companyname": "Top"},
        {"id": "11", "customer": "1", "parent": parent, "startdate": "2026-05-01"},
    )

    top, row = warehouse.staged("projects")

    assert (top["parent_project_id"], top["project_name"], top["subsidiary_id"]) == (None, "Top", "5")
    assert (row["parent_project_id"], row["customer_id"], row["start_date"]) == (expected, "1", date(2026, 5, 1))


def test_a_contact_belongs_to_a_customer_or_to_nobody_of_ours(warehouse: Pond) -> None:
    """`company` may be a vendor."""
    warehouse.put("customers", {"id": "1", "searchstage": "Lead"})
    warehouse.put("contacts", {"id": "20", "company": "1"}, {"id": "21", "company": "77"})

    assert [row["customer_id"] for row in warehouse.staged("contacts")] == ["1", None]


def test_a_contact_of_a_project_reaches_the_projects_customer(warehouse: Pond) -> None:
    """Oracle's connector offers to take them; an address of its own comes along."""
    warehouse.put("customers", {"id": "1", "searchstage": "Customer"})
    warehouse.put("projects", {"id": "5", "customer": "1"})
    warehouse.put("contacts", {"id": "20", "company": "1"}, {"id": "21", "company": "5"}, {"id": "22", "company": "77"})
    warehouse.put(
        "contact_addresses",
        {"internalid": "1", "entity": "21", "addr1": "Back yard"},
        {"internalid": "2", "entity": "21", "addr1": "Storgatan 1", "defaultbilling": "T"},
    )

    rows = {row["contact_id"]: row for row in warehouse.staged("contacts")}

    assert {key: (row["customer_id"], row["project_id"], row["through_customer_id"]) for key, row in rows.items()} == {
        "20": ("1", None, "1"), "21": (None, "5", "1"), "22": (None, None, None),
    }  # fmt: skip
    assert {key: row["address_line1"] for key, row in rows.items()} == {"20": None, "21": "Storgatan 1", "22": None}


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("subsidiaries", "subsidiary_id"),
        ("departments", "department_id"),
        ("classifications", "classification_id"),
        ("locations", "location_id"),
    ],
)
def test_classifications_of_all_kinds_are_alike(warehouse: Pond, name: str, key: str) -> None:
    """So that a mapping can be moved from one to another."""
    warehouse.put(name, {"id": "1", "name": "EMEA"}, {"id": "2", "name": "UK", "fullname": "EMEA : UK", "parent": "1"})

    rows = warehouse.staged(name)

    assert [(row[key], row["full_name"], row["parent_id"]) for row in rows] == [
        ("1", "EMEA", None),
        ("2", "EMEA : UK", "1"),
    ]


def test_an_empty_table_has_its_types(warehouse: Pond) -> None:
    """An account without a feature must not change the type of a column downstream."""
    kinds: list[tuple[str, str]] = []
    with warehouse.warehouse.writer() as con:
        for name in STAGING_ASSETS:
            build(con, statement("staging", name))
            kinds.extend(columns_of(con, name).items())

    assert {kind for _, kind in kinds} == {"VARCHAR", "VARCHAR[]", "BOOLEAN", "TIMESTAMP", "DATE"}
    assert all(kind == "BOOLEAN" for column, kind in kinds if column.startswith("is_"))
    assert all(kind == "TIMESTAMP" for column, kind in kinds if column.endswith("_at"))


def test_a_key_that_is_missing_or_double_is_found(warehouse: Pond) -> None:
    """Two rows for one customer would be sent twice."""
    warehouse.put("customers", {"id": "1"}, {"id": "2"}, {"id": "3"})
    warehouse.staged("customers")
    of = statement("staging", "stg_netsuite__customers")

    with warehouse.warehouse.writer() as con:
        clean = duplicate_keys(con, of)
        con.execute("update stg_netsuite__customers set customer_id = '1' where customer_id = '2'")
        con.execute("update stg_netsuite__customers set customer_id = null where customer_id = '3'")
        bad = duplicate_keys(con, of)

    assert (clean, bad) == (0, 3)


def run(warehouse: Warehouse, name: str) -> dg.ExecuteInProcessResult:
    """Materialize one staging asset."""
    return dg.materialize([STAGING_ASSETS[name]], resources={"warehouse": warehouse}, raise_on_error=False)


def test_the_asset_checks_its_key_and_that_no_row_is_lost(warehouse: Pond) -> None:
    """Blocking: nothing is planned on a broken table."""
    warehouse.put("customers", {"id": "1"}, {"id": "2", "searchstage": "Lead"})
    warehouse.delete("leads", "2")

    result = run(warehouse.warehouse, "stg_netsuite__customers")

    checks = {check.check_name: check.passed for check in result.get_asset_check_evaluations()}
    assert checks == {"key_is_unique_and_not_null": True, "no_row_is_lost": True}
    assert warehouse.warehouse.table("stg_netsuite__customers").height == 2


def test_a_row_that_multiplies_fails_the_blocking_checks(warehouse: Pond) -> None:
    """Two currencies with one id would make two customers of one."""
    warehouse.put("customers", {"id": "1", "currency": "4"})
    warehouse.put("currencies", {"id": "4", "symbol": "SEK"})
    with warehouse.warehouse.writer() as con:
        con.execute("insert into raw_netsuite__currencies select * from raw_netsuite__currencies")

    result = run(warehouse.warehouse, "stg_netsuite__customers")

    assert not result.success
    assert {check.passed for check in result.get_asset_check_evaluations()} == {False}


def test_a_missing_raw_table_is_named_and_the_others_work(warehouse: Pond) -> None:
    """An extraction that failed stops only what reads it."""
    with warehouse.warehouse.writer() as con:
        con.execute("drop table raw_netsuite__addresses")

    customers = run(warehouse.warehouse, "stg_netsuite__customers")
    departments = run(warehouse.warehouse, "stg_netsuite__departments")

    failure = customers.failure_data_for_node("stg_netsuite__customers")
    assert failure is not None
    assert failure.error is not None
    assert "raw_netsuite__addresses, which were never extracted" in failure.error.to_string()
    assert departments.success
