"""What each call of a run is for; a call that is not on these lists must say why it is needed."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import orjson

from assets.netsuite.record_types import RECORD_TYPES
from resources.http import open_http
from resources.netsuite.auth import TokenBased
from resources.netsuite.client import NetSuiteClient, open_door
from resources.netsuite.concurrency import Lanes
from resources.sandbox.sandbox import BASE_URLS
from tests.assets.netsuite.conftest import Play

LISTS = ["subsidiary", "department", "classification", "location", "currency", "entitystatus"]
QUIET = [
    "serverTime",  # the next watermark
    "dual",  # the session's time zone: literals are read in it
    "customer",
    "deletedrecord",  # of customers, projects and contacts together
    "job",
    "contact",
    "customersubsidiaryrelationship",
    "customeraddressbook",
    "contactaddressbook",
    *LISTS,  # small, read whole: a deleted row leaves no other trace
]


class Noted(httpx.BaseTransport):
    """The way to NetSuite; what is asked is written down."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self._inner = inner
        self.asked: list[str] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Note the table, or the last part of the path."""
        body = request.read()
        found = re.search(r"\bfrom (\w+)", orjson.loads(body)["q"]) if body else None
        self.asked.append(found[1] if found else request.url.path.rpartition("/")[2])
        return self._inner.handle_request(request)


@contextmanager
def noted(play: Play) -> Iterator[list[str]]:
    """A new client, as each run has one."""
    keys, lanes, clock = play.sandbox.credentials["netsuite"], Lanes(), play.sandbox.clock
    names = ("account", "consumer_key", "consumer_secret", "token_id", "token_secret")
    wire = Noted(play.sandbox.transport("netsuite"))
    sign_in = TokenBased(clock=clock, **{name: keys[name] for name in names})
    with open_http(BASE_URLS["netsuite"], auth=sign_in, transport=wire) as http:
        play.client = NetSuiteClient(open_door(http, clock, lanes), clock, lanes)
        yield wire.asked


def run(play: Play) -> list[str]:
    """Everything once; what was asked."""
    with noted(play) as asked:
        for record_type in RECORD_TYPES:
            play.extract(record_type)
    return asked


def filled(play: Play) -> None:
    """Two hundred customers with children, read once a while ago."""
    play.customers(*range(1, 201))
    for key in range(1, 201):
        play.address(key, key)
    rows = [{"id": key, "entity": key, "subsidiary": 1, "isprimarysub": True} for key in range(1, 201)]
    play.add("customersubsidiaryrelationship", *rows)
    play.add("job", *({"id": key, "entityid": f"P{key}", "customer": key} for key in range(301, 331)))
    play.later(3600)
    run(play)
    play.later(1800)


def test_a_run_that_finds_nothing_asks_once_for_each_table(play: Any) -> None:
    """Most runs; each call costs a slot that others wait for."""
    filled(play)

    assert run(play) == QUIET


def test_a_hundred_changes_cost_four_calls_more_at_most(play: Any) -> None:
    """Children of changed customers are read again, and ids that were deleted are looked up before they are marked."""
    filled(play)
    for key in range(1, 101):
        play.sandbox.netsuite.update("customer", key, phone=str(key))
    play.sandbox.netsuite.delete("customer", "customer", 150)
    play.sandbox.netsuite.delete("job", "job", 301)

    asked = run(play)

    again = ["customer", "job", "customersubsidiaryrelationship", "customeraddressbook"]
    assert sorted(asked) == sorted([*QUIET, *again])
    assert "150" not in play.live("customers")
    assert "301" not in play.live("projects")


def test_tables_that_were_read_at_other_times_miss_no_deletion(play: Any) -> None:
    """They share one question; each must find in it what was deleted since it was read itself."""
    filled(play)
    play.later(2 * 86_400)
    play.sandbox.netsuite.delete("job", "job", 301)
    play.later(86_400 / 2)
    with noted(play):
        play.sandbox.netsuite.update("customer", 1, phone="1")
        play.extract("customers")  # its watermark moves on, the projects' stays
    play.later(2 * 86_400)

    asked = run(play)

    assert "301" not in play.live("projects")
    assert asked.count("deletedrecord") == 1


def test_more_deletions_than_a_page_are_all_found(play: Any) -> None:
    """Two types may share an id, so such a page has no key to go on from: then each type is asked for itself."""
    play.customers(*range(1, 1206))
    play.customers(2000, stage="Lead")
    play.extract()
    play.later(3600)
    for key in range(1, 1205):
        play.sandbox.netsuite.delete("customer", "customer", key)
    play.sandbox.netsuite.delete("lead", "customer", 2000)
    play.settings = type(play.settings)(reconcile_hours=0)

    assert play.extract().deleted == 1205
    assert play.live("customers") == {"1205"}


def test_what_a_reading_took_is_kept(play: Play) -> None:
    """Calls as NetSuite counted them, and rows as they were written, beside the run."""
    play.customers(1, 2, 3)
    play.extract()
    first = len(asked(play))
    play.later()
    play.customers(4)
    play.sandbox.netsuite.update("customer", 1, phone="1")
    play.extract()

    told = play.warehouse.read("select * exclude (read_at, seconds) from netsuite_reads order by read_at")
    assert told["calls"].to_list() == [first, len(asked(play)) - first]
    assert told["run_id"].to_list() == ["run 1", "run 2"]
    assert told.select("inserted", "updated").rows() == [(3, 0), (1, 1)]


def asked(play: Play) -> list[str]:
    """Paths of the calls that NetSuite served, sign-in not counted."""
    return [call["path"] for call in play.sandbox.netsuite.calls() if not call["path"].endswith("/token")]
