"""Only what changed is staged, and the result is what a full build would give."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from assets.netsuite.extract.extract import ExtractionSettings, extract
from assets.netsuite.record_types import RECORD_TYPES
from assets.warehouse.custom_types import custom_kinds, typed
from assets.warehouse.incremental import Staged, stage
from assets.warehouse.staging import build
from resources.netsuite.resource import open_netsuite
from resources.sandbox.netsuite.switches import NetSuiteSwitches
from resources.sandbox.sandbox import Sandbox
from resources.warehouse.tables import quoted
from resources.warehouse.warehouse import Warehouse
from sql import Statement, names, statement

ORDER = ("customers", *(name for name in RECORD_TYPES if name != "customers"))
STAGED = [statement("staging", name) for name in names("staging")]
CUSTOM = ("custentity_region", "custentity_oa_export_to_openair", "custentity_tags", "custentity_since")
SETTINGS = ExtractionSettings(custom_columns={"customers": CUSTOM})


class Account:
    """A small account with every kind of record, its warehouse, and people who change things."""

    def __init__(self, folder: Path) -> None:
        self.sandbox = Sandbox(folder / "sandbox")
        self.warehouse = Warehouse(folder / "warehouse")
        self.random = Random(7)
        self.runs = 0
        fields = ("customer.custentity_tags:multi", "customer.custentity_since:date")
        self.sandbox.switches.set("netsuite", NetSuiteSwitches, custom_fields=fields)
        netsuite = self.sandbox.netsuite
        for table, key in (("currency", "id"), ("entitystatus", "key"), ("subsidiary", "id"), ("department", "id")):
            netsuite.insert(table, [{key: each, "name": f"{table} {each}"} for each in (1, 2, 3)])
        for key in range(1, 31):
            netsuite.insert("customer", [self.customer(key)])
            self.child(key)
        netsuite.insert("job", [self.project(key) for key in range(101, 121)])
        netsuite.insert("contact", [{"id": key, "company": key % 40, "lastname": f"L{key}"} for key in range(201, 221)])
        netsuite.insert("contact", [{"id": key, "company": key - 120, "lastname": f"P{key}"} for key in (221, 222)])
        for key in range(201, 223):
            address = {"nkey": key, "recordowner": key, "city": "Lund"}
            netsuite.insert("contactaddressbookentityaddress", [address])
            book = {"internalid": key, "entity": key, "addressbookaddress": key}
            netsuite.insert("contactaddressbook", [book])

    def customer(self, key: int) -> dict[str, Any]:
        """A customer."""
        stage_name = ("Customer", "Lead", "Prospect")[key % 3]
        return {"id": key, "entityid": f"C{key}", "searchstage": stage_name, "currency": 1 + key % 3,
                "entitystatus": 1 + key % 3, "custentity_region": f"R{key % 4}", "isinactive": False,
                "custentity_oa_export_to_openair": key % 2 == 0, "custentity_tags": "1, 3",
                "custentity_since": "2027-04-03"}  # fmt: skip

    def project(self, key: int) -> dict[str, Any]:
        """A project; every fourth one hangs below another, which may not be there yet."""
        parent = key + 5 if key % 4 == 0 else key % 30
        return {"id": key, "entityid": f"P{key}", "customer": key % 30, "parent": parent, "currency": 1}

    def child(self, customer: int) -> None:
        """An address and a subsidiary of a customer."""
        netsuite = self.sandbox.netsuite
        netsuite.insert(
            "customeraddressbookentityaddress", [{"nkey": customer, "recordowner": customer, "city": "Lund"}]
        )
        netsuite.insert("customeraddressbook",
                        [{"internalid": customer, "entity": customer, "addressbookaddress": customer}])  # fmt: skip
        netsuite.insert("customersubsidiaryrelationship",
                        [{"id": customer, "entity": customer, "subsidiary": 1, "isprimarysub": True}])  # fmt: skip

    def extract(self, *record_types: str) -> None:
        """One run of the raw layer."""
        self.runs += 1
        with open_netsuite(sandbox=str(self.sandbox.folder)) as client:
            for record_type in record_types or ORDER:
                extract(self.warehouse, client, record_type, SETTINGS, run_id=f"run {self.runs}")

    def staged(self) -> dict[str, Staged]:
        """Stage every table; how each was."""
        with self.warehouse.writer() as con:
            return {of.name.removeprefix("stg_netsuite__"): build(con, of) for of in STAGED}

    def differences(self) -> dict[str, int]:
        """Rows by which the staging tables differ from a full build."""
        with self.warehouse.writer(transaction=False) as con:
            whole = {of.name: typed(con, of, custom_kinds(con, of)).statement.text for of in STAGED}
            return {
                name: sum(
                    con.execute(f"select count(*) from ({left} except all {right})").fetchall()[0][0]
                    for left, right in ((f"from {name}", f"({text})"), (f"({text})", f"from {name}"))
                )
                for name, text in whole.items()
            }

    def busy_hour(self) -> None:
        """People work."""
        self.sandbox.clock.sleep(3600)
        netsuite, random = self.sandbox.netsuite, self.random
        some = random.randrange
        deeds: list[Callable[[], Any]] = [
            lambda: netsuite.update("customer", some(1, 20), phone=str(random.random())),
            lambda: netsuite.update("customer", some(1, 20), searchstage=random.choice(["Lead", "Customer"])),
            lambda: netsuite.update("customeraddressbookentityaddress", some(1, 20), city=f"City {random.random()}"),
            lambda: netsuite.update("contactaddressbookentityaddress", some(201, 223), zip=str(some(100, 999))),
            lambda: netsuite.update("job", some(101, 103), customer=some(1, 20)),
            lambda: netsuite.update("customer", some(1, 20), custentity_tags=random.choice(["1", "3, 4", None])),
            lambda: netsuite.update("customer", some(1, 20), custentity_since=f"2027-04-{some(10, 30)}"),
            lambda: netsuite.update("currency", some(1, 4), symbol=f"X{some(1, 99)}"),
            lambda: netsuite.update("entitystatus", some(1, 4), name=f"Status {some(1, 99)}"),
            lambda: netsuite.update("customersubsidiaryrelationship", some(1, 20), subsidiary=some(1, 4)),
            lambda: netsuite.update("job", some(101, 121), companyname=f"Project {random.random()}"),
            lambda: netsuite.insert("job", [self.project(max(row["id"] for row in netsuite.rows("job")) + 1)]),
            lambda: netsuite.insert(
                "customer", [self.customer(max(row["id"] for row in netsuite.rows("customer")) + 1)]
            ),
            lambda: netsuite.update("department", some(1, 4), name=f"Department {some(1, 99)}"),
        ]
        for deed in random.sample(deeds, 5):
            deed()


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Account:
    """An account that was extracted and staged once; the tests follow each other in it."""
    account = Account(tmp_path_factory.mktemp("account"))
    account.extract()
    assert {staged.mode for staged in account.staged().values()} == {"all rows"}
    return account


def test_a_run_without_changes_stages_nothing(filled: Account) -> None:
    """Most runs find nothing: what is not written cannot be wrong, and costs nothing."""
    before = {of.name: filled.warehouse.table(of.name).rows() for of in STAGED}
    filled.extract()

    staged = filled.staged()

    assert set(staged.values()) == {Staged("unchanged", 0)}
    assert {of.name: filled.warehouse.table(of.name).rows() for of in STAGED} == before


def test_a_changed_address_stages_its_customer_alone(filled: Account) -> None:
    """The customer's own row did not change; its address in the staging table did."""
    filled.sandbox.clock.sleep(3600)
    filled.sandbox.netsuite.update("customeraddressbookentityaddress", 7, city="Malmö")
    filled.extract()

    staged = filled.staged()

    assert staged["customers"] == Staged("changed rows", 1)
    assert {name for name, each in staged.items() if each.mode != "unchanged"} == {"customers"}
    cities = dict(filled.warehouse.read("select customer_id, city from stg_netsuite__customers").rows())
    assert (cities["7"], cities["8"]) == ("Malmö", "Lund")


@pytest.mark.parametrize("hour", range(4))
def test_after_any_changes_the_tables_are_those_of_a_full_build(filled: Account, hour: int) -> None:
    """Row for row: edits, conversions, deletions, new parents, renamed currencies, in one warehouse after each other."""
    filled.busy_hour()
    if hour == 2:
        filled.sandbox.netsuite.delete("customer", "customer", 29)
        filled.sandbox.netsuite.delete("job", "job", 120)
    filled.extract()

    staged = filled.staged()

    assert set(filled.differences().values()) == {0}
    assert staged["customers"].mode != "all rows"
    assert staged["projects"].mode != "all rows"


def test_a_clock_that_was_put_back_hides_no_change(filled: Account) -> None:
    """Rows are stamped later than all before them, whatever the clock says."""
    with filled.warehouse.writer() as con:
        # whichever record is a customer by now: the tests before this one convert some
        con.execute(
            "update raw_netsuite__customers set _extracted_at = timestamp '2099-01-01'"
            " where id = (select min(id) from raw_netsuite__customers)"
        )
    filled.staged()
    filled.sandbox.clock.sleep(3600)
    filled.sandbox.netsuite.update("customer", 4, phone="after")
    filled.extract("customers")

    filled.staged()

    assert set(filled.differences().values()) == {0}
    stages = " union all ".join(
        f"select _extracted_at, phone from raw_netsuite__{stage}" for stage in ("customers", "leads", "prospects")
    )
    latest = filled.warehouse.read(f"select max(_extracted_at) as latest from ({stages}) where phone = 'after'")[
        "latest"
    ][0]
    assert latest > datetime(2099, 1, 1, tzinfo=UTC).replace(tzinfo=None)


@pytest.mark.parametrize("spoil", ["a column more", "another statement", "no table", "no record of it"])
def test_what_does_not_fit_is_made_anew(filled: Account, spoil: str) -> None:
    """A changed SQL file, a new custom field, a table that somebody dropped."""
    of = statement("staging", "stg_netsuite__customers")
    with filled.warehouse.writer() as con:
        if spoil == "a column more":
            con.execute("alter table stg_netsuite__customers add column more varchar")
        elif spoil == "no table":
            con.execute("drop table stg_netsuite__customers")
        elif spoil == "no record of it":
            con.execute("delete from stg_builds")
        else:
            con.execute("update stg_builds set statement_hash = 'older'")

        assert stage(con, of).mode == "all rows"
        assert stage(con, of).mode == "unchanged"


def test_many_changes_are_staged_at_once(warehouse: Warehouse) -> None:
    """Beyond a tenth of a large table, one statement is cheaper than finding the rows."""
    of = _numbers(warehouse, 20_000)
    with warehouse.writer() as con:
        con.execute("update raw_netsuite__contacts set _extracted_at = ? where id::int < 1500", [_moment(1)])
        few = stage(con, of)
        con.execute("update raw_netsuite__contacts set _extracted_at = ? where id::int < 2500", [_moment(2)])
        many = stage(con, of)

    assert (few, many) == (Staged("changed rows", 1500), Staged("all rows", 20_000))


def _moment(hours: int) -> datetime:
    return datetime(2026, 11, 16, tzinfo=UTC).replace(tzinfo=None) + timedelta(hours=hours)


def _numbers(warehouse: Warehouse, count: int) -> Statement:
    """Contacts without more than an id, staged."""
    of = statement("staging", "stg_netsuite__contacts")
    with warehouse.writer() as con:
        for table in of.reads:
            record_type = next(each for each in RECORD_TYPES.values() if table in each.raw_tables)
            columns = ", ".join(f"null::varchar as {quoted(name)}" for name in record_type.query.names if name != "id")
            rows = count if record_type.name == "contacts" else 0
            con.execute(
                f"create table {table} as select i::varchar as id, {columns}, null::varchar as _row_hash,"
                f" timestamp '2026-11-16' as _extracted_at, null::timestamp as _deleted_at from range({rows}) t(i)"
            )
        assert stage(con, of).mode == "all rows"
    return of


@pytest.mark.parametrize("name", names("incremental_keys"))
def test_every_table_that_is_staged_from_is_asked_for_changes(name: str) -> None:
    """A raw table that is forgotten here would never bring its changes into the staging table."""
    text, reads = statement("incremental_keys", name).text, statement("staging", name).reads

    assert set(statement("incremental_keys", name).reads) == set(reads)
    assert [table for table in reads if table.replace("raw_", "new_", 1) not in text] == []
