"""A random walk: NetSuite, people and faults change both sides, and every certificate is compared with the truth.

CertificateWalk(folder, seed).go()  ->  None, or LieError("seed 7: through 2026-11-20 … but customer 1003 …")

The truth is the sandbox's own: every version that a customer had in NetSuite, with the time of its change, whether a
date moved or not, and the records of the target. A certificate through T is true if each customer's record in the
target is as NetSuite's version at T requires, or as a later one does; records that it names as held back are left out.
"""

import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from assets.delivery.certificate.certify import certify_run
from assets.delivery.errors import MappingError, SyncError
from assets.delivery.ledger.certificates import Certificate, newest_certificates
from assets.delivery.ledger.rebind import forget_account
from assets.delivery.ledger.restores import record_restore
from assets.delivery.mart.build import make_mart
from assets.delivery.mart.current_state import read_target_state
from assets.delivery.plan.planner import make_plan
from assets.delivery.run_context import RunContext
from assets.delivery.send.apply import run_sync
from assets.delivery.spec.workflow import Workflow
from assets.netsuite.extract.extract import extract
from assets.target_registry import TARGETS
from assets.warehouse.staging import stage_table
from orchestration.simulation.crashable_warehouse import CrashableWarehouse, KilledError
from resources import failpoints
from resources.errors import IntegrationError
from resources.netsuite.connect import open_netsuite
from resources.sandbox.faults import OUTAGES, Fault
from resources.sandbox.generator.seed import seed as fill
from resources.sandbox.netsuite.switches import NetSuiteSwitches
from resources.sandbox.sandbox import Sandbox
from resources.suiteprojects.connect import open_suiteprojects
from resources.warehouse.bindings import unbind
from resources.warehouse.warehouse import WarehouseError
from sql import statement
from tests.assets.delivery.jumping_clock import JumpingClock
from tests.assets.suiteprojects.account import SETTINGS, shipped

NAME = "suiteprojects__customers"
RECORD_TYPES = (
    "subsidiaries", "currencies", "entity_statuses", "customers", "customer_subsidiaries", "addresses",
)  # fmt: skip
DAY_S, VERIFY_DAYS = 86_400, 2
ADDRESSES = "customeraddressbookentityaddress"
HIDEABLE = ("customer.phone", f"{ADDRESSES}.city", "customer.url")
FLAG = "custentity_oa_export_to_openair"
CHECKED = ("T", True, 1)
Version = tuple[str, str | None, str | None, bool]  # name, phone, city, whether it belongs into the target


class LieError(AssertionError):
    """A certificate claims what is not so, or does not catch up."""


@dataclass
class CertificateWalk:
    """One account with a workflow, and one source of all random choices."""

    folder: Path
    seed: int
    customers: int = 8
    log: list[str] = field(default_factory=list)
    claims: int = 0

    def __post_init__(self) -> None:
        self.dice = random.Random(f"certificate {self.seed}")
        self.sandbox = Sandbox(self.folder / "sandbox")
        fill(self.sandbox, customers=self.customers, seed=self.seed % 5 + 1)
        self.sandbox.clock.sleep(DAY_S)
        self.warehouse = CrashableWarehouse(self.folder / "warehouse")
        self.clock = JumpingClock(self.sandbox.clock)
        self.workflow = self._workflow()
        self.runs = self.serial = 0
        self.copy: Path | None = None
        self.hidden: set[str] = set()
        self.versions: dict[str, list[tuple[datetime, Version]]] = {}
        self.cities = self._single_addresses()
        for row in self.sandbox.netsuite.rows("customer"):
            self._note_version(str(row["id"]), row["datecreated"].replace(tzinfo=None))

    @staticmethod
    def _workflow(**guards: Any) -> Workflow:
        def edit(given: dict[str, Any]) -> None:
            given["guards"] = guards or {"deactivate": {"percent": 100}}
            for row in given["fields"]:
                row["active"] = row["active"] and "reference" not in row

        return shipped(NAME, edit)

    # --- the truth ------------------------------------------------------------------------------------------------

    @property
    def now(self) -> datetime:
        """NetSuite's time, as the warehouse has times."""
        return self.sandbox.clock.now().replace(tzinfo=None)

    def _single_addresses(self) -> dict[str, int]:
        """Return customers with one address, and the key of that."""
        found: dict[str, list[int]] = {}
        for row in self.sandbox.netsuite.rows(ADDRESSES):
            found.setdefault(str(row["recordowner"]), []).append(int(row["nkey"]))
        defaults = {
            str(row["entity"])
            for row in self.sandbox.netsuite.rows("customeraddressbook")
            if row["defaultbilling"] in CHECKED
        }
        return {owner: keys[0] for owner, keys in found.items() if len(keys) == 1 and owner in defaults}

    def _note_version(self, key: str, at: datetime | None = None) -> None:
        rows = {str(row["id"]): row for row in self.sandbox.netsuite.rows("customer")}
        row = rows.get(key)
        cities = {int(each["nkey"]): each["city"] for each in self.sandbox.netsuite.rows(ADDRESSES)}
        city = cities.get(self.cities[key]) if key in self.cities else None
        wanted = row is not None and _is_wanted(row)
        last = self.versions.setdefault(key, [])
        if row is None:
            version: Version = (last[-1][1][0], None, None, False)
        else:
            version = (row["entityid"], row["phone"], city, wanted)
        last.append((at or self.now, version))

    def check(self, certificate: Certificate) -> None:
        """Compare a certificate with the truth.

        Raises:
            LieError: It claims what is not so.
        """
        through = certificate.verified_through
        if through is None:
            return
        self.claims += 1
        held = {
            row[0]
            for row in self.warehouse.read(
                "select source_id from sync_unverified where workflow = ? and kind = 'held'", [NAME]
            ).rows()
        }
        records = self.sandbox.suiteprojects.rows("Customer")
        for key, versions in self.versions.items():
            last = max((n for n, (at, _) in enumerate(versions) if at <= through), default=-1)
            if last < 0 or key in held:
                continue
            shown = [row for row in records if row.get("externalid") == key]
            if not any(self._is_as_required(version, shown) for _, version in versions[last:]):
                raise LieError(
                    f"through {through}, but customer {key} shows {shown}; NetSuite had {versions[last:]};"
                    f" certificate {certificate}"
                )

    def _is_as_required(self, version: Version, shown: list[dict[str, str]]) -> bool:
        name, phone, city, wanted = version
        active = [row for row in shown if row.get("active") == "1"]
        if not wanted:
            return not active
        if len(active) != 1:
            return False
        row = active[0]
        same_city = city is None or (row.get("addr_city") or None) == city
        return row.get("name") == name and (row.get("addr_phone") or None) == (phone or None) and same_city

    # --- NetSuite -------------------------------------------------------------------------------------------------

    def _text(self, what: str) -> str:
        self.serial += 1
        return f"{what} {self.serial}"

    def _customer(self) -> str | None:
        ids = sorted(str(row["id"]) for row in self.sandbox.netsuite.rows("customer"))
        return self.dice.choice(ids) if ids else None

    def _update(self, *, moves_date: bool = True, **changes: Any) -> None:
        key = self._customer()
        if key is None:
            return
        self.sandbox.netsuite.update("customer", int(key), moves_date=moves_date, **changes)
        self._note_version(key)
        self.log.append(f"{self.now:%m-%d %H:%M:%S} {key} {changes}{'' if moves_date else ' silently'}")

    def rename(self) -> None:
        """Rename a customer."""
        self._update(entityid=self._text("Name"))

    def change_silently(self) -> None:
        """Change a customer without a date."""
        change = self.dice.choice([{"entityid": self._text("Silent")}, {"phone": self._text("+46")}])
        self._update(moves_date=False, **change)

    def toggle_inactive(self) -> None:
        """Deactivate or reactivate a customer, perhaps without a date."""
        key = self._customer()
        rows = {str(row["id"]): row for row in self.sandbox.netsuite.rows("customer")}
        if key is not None:
            value = rows[key]["isinactive"] not in CHECKED
            silent = self.dice.random() < 0.3
            self.sandbox.netsuite.update("customer", int(key), moves_date=not silent, isinactive=value)
            self._note_version(key)
            self.log.append(f"{self.now:%m-%d %H:%M:%S} {key} inactive {value} silent {silent}")

    def move_address(self) -> None:
        """Change an address without a date."""
        if self.cities:
            owner = self.dice.choice(sorted(self.cities))
            self.sandbox.netsuite.update(ADDRESSES, self.cities[owner], moves_date=False, city=self._text("City"))
            self._note_version(owner)
            self.log.append(f"{self.now:%m-%d %H:%M:%S} the address of {owner} changed silently")

    def create(self) -> None:
        """Create a customer like another one."""
        rows = [row for row in self.sandbox.netsuite.rows("customer") if _is_wanted(row)]
        if rows:
            key = self.sandbox.netsuite.next_id("customer")
            kept = {
                name: value
                for name, value in self.dice.choice(rows).items()
                if name in {"searchstage", "isperson", "isinactive", FLAG, "entitystatus", "currency"}
            }
            self.sandbox.netsuite.insert("customer", [{"id": key, "entityid": self._text("New"), **kept}])
            self._note_version(str(key))
            self.log.append(f"{self.now:%m-%d %H:%M:%S} {key} was created")

    def delete(self) -> None:
        """Delete a customer, with a deletion note."""
        key = self._customer()
        if key is not None and len(self.versions) > self.customers // 2:
            self.sandbox.netsuite.delete("customer", "customer", int(key))
            self.cities.pop(key, None)
            self._note_version(key)
            self.log.append(f"{self.now:%m-%d %H:%M:%S} {key} was deleted")

    def lose_permission(self) -> None:
        """Hide some customers, or a column, from the role."""
        if self.dice.random() < 0.6:
            key = self._customer()
            if key is not None:
                self.hidden.add(f"customer.{key}")
                self._switch(hidden_records=tuple(sorted(self.hidden)))
        else:
            self._switch(hidden_columns=(self.dice.choice(HIDEABLE),))

    def regain_permission(self) -> None:
        """Show everything again."""
        self.hidden.clear()
        self._switch(hidden_records=(), hidden_columns=(), blank_columns=())

    def _switch(self, **values: Any) -> None:
        self.sandbox.switches.set("netsuite", NetSuiteSwitches, **values)
        self.log.append(f"{self.now:%m-%d %H:%M:%S} {values}")

    # --- the target, the machine ----------------------------------------------------------------------------------

    def edit_target(self) -> None:
        """Edit, deactivate or delete a record in the target, or put our key on another one."""
        rows = [row for row in self.sandbox.suiteprojects.rows("Customer") if row.get("externalid")]
        if not rows:
            return
        row = self.dice.choice(rows)
        kind = self.dice.choice(["name", "phone", "active", "delete", "duplicate"])
        system, number = self.sandbox.suiteprojects, int(row["id"])
        if kind == "delete":
            with suppress(Exception):
                system.delete("Customer", number)
        elif kind == "duplicate":
            system.add("Customer", name=self._text("Second"), externalid=row["externalid"])
        else:
            changes = {"name": self._text("Edited"), "phone": self._text("+1"), "active": ""}
            system.modify("Customer", number, **{"addr_phone" if kind == "phone" else kind: changes[kind]})
        self.log.append(f"{self.now:%m-%d %H:%M:%S} {kind} of {row['externalid']} in the target")

    def remove_duplicates(self) -> None:
        """Delete the duplicates that people made."""
        for row in self.sandbox.suiteprojects.rows("Customer"):
            if (row.get("name") or "").startswith("Second"):
                with suppress(Exception):
                    self.sandbox.suiteprojects.delete("Customer", int(row["id"]))

    def set_clock(self) -> None:
        """Set the machine's clock."""
        self.clock.offset += timedelta(days=self.dice.choice([-400, -1, 1, 30]))
        self.log.append(f"clock set by {self.clock.offset}")

    def back_up(self) -> None:
        """Copy the warehouse."""
        if self.warehouse.file.exists():
            self.copy = self.folder / "backup.duckdb"
            with self.warehouse.writer(transaction=False) as con:
                con.execute("checkpoint warehouse")
            shutil.copy(self.warehouse.file, self.copy)
            self.log.append("backup")

    def restore(self) -> None:
        """Restore the copy."""
        if self.copy:
            self.warehouse = CrashableWarehouse(self.warehouse.folder)
            shutil.copy(self.copy, self.warehouse.file)
            with self.warehouse.writer() as con:
                moment = self.now
                record_restore(con, f"restore {self.runs}", moment, moment - timedelta(days=1), "former")
            self.log.append("restored")
            self._check_newest()

    def rebind(self) -> None:
        """Give the workflow another account, which is the same one."""
        with self.warehouse.writer() as con:
            unbind(con, NAME)
            forget_account(con, self.workflow, self.now, f"rebind {self.runs}")
        self.log.append("rebound")
        self._check_newest()

    def fault(self) -> None:
        """Plan faults of some responses."""
        system = self.dice.choice(["suiteprojects", "suiteprojects", "netsuite"])
        fault = Fault(self.dice.choice(OUTAGES), skip=self.dice.randint(0, 6), times=self.dice.randint(1, 3))
        self.sandbox.faults.plan(system, fault)
        self.log.append(f"{system} {fault}")

    def kill(self) -> None:
        """Let the next run die at a failpoint."""
        name = self.dice.choice(list(failpoints.FAILPOINTS))
        self.log.append(f"kill at {name}")
        failpoints.arm(name, skip=self.dice.randint(0, 1), strike=self.warehouse.die)

    # --- runs -----------------------------------------------------------------------------------------------------

    def go(self, steps: int = 10) -> None:
        """Walk, comparing each certificate with the truth; then faults end, and it catches up.

        Raises:
            LieError: A certificate claims what is not so, or does not catch up.
        """
        try:
            self.run()
            self.run()
            for _ in range(steps):
                self.step()
            self._catch_up()
        except LieError as error:
            raise LieError(f"seed {self.seed}: {error}\n" + "\n".join(self.log)) from error
        finally:
            failpoints.disarm()

    def step(self) -> None:
        """Make some edits, let time pass, run."""
        edits = [
            self.rename, self.rename, self.change_silently, self.change_silently, self.toggle_inactive, self.create,
            self.delete, self.move_address, self.move_address,
        ]  # fmt: skip
        for _ in range(self.dice.randint(0, 3)):
            self.dice.choice(edits)()
            self.sandbox.clock.sleep(self.dice.choice([1, 600, 4000]))
        if self.dice.random() < 0.35:
            self.edit_target()
        if self.dice.random() < 0.3:
            self.dice.choice([self.lose_permission, self.lose_permission, self.regain_permission])()
        if self.dice.random() < 0.3:
            self.dice.choice([self.set_clock, self.back_up, self.restore, self.rebind, self.remove_duplicates])()
        self.sandbox.clock.sleep(self.dice.choice([60, 3600, 7 * 3600, DAY_S]))
        if self.dice.random() < 0.4:
            self.dice.choice([self.fault, self.kill])()
        self.run()
        failpoints.disarm()
        self.sandbox.faults.clear()

    def run(self, *, approve: bool = False) -> str:
        """Read, stage, plan, compare the certificate with the truth, send; return `completed` or the error."""
        self.runs += 1
        try:
            self._run(f"run {self.runs:04}", approve=approve)
            end = "completed"
        except (KilledError, IntegrationError, SyncError, MappingError, WarehouseError) as error:
            end = f"{type(error).__name__} {error}"
        self.warehouse.is_dead = False
        self.log.append(f"{self.now:%m-%d %H:%M:%S} run {self.runs}: {end}")
        return end

    def _run(self, run_id: str, *, approve: bool) -> None:
        with self._opened() as (netsuite, client):
            settings = replace(SETTINGS, verify_days=VERIFY_DAYS, capability_hours=0)
            for record_type in RECORD_TYPES:
                extract(self.warehouse, netsuite, record_type, settings, run_id=run_id)
            with self.warehouse.writer() as con:
                for table in ("currencies", "entity_statuses", "subsidiaries", "customers"):
                    stage_table(con, statement("staging", f"stg_netsuite__{table}"))
            kind = TARGETS[self.workflow.spec.target]
            target = kind.build(client, self.workflow.spec.options)
            context = RunContext(self.warehouse, self.workflow, target, run_id, self.clock)
            make_mart(self.warehouse, self.workflow, read_system=partial(kind.records, client), run_id=run_id)
            read_target_state(context)
            planned = make_plan(context)
            certify_run(context)
            self._check_newest()
            if planned.tripped and not approve:
                self.log.append(f"guard: {planned.tripped}")
                return
            run_sync(context, plan_id=planned.plan_id if planned.tripped else "")

    @contextmanager
    def _opened(self) -> Iterator[tuple[Any, Any]]:
        folder = str(self.sandbox.folder)
        with open_netsuite(sandbox=folder) as netsuite, open_suiteprojects(sandbox=folder) as client:
            yield netsuite, client

    def newest(self) -> Certificate | None:
        """Return the newest certificate."""
        with self.warehouse.writer(transaction=False) as con:
            return newest_certificates(con).get(NAME)

    def _check_newest(self) -> None:
        certificate = self.newest()
        if certificate:
            self.log.append(
                f"  {certificate.state} through {certificate.verified_through}: {certificate.reason};"
                f" {certificate.pending} pending, {certificate.wrong} wrong, {certificate.held} held"
            )
            self.check(certificate)

    def _catch_up(self) -> None:
        """End everything that disturbs: within some nights the certificate passes the time at which it ended."""
        self.regain_permission()
        self.remove_duplicates()
        self.clock.offset = timedelta()
        ended, self.copy = self.now, None
        for _ in range(VERIFY_DAYS + 3):
            self.sandbox.clock.sleep(DAY_S)
            self.run(approve=True)
        certificate = self.newest()
        if not certificate or not certificate.verified_through or certificate.verified_through < ended:
            raise LieError(f"it does not catch up after {ended}: {certificate}")


def _is_wanted(row: dict[str, Any]) -> bool:
    stage = str(row["searchstage"]).lower()
    return row["isinactive"] not in CHECKED and row[FLAG] in CHECKED and stage in {"customer", "prospect"}
