"""The calls of a run: each call that is not listed here must be justified."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import orjson
import pytest

from assets.netsuite.extract.read_warnings import latest_warnings
from assets.netsuite.record_types import RECORD_TYPES
from resources.http_pool import open_http
from resources.netsuite.auth import TokenBased
from resources.netsuite.client import NetSuiteClient
from resources.netsuite.concurrency import ConcurrencyLimit
from resources.netsuite.connect import open_http_client
from resources.sandbox.sandbox import BASE_URLS
from tests.assets.netsuite.conftest import NetSuiteAccount

LISTS = ["subsidiary", "department", "classification", "location", "currency", "entitystatus"]
WITHOUT_CHANGES = [
    "serverTime",  # the next watermark
    "dual",  # the session's time zone, in which literals are read
    "customer",
    "deletedrecord",  # of customers, projects and contacts together
    "customer",  # how many rows have no date of change, of all tables together
    "job",
    "contact",
    "customersubsidiaryrelationship",
    "customeraddressbook",
    "contactaddressbook",
    *LISTS,  # small and read in full: a deleted row leaves no other trace
]


class RecordingTransport(httpx.BaseTransport):
    """A transport that records the table of each query, or the last part of the path."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self._inner = inner
        self.calls: list[str] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Record the call and pass it on."""
        body = request.read()
        found = re.search(r"\bfrom (\w+)", orjson.loads(body)["q"]) if body else None
        self.calls.append(found[1] if found else request.url.path.rpartition("/")[2])
        return self._inner.handle_request(request)


@contextmanager
def recorded(account: NetSuiteAccount) -> Iterator[list[str]]:
    """Use a new client, as each run does, and record its calls."""
    keys, limit, clock = account.sandbox.credentials["netsuite"], ConcurrencyLimit(), account.sandbox.clock
    names = ("account", "consumer_key", "consumer_secret", "token_id", "token_secret")
    transport = RecordingTransport(account.sandbox.transport("netsuite"))
    auth = TokenBased(clock=clock, **{name: keys[name] for name in names})
    with open_http(BASE_URLS["netsuite"], auth=auth, transport=transport) as http:
        account.client = NetSuiteClient(open_http_client(http, clock, limit), clock, limit)
        yield transport.calls


def run(account: NetSuiteAccount) -> list[str]:
    """Extract every record type once and return the calls."""
    with recorded(account) as calls:
        for record_type in RECORD_TYPES:
            account.extract(record_type)
    return calls


def fill(account: NetSuiteAccount) -> None:
    """Create 200 customers with children, and extract them once."""
    account.customers(*range(1, 201))
    for key in range(1, 201):
        account.address(key, key)
    rows = [{"id": key, "entity": key, "subsidiary": 1, "isprimarysub": True} for key in range(1, 201)]
    account.add("customersubsidiaryrelationship", *rows)
    account.add("job", *({"id": key, "entityid": f"P{key}", "customer": key} for key in range(301, 331)))
    account.later(3600)
    run(account)
    account.later(1800)


def test_a_run_without_changes_takes_one_call_per_table(account: NetSuiteAccount) -> None:
    """Most runs find nothing, and each call uses a concurrency slot that others need."""
    fill(account)

    assert run(account) == WITHOUT_CHANGES


@pytest.mark.long
def test_a_hundred_changes_take_at_most_six_more_calls(account: NetSuiteAccount) -> None:
    """Children of changed and of deleted customers are read again, and reported deletions are looked up."""
    fill(account)
    for key in range(1, 101):
        account.sandbox.netsuite.update("customer", key, phone=str(key))
    account.sandbox.netsuite.delete("customer", "customer", 150)
    account.sandbox.netsuite.delete("job", "job", 301)

    calls = run(account)

    children = ["customersubsidiaryrelationship", "customeraddressbook"]
    more = ["customer", "job", *children, *children]
    assert sorted(calls) == sorted([*WITHOUT_CHANGES, *more])
    assert "150" not in account.live("customers")
    assert "301" not in account.live("projects")


@pytest.mark.long
def test_tables_with_different_watermarks_miss_no_deletion(account: NetSuiteAccount) -> None:
    """They share one query, which must cover the deletions after each table's own watermark."""
    fill(account)
    account.later(2 * 86_400)
    account.sandbox.netsuite.delete("job", "job", 301)
    account.later(86_400 / 2)
    with recorded(account):
        account.sandbox.netsuite.update("customer", 1, phone="1")
        account.extract("customers")  # its watermark moves, that of the projects stays
    account.later(2 * 86_400)

    calls = run(account)

    assert "301" not in account.live("projects")
    assert calls.count("deletedrecord") == 1


def test_more_deletions_than_a_page_are_all_found(account: NetSuiteAccount) -> None:
    """Two types may share an id, so a joint page has no key to continue from: each type is then queried separately."""
    account.customers(*range(1, 1206))
    account.customers(2000, stage="Lead")
    account.extract()
    account.later(3600)
    for key in range(1, 1205):
        account.sandbox.netsuite.delete("customer", "customer", key)
    account.sandbox.netsuite.delete("lead", "customer", 2000)
    account.configure(reconcile_hours=0)

    assert account.extract().deleted == 1205
    assert account.live("customers") == {"1205"}


def test_each_read_is_recorded_with_its_calls_and_rows(account: NetSuiteAccount) -> None:
    """Calls as NetSuite counted them, and rows as they were written."""
    account.customers(1, 2, 3)
    account.extract()
    first = len(served(account))
    account.later()
    account.customers(4)
    account.sandbox.netsuite.update("customer", 1, phone="1")
    account.extract()

    reads = account.warehouse.read("select * exclude (read_at, seconds) from netsuite_reads order by read_at")
    assert reads["calls"].to_list() == [first, len(served(account)) - first]
    assert reads["run_id"].to_list() == ["run 1", "run 2"]
    assert reads.select("inserted", "updated").rows() == [(3, 0), (1, 1)]


def test_the_warnings_of_the_latest_read_of_each_table_are_kept(account: NetSuiteAccount) -> None:
    """The summary of a run and the page of the sync asset show them."""

    def warnings() -> list[tuple[str, str]]:
        account.extract()
        account.extract("departments")
        with account.warehouse.writer(transaction=False) as con:
            return latest_warnings(con)

    account.switch(hidden_columns=["customer.fax"])
    missing = warnings()
    account.switch(hidden_columns=[])
    account.later(7200)

    assert missing == [("customers", "column customer.fax does not exist in NetSuite; skipped")]
    assert warnings() == []


def test_the_latest_read_is_the_one_that_was_written_last(account: NetSuiteAccount) -> None:
    """The clock may have been set back between two reads: their numbers show the order."""
    account.switch(hidden_columns=["customer.fax"])
    account.extract()
    account.switch(hidden_columns=[])
    account.later(7200)
    account.extract()
    with account.warehouse.writer() as con:
        con.execute("update netsuite_reads set read_at = read_at - interval 2 day where reading > 1")

        assert latest_warnings(con) == []


def served(account: NetSuiteAccount) -> list[str]:
    """Return the paths of the calls that NetSuite served, without sign-in."""
    return [call["path"] for call in account.sandbox.netsuite.call_log() if not call["path"].endswith("/token")]
