"""A NetSuite sandbox with a few records, the real client, and a warehouse."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from assets.netsuite.extract.extract import extract
from assets.netsuite.extract.metrics import ExtractionReport
from assets.netsuite.extract.settings import ExtractionSettings
from resources.netsuite.client import NetSuiteClient
from resources.netsuite.connect import open_netsuite
from resources.sandbox.netsuite.switches import NetSuiteSwitches
from resources.sandbox.sandbox import Sandbox
from resources.warehouse.warehouse import Warehouse

QUARTER_S = 15 * 60  # between runs


@dataclass
class NetSuiteAccount:
    """One account and its warehouse, changed and extracted step by step."""

    sandbox: Sandbox
    warehouse: Warehouse
    client: NetSuiteClient
    settings: ExtractionSettings = field(default_factory=ExtractionSettings)
    runs: int = 0

    def add(self, table: str, *rows: dict[str, Any]) -> None:
        """Insert records in NetSuite."""
        self.sandbox.netsuite.insert(table, rows)

    def customers(self, *ids: int, stage: str = "Customer", **fields: Any) -> None:
        """Insert plausible customers with the given fields changed."""
        for key in ids:
            plain = {"entityid": f"C{key}", "companyname": f"Company {key}", "isperson": False, "isinactive": False}
            self.add("customer", {"id": key, "searchstage": stage, **plain, **fields})

    def address(self, key: int, customer: int, **fields: Any) -> None:
        """Insert an address book entry and its address."""
        self.add("customeraddressbookentityaddress", {"nkey": key, "recordowner": customer, "city": "Lund", **fields})
        self.add(
            "customeraddressbook",
            {"internalid": key, "entity": customer, "addressbookaddress": key, "defaultbilling": True},
        )

    def switch(self, **values: Any) -> None:
        """Change how the sandbox behaves."""
        self.sandbox.switches.set("netsuite", NetSuiteSwitches, **values)

    def configure(self, **values: Any) -> None:
        """Change extraction settings."""
        self.settings = replace(self.settings, **values)

    def custom_columns(self, *names: str) -> None:
        """Read these custom fields of customers."""
        self.configure(custom_columns={"customers": names})

    def later(self, seconds: float = QUARTER_S) -> None:
        """Move the clock forward."""
        self.sandbox.clock.sleep(seconds)

    def extract(self, record_type: str = "customers", **options: bool) -> ExtractionReport:
        """Run one extraction; options: full, reconcile."""
        self.runs += 1
        return extract(self.warehouse, self.client, record_type, self.settings, run_id=f"run {self.runs}", **options)

    def reconcile(self, record_type: str = "customers") -> ExtractionReport:
        """Run one extraction that compares all ids."""
        return self.extract(record_type, reconcile=True)

    def raw(self, name: str, key: str = "id") -> dict[str, dict[str, Any]]:
        """Return the rows of a raw table by key, including deleted rows; without the number of their last reading."""
        rows = self.warehouse.table(f"raw_netsuite__{name}").drop("_reading", strict=False)
        return {row[key]: row for row in rows.rows(named=True)}

    def readings(self, name: str = "customers", key: str = "id") -> dict[str, int]:
        """Return the number of the last reading of each row of a raw table, by key."""
        return dict(self.warehouse.table(f"raw_netsuite__{name}").select(key, "_reading").rows())

    def live(self, name: str, key: str = "id") -> set[str]:
        """Return the keys of the rows that are not deleted."""
        return {each for each, row in self.raw(name, key).items() if row["_deleted_at"] is None}


@pytest.fixture
def account(sandbox: Sandbox, warehouse: Warehouse) -> Iterator[NetSuiteAccount]:
    """An empty account; nothing has been extracted yet."""
    with open_netsuite(sandbox=str(sandbox.folder)) as client:
        yield NetSuiteAccount(sandbox, warehouse, client)
