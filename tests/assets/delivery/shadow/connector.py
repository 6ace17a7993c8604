"""An account in which another connector writes customers to SuiteProjects Pro, while a workflow only compares."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import polars as pl

from assets.delivery.ledger.shadows import Shadow, begin_shadow
from assets.delivery.ledger.tables import ensure_ledger
from assets.delivery.mart.build import make_mart
from assets.delivery.mart.current_state import read_target_state
from assets.delivery.plan.planner import make_plan
from assets.delivery.shadow.compare import compare_shadowed
from assets.delivery.shadow.report import Parity, read_parity
from resources.clock import utc_now
from resources.sandbox.sandbox import Sandbox
from resources.warehouse.tables import replace_table
from tests.assets.delivery.builders import CUSTOMER_SCHEMA, customer, suite_customers
from tests.assets.delivery.run_workflow import WorkflowRunner

HOUR_S = 3600.0
TEXTS = ("state", "shipping_state", "city", "url", "category")
SCHEMA: dict[str, Any] = {**CUSTOMER_SCHEMA, **dict.fromkeys(TEXTS, pl.String), "created_at": pl.Datetime("us")}
HISTORY = {**SCHEMA, "valid_from": pl.Datetime("us"), "valid_to": pl.Datetime("us"), "is_current": pl.Boolean}
ROWS = (
    {"field": "addr_state", "from": "state"},
    {"field": "addr_city", "from": "city"},
    {"field": "addr_email", "from": "email"},
    {"field": "web", "from": "url"},
)
SELECT = {"stages": {"customer": "include", "prospect": "include", "lead": "skip"}, "require_flag": "custentity_export"}
Row = Mapping[str, Any]


def mapped(row: Row) -> dict[str, str]:
    """Return what a connector without faults writes; blanks are left out."""
    values = {
        "name": row["entity_number"], "company": row["company_name"], "addr_state": row["state"],
        "addr_city": row["city"], "addr_email": row["email"], "web": row["url"],
    }  # fmt: skip
    return {name: value for name, value in values.items() if value is not None}


@dataclass
class Connector:
    """NetSuite's customers, the target, and another connector between them.

    Attributes:
        maps: What the connector writes of a record.
        selects: Whether it brings a record.
        rows: NetSuite's records by id.
        there: Target ids by NetSuite id.
    """

    runner: WorkflowRunner
    sandbox: Sandbox
    maps: Callable[[Row], dict[str, str]] = mapped
    selects: Callable[[Row], bool] = lambda row: row["custentity_export"] == "T"
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    versions: list[dict[str, Any]] = field(default_factory=list)
    there: dict[str, int] = field(default_factory=dict)
    nights: int = 0

    @property
    def now(self) -> datetime:
        """The time of all systems."""
        return utc_now(self.runner.clock)

    def wait(self, hours: float) -> None:
        """Let time pass."""
        self.runner.clock.sleep(hours * HOUR_S)

    def add(self, key: str, **values: Any) -> None:
        """Create a customer in NetSuite now."""
        own = {name: values.pop(name, None) for name in TEXTS}
        row = {**customer(key, **values), **own, "created_at": self.now, "modified_at": self.now}
        row["state"], row["city"] = row["state"] or f"S{int(key) % 7}", row["city"] or f"City {key}"
        row["shipping_state"] = row["shipping_state"] or row["state"]
        row["url"] = row["url"] or f"https://{key}.example"
        self.rows[key] = row

    def save(self, key: str, **values: Any) -> None:
        """Change a customer in NetSuite now."""
        self.rows[key] = {**self.rows[key], **values, "modified_at": self.now}

    def bring(self, *without: str) -> None:
        """Let the other connector run; it misses these records."""
        for key, row in self.rows.items():
            if key in without or not self.selects(row):
                continue
            values = self.maps(row)
            if key in self.there:
                self.sandbox.suiteprojects.modify("Customer", self.there[key], **values)
            else:
                self.there[key] = self.sandbox.suiteprojects.add("Customer", **values)

    def edit(self, key: str, **values: str) -> None:
        """Let a person edit a record in the target."""
        self.sandbox.suiteprojects.modify("Customer", self.there[key], **values)

    def begin(self, declared_s: float | None = None) -> None:
        """Begin the shadow."""
        with self.runner.warehouse.writer() as con:
            begin_shadow(con, Shadow(self.runner.name, 0, "the connector", declared_s, "ada", self.now))

    def night(self) -> Parity:
        """Read both sides, plan and compare."""
        self.nights += 1
        runner, run_id = self.runner, f"night {self.nights}"
        self.wait(1)
        self._stage(run_id)
        make_mart(runner.warehouse, runner.workflow, clock=runner.clock, run_id=run_id)
        context = runner.context(run_id)
        read_target_state(context)
        planned = make_plan(context)
        compare_shadowed(context, planned.plan_id)
        with runner.warehouse.writer(transaction=False) as con:
            found = read_parity(con, runner.name)
        assert found is not None
        return found

    def _stage(self, run_id: str) -> None:
        staged = pl.DataFrame(list(self.rows.values()), schema=SCHEMA)
        current = {each["customer_id"]: each for each in self.versions if each["is_current"]}
        for key, row in self.rows.items():
            before = current.get(key)
            if before and all(before[name] == row[name] for name in SCHEMA if name != "modified_at"):
                continue
            if before:
                before |= {"valid_to": self.now, "is_current": False}
            self.versions.append({**row, "valid_from": self.now, "valid_to": None, "is_current": True})
        with self.runner.warehouse.writer() as con:
            ensure_ledger(con)
            replace_table(con, "stg_netsuite__customers", staged)
            replace_table(con, "hist_netsuite__customers", pl.DataFrame(self.versions, schema=HISTORY))
            con.execute(
                "insert into netsuite_reads (run_id, record_type, netsuite_at, reading) values (?, 'customers', ?, ?)",
                [run_id, self.now, self.nights],
            )

    def causes(self) -> dict[tuple[str, str], tuple[str, str]]:
        """Return cause and kind of each open difference, by NetSuite id and field."""
        rows = self.runner.warehouse.read(
            "select source_id, field, cause, kind from sync_shadow_differences where is_open"
        ).rows()
        return {(key, name): (cause, kind) for key, name, cause, kind in rows}


def connector(runner: WorkflowRunner, sandbox: Sandbox, **changes: Any) -> Connector:
    """Return an account with the workflow that is to replace the connector."""
    runner.spec = suite_customers(*ROWS, select=SELECT)
    return Connector(runner, sandbox, **changes)
