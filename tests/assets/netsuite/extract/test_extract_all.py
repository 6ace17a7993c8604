"""Several record types read at once: the calls, the order, and what one error stops."""

import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from assets.netsuite.extract.extract_all import NotReadError, Outcome, extract_all
from assets.netsuite.record_types import RECORD_TYPES
from resources.errors import ContractError
from resources.http import PARSE_ATTEMPTS
from resources.http_pool import open_http
from resources.netsuite.auth import TokenBased
from resources.netsuite.client import NetSuiteClient
from resources.netsuite.concurrency import DEFAULT_CONCURRENCY, ConcurrencyLimit
from resources.netsuite.connect import open_http_client, open_netsuite
from resources.sandbox.faults import Fault, FaultKind
from resources.sandbox.sandbox import BASE_URLS, Sandbox
from resources.warehouse.warehouse import Warehouse
from tests.assets.netsuite.conftest import NetSuiteAccount
from tests.assets.netsuite.extract.test_extract_calls import WITHOUT_CHANGES, RecordingTransport, fill

LINGER_S = 0.1  # how long a call waits for others, if they do not come sooner


class Counted(RecordingTransport):
    """A transport that keeps each call until as many are open as there are slots, or no other comes."""

    def __init__(self, inner: httpx.BaseTransport, slots: int) -> None:
        super().__init__(inner)
        self.slots, self._changed = slots, threading.Condition()
        self.busy = self.most = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Count the call while it is open."""
        with self._changed:
            self.busy += 1
            self.most = max(self.most, self.busy)
            self._changed.notify_all()
            self._changed.wait_for(lambda: self.most >= self.slots, LINGER_S)
        try:
            return super().handle_request(request)
        finally:
            with self._changed:
                self.busy -= 1


@contextmanager
def counted(account: NetSuiteAccount, slots: int = DEFAULT_CONCURRENCY) -> Iterator[Counted]:
    """Use a new client, as each run does, and count its calls."""
    keys, limit, clock = account.sandbox.credentials["netsuite"], ConcurrencyLimit(slots), account.sandbox.clock
    names = ("account", "consumer_key", "consumer_secret", "token_id", "token_secret")
    transport = Counted(account.sandbox.transport("netsuite"), slots)
    auth = TokenBased(clock=clock, **{name: keys[name] for name in names})
    with open_http(BASE_URLS["netsuite"], auth=auth, transport=transport) as http:
        account.client = NetSuiteClient(open_http_client(http, clock, limit), clock, limit)
        yield transport


@pytest.fixture(scope="module")
def filled_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of an account with 200 customers and their children, and of its warehouse after a first run."""
    folder = tmp_path_factory.mktemp("filled_once")
    with opened(folder) as account:
        fill(account)
    return folder


@contextmanager
def opened(folder: Path) -> Iterator[NetSuiteAccount]:
    """Open the account and the warehouse of a folder."""
    sandbox = Sandbox(folder / "sandbox")
    with open_netsuite(sandbox=str(sandbox.folder)) as client:
        yield NetSuiteAccount(sandbox, Warehouse(folder / "warehouse"), client, runs=100)


@pytest.fixture
def filled(filled_once: Path, tmp_path: Path) -> Iterator[NetSuiteAccount]:
    """A copy of that account and its warehouse."""
    with opened(Path(shutil.copytree(filled_once, tmp_path / "copy"))) as account:
        yield account


def run(account: NetSuiteAccount, names: Sequence[str] = tuple(RECORD_TYPES)) -> dict[str, Outcome]:
    """Extract record types at once; return the outcomes by name, in the order in which they ended."""
    account.runs += 1
    outcomes = extract_all(account.warehouse, account.client, names, account.settings, run_id=f"run {account.runs}")
    return {each.name: each for each in outcomes}


def errors(outcomes: dict[str, Outcome]) -> dict[str, type[Exception]]:
    """Return the class of each error by record type."""
    return {name: type(each.error) for name, each in outcomes.items() if each.error}


@pytest.mark.long
def test_a_quiet_run_makes_the_same_calls_as_one_table_after_another(filled: NetSuiteAccount) -> None:
    """Shared answers are asked for once, although all tables need them at the same moment."""
    with counted(filled) as transport:
        outcomes = run(filled)

    assert not errors(outcomes)
    assert sorted(transport.calls) == sorted(WITHOUT_CHANGES)
    reports = [each.report for each in outcomes.values() if each.report]
    own = len(WITHOUT_CHANGES) - len({"serverTime", "dual", "rows without a date"})
    assert sum(each.calls for each in reports) == own, "each call counts for the table that made it"
    assert filled.client.calls == len(WITHOUT_CHANGES)


def test_all_slots_are_used_and_no_more(filled: NetSuiteAccount) -> None:
    """Other integrations need the slot that is left."""
    with counted(filled) as transport:
        run(filled)

    assert transport.most == DEFAULT_CONCURRENCY


def test_children_of_changed_and_of_deleted_parents_come_in_the_same_run(filled: NetSuiteAccount) -> None:
    """A default address changes without a date of its own."""
    filled.sandbox.netsuite.update("customeraddressbook", 7, defaultbilling=False)
    filled.sandbox.netsuite.delete("address", "customeraddressbook", 8)
    filled.sandbox.netsuite.delete("customer", "customer", 150)
    for key in (7, 8):
        filled.sandbox.netsuite.update("customer", key, phone="1")

    with counted(filled) as transport:
        assert not errors(run(filled))

    children = ["customersubsidiaryrelationship", "customeraddressbook"]
    more = ["customer", *children, *children]  # reported as deleted: looked up; children of changed and of deleted
    assert sorted(transport.calls) == sorted([*WITHOUT_CHANGES, "customer", *more])
    assert filled.raw("addresses", "internalid")["7"]["defaultbilling"] == "F"
    assert "8" not in filled.live("addresses", "internalid")
    assert "150" not in filled.live("customers")


def test_a_row_that_was_read_before_its_parent_vanished_is_read_again(account: NetSuiteAccount) -> None:
    """A merge moves a project without a date: what was read before the customers counts as older than their load."""
    account.customers(1, 2)
    account.add("job", {"id": 301, "entityid": "P", "customer": 2})
    run(account)
    account.later(3600)
    account.sandbox.netsuite.update("job", 301, comments="changed")
    account.sandbox.netsuite.delete("customer", "customer", 2)

    run(account)

    reads = account.warehouse.read(
        "select record_type, began_after, reading from netsuite_reads where run_id = 'run 2'"
    )
    began = {name: (began, number) for name, began, number in reads.rows()}
    assert began["projects"][0] < began["customers"][1]


def test_an_error_stops_only_what_belongs_to_it(filled: NetSuiteAccount) -> None:
    """The others are loaded, and only their watermarks move."""
    before = watermarks(filled)
    filled.switch(hidden_tables=["contact", "currency"])
    filled.sandbox.netsuite.update("customer", 1, phone="new")

    with counted(filled):
        outcomes = run(filled)

    assert errors(outcomes).keys() == {"contacts", "contact_addresses", "currencies"}
    assert isinstance(outcomes["contact_addresses"].error, NotReadError)
    assert "permission 'Contacts'" in str(outcomes["contacts"].error)
    assert filled.raw("customers")["1"]["phone"] == "new"
    after = watermarks(filled)
    moved = {table for table in after if after[table] != before[table]}
    assert "customer" in moved
    assert not moved & {"contact", "contactaddressbook", "currency"}


def test_a_failed_first_call_is_the_only_one(account: NetSuiteAccount) -> None:
    """Without NetSuite's time no table has a watermark; and a rejected key must not be tried a dozen times."""
    account.sandbox.faults.plan("netsuite", Fault(FaultKind.EMPTY, pattern="serverTime", times=PARSE_ATTEMPTS))

    with counted(account) as transport:
        outcomes = run(account)

    assert set(errors(outcomes).values()) == {ContractError, NotReadError}
    assert errors(outcomes)["customers"] is ContractError
    assert errors(outcomes).keys() == set(RECORD_TYPES)
    assert set(transport.calls) <= {"serverTime", "dual", "governanceLimits"}


def test_no_call_begins_after_the_caller_stopped(filled: NetSuiteAccount) -> None:
    """An interrupted run waits for the calls that are open, not for whole tables."""
    with counted(filled, slots=1) as transport:
        transport.slots = 2  # which are never in use together: every call lingers
        outcomes = extract_all(filled.warehouse, filled.client, tuple(RECORD_TYPES), filled.settings, run_id="run")
        next(outcomes)
        outcomes.close()  # type: ignore[attr-defined]

    assert len(transport.calls) < len(WITHOUT_CHANGES)


@pytest.mark.parametrize("names", [("addresses",), ("contacts", "projects"), ("currencies", "customers")])
def test_a_subset_reads_only_its_tables(filled: NetSuiteAccount, names: tuple[str, ...]) -> None:
    """As one table alone does; nothing waits for a parent that is not read."""
    with counted(filled) as transport:
        assert not errors(run(filled, names))

    tables = {RECORD_TYPES[name].table for name in names}
    assert {each for each in transport.calls if each not in {"serverTime", "dual", "deletedrecord"}} == tables


def watermarks(filled: NetSuiteAccount) -> dict[str, object]:
    """Return the watermark of each table."""
    return dict(filled.warehouse.read("select source_table, watermark_at from sync_watermarks").rows())
