"""A NetSuite with a few records, the real client before it, and a warehouse behind it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from assets.netsuite.extract.extract import ExtractionSettings, ExtractReport, extract, reconcile
from resources.netsuite.client import NetSuiteClient
from resources.netsuite.resource import open_netsuite
from resources.sandbox.netsuite.switches import NetSuiteSwitches
from resources.sandbox.sandbox import Sandbox
from resources.warehouse.warehouse import Warehouse

QUARTER = 15 * 60  # seconds between runs


@dataclass
class Play:
    """One account and its warehouse, moved on step by step."""

    sandbox: Sandbox
    warehouse: Warehouse
    client: NetSuiteClient
    settings: ExtractionSettings = field(default_factory=ExtractionSettings)
    runs: int = 0

    def add(self, table: str, *rows: dict[str, Any]) -> None:
        """Records of NetSuite."""
        self.sandbox.netsuite.insert(table, rows)

    def customers(self, *ids: int, stage: str = "Customer", **fields: Any) -> None:
        """Plausible customers with the given fields changed."""
        for key in ids:
            plain = {"entityid": f"C{key}", "companyname": f"Company {key}", "isperson": False, "isinactive": False}
            self.add("customer", {"id": key, "searchstage": stage, **plain, **fields})

    def address(self, key: int, customer: int, **fields: Any) -> None:
        """An address book entry and its address."""
        self.add("customeraddressbookentityaddress", {"nkey": key, "recordowner": customer, "city": "Lund", **fields})
        self.add(
            "customeraddressbook",
            {"internalid": key, "entity": customer, "addressbookaddress": key, "defaultbilling": True},
        )

    def switch(self, **values: Any) -> None:
        """What this account does otherwise."""
        self.sandbox.switches.set("netsuite", NetSuiteSwitches, **values)

    def later(self, seconds: float = QUARTER) -> None:
        """Time passes."""
        self.sandbox.clock.sleep(seconds)

    def extract(self, record_type: str = "customers", *, full: bool = False) -> ExtractReport:
        """One run."""
        self.runs += 1
        return extract(self.warehouse, self.client, record_type, self.settings, run_id=f"run {self.runs}", full=full)

    def reconcile(self, record_type: str = "customers") -> ExtractReport:
        """One comparison of ids."""
        self.runs += 1
        return reconcile(self.warehouse, self.client, record_type, self.settings, run_id=f"run {self.runs}")

    def raw(self, name: str, key: str = "id") -> dict[str, dict[str, Any]]:
        """The rows of a raw table by key, deleted ones too."""
        return {row[key]: row for row in self.warehouse.table(f"raw_netsuite__{name}").rows(named=True)}

    def live(self, name: str, key: str = "id") -> set[str]:
        """Keys of the rows that are not deleted."""
        return {each for each, row in self.raw(name, key).items() if row["_deleted_at"] is None}


@pytest.fixture
def play(sandbox: Sandbox, warehouse: Warehouse) -> Iterator[Play]:
    """An empty account; nothing was extracted yet."""
    with open_netsuite(sandbox=str(sandbox.folder)) as client:
        yield Play(sandbox, warehouse, client)
