"""A small account with every kind of record, its warehouse, and random edits; shared by tests of the warehouse."""

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from assets.netsuite.extract.extract import extract
from assets.netsuite.extract.settings import ExtractionSettings
from assets.netsuite.record_types import RECORD_TYPES
from assets.warehouse.custom_types import cast_custom_fields, custom_field_types
from assets.warehouse.incremental import StagingResult
from assets.warehouse.staging import stage_table
from resources.netsuite.connect import open_netsuite
from resources.sandbox.netsuite.switches import NetSuiteSwitches
from resources.sandbox.sandbox import Sandbox
from resources.warehouse.warehouse import Warehouse
from sql import names, statement

STAGING = [statement("staging", name) for name in names("staging")]
CUSTOM = ("custentity_region", "custentity_oa_export_to_openair", "custentity_tags", "custentity_since")
SETTINGS = ExtractionSettings(custom_columns={"customers": CUSTOM})


class StagedAccount:
    """An account and its warehouse."""

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
            self.insert_children(key)
        netsuite.insert("job", [self.project(key) for key in range(101, 121)])
        netsuite.insert("contact", [{"id": key, "company": key % 40, "lastname": f"L{key}"} for key in range(201, 221)])
        netsuite.insert("contact", [{"id": key, "company": key - 120, "lastname": f"P{key}"} for key in (221, 222)])
        for key in range(201, 223):
            address = {"nkey": key, "recordowner": key, "city": "Lund"}
            netsuite.insert("contactaddressbookentityaddress", [address])
            book = {"internalid": key, "entity": key, "addressbookaddress": key}
            netsuite.insert("contactaddressbook", [book])

    def customer(self, key: int) -> dict[str, Any]:
        """Return a customer."""
        stage = ("Customer", "Lead", "Prospect")[key % 3]
        return {"id": key, "entityid": f"C{key}", "searchstage": stage, "currency": 1 + key % 3,
                "entitystatus": 1 + key % 3, "custentity_region": f"R{key % 4}", "isinactive": False,
                "custentity_oa_export_to_openair": key % 2 == 0, "custentity_tags": "1, 3",
                "custentity_since": "2027-04-03"}  # fmt: skip

    def project(self, key: int) -> dict[str, Any]:
        """Return a project; every fourth one is a sub-project, whose parent may not exist yet."""
        parent = key + 5 if key % 4 == 0 else key % 30
        return {"id": key, "entityid": f"P{key}", "customer": key % 30, "parent": parent, "currency": 1}

    def insert_children(self, customer: int) -> None:
        """Insert an address and a subsidiary of a customer."""
        netsuite = self.sandbox.netsuite
        netsuite.insert(
            "customeraddressbookentityaddress", [{"nkey": customer, "recordowner": customer, "city": "Lund"}]
        )
        netsuite.insert("customeraddressbook",
                        [{"internalid": customer, "entity": customer, "addressbookaddress": customer}])  # fmt: skip
        netsuite.insert("customersubsidiaryrelationship",
                        [{"id": customer, "entity": customer, "subsidiary": 1, "isprimarysub": True}])  # fmt: skip

    def extract(self, *record_types: str) -> None:
        """Run the raw layer."""
        self.runs += 1
        with open_netsuite(sandbox=str(self.sandbox.folder)) as client, self.warehouse.kept_open():
            for record_type in record_types or RECORD_TYPES:
                extract(self.warehouse, client, record_type, SETTINGS, run_id=f"run {self.runs}")

    def stage(self) -> dict[str, StagingResult]:
        """Stage every table; return the results by record type."""
        with self.warehouse.writer() as con:
            return {each.name.removeprefix("stg_netsuite__"): stage_table(con, each) for each in STAGING}

    def differences(self) -> dict[str, int]:
        """Return the number of rows by which each staging table differs from a full build."""
        with self.warehouse.writer(transaction=False) as con:
            full = {
                each.name: cast_custom_fields(con, each, custom_field_types(con, each)).statement.text
                for each in STAGING
            }
            return {
                name: sum(
                    con.execute(f"select count(*) from ({left} except all {right})").fetchall()[0][0]
                    for left, right in ((f"from {name}", f"({text})"), (f"({text})", f"from {name}"))
                )
                for name, text in full.items()
            }

    def edit(self) -> None:
        """Make five random edits in an hour."""
        self.sandbox.clock.sleep(3600)
        netsuite, random = self.sandbox.netsuite, self.random
        some = random.randrange
        edits: list[Callable[[], Any]] = [
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
        for make in random.sample(edits, 5):
            make()
