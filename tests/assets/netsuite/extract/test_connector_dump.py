# ruff: noqa: E501 - rows of CSV files, one per line
"""Rows of a real NetSuite account: the tables of a connector's dump, inserted in the sandbox and extracted.

Some machines have the dump beside the repository; an excerpt with the same columns is below.
Source: fivetran/dbt_netsuite_source (Apache-2.0), integration test seeds.
"""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import pytest

from assets.delivery.errors import MappingError
from assets.delivery.mart.staging_check import check_shown
from assets.netsuite.record_types import RECORD_TYPES
from assets.warehouse.staging import stage_table
from orchestration.configuration.settings import ROOT
from resources.netsuite.connect import open_netsuite
from resources.sandbox.netsuite.store.tables import TABLES
from resources.sandbox.sandbox import Sandbox
from resources.warehouse.warehouse import Warehouse
from sql import names, statement
from tests.assets.netsuite.conftest import NetSuiteAccount

DUMP = ROOT.parent / "shared" / "data" / "netsuite_tables"
CONNECTOR_COLUMNS = {"date_deleted", "_fivetran_deleted", "_fivetran_synced"}
TABLE_NAMES = {"entity_address": "customeraddressbookentityaddress"}

EXCERPT = {
    "customer": """
id,_fivetran_deleted,altname,clickstream,companyname,currency,custentity1,custentity18,custentity5,custentity_cust_priority,custentity_fmt_cust_credit_on_hold,custentity_lead_category,dateclosed,datecreated,defaultbillingaddress,email,entityid,entitynumber,entitystatus,firstname,isinactive,isperson,language,lastmodifieddate,lastname,oncredithold,phone,pricelevel,salesrep,searchstage
1409,FALSE,Joe Shmoe,,,1,,F,,50,F,2,2017-05-27 0:00:00,2017-05-27 8:56:10,,jm@fake.com,CCS,,6,Joe,F,T,en_US,2017-05-09 6:07:35,Li,F,,-10,1008,Lead
1388,FALSE,Jess is Best,Cat > Couch,,1,,F,3,50,,,2017-05-10 0:00:00,2017-05-10 19:14:00,,jm@fake.com,CCS,,6,Jess,F,T,en_US,2017-05-09 6:07:26,Best,F,,-10,,Lead
1440,FALSE,Cedar Cat,Cat,CCS,1,,F,,50,F,,2017-05-11 0:00:00,2017-05-11 21:46:11,,jm@fake.com,CCS,7,6,,F,F,en_US,2017-05-09 6:07:47,,F,,-10,,Lead
1376,FALSE,Alfredo,Couch,,1,,,2,50,,,2017-07-18 0:00:00,2017-07-18 18:32:17,254,jm@fake.com,CCS,,6,Alfredo,F,T,en_US,2017-05-09 6:07:20,Pizza,F,8675309,-10,,Lead
""",
    "job": """
id,_fivetran_deleted,actualtime,altname,companyname,currency,customer,datecreated,defaultbillingaddress,entityid,entitystatus,isinactive,lastmodifieddate,parent,percenttimecomplete,projectedenddate,startdate
1548,FALSE,,Another Cat Name,Another Cat Name,1,1409,2017-05-19 1:02:54,731,Another Cat Name,,F,2017-05-19 19:34:44,1409,0,2017-06-30 0:00:00,2017-05-01 0:00:00
1502,FALSE,,Nah only cats here,Nah only cats here,1,1491,2017-05-21 14:06:47,944,Nah only cats here,2,F,2017-05-03 22:14:14,1491,0,,2017-03-01 0:00:00
""",
    "subsidiary": """
id,_fivetran_deleted,country,currency,dropdownstate,edition,fiscalcalendar,fullname,iselimination,isinactive,lastmodifieddate,mainaddress,name,parent,state
4,FALSE,US,1,AK,US,1,CeCe,F,F,2019-07-06 21:13:49,1126,Meow Meow,3,AK
6,FALSE,US,1,GA,US,1,Cat Jam,F,F,2017-06-13 5:39:53,4659,Purr,3,GA
""",
    "department": """
id,_fivetran_deleted,externalid,fullname,includechildren,isinactive,lastmodifieddate,name,parent,subsidiary
10,FALSE,,TV Watcher,F,F,2017-05-07 14:41:24,TV Watcher,5,1
5,FALSE,,Sleep Perfectionist,T,F,2017-06-13 11:38:27,Sleep Perfectionist,,"1, 3, 4, 6"
""",
    "classification": """
id,_fivetran_deleted,externalid,fullname,includechildren,isinactive,lastmodifieddate,name,parent,subsidiary
15,FALSE,,Internal,T,F,2017-05-17 16:56:08,Internal,,"1, 3, 4, 6"
""",
    "location": """
id,_fivetran_deleted,fullname,isinactive,lastmodifieddate,mainaddress,makeinventoryavailable,name,parent,returnaddress,subsidiary,usebins
9,FALSE,Sweet Home Chicago,F,2017-07-25 8:27:47,,F,Looking,2,,3,F
4,FALSE,Chi Town,F,2017-05-24 20:12:05,44,F,For,2,45,1,T
""",
    "entity_address": """
nkey,_fivetran_deleted,addr1,addrphone,addrtext,city,country,dropdownstate,lastmodifieddate,override,recordowner,state,zip
472,FALSE,,8675309,real address,,US,,,F,472,,
1990,FALSE,1212 Waddap,,super real address,Chicago,US,IL,,F,1990,IL,
""",
    "currency": """
id,_fivetran_deleted,currencyprecision,displaysymbol,exchangerate,isbasecurrency,isinactive,lastmodifieddate,name,symbol
1,FALSE,2,$,1,T,F,2017-05-12 22:50:55,US Dollar,USD
4,FALSE,2,€,1.11289001,F,F,2017-05-13 15:44:05,Euro,EUR
""",
}


def load_dump(name: str, *, whole: bool) -> list[dict[str, str]]:
    """Return the rows of one file, or of its excerpt above."""
    path = DUMP / f"{name}.csv"
    text = path.read_text(encoding="utf-8") if whole else EXCERPT[name].lstrip()
    return list(csv.DictReader(io.StringIO(text)))


def sandbox_row(table: str, row: dict[str, str], custom: dict[str, str]) -> dict[str, Any]:
    """Convert a row of the dump for the sandbox: only NetSuite's columns, with times parsed."""
    known = TABLES[table].columns
    values: dict[str, Any] = {}
    for name, text in row.items():
        if name in custom or (name in known and name not in CONNECTOR_COLUMNS):
            kind = known[name].kind if name in known else custom[name]
            values[name] = None if text == "" else moment(text) if kind == "timestamp" else text
    return values


def moment(text: str) -> datetime:
    """Parse a time such as 2017-05-27 8:56:10, which is UTC in the dump."""
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)


def custom_field_types(rows: list[dict[str, str]]) -> dict[str, str]:
    """Return the custom fields of some rows with their types by their values: bool, list or text."""
    types = {}
    for name in (each for each in rows[0] if each.startswith("custentity")):
        values = {row[name] for row in rows} - {""}
        types[name] = "bool" if values and values <= {"T", "F"} else "list" if "".join(values).isdigit() else "text"
    return types


@dataclass(frozen=True)
class Dump:
    """The dump, and the account with its rows."""

    tables: dict[str, list[dict[str, str]]]
    account: NetSuiteAccount


@pytest.fixture(scope="module", params=["excerpt", "whole"])
def dump(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dump]:
    """The dump, extracted and staged; on a machine without the files, the excerpt is used twice."""
    folder = tmp_path_factory.mktemp("dump")
    whole = request.param == "whole" and DUMP.is_dir()
    tables = {name: load_dump(name, whole=whole) for name in EXCERPT}
    with open_netsuite(sandbox=str(folder / "sandbox")) as client:
        account = NetSuiteAccount(Sandbox(folder / "sandbox"), Warehouse(folder / "warehouse"), client)
        fill(account, tables)
        extract_and_stage(account)
        yield Dump(tables, account)


def fill(account: NetSuiteAccount, tables: dict[str, list[dict[str, str]]]) -> None:
    """Insert the dump, and what it lacks: an address book and relationships."""
    custom = custom_field_types(tables["customer"])
    account.switch(
        custom_fields=[f"customer.{name}:{kind}" for name, kind in custom.items()],
        session_zone="America/Los_Angeles",
        date_format="D/M/YYYY",
    )
    account.custom_columns(*custom)
    for name, rows in tables.items():
        table = TABLE_NAMES.get(name, name)
        account.add(table, *(sandbox_row(table, row, custom if name == "customer" else {}) for row in rows))
    book = {"internalid": 77, "entity": 1376, "addressbookaddress": 1990, "label": "Home", "defaultbilling": True}
    account.add("customeraddressbook", book)
    account.add(
        "customersubsidiaryrelationship",
        {"id": 1, "entity": 1376, "subsidiary": 6, "isprimarysub": False},
        {"id": 2, "entity": 1376, "subsidiary": 4, "isprimarysub": True},
    )
    account.add("entitystatus", {"key": 6, "name": "Unqualified", "entitytype": "LEAD"})


def extract_and_stage(account: NetSuiteAccount) -> None:
    """Extract and stage every table once."""
    for record_type in RECORD_TYPES:
        account.extract(record_type)
    with account.warehouse.writer() as con:
        for name in names("staging"):
            stage_table(con, statement("staging", name))


def staged(account: NetSuiteAccount, name: str, key: str) -> dict[str, dict[str, Any]]:
    """Return a staging table by key."""
    return {row[key]: row for row in account.warehouse.table(f"stg_netsuite__{name}").rows(named=True)}


def test_every_value_of_the_dump_is_copied_unchanged(dump: Dump) -> None:
    """Lists of subsidiaries, T and F, custom fields, numbers: nothing is reformatted on the way."""
    record_types = {"customer": "leads", "job": "projects", "subsidiary": "subsidiaries", "currency": "currencies"}
    record_types |= {name: f"{name}s" for name in ("department", "classification", "location")}

    compared = 0
    for table, record_type in record_types.items():
        raw = dump.account.raw(record_type)
        assert set(raw) == {row["id"] for row in dump.tables[table]}
        for row in dump.tables[table]:
            for name in row.keys() & raw[row["id"]].keys():
                copied = raw[row["id"]][name]
                expected = row[name]
                if expected.endswith(":00") and len(copied or "") == len("2017-05-01"):
                    expected = expected.partition(" ")[0]
                elif name in {"datecreated", "lastmodifieddate"}:
                    expected = str(moment(expected).replace(tzinfo=None))
                assert (table, name, copied) == (table, name, expected or None)
                compared += 1
    assert compared > 150


def test_customers_of_the_dump_are_staged_with_addresses_subsidiaries_and_times(dump: Dump) -> None:
    """All of them are leads; one has an address in Chicago and two subsidiaries."""
    customers = staged(dump.account, "customers", "customer_id")

    assert {row["stage"] for row in customers.values()} == {"lead"}
    assert customers["1409"]["created_at"] == datetime(2017, 5, 27, 8, 56, 10)  # noqa: DTZ001
    assert customers["1409"]["modified_at"] == datetime(2017, 5, 9, 6, 7, 35)  # noqa: DTZ001
    assert customers["1440"]["company_name"] == "CCS"
    assert (customers["1409"]["is_person"], customers["1440"]["is_person"]) == (True, False)
    assert customers["1409"]["custentity_cust_priority"] == "50"  # a list: its id stays text
    assert customers["1388"]["custentity5"] == "3"
    assert customers["1409"]["custentity_fmt_cust_credit_on_hold"] is False
    chicago = customers["1376"]
    assert (chicago["address_line1"], chicago["city"], chicago["state"]) == ("1212 Waddap", "Chicago", "IL")
    assert (chicago["subsidiary_id"], chicago["subsidiary_ids"]) == ("4", ["4", "6"])
    assert customers["1409"]["status_name"] == "Unqualified"
    assert customers["1409"]["city"] is None


def test_projects_and_lists_of_the_dump_are_staged(dump: Dump) -> None:
    """A project whose customer the role may not see keeps the customer's id and has no subsidiary."""
    account = dump.account
    projects = staged(account, "projects", "project_id")
    departments = staged(account, "departments", "department_id")
    currencies = staged(account, "currencies", "currency_id")

    assert projects["1502"]["start_date"] == date(2017, 3, 1)
    assert projects["1502"]["customer_id"] == "1491"
    assert projects["1548"]["parent_project_id"] is None
    assert projects["1548"]["created_at"] == datetime(2017, 5, 19, 1, 2, 54)  # noqa: DTZ001
    assert departments["10"]["parent_id"] == "5"
    assert account.raw("departments")["5"]["subsidiary"] == "1, 3, 4, 6"
    assert currencies["4"]["currency_code"] == "EUR"
    assert staged(account, "subsidiaries", "subsidiary_id")["4"]["country_code"] == "US"
    assert len(staged(account, "locations", "location_id")) == len(dump.tables["location"])


# --- custom fields of every type ---------------------------------------------------------------------------------

TYPES = ("text", "bool", "int", "number", "date", "timestamp", "list", "multi")


@pytest.mark.parametrize("date_format", ["D/M/YYYY", "M/D/YYYY", "DD-Mon-YYYY"])
def test_custom_fields_are_staged_with_their_types(account: NetSuiteAccount, date_format: str) -> None:
    """3/4/2027 is in March or in April: dates and times are read in an unambiguous format.

    Ids of lists and records stay text, because they are keys; a multi-select is a list of them.
    """
    names_of = {kind: f"custentity_{kind}" for kind in TYPES}
    account.switch(
        custom_fields=[f"customer.{name}:{kind}" for kind, name in names_of.items()],
        date_format=date_format,
        session_zone="Europe/Stockholm",
    )
    account.custom_columns(*names_of.values())
    values = {
        "text": "as typed",
        "bool": True,
        "int": 42,
        "number": 1.5,
        "date": "2027-04-03",
        "timestamp": datetime(2027, 4, 3, 23, 30, tzinfo=UTC),
        "list": 7,
        "multi": "1, 3, 4",
    }
    account.customers(1, **{names_of[kind]: value for kind, value in values.items()})
    account.customers(2)
    extract_and_stage(account)

    customers = staged(account, "customers", "customer_id")

    assert {kind: customers["1"][name] for kind, name in names_of.items()} == {
        "text": "as typed",
        "bool": True,
        "int": 42,
        "number": 1.5,
        "date": date(2027, 4, 3),
        "timestamp": datetime(2027, 4, 3, 23, 30),  # noqa: DTZ001 - UTC, as all times of the warehouse
        "list": "7",
        "multi": ["1", "3", "4"],
    }
    assert {customers["2"][name] for kind, name in names_of.items() if kind != "bool"} == {None}


@pytest.mark.long
def test_custom_segments_and_lists_are_staged(account: NetSuiteAccount) -> None:
    """A segment is a custom field with another prefix; a list is read as a custom record with fewer columns."""
    account.switch(custom_fields=["customer.cseg_brand:list"])
    account.custom_columns("cseg_brand")
    account.customers(1, cseg_brand=7)
    account.add("customlist_tier", {"id": 7, "name": "Gold", "isinactive": True})
    extract_and_stage(account)
    account.extract("customlist_tier")
    with account.warehouse.writer() as con:
        stage_table(con, statement("staging", "stg_netsuite__customlist_tier"))

    (tier,) = account.warehouse.table("stg_netsuite__customlist_tier").rows(named=True)
    assert staged(account, "customers", "customer_id")["1"]["cseg_brand"] == "7"
    assert (tier["record_id"], tier["record_name"], tier["is_inactive"]) == ("7", "Gold", True)


def test_a_mapped_field_that_netsuite_does_not_show_stops_the_plan(account: NetSuiteAccount) -> None:
    """At first, and when it disappears later: its last values would be sent for ever."""
    account.switch(custom_fields=["customer.cseg_brand:text"], hidden_columns=["customer.cseg_brand"])
    account.custom_columns("cseg_brand")
    account.customers(1)

    def problem() -> str:
        account.extract()
        with account.warehouse.writer() as con:
            try:
                check_shown(con, "customers", ["cseg_brand", "email"], "flow.customers")
            except MappingError as error:
                return str(error)
        return ""

    at_first = problem()
    account.switch(hidden_columns=[])
    account.later(7200)
    given = problem()
    account.switch(hidden_columns=["customer.cseg_brand"])
    account.later(7200)

    assert "NetSuite shows no cseg_brand of customers" in at_first
    assert given == ""
    assert problem() == at_first


def test_a_field_stays_text_if_a_value_does_not_fit_its_type(account: NetSuiteAccount) -> None:
    """A failed cast would clear the field in every target; the other fields keep their types."""
    account.switch(custom_fields=["customer.custentity_a:number", "customer.custentity_b:number"])
    account.custom_columns("custentity_a", "custentity_b")
    account.customers(1, custentity_a=1.5, custentity_b=2)
    extract_and_stage(account)
    with account.warehouse.writer() as con:
        con.execute(
            "update raw_netsuite__customers set custentity_a = '12 %', _extracted_at = _extracted_at + interval 1 second"
        )
        result = stage_table(con, statement("staging", "stg_netsuite__customers"))

    row = staged(account, "customers", "customer_id")["1"]
    assert (row["custentity_a"], row["custentity_b"]) == ("12 %", 2.0)
    assert result.uncast == ("custentity_a",)


@pytest.mark.long
def test_types_are_kept_when_the_catalog_is_no_longer_visible(account: NetSuiteAccount) -> None:
    """A role that loses the catalog must not change dates to the user's format, or types to text."""
    account.switch(
        custom_fields=["customer.custentity_end:date", "customer.custentity_flag:bool"], date_format="D/M/YYYY"
    )
    account.custom_columns("custentity_end", "custentity_flag")
    account.customers(1, custentity_end="2027-04-03", custentity_flag=True)
    extract_and_stage(account)
    before = staged(account, "customers", "customer_id")
    account.switch(metadata_visible=False)
    account.later(86_400)
    account.sandbox.netsuite.update("customer", 1, custentity_end="2027-05-03")

    extract_and_stage(account)

    after = staged(account, "customers", "customer_id")
    assert before["1"]["custentity_end"] == date(2027, 4, 3)
    assert (after["1"]["custentity_end"], after["1"]["custentity_flag"]) == (date(2027, 5, 3), True)


def test_a_change_of_the_date_preference_changes_no_value(account: NetSuiteAccount) -> None:
    """Otherwise every record with a date would be sent to every target again, some with another month."""
    account.switch(custom_fields=["customer.custentity_end:date"], date_format="D/M/YYYY")
    account.custom_columns("custentity_end")
    account.customers(1, custentity_end="2027-04-03")
    account.extract()
    account.switch(date_format="M/D/YYYY")

    report = account.extract(full=True)

    assert (report.updated, account.raw("customers")["1"]["custentity_end"]) == (0, "2027-04-03")


def test_a_field_of_another_type_is_read_again(account: NetSuiteAccount) -> None:
    """A list that becomes a text holds a label in every record, and no date of change moves."""
    account.switch(custom_fields=["customer.cseg_brand:list"], blank_columns=["customer.cseg_brand"])
    account.custom_columns("cseg_brand")
    account.customers(1, cseg_brand=7)
    account.extract()
    account.switch(custom_fields=["customer.cseg_brand:text"], blank_columns=[])
    account.later(7200)

    changed, quiet = account.extract(), account.extract()

    assert (changed.mode, quiet.mode) == ("full", "incremental")
    assert account.raw("customers")["1"]["cseg_brand"] == "7"


def test_unknown_types_of_custom_fields_are_reported(account: NetSuiteAccount) -> None:
    """Without the catalog, dates arrive in the user's preferred format: an operator should know."""
    account.switch(custom_fields=["customer.custentity_end:date"], metadata_visible=False)
    account.custom_columns("custentity_end")
    account.customers(1, custentity_end="2027-04-03")

    report = account.extract()

    assert any("metadata catalog" in warning for warning in report.warnings)
