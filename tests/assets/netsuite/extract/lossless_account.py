"""One account, its warehouse and its faults, all from one seed; used by `lossless_walk`.

seed  ->  Scenario (the properties of the account)  ->  SimulatedAccount (sandbox, warehouse, the real client)
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import httpx

from assets.netsuite.extract.extract import extract
from assets.netsuite.extract.metrics import ExtractionReport
from assets.netsuite.extract.settings import ExtractionSettings
from orchestration.simulation.memory_warehouse import MemoryWarehouse
from resources.http_pool import open_http
from resources.netsuite.auth import ClientCredentials, NetSuiteAuth, TokenBased
from resources.netsuite.client import NetSuiteClient
from resources.netsuite.concurrency import ConcurrencyLimit
from resources.netsuite.connect import open_http_client
from resources.sandbox.netsuite.switches import NetSuiteSwitches
from resources.sandbox.sandbox import BASE_URLS, Sandbox
from resources.warehouse.warehouse import Warehouse

RECORD_TYPES = (
    "customers",
    "projects",
    "contacts",
    "customer_subsidiaries",
    "addresses",
    "contact_addresses",
    "departments",
    "currencies",
    "entity_statuses",
)
VERIFY_DAYS = 2
# columns that the role may lose temporarily
HIDEABLE_COLUMNS = ("customer.fax", "customer.comments", "contact.title", "customer.custentity_region")
ZONES = (
    "UTC",
    "America/Los_Angeles",
    "Europe/Stockholm",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "America/Santiago",
    "Africa/Cairo",
    "America/St_Johns",
    "Pacific/Kiritimati",
)
# an ordinary Monday, and days shortly before clocks change somewhere
STARTS = (
    datetime(2026, 11, 16, 6, tzinfo=UTC),
    datetime(2026, 10, 30, 12, tzinfo=UTC),
    datetime(2027, 3, 13, 3, tzinfo=UTC),
    datetime(2027, 3, 27, 8, tzinfo=UTC),
    datetime(2027, 4, 3, 9, tzinfo=UTC),
    datetime(2027, 9, 4, 20, tzinfo=UTC),
    datetime(2027, 11, 6, 18, tzinfo=UTC),
)
CUSTOM = {
    "customers": ("custentity_region", "custentity_department", "custentity_oa_export_to_openair"),
    "projects": ("custentity_oa_export_to_openair",),
}


class StepClock:
    """A clock that moves only when someone waits, and by a millisecond per reading, so that no two times are equal."""

    def __init__(self, start: datetime) -> None:
        self._now = start
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """Return the time in UTC."""
        with self._lock:
            self._now += timedelta(milliseconds=1)
            return self._now

    def sleep(self, seconds: float) -> None:
        """Move the clock forward."""
        with self._lock:
            self._now += timedelta(seconds=max(0.0, seconds))


class FileWarehouse(Warehouse):
    """The production warehouse, with a place to kill the process before a commit."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.before_commit: Callable[[], None] = lambda: None

    @contextmanager
    def writer(self, *, transaction: bool = True, tuned: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
        """Run one transaction on the file."""
        with super().writer(transaction=transaction, tuned=tuned) as con:
            yield con
            if transaction:
                self.before_commit()


@dataclass(frozen=True)
class Scenario:
    """The properties of the account that a seed makes.

    Attributes:
        saves_parents: Saving a child saves its parent as well, as NetSuite's screens do.
        record_types: What the walk extracts: everything, or customers and some others.
        slots: Concurrency slots; with one, calls have one order and a walk is reproducible to the last call.
        has_late_writes: Some writes become visible after their timestamp.
    """

    seed: int
    start: datetime
    customers: int
    saves_parents: bool
    on_disk: bool
    oauth: bool
    record_types: tuple[str, ...]
    slots: int
    has_late_writes: bool
    switches: dict[str, Any]

    @classmethod
    def of(cls, seed: int, *, short: bool) -> "Scenario":
        """Draw a scenario; a short one has few customers and record types."""
        random = Random(f"scenario {seed}")
        others = random.sample(RECORD_TYPES[1:], random.choice((1, 1, 2)))
        if "contact_addresses" in others:
            others.append("contacts")
        everything = random.random() < 0.15 and not short
        record_types = tuple(each for each in RECORD_TYPES if everything or each in {RECORD_TYPES[0], *others})
        saves_parents, is_late = random.random() < 0.6, random.random() < 0.4
        is_large = random.random() < 0.04 and not short
        return cls(
            seed=seed,
            start=random.choice(STARTS),
            customers=random.randrange(1100, 2300) if is_large else random.choice((3, 8, 15, 30)),
            saves_parents=saves_parents,
            on_disk=is_large or random.random() < 0.03,
            oauth=random.random() < 0.5,
            record_types=record_types,
            slots=3 if is_large or random.random() < 0.1 else 1,
            has_late_writes=is_late,
            switches={
                "session_zone": random.choice(ZONES),
                "date_format": random.choice(("M/D/YYYY", "D/M/YYYY", "DD.MM.YYYY", "D-Mon-YYYY", "YYYY-MM-DD")),
                "ambiguous_hour": random.choice(("standard", "daylight")),
                "deleted_type_case": random.choice(("as_given", "lower", "upper", "title")),
                "deleted_type_custjob": random.random() < 0.3,
                "address_moves_parent": random.random() < 0.5,
                "relationship_moves_parent": random.random() < 0.5,
                "conversion_moves_date": saves_parents or random.random() < 0.5,
                "stage_column": random.choice(("searchstage", "searchstage", "stage")),
                "between_half_open": random.random() < 0.3,
                "unknown_column_text": random.choice(("identifier", "field")),
                "expires_in_text": random.random() < 0.3,
                "clock_skew_s": random.choice((0, 0, 45, -45, 200)),
                "late_share": 0.4 if is_late else 0.0,
                "late_s": random.choice((20, 200, 800)),
                "late_seed": seed,
                "merge_moves_dates": random.random() < 0.5,
            },
        )


class HookedTransport(httpx.BaseTransport):
    """A transport that runs a hook before queries of rows (probes are awaited under locks of the process)."""

    def __init__(self, inner: httpx.BaseTransport, on_query: Callable[[], None]) -> None:
        self._inner = inner
        self._on_query = on_query

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Run the hook, then pass the request on."""
        if b"order by" in request.read():
            self._on_query()
        return self._inner.handle_request(request)


@dataclass
class SimulatedAccount:
    """An account and its warehouse.

    Attributes:
        log: Events, for people who examine a failure.
        hooks: What happens before the n-th query of the current run.
    """

    scenario: Scenario
    sandbox: Sandbox
    warehouse: MemoryWarehouse | FileWarehouse
    clock: StepClock
    random: Random
    log: list[str] = field(default_factory=list)
    runs: int = 0
    hooks: dict[int, Callable[[], None]] = field(default_factory=dict)
    queries: int = 0
    settings: ExtractionSettings = field(
        default_factory=lambda: ExtractionSettings(custom_columns=CUSTOM, verify_days=VERIFY_DAYS)
    )

    @classmethod
    def of(cls, seed: int, folder: Path, *, short: bool = False) -> "SimulatedAccount":
        """Create the empty account of a seed."""
        scenario = Scenario.of(seed, short=short)
        clock = StepClock(scenario.start)
        sandbox = Sandbox(folder / "sandbox", clock=clock)
        warehouse = (FileWarehouse if scenario.on_disk else MemoryWarehouse)(folder / "warehouse")
        account = cls(scenario, sandbox, warehouse, clock, Random(f"walk {seed}"))
        account.switch(**scenario.switches)
        return account

    def record(self, line: str) -> None:
        """Add a line to the log."""
        self.log.append(f"{self.clock.now():%m-%d %H:%M:%S} {line}")

    def switch(self, **values: Any) -> None:
        """Change how the account behaves."""
        self.sandbox.switches.set("netsuite", NetSuiteSwitches, **values)

    def _on_query(self) -> None:
        self.queries += 1
        hook = self.hooks.pop(self.queries, None)
        if hook:
            hook()

    @contextmanager
    def client(self) -> Iterator[NetSuiteClient]:
        """Open the real client, a new one for each run, as the resource does."""
        keys, url = self.sandbox.credentials["netsuite"], BASE_URLS["netsuite"]
        limit = ConcurrencyLimit(self.scenario.slots)
        names = ("consumer_key", "consumer_secret", "token_id", "token_secret")
        auth: NetSuiteAuth = TokenBased(
            account=keys["account"], clock=self.clock, **{name: keys[name] for name in names}
        )
        if self.scenario.oauth:
            auth = ClientCredentials(
                base_url=url,
                client_id=keys["client_id"],
                certificate_id=keys["certificate_id"],
                private_key=Path(keys["private_key_file"]).read_bytes(),
                clock=self.clock,
            )
        transport = HookedTransport(self.sandbox.transport("netsuite"), self._on_query)
        with open_http(url, auth=auth, transport=transport) as http:
            yield NetSuiteClient(open_http_client(http, self.clock, limit), self.clock, limit)

    def extract(self, record_type: str, client: NetSuiteClient, **options: bool) -> ExtractionReport:
        """Extract one record type; options: full, reconcile."""
        self.runs += 1
        return extract(self.warehouse, client, record_type, self.settings, run_id=f"run {self.runs}", **options)
