"""Traps of NetSuite's API that no other test of extraction walks into; resources/netsuite/TRAPS.md lists all."""

import re
from datetime import timedelta
from itertools import groupby
from typing import Any

import httpx
import orjson
import pytest

from assets.netsuite.record_types import RECORD_TYPES
from resources.errors import CredentialsError, RateLimitedError
from resources.netsuite.client import SUITEQL_PATH
from resources.netsuite.errors import MissingTableError
from tests.resources.netsuite.signed import with_keys

# what SuiteQL lacks, reads slowly, or understands otherwise than one thinks: netsuite.md §1.3, §1.4, §5.6, §5.7
RISKY = re.compile(
    r"\b(or|join|with|between|rownum|top|limit|offset|fetch|sysdate|current_date|localtimestamp|listagg|balance\w*"
    r"|oncredithold|builtin|systemnote\w*|deletedrecordinconnect)\b|\bhh(?!24)|select \*|[^(]\*[^)]|\d{4}-\d\d-\d\d"
)
# the only things that are asked for: no record is opened, and the whole catalogue, which takes minutes, is not read
ASKED = re.compile(
    r"POST /services/rest/(query/v1/suiteql|auth/oauth2/v1/token)"
    r"|GET /services/rest/(system/v1/(serverTime|governanceLimits)|record/v1/metadata-catalog/(customer|job|contact))"
)
NONCE = re.compile(r'oauth_nonce="(\w+)"')


def fill(play: Any) -> None:
    """A row or more of each table."""
    play.customers(1, 2)
    play.add("job", {"id": 2001, "entityid": "P", "customer": 1, "parent": 1})
    play.add("contact", {"id": 2002, "entityid": "Ann", "company": 1})
    play.add("customersubsidiaryrelationship", {"id": 1, "entity": 1, "subsidiary": 1, "isprimarysub": True})
    play.address(1, 1)
    play.add("contactaddressbookentityaddress", {"nkey": 1, "recordowner": 2002, "city": "Lund"})
    play.add("contactaddressbook", {"internalid": 1, "entity": 2002, "addressbookaddress": 1})
    for table in ("subsidiary", "department", "classification", "location", "currency"):
        play.add(table, {"id": 1, "name": table})
    play.add("entitystatus", {"key": 1, "name": "Closed Won", "entitytype": "CUSTOMER"})


def statuses(play: Any) -> list[int]:
    """Of every call so far."""
    return [call["status"] for call in play.sandbox.netsuite.calls()]


def test_everything_is_read_with_what_every_account_understands(play: Any) -> None:
    """Whatever is doubtful in SuiteQL fails here: first load, changes, changed parents, deletions, comparison."""
    play.switch(
        with_allowed=False, fetch_first_allowed=False, top_allowed=False, order_needs_asc=True, between_half_open=True
    )
    fill(play)
    heard: list[httpx.Request] = []

    with with_keys(play.sandbox, "oauth2", heard) as play.client:
        loaded = [play.extract(record_type).inserted for record_type in RECORD_TYPES]
        play.later()
        play.add("customer", *({"id": key, "searchstage": "Lead"} for key in range(3001, 4102)))
        play.sandbox.netsuite.delete("customer", "customer", 2)
        reports = [play.extract(record_type) for record_type in RECORD_TYPES]
        for record_type in RECORD_TYPES:
            play.reconcile(record_type)

    queries = [orjson.loads(each.content) for each in heard if each.url.path == SUITEQL_PATH]
    texts = {query["q"].lower() for query in queries}
    assert loaded == [2, *[1] * 11]
    assert (reports[0].inserted, reports[0].deleted) == (1101, 1)
    assert [text for text in texts if RISKY.search(text)] == []
    assert all("?" in text or "dual" in text for text in texts), "values are bound, never part of the text"
    assert max(len(query.get("params", [])) for query in queries) in range(1000, 1003), "an IN takes a thousand"
    assert {each.url.params["offset"] for each in heard if each.url.path == SUITEQL_PATH} == {"0"}
    assert [each for each in heard if not ASKED.fullmatch(f"{each.method} {each.url.path}")] == []


def test_every_try_is_signed_anew(play: Any) -> None:
    """A nonce is good once: a retry with the old one is a failed sign-in, and five of them lock the user."""
    play.switch(burst_every=4, burst_calls=2)
    play.add("customer", *({"id": key, "searchstage": "Lead"} for key in range(1, 3001)))
    heard: list[httpx.Request] = []

    with with_keys(play.sandbox, "tba", heard) as play.client:
        report = play.extract()

    nonces = [NONCE.findall(each.headers["authorization"])[0] for each in heard]
    assert report.inserted == 3000
    assert set(statuses(play)) == {200, 429}
    assert len(set(nonces)) == len(nonces)


@pytest.mark.parametrize("auth", ["oauth2", "tba"])
def test_too_many_calls_told_as_a_refused_sign_in_lock_nobody(play: Any, auth: str) -> None:
    """Some accounts answer 401 to a call too many: the run ends below five failures, the next one reads on."""
    play.add("customer", *({"id": key, "searchstage": "Lead"} for key in range(1, 6001)))
    play.extract()
    before = play.raw("leads")
    play.switch(concurrency_as_401=True)

    class Filling(list[httpx.Request]):
        """Others take every slot when some pages were read."""

        def append(self, request: httpx.Request) -> None:
            """Count."""
            super().append(request)
            if len(self) == 8:
                play.switch(foreign_slots=5)

    with with_keys(play.sandbox, auth, Filling()) as play.client:
        for record_type in ("customers", "projects", "contacts"):
            with pytest.raises(CredentialsError, match="sign-in refused"):
                play.extract(record_type, full=True)
    rows = [len(list(row)) for status, row in groupby(statuses(play)) if status == 401]
    play.switch(foreign_slots=0)
    with with_keys(play.sandbox, auth) as play.client:
        report = play.extract(full=True)

    assert (report.unchanged, play.raw("leads")) == (6000, before)
    assert rows
    assert max(rows) < 5, "a call that is accepted forgets earlier failures"


def test_a_token_based_account_that_was_ended_is_hardly_asked(play: Any) -> None:
    """From 2028.1 on every such sign-in fails; what it takes is a person."""
    play.switch(tba_allowed=False)

    with with_keys(play.sandbox, "tba") as play.client:
        for record_type in ("customers", "projects"):
            with pytest.raises(CredentialsError, match="NETSUITE_CLIENT_ID"):
                play.extract(record_type)

    assert statuses(play) in ([401] * 2, [401] * 3), "once anew for the first; another may be on its way beside it"


def test_a_refusal_that_says_when_is_waited_out_that_long(play: Any) -> None:
    """Retry-After is not promised; where it comes, an earlier call would only be refused again."""
    play.switch(retry_after="90", burst_every=2, burst_calls=1)
    play.customers(*range(1, 11))
    began = play.sandbox.clock.now()

    play.extract()

    waited = play.sandbox.clock.now() - began
    assert statuses(play).count(429) > 0
    assert timedelta(seconds=90) <= waited / statuses(play).count(429) < timedelta(seconds=95)


def test_a_minute_full_of_calls_is_waited_out(play: Any) -> None:
    """Such windows are told of, not documented: a load then takes its minutes, and is not begun anew for ever."""
    play.switch(calls_per_minute=6)
    play.add("customer", *({"id": key, "searchstage": "Lead"} for key in range(1, 12_001)))

    report = play.extract()

    assert report.inserted == 12_000
    assert 429 in statuses(play)


def test_a_day_full_of_calls_ends_the_run_and_costs_nothing(play: Any) -> None:
    """It is not waited out; the next day reads what this one could not."""
    play.customers(*range(1, 6))
    play.extract()
    play.later()
    play.sandbox.netsuite.update("customer", 3, phone="1")
    play.switch(calls_per_day=1)
    began = play.sandbox.clock.now()
    with pytest.raises(RateLimitedError, match="CONCURRENCY_LIMIT_EXCEEDED"):
        play.extract()
    waited, refused = play.sandbox.clock.now() - began, statuses(play).count(429)

    play.later(86_400)
    play.switch(calls_per_day=0)
    play.extract()

    assert play.raw("customers")["3"]["phone"] == "1"
    assert waited < timedelta(minutes=15)
    assert refused < 20


@pytest.mark.parametrize("uri", ["rfc9110", "w3c"])
def test_refusals_are_understood_with_either_link(play: Any, uri: str) -> None:
    """The type of an error answer has changed over the years, its code and text have not."""
    play.switch(error_type_uri=uri, hidden_tables=["contact"])

    with pytest.raises(MissingTableError, match="'Contacts'"):
        play.extract("contacts")


def test_an_account_that_does_not_tell_its_zone_loses_no_change(play: Any) -> None:
    """A literal in UTC would be read as Pacific time: eight hours too late."""
    play.switch(hidden_tables=["dual"], session_zone="America/Los_Angeles")
    play.customers(1, 2)
    play.extract()
    play.later()
    play.sandbox.netsuite.update("customer", 2, phone="1")
    play.later()

    report = play.extract()

    assert (report.mode, report.read, report.updated) == ("incremental", 2, 1)


def test_a_record_that_is_saved_all_the_time_is_not_starved(play: Any) -> None:
    """With an upper bound it would be newer than each window, and never come."""
    play.customers(1)
    play.switch(edit_every=1)
    play.extract()

    updated = []
    for _ in range(4):
        play.later()
        updated.append(play.extract().updated)

    assert updated == [1, 1, 1, 1]


def test_a_deletion_of_another_type_with_the_same_id_deletes_nothing(play: Any) -> None:
    """Ids are unique within a table only."""
    play.customers(5, 6)
    play.add("department", {"id": 5, "name": "Sales"})
    play.extract()
    play.sandbox.netsuite.delete("department", "department", 5)
    play.sandbox.netsuite.delete("customer", "customer", 6)

    report = play.extract()

    assert (report.deleted, play.live("customers")) == (1, {"5"})


def test_rows_of_netsuites_own_with_negative_ids_come_too(play: Any) -> None:
    """Reading must not begin at 0: system records are below it."""
    play.add("department", *({"id": key, "name": str(key)} for key in (-5, -1, 0, 7)))

    play.extract("departments")

    assert play.live("departments") == {"-5", "-1", "0", "7"}
