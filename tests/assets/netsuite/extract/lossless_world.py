"""One account, its warehouse and their trouble, all from one seed; used by `lossless_walk`.

seed  ->  Fate (what kind of account this is)  ->  World (NetSuite's stand-in, a warehouse, the real client on a bad wire)
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

from assets.netsuite.extract.extract import ExtractionSettings, ExtractReport, extract, reconcile
from resources.http import open_http
from resources.netsuite.auth import ClientCredentials, NetSuiteAuth, TokenBased
from resources.netsuite.client import NetSuiteClient, open_door
from resources.netsuite.concurrency import Lanes
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
# columns that the role may lose for a while
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
# a few days before clocks change somewhere, and an ordinary Monday
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


class KilledError(BaseException):
    """The process ends here."""


class StepClock:
    """Time that passes only when somebody waits; and a millisecond at each look, so that no two moments are equal."""

    def __init__(self, start: datetime) -> None:
        self._now = start
        self._turn = threading.Lock()

    def now(self) -> datetime:
        """The time in UTC."""
        with self._turn:
            self._now += timedelta(milliseconds=1)
            return self._now

    def sleep(self, seconds: float) -> None:
        """Put the clock forward."""
        with self._turn:
            self._now += timedelta(seconds=max(0.0, seconds))


class InMemoryWarehouse(Warehouse):
    """A warehouse in memory: the same transactions, without a disk to wait for."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._root = duckdb.connect(config={"threads": 1})
        self._root.execute("attach ':memory:' as stage")
        self._one = threading.Lock()
        self.before_commit: Callable[[], None] = lambda: None

    @contextmanager
    def writer(self, *, transaction: bool = True, tuned: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
        """One transaction; rolled back when the block raises."""
        with self._one, self._root.cursor() as con:
            con.execute("use stage")
            con.execute("set TimeZone = 'UTC'")
            if transaction:
                con.execute("begin")
            try:
                yield con
                if transaction:
                    self.before_commit()
                    con.execute("commit")
            except BaseException:
                if transaction:
                    con.execute("rollback")
                raise
            finally:
                for setting in ("memory_limit", "threads", "temp_directory") if tuned else ():
                    con.execute(f"reset global {setting}")


class FilePond(Warehouse):
    """The warehouse as it is in production, with a place to die before a commit."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.before_commit: Callable[[], None] = lambda: None

    @contextmanager
    def writer(self, *, transaction: bool = True, tuned: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
        """One transaction on the file."""
        with super().writer(transaction=transaction, tuned=tuned) as con:
            yield con
            if transaction:
                self.before_commit()


@dataclass(frozen=True)
class Fate:
    """What kind of account a seed makes."""

    seed: int
    start: datetime
    customers: int
    loud: bool  # a saved child saves its customer as well, as people do it in NetSuite's screens
    on_disk: bool
    oauth: bool
    record_types: tuple[str, ...]  # what is extracted in this walk: all, or customers and something beside them
    lanes: int  # with one, calls come in one order and a walk is the same again to the last call
    late: bool
    switches: dict[str, Any]

    @classmethod
    def of(cls, seed: int, *, short: bool) -> "Fate":
        """Draw one; a short walk has few customers and few things."""
        random = Random(f"fate {seed}")
        others = random.sample(RECORD_TYPES[1:], random.choice((1, 1, 2)))
        if "contact_addresses" in others:
            others.append("contacts")
        every = random.random() < 0.15 and not short
        record_types = tuple(each for each in RECORD_TYPES if every or each in {RECORD_TYPES[0], *others})
        loud, late, large = random.random() < 0.6, random.random() < 0.4, random.random() < 0.04 and not short
        return cls(
            seed=seed,
            start=random.choice(STARTS),
            customers=random.randrange(1100, 2300) if large else random.choice((3, 8, 15, 30)),
            loud=loud,
            on_disk=large or random.random() < 0.03,
            oauth=random.random() < 0.5,
            record_types=record_types,
            lanes=3 if large or random.random() < 0.1 else 1,
            late=late,
            switches={
                "session_zone": random.choice(ZONES),
                "date_format": random.choice(("M/D/YYYY", "D/M/YYYY", "DD.MM.YYYY", "D-Mon-YYYY", "YYYY-MM-DD")),
                "ambiguous_hour": random.choice(("standard", "daylight")),
                "deleted_type_case": random.choice(("as_given", "lower", "upper", "title")),
                "deleted_type_custjob": random.random() < 0.3,
                "address_moves_parent": random.random() < 0.5,
                "relationship_moves_parent": random.random() < 0.5,
                "conversion_moves_date": loud or random.random() < 0.5,
                "stage_column": random.choice(("searchstage", "searchstage", "stage")),
                "between_half_open": random.random() < 0.3,
                "unknown_column_text": random.choice(("identifier", "field")),
                "expires_in_text": random.random() < 0.3,
                "clock_skew_s": random.choice((0, 0, 45, -45, 200)),
                "late_share": 0.4 if late else 0.0,
                "late_s": random.choice((20, 200, 800)),
                "late_seed": seed,
            },
        )


class Wire(httpx.BaseTransport):
    """The way to NetSuite; things happen on it."""

    def __init__(self, inner: httpx.BaseTransport, on_query: Callable[[], None]) -> None:
        self._inner = inner
        self._on_query = on_query

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Something may happen before a query of rows arrives; probes are waited for under locks of the process."""
        if b"order by" in request.read():
            self._on_query()
        return self._inner.handle_request(request)


@dataclass
class World:
    """An account and its warehouse."""

    fate: Fate
    sandbox: Sandbox
    warehouse: InMemoryWarehouse | FilePond
    clock: StepClock
    random: Random
    story: list[str] = field(default_factory=list)
    runs: int = 0
    # what happens before the n-th query of the present run
    plan: dict[int, Callable[[], None]] = field(default_factory=dict)
    queries: int = 0
    settings: ExtractionSettings = field(default_factory=lambda: ExtractionSettings(custom_columns=CUSTOM))

    @classmethod
    def of(cls, seed: int, folder: Path, *, short: bool = False) -> "World":
        """Make the account of a seed; it is empty."""
        fate = Fate.of(seed, short=short)
        clock = StepClock(fate.start)
        sandbox = Sandbox(folder / "sandbox", clock=clock)
        warehouse = (FilePond if fate.on_disk else InMemoryWarehouse)(folder / "warehouse")
        chance = Random(f"walk {seed}")
        world = cls(fate, sandbox, warehouse, clock, chance)
        world.switch(**fate.switches)
        return world

    def tell(self, line: str) -> None:
        """Write down what happens, for the one who reads a failure."""
        self.story.append(f"{self.clock.now():%m-%d %H:%M:%S} {line}")

    def switch(self, **values: Any) -> None:
        """Change how the account behaves."""
        self.sandbox.switches.set("netsuite", NetSuiteSwitches, **values)

    def _on_query(self) -> None:
        self.queries += 1
        happens = self.plan.pop(self.queries, None)
        if happens:
            happens()

    @contextmanager
    def client(self) -> Iterator[NetSuiteClient]:
        """The real client on the wire, made anew for each run, as a resource is."""
        keys, url, lanes = self.sandbox.credentials["netsuite"], BASE_URLS["netsuite"], Lanes(self.fate.lanes)
        names = ("consumer_key", "consumer_secret", "token_id", "token_secret")
        sign_in: NetSuiteAuth = TokenBased(
            account=keys["account"], clock=self.clock, **{name: keys[name] for name in names}
        )
        if self.fate.oauth:
            sign_in = ClientCredentials(
                base_url=url,
                client_id=keys["client_id"],
                certificate_id=keys["certificate_id"],
                private_key=Path(keys["private_key_file"]).read_bytes(),
                clock=self.clock,
            )
        wire = Wire(self.sandbox.transport("netsuite"), self._on_query)
        with open_http(url, auth=sign_in, transport=wire) as http:
            yield NetSuiteClient(open_door(http, self.clock, lanes), self.clock, lanes)

    def extract(self, record_type: str, client: NetSuiteClient, *, full: bool = False) -> ExtractReport:
        """One extraction of one thing."""
        self.runs += 1
        return extract(self.warehouse, client, record_type, self.settings, run_id=f"run {self.runs}", full=full)

    def reconcile(self, record_type: str, client: NetSuiteClient) -> ExtractReport:
        """One comparison of ids."""
        self.runs += 1
        return reconcile(self.warehouse, client, record_type, self.settings, run_id=f"run {self.runs}")
