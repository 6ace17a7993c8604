# ruff: noqa: E501 - rows of CSV files, each on its line
"""Rows as a NetSuite account has them: the tables of a connector's dump, put into the stand-in and read back.

The dump lies beside the repository on some machines; a part of it stands below, with the same column names.
Source: fivetran/dbt_netsuite_source (Apache-2.0), integration test seeds.
"""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import pytest

from assets.netsuite.record_types import RECORD_TYPES
from assets.warehouse.staging import build
from orchestration.settings import ROOT
from resources.netsuite.resource import open_netsuite
from resources.sandbox.netsuite.store.tables import TABLES
from resources.sandbox.sandbox import Sandbox
from resources.warehouse.warehouse import Warehouse
from sql import names, statement
from tests.assets.netsuite.conftest import Play

DUMP = ROOT.parent / "shared" / "data" / "netsuite_tables"
NO_FIELD = {"date_deleted", "_fivetran_deleted", "_fivetran_synced"}  # the connector's own columns
HELD_IN = {"entity_address": "customeraddressbookentityaddress"}

PART = {
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


def dump(name: str, *, whole: bool) -> list[dict[str, str]]:
    """The rows of one file, or of its part above."""
    path = DUMP / f"{name}.csv"
    text = path.read_text(encoding="utf-8") if whole else PART[name].lstrip()
    return list(csv.DictReader(io.StringIO(text)))


def held(table: str, row: dict[str, str], custom: dict[str, str]) -> dict[str, Any]:
    """A row of the dump as the stand-in takes it: only what NetSuite has, times with one digit for the hour read."""
    known = TABLES[table].columns
    values: dict[str, Any] = {}
    for name, text in row.items():
        if name in custom or (name in known and name not in NO_FIELD):
            kind = known[name].kind if name in known else custom[name]
            values[name] = None if text == "" else moment(text) if kind == "timestamp" else text
    return values


def moment(text: str) -> datetime:
    """A time such as 2017-05-27 8:56:10, which is UTC in the dump."""
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)


def kinds(rows: list[dict[str, str]]) -> dict[str, str]:
    """The custom fields of some rows: check box, list or text, by what stands in them."""
    found = {}
    for name in (each for each in rows[0] if each.startswith("custentity")):
        values = {row[name] for row in rows} - {""}
        found[name] = "bool" if values and values <= {"T", "F"} else "list" if "".join(values).isdigit() else "text"
    return found


@dataclass(frozen=True)
class Dumped:
    """The dump, and the account that holds it."""

    tables: dict[str, list[dict[str, str]]]
    play: Play


@pytest.fixture(scope="module", params=["part", "whole"])
def dumped(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dumped]:
    """The dump, read and staged; on a machine without the files their part is read twice."""
    folder = tmp_path_factory.mktemp("dumped")
    whole = request.param == "whole" and DUMP.is_dir()
    tables = {name: dump(name, whole=whole) for name in PART}
    with open_netsuite(sandbox=str(folder / "sandbox")) as client:
        play = Play(Sandbox(folder / "sandbox"), Warehouse(folder / "warehouse"), client)
        fill(play, tables)
        read_and_stage(play)
        yield Dumped(tables, play)


def fill(play: Play, tables: dict[str, list[dict[str, str]]]) -> None:
    """Put the dump into the account, with what the dump leaves out: the address book and the relationships."""
    custom = kinds(tables["customer"])
    play.switch(
        custom_fields=[f"customer.{name}:{kind}" for name, kind in custom.items()],
        session_zone="America/Los_Angeles",
        date_format="D/M/YYYY",
    )
    play.settings = play.settings.with_columns("customers", list(custom))
    for name, rows in tables.items():
        table = HELD_IN.get(name, name)
        play.add(table, *(held(table, row, custom if name == "customer" else {}) for row in rows))
    book = {"internalid": 77, "entity": 1376, "addressbookaddress": 1990, "label": "Home", "defaultbilling": True}
    play.add("customeraddressbook", book)
    play.add(
        "customersubsidiaryrelationship",
        {"id": 1, "entity": 1376, "subsidiary": 6, "isprimarysub": False},
        {"id": 2, "entity": 1376, "subsidiary": 4, "isprimarysub": True},
    )
    play.add("entitystatus", {"key": 6, "name": "Unqualified", "entitytype": "LEAD"})


def read_and_stage(play: Play) -> None:
    """Everything once."""
    for record_type in RECORD_TYPES:
        play.extract(record_type)
    with play.warehouse.writer() as con:
        for name in names("staging"):
            build(con, statement("staging", name))


def staged(play: Play, name: str, key: str) -> dict[str, dict[str, Any]]:
    """A staging table by key."""
    return {row[key]: row for row in play.warehouse.table(f"stg_netsuite__{name}").rows(named=True)}


def test_every_value_of_the_dump_is_copied_as_it_is(dumped: Dumped) -> None:
    """Lists of subsidiaries, T and F, custom fields, numbers: nothing is reformatted on the way."""
    record_types = {"customer": "leads", "job": "projects", "subsidiary": "subsidiaries", "currency": "currencies"}
    record_types |= {name: f"{name}s" for name in ("department", "classification", "location")}

    compared = 0
    for table, record_type in record_types.items():
        raw = dumped.play.raw(record_type)
        assert set(raw) == {row["id"] for row in dumped.tables[table]}
        for row in dumped.tables[table]:
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


def test_customers_of_the_dump_are_staged_with_address_subsidiaries_and_times(dumped: Dumped) -> None:
    """They are leads, all of them; one has the address in Chicago and two subsidiaries."""
    customers = staged(dumped.play, "customers", "customer_id")

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


def test_projects_and_lists_of_the_dump_are_staged(dumped: Dumped) -> None:
    """A project whose customer the role may not see keeps the customer's id and has no subsidiary."""
    play = dumped.play
    projects = staged(play, "projects", "project_id")
    departments = staged(play, "departments", "department_id")
    currencies = staged(play, "currencies", "currency_id")

    assert projects["1502"]["start_date"] == date(2017, 3, 1)
    assert projects["1502"]["customer_id"] == "1491"
    assert projects["1548"]["parent_project_id"] is None
    assert projects["1548"]["created_at"] == datetime(2017, 5, 19, 1, 2, 54)  # noqa: DTZ001
    assert departments["10"]["parent_id"] == "5"
    assert play.raw("departments")["5"]["subsidiary"] == "1, 3, 4, 6"
    assert currencies["4"]["currency_code"] == "EUR"
    assert staged(play, "subsidiaries", "subsidiary_id")["4"]["country_code"] == "US"
    assert len(staged(play, "locations", "location_id")) == len(dumped.tables["location"])


# --- custom fields of every kind ---------------------------------------------------------------------------------

KINDS = ("text", "bool", "int", "number", "date", "timestamp", "list", "multi")


@pytest.mark.parametrize("date_format", ["D/M/YYYY", "M/D/YYYY", "DD-Mon-YYYY"])
def test_custom_fields_are_staged_as_what_they_are(play: Any, date_format: str) -> None:
    """3/4/2027 is in March or in April: dates and times are read in a form that means one thing, and are typed.

    Ids of lists and records stay text, for they are keys; a multi-select is a list of them.
    """
    names_of = {kind: f"custentity_{kind}" for kind in KINDS}
    play.switch(
        custom_fields=[f"customer.{name}:{kind}" for kind, name in names_of.items()],
        date_format=date_format,
        session_zone="Europe/Stockholm",
    )
    play.settings = play.settings.with_columns("customers", list(names_of.values()))
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
    play.customers(1, **{names_of[kind]: value for kind, value in values.items()})
    play.customers(2)
    read_and_stage(play)

    customers = staged(play, "customers", "customer_id")

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


def test_a_value_that_its_type_cannot_show_keeps_its_field_as_text(play: Any) -> None:
    """A cast that fails would blank the field in every target; the others keep their types."""
    play.switch(custom_fields=["customer.custentity_a:number", "customer.custentity_b:number"])
    play.settings = play.settings.with_columns("customers", ["custentity_a", "custentity_b"])
    play.customers(1, custentity_a=1.5, custentity_b=2)
    read_and_stage(play)
    with play.warehouse.writer() as con:
        con.execute(
            "update raw_netsuite__customers set custentity_a = '12 %', _extracted_at = _extracted_at + interval 1 second"
        )
        done = build(con, statement("staging", "stg_netsuite__customers"))

    row = staged(play, "customers", "customer_id")["1"]
    assert (row["custentity_a"], row["custentity_b"]) == ("12 %", 2.0)
    assert done.unfit == ("custentity_a",)


def test_types_stay_when_the_catalogue_is_no_longer_visible(play: Any) -> None:
    """A role that lost the catalogue must not turn dates into the user's preference, nor types into text."""
    play.switch(custom_fields=["customer.custentity_end:date", "customer.custentity_flag:bool"], date_format="D/M/YYYY")
    play.settings = play.settings.with_columns("customers", ["custentity_end", "custentity_flag"])
    play.customers(1, custentity_end="2027-04-03", custentity_flag=True)
    read_and_stage(play)
    before = staged(play, "customers", "customer_id")
    play.switch(metadata_visible=False)
    play.later(86_400)
    play.sandbox.netsuite.update("customer", 1, custentity_end="2027-05-03")

    read_and_stage(play)

    after = staged(play, "customers", "customer_id")
    assert before["1"]["custentity_end"] == date(2027, 4, 3)
    assert (after["1"]["custentity_end"], after["1"]["custentity_flag"]) == (date(2027, 5, 3), True)


def test_a_change_of_the_date_preference_changes_no_value(play: Any) -> None:
    """Otherwise every record with a date would be sent to every target again, some with another month."""
    play.switch(custom_fields=["customer.custentity_end:date"], date_format="D/M/YYYY")
    play.settings = play.settings.with_columns("customers", ["custentity_end"])
    play.customers(1, custentity_end="2027-04-03")
    play.extract()
    play.switch(date_format="M/D/YYYY")

    report = play.extract(full=True)

    assert (report.updated, play.raw("customers")["1"]["custentity_end"]) == (0, "2027-04-03")


def test_kinds_that_the_metadata_does_not_tell_are_told_of(play: Any) -> None:
    """A role without the catalogue reads dates as the user prefers them: an operator should know."""
    play.switch(custom_fields=["customer.custentity_end:date"], metadata_visible=False)
    play.settings = play.settings.with_columns("customers", ["custentity_end"])
    play.customers(1, custentity_end="2027-04-03")

    report = play.extract()

    assert any("metadata catalogue" in warning for warning in report.warnings)
