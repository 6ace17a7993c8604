"""From NetSuite's names and types to ours: raw rows in, staged rows out."""

import re
import shutil
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import dagster as dg
import orjson
import pytest

from assets.failures import failed_assets
from assets.netsuite.extract.load import RawBatch, load
from assets.netsuite.extract.settings import ExtractionSettings
from assets.netsuite.extract.spool import Spool, SpoolLayout
from assets.netsuite.extract.stage_routing import raw_table_by_value
from assets.netsuite.extract.strategy import Extracted
from assets.netsuite.record_types import RECORD_TYPES, STAGES
from assets.warehouse.staging import bad_keys, stage_table
from resources.netsuite.connect import open_netsuite
from resources.netsuite.pages import scan_page
from resources.netsuite.parallel_fetch import FetchedPage
from resources.scratch import scratch
from resources.warehouse.tables import columns_of, literal
from resources.warehouse.warehouse import Warehouse
from sql import names, statement
from tests.assets.warehouse.materialized import materialize

NOW = datetime(2026, 11, 16, 6, tzinfo=UTC)
STAGE_TEXTS = ("Customer", "Lead", "PROSPECT")


class RawTables:
    """A warehouse with raw tables, into which a test puts rows."""

    def __init__(self, warehouse: Warehouse) -> None:
        self.warehouse = warehouse

    def put(self, name: str, *rows: dict[str, str], custom: tuple[str, ...] = ()) -> None:
        """Load raw rows as NetSuite would send them."""
        record_type = RECORD_TYPES[name]
        query, tables = record_type.query.with_columns(custom), record_type.raw_tables
        table = raw_table_by_value('upper("searchstage")', STAGES) if record_type.has_stages else literal(tables[0])
        items = [{"links": [], **row} for row in sorted(rows, key=lambda row: int(row[query.key]))]
        response = {"count": len(items), "hasMore": False, "items": items, "offset": 0}
        page = scan_page(orjson.dumps(response), query.key, "query")
        with scratch(self.warehouse.folder, "test") as folder:
            spool = Spool(folder, SpoolLayout(query.key, query.names, table, tables[0]))
            spool.add([FetchedPage(page, -(2**62), None)])
            batch = RawBatch(record_type, query, Extracted("full", [spool]))
            with self.warehouse.writer() as con:
                load(con, batch, ExtractionSettings(), now=NOW, run_id="run")

    def delete(self, table: str, key: str) -> None:
        """Mark a raw row as deleted."""
        with self.warehouse.writer() as con:
            con.execute(f"update raw_netsuite__{table} set _deleted_at = timestamp '2026-11-16' where id = ?", [key])

    def staged(self, name: str) -> list[dict[str, Any]]:
        """Stage a table and return its rows."""
        definition = statement("staging", f"stg_netsuite__{name}")
        with self.warehouse.writer() as con:
            stage_table(con, definition)
        return self.warehouse.read(f"select * from {definition.name} order by {definition.key[0]}").rows(named=True)


@pytest.fixture(scope="module")
def empty_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse file with empty raw tables; made once, because it takes a second."""
    raw = RawTables(Warehouse(tmp_path_factory.mktemp("empty")))
    for record_type in RECORD_TYPES:
        raw.put(record_type)
    return raw.warehouse.file


@pytest.fixture
def raw(warehouse: Warehouse, empty_file: Path) -> RawTables:
    """Every raw table, empty."""
    shutil.copy(empty_file, warehouse.file)
    return RawTables(warehouse)


def address(key: str, entity: str, **fields: str) -> dict[str, str]:
    """Return an address of a customer."""
    return {"internalid": key, "entity": entity, "city": f"City {key}", "country": "SE", **fields}


def test_leads_prospects_and_customers_are_one_table_with_a_stage(raw: RawTables) -> None:
    """One row per NetSuite id, whichever raw table it is in."""
    customer, lead, prospect = ({"id": str(key + 1), "searchstage": each} for key, each in enumerate(STAGE_TEXTS))
    raw.put("customers", customer, lead, prospect)

    stages = {row["customer_id"]: row["stage"] for row in raw.staged("customers")}

    assert stages == {"1": "customer", "2": "lead", "3": "prospect"}


@pytest.mark.parametrize("stage", [None, "", "Suspect", "Kund", "-5"])
def test_an_unknown_stage_is_decided_by_the_status(raw: RawTables, stage: str | None) -> None:
    """A status applies to leads, prospects or customers; without it the stage stays unknown."""
    types = ("LEAD", "prospect", "Customer", "JOB", "")
    statuses = [{"key": str(key), "name": "S", "entitytype": kind} for key, kind in enumerate(types)]
    raw.put("entity_statuses", *statuses)
    given = {} if stage is None else {"searchstage": stage}
    raw.put(
        "customers", *({"id": str(key), "entitystatus": str(key), **given} for key in range(6)), {"id": "9", **given}
    )

    stages = {row["customer_id"]: row["stage"] for row in raw.staged("customers")}

    assert stages == {"0": "lead", "1": "prospect", "2": "customer", "3": None, "4": None, "5": None, "9": None}


def test_a_corrected_status_corrects_an_unknown_stage(raw: RawTables) -> None:
    """The staging table follows its sources, whichever of them changes."""
    raw.put("entity_statuses", {"key": "7", "name": "S", "entitytype": "LEAD"})
    raw.put("customers", {"id": "1", "entitystatus": "7"})
    before = raw.staged("customers")[0]["stage"]
    raw.put("entity_statuses", {"key": "7", "name": "S", "entitytype": "CUSTOMER"})

    assert (before, raw.staged("customers")[0]["stage"]) == ("lead", "customer")


def test_a_customer_is_staged_with_our_names_and_types(raw: RawTables) -> None:
    """Mappings depend on these names and types."""
    raw.put("currencies", {"id": "4", "name": "Krona", "symbol": "SEK"})
    raw.put("entity_statuses", {"key": "13", "name": "Closed Won"})
    raw.put(
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

    row = raw.staged("customers")[0]

    expected = {
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
    assert {name: row[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("addresses", "city", "billing_city", "shipping_city"),
    [
        (
            [address("1", "1"), address("2", "1", defaultbilling="T"), address("3", "1", defaultshipping="T")],
            "City 2",
            "City 2",
            "City 3",
        ),
        ([address("1", "1", defaultbilling="T", defaultshipping="T")], "City 1", "City 1", "City 1"),
        ([address("1", "1"), address("3", "1", defaultshipping="T")], "City 3", None, "City 3"),
        ([address("10", "1"), address("9", "1")], "City 9", None, None),
        ([], None, None, None),
    ],
)
def test_the_default_billing_address_is_preferred(
    raw: RawTables, addresses: list[dict[str, str]], city: str, billing_city: str, shipping_city: str
) -> None:
    """Else the default shipping address, else the first by number (not by text); both have columns of their own."""
    raw.put("customers", {"id": "1"})
    raw.put("addresses", *addresses)

    (row,) = raw.staged("customers")
    assert (row["city"], row["billing_city"], row["shipping_city"]) == (city, billing_city, shipping_city)


def test_an_individuals_title_and_telephone_and_a_customers_account_are_staged(raw: RawTables) -> None:
    """A credit limit is a number; what is none is blank."""
    account = {"accountnumber": "A-7", "title": "CFO", "mobilephone": "070", "creditlimit": "1500.5"}
    raw.put("customers", {"id": "1", **account}, {"id": "2", "creditlimit": "unlimited"})

    first, second = raw.staged("customers")
    names = ("account_number", "title", "mobile_phone", "credit_limit")
    assert [first[name] for name in names] == ["A-7", "CFO", "070", 1500.5]
    assert second["credit_limit"] is None


@pytest.mark.parametrize("limit", ["99999999999999.99", "12345678901234567.89"])
def test_a_credit_limit_keeps_its_digits(raw: RawTables, limit: str) -> None:
    """A double would round it; the history follows the type."""
    raw.put("customers", {"id": "1", "creditlimit": "1E+2"}, {"id": "2", "creditlimit": limit}, {"id": "3"})

    assert [row["credit_limit"] for row in raw.staged("customers")] == [Decimal(100), Decimal(limit), None]


def test_all_subsidiaries_and_the_primary_subsidiary_are_staged(raw: RawTables) -> None:
    """A workflow may filter on either."""
    raw.put("customers", {"id": "1"}, {"id": "2"})
    raw.put(
        "customer_subsidiaries",
        {"id": "1", "entity": "1", "subsidiary": "3", "isprimarysub": "F"},
        {"id": "2", "entity": "1", "subsidiary": "2", "isprimarysub": "T"},
    )

    rows = raw.staged("customers")

    assert [(row["subsidiary_id"], row["subsidiary_ids"]) for row in rows] == [("2", ["2", "3"]), (None, None)]


def test_a_deleted_customer_keeps_its_last_address(raw: RawTables) -> None:
    """Deactivating it in a target must not clear its address there."""
    raw.put("customers", {"id": "1"})
    raw.put("addresses", address("1", "1"))
    raw.delete("customers", "1")
    with raw.warehouse.writer() as con:
        con.execute("update raw_netsuite__addresses set _deleted_at = timestamp '2026-11-16'")

    row = raw.staged("customers")[0]

    assert (row["is_deleted"], row["city"]) == (True, "City 1")
    assert row["deleted_at"] is not None


def test_a_removed_address_of_a_live_customer_is_not_staged(raw: RawTables) -> None:
    """Only a deleted customer keeps deleted addresses."""
    raw.put("customers", {"id": "1"})
    raw.put("addresses", address("1", "1"))
    with raw.warehouse.writer() as con:
        con.execute("update raw_netsuite__addresses set _deleted_at = timestamp '2026-11-16'")

    assert raw.staged("customers")[0]["city"] is None


@pytest.mark.parametrize(
    ("parent", "expected", "unshown"),
    [("1", None, None), ("2", None, None), ("10", "10", None), ("99", None, "99")],
    ids=["the customer", "another customer", "a project", "unknown"],
)
def test_only_a_known_project_is_a_parent_project(
    raw: RawTables, parent: str, expected: str | None, unshown: str | None
) -> None:
    """NetSuite's parent of a top project is its customer."""
    raw.put("customers", {"id": "1"}, {"id": "2"})
    raw.put("customer_subsidiaries", {"id": "1", "entity": "1", "subsidiary": "5", "isprimarysub": "T"})
    raw.put(
        "projects",
        {"id": "10", "customer": "1", "parent": "1", "companyname": "Top"},
        {"id": "11", "customer": "1", "parent": parent, "startdate": "2026-05-01"},
    )

    top, row = raw.staged("projects")

    assert (top["parent_project_id"], top["project_name"], top["subsidiary_id"]) == (None, "Top", "5")
    assert (row["parent_project_id"], row["customer_id"], row["start_date"]) == (expected, "1", date(2026, 5, 1))
    assert (top["unshown_parent_id"], row["unshown_parent_id"]) == (None, unshown)


def test_a_contact_of_another_record_has_no_customer(raw: RawTables) -> None:
    """`company` may be a vendor."""
    raw.put("customers", {"id": "1", "searchstage": "Lead"})
    raw.put("contacts", {"id": "20", "company": "1"}, {"id": "21", "company": "77"})

    assert [row["customer_id"] for row in raw.staged("contacts")] == ["1", None]


def test_a_contact_of_a_project_has_the_projects_customer_and_its_own_address(raw: RawTables) -> None:
    """Oracle's connector has an option to include them."""
    raw.put("customers", {"id": "1", "searchstage": "Customer"})
    raw.put("projects", {"id": "5", "customer": "1"})
    raw.put("contacts", {"id": "20", "company": "1"}, {"id": "21", "company": "5"}, {"id": "22", "company": "77"})
    raw.put(
        "contact_addresses",
        {"internalid": "1", "entity": "21", "addr1": "Back yard"},
        {"internalid": "2", "entity": "21", "addr1": "Storgatan 1", "defaultbilling": "T"},
    )

    rows = {row["contact_id"]: row for row in raw.staged("contacts")}

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
def test_classifications_of_all_types_have_the_same_columns(raw: RawTables, name: str, key: str) -> None:
    """A mapping can be moved from one to another."""
    raw.put(name, {"id": "1", "name": "EMEA"}, {"id": "2", "name": "UK", "fullname": "EMEA : UK", "parent": "1"})

    rows = raw.staged(name)

    assert [(row[key], row["full_name"], row["parent_id"]) for row in rows] == [
        ("1", "EMEA", None),
        ("2", "EMEA : UK", "1"),
    ]


def test_an_empty_table_has_its_types(raw: RawTables) -> None:
    """A missing feature in an account must not change the type of a column downstream."""
    types: list[tuple[str, str]] = []
    with raw.warehouse.writer() as con:
        for name in names("staging"):
            stage_table(con, statement("staging", name))
            types.extend(columns_of(con, name).items())

    assert {kind for _, kind in types} == {"VARCHAR", "VARCHAR[]", "BOOLEAN", "TIMESTAMP", "DATE", "DOUBLE"}
    assert all(kind == "BOOLEAN" for column, kind in types if column.startswith("is_"))
    assert all(kind == "TIMESTAMP" for column, kind in types if column.endswith("_at"))


def test_missing_and_duplicate_keys_are_found(raw: RawTables) -> None:
    """Two rows for one customer would be sent twice."""
    raw.put("customers", {"id": "1"}, {"id": "2"}, {"id": "3"})
    raw.staged("customers")
    definition = statement("staging", "stg_netsuite__customers")

    with raw.warehouse.writer() as con:
        clean = bad_keys(con, definition)
        con.execute("update stg_netsuite__customers set customer_id = '1' where customer_id = '2'")
        con.execute("update stg_netsuite__customers set customer_id = null where customer_id = '3'")
        bad = bad_keys(con, definition)

    assert (clean, bad) == (0, 3)


def run(warehouse: Warehouse, name: str) -> dg.ExecuteInProcessResult:
    """Materialize one staging asset."""
    with open_netsuite() as nowhere:  # a staging table alone makes no call
        return materialize(warehouse, nowhere, [name])


def test_the_asset_checks_its_key_and_row_count(raw: RawTables) -> None:
    """Readers of the table wait for it: no plan is made from an inconsistent table."""
    raw.put("customers", {"id": "1"}, {"id": "2", "searchstage": "Lead"})
    raw.delete("leads", "2")

    result = run(raw.warehouse, "stg_netsuite__customers")

    checks = {check.check_name: check.passed for check in result.get_asset_check_evaluations()}
    assert checks == {"rows_and_keys": True}
    assert raw.warehouse.table("stg_netsuite__customers").height == 2


def test_a_join_that_multiplies_rows_fails_the_blocking_checks(raw: RawTables) -> None:
    """Two currencies with one id would duplicate a customer."""
    raw.put("customers", {"id": "1", "currency": "4"})
    raw.put("currencies", {"id": "4", "symbol": "SEK"})
    with raw.warehouse.writer() as con:
        con.execute("insert into raw_netsuite__currencies select * from raw_netsuite__currencies")

    result = run(raw.warehouse, "stg_netsuite__customers")

    assert not result.success
    assert {check.passed for check in result.get_asset_check_evaluations()} == {False}


def test_a_missing_raw_table_stops_only_the_tables_that_read_it(raw: RawTables) -> None:
    """An extraction has failed, or never ran."""
    with raw.warehouse.writer() as con:
        con.execute("drop table raw_netsuite__addresses")

    customers = run(raw.warehouse, "stg_netsuite__customers")
    departments = run(raw.warehouse, "stg_netsuite__departments")

    failed = next(failed_assets(event) for event in customers.all_events if event.is_step_failure)
    assert (
        "raw_netsuite__addresses, which does not exist yet; materialize it first" in failed["stg_netsuite__customers"]
    )
    assert departments.success


@pytest.mark.parametrize(("shown", "staged"), [("T", True), ("F", False), (None, None), ("", None), ("maybe", None)])
@pytest.mark.parametrize("record_type", ["customers", "projects", "contacts", "departments", "currencies"])
def test_a_check_box_that_is_not_shown_is_unknown(
    raw: RawTables, record_type: str, shown: str | None, staged: object
) -> None:
    """An inactive record of which the role may not see that would count as active."""
    raw.put(record_type, {"id": "1", "isinactive": shown})

    assert raw.staged(record_type)[0]["is_inactive"] is staged


def test_no_staging_table_replaces_a_blank_by_a_value() -> None:
    """A `coalesce` would make a fact of a column that was not shown; one NetSuite column may stand in for another."""
    by_a_constant = re.compile(r"coalesce\(\s*(\w+)[^()]*,\s*(?:false|true|0|'[^']*')\s*\)")
    invented = {each for name in names("staging") for each in by_a_constant.findall(statement("staging", name).text)}
    assert invented == {"_deletion_evidence"}
