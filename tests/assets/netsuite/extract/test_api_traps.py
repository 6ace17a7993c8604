"""Pitfalls of NetSuite's API that no other test of the extraction covers; resources/netsuite/TRAPS.md lists all."""

import re
from datetime import timedelta
from itertools import groupby

import httpx
import orjson
import pytest

from assets.netsuite.record_types import RECORD_TYPES
from resources.errors import CredentialsError, RateLimitedError
from resources.netsuite.client import SUITEQL_PATH
from resources.netsuite.errors import MissingTableError
from tests.assets.netsuite.conftest import NetSuiteAccount
from tests.resources.netsuite.signed import with_keys

# syntax that SuiteQL lacks, runs slowly or interprets in its own way: netsuite.md §1.3, §1.4, §5.6, §5.7
RISKY = re.compile(
    r"\b(or|join|with|between|rownum|top|limit|offset|fetch|sysdate|current_date|localtimestamp|listagg|balance\w*"
    r"|oncredithold|builtin|systemnote\w*|deletedrecordinconnect)\b|\bhh(?!24)|select \*|[^(]\*[^)]|\d{4}-\d\d-\d\d"
)
# the only calls that are made: no record is opened, and the whole catalog, which takes minutes, is not read
ALLOWED = re.compile(
    r"POST /services/rest/(query/v1/suiteql|auth/oauth2/v1/token)"
    r"|GET /services/rest/(system/v1/(serverTime|governanceLimits)|record/v1/metadata-catalog/(customer|job|contact))"
)
NONCE = re.compile(r'oauth_nonce="(\w+)"')


def fill(account: NetSuiteAccount) -> None:
    """Insert at least one row in each table."""
    account.customers(1, 2)
    account.add("job", {"id": 2001, "entityid": "P", "customer": 1, "parent": 1})
    account.add("contact", {"id": 2002, "entityid": "Ann", "company": 1})
    account.add("customersubsidiaryrelationship", {"id": 1, "entity": 1, "subsidiary": 1, "isprimarysub": True})
    account.address(1, 1)
    account.add("contactaddressbookentityaddress", {"nkey": 1, "recordowner": 2002, "city": "Lund"})
    account.add("contactaddressbook", {"internalid": 1, "entity": 2002, "addressbookaddress": 1})
    for table in ("subsidiary", "department", "classification", "location", "currency"):
        account.add(table, {"id": 1, "name": table})
    account.add("entitystatus", {"key": 1, "name": "Closed Won", "entitytype": "CUSTOMER"})


def leads(account: NetSuiteAccount, count: int) -> None:
    """Insert leads with ids from 1."""
    account.add("customer", *({"id": key, "searchstage": "Lead"} for key in range(1, count + 1)))


def statuses(account: NetSuiteAccount) -> list[int]:
    """Return the status of every call so far."""
    return [call["status"] for call in account.sandbox.netsuite.call_log()]


@pytest.mark.long
def test_only_syntax_that_every_account_supports_is_used(account: NetSuiteAccount) -> None:
    """Doubtful SuiteQL fails here: first load, changes, changed parents, deletions, reconciliation."""
    account.switch(
        with_allowed=False, fetch_first_allowed=False, top_allowed=False, order_needs_asc=True, between_half_open=True
    )
    fill(account)
    requests: list[httpx.Request] = []

    with with_keys(account.sandbox, "oauth2", requests) as account.client:
        loaded = [account.extract(record_type).inserted for record_type in RECORD_TYPES]
        account.later()
        account.add("customer", *({"id": key, "searchstage": "Lead"} for key in range(3001, 4102)))
        account.sandbox.netsuite.delete("customer", "customer", 2)
        reports = [account.extract(record_type) for record_type in RECORD_TYPES]
        for record_type in RECORD_TYPES:
            account.reconcile(record_type)

    queries = [orjson.loads(each.content) for each in requests if each.url.path == SUITEQL_PATH]
    texts = {query["q"].lower() for query in queries}
    assert loaded == [2, *[1] * 11]
    assert (reports[0].inserted, reports[0].deleted) == (1101, 1)
    assert [text for text in texts if RISKY.search(text)] == []
    assert all("?" in text or "dual" in text for text in texts), "values are bound, never part of the text"
    assert max(len(query.get("params", [])) for query in queries) in range(1000, 1003), "an IN takes a thousand"
    assert {each.url.params["offset"] for each in requests if each.url.path == SUITEQL_PATH} == {"0"}
    assert [each for each in requests if not ALLOWED.fullmatch(f"{each.method} {each.url.path}")] == []


def test_every_attempt_is_signed_again(account: NetSuiteAccount) -> None:
    """A nonce is valid once: a retry with the old one is a failed sign-in, and five of them lock the user."""
    account.switch(burst_every=4, burst_calls=2)
    leads(account, 3000)
    requests: list[httpx.Request] = []

    with with_keys(account.sandbox, "tba", requests) as account.client:
        report = account.extract()

    nonces = [NONCE.findall(each.headers["authorization"])[0] for each in requests]
    assert report.inserted == 3000
    assert set(statuses(account)) == {200, 429}
    assert len(set(nonces)) == len(nonces)


@pytest.mark.parametrize("auth", ["oauth2", "tba"])
def test_excess_calls_answered_with_401_do_not_lock_the_user(account: NetSuiteAccount, auth: str) -> None:
    """Some accounts answer 401 to excess calls: the run ends before five failures, and the next run continues."""
    leads(account, 6000)
    account.extract()
    before = account.raw("leads")
    account.switch(concurrency_as_401=True)

    class OccupyingRequests(list[httpx.Request]):
        """After some pages, other integrations occupy every slot."""

        def append(self, request: httpx.Request) -> None:
            """Record a request."""
            super().append(request)
            if len(self) == 8:
                account.switch(occupied_slots=5)

    with with_keys(account.sandbox, auth, OccupyingRequests()) as account.client:
        for record_type in ("customers", "projects", "contacts"):
            with pytest.raises(CredentialsError, match="sign-in rejected"):
                account.extract(record_type, full=True)
    failures = [len(list(group)) for status, group in groupby(statuses(account)) if status == 401]
    account.switch(occupied_slots=0)
    with with_keys(account.sandbox, auth) as account.client:
        report = account.extract(full=True)

    assert (report.unchanged, account.raw("leads")) == (6000, before)
    assert failures
    assert max(failures) < 5, "a successful call resets the count of failures"


def test_an_account_without_token_based_authentication_gets_few_calls(account: NetSuiteAccount) -> None:
    """From 2028.1 on, every such sign-in fails until an operator configures OAuth 2.0."""
    account.switch(tba_allowed=False)

    with with_keys(account.sandbox, "tba") as account.client:
        for record_type in ("customers", "projects"):
            with pytest.raises(CredentialsError, match="NETSUITE_CLIENT_ID"):
                account.extract(record_type)

    assert statuses(account) in ([401] * 2, [401] * 3), "the first is repeated; another may run in parallel"


def test_retry_after_is_obeyed(account: NetSuiteAccount) -> None:
    """NetSuite does not always send it; if it does, an earlier call would be rejected again."""
    account.switch(retry_after="90", burst_every=2, burst_calls=1)
    account.customers(*range(1, 11))
    began = account.sandbox.clock.now()

    account.extract()

    waited = account.sandbox.clock.now() - began
    assert statuses(account).count(429) > 0
    assert timedelta(seconds=90) <= waited / statuses(account).count(429) < timedelta(seconds=95)


def test_a_limit_of_calls_per_minute_only_delays_the_load(account: NetSuiteAccount) -> None:
    """Such limits have been reported, not documented: the load waits and continues instead of starting over."""
    account.switch(calls_per_minute=6)
    leads(account, 12_000)

    report = account.extract()

    assert report.inserted == 12_000
    assert 429 in statuses(account)


def test_a_limit_of_calls_per_day_ends_the_run_without_loss(account: NetSuiteAccount) -> None:
    """The run does not wait for the next day; a run on the next day reads the rest."""
    account.customers(*range(1, 6))
    account.extract()
    account.later()
    account.sandbox.netsuite.update("customer", 3, phone="1")
    account.switch(calls_per_day=1)
    began = account.sandbox.clock.now()
    with pytest.raises(RateLimitedError, match="CONCURRENCY_LIMIT_EXCEEDED"):
        account.extract()
    waited, rejected = account.sandbox.clock.now() - began, statuses(account).count(429)

    account.later(86_400)
    account.switch(calls_per_day=0)
    account.extract()

    assert account.raw("customers")["3"]["phone"] == "1"
    assert waited < timedelta(minutes=15)
    assert rejected < 5 * 6  # calls at once, attempts of each


@pytest.mark.parametrize("uri", ["rfc9110", "w3c"])
def test_errors_are_understood_with_either_type_uri(account: NetSuiteAccount, uri: str) -> None:
    """The type of error responses has changed over the years; code and text have not."""
    account.switch(error_type_uri=uri, hidden_tables=["contact"])

    with pytest.raises(MissingTableError, match="'Contacts'"):
        account.extract("contacts")


def test_no_change_is_lost_if_the_zone_is_unknown(account: NetSuiteAccount) -> None:
    """A literal in UTC would be read as Pacific time: eight hours too late."""
    account.switch(hidden_tables=["dual"], session_zone="America/Los_Angeles")
    account.customers(1, 2)
    account.extract()
    account.later()
    account.sandbox.netsuite.update("customer", 2, phone="1")
    account.later()

    report = account.extract()

    assert (report.mode, report.read, report.updated) == ("incremental", 2, 1)


def test_a_constantly_saved_record_is_read_in_each_run(account: NetSuiteAccount) -> None:
    """With an upper bound it would be newer than each time range, and never be read."""
    account.customers(1)
    account.switch(edit_every=1)
    account.extract()

    updated = []
    for _ in range(4):
        account.later()
        updated.append(account.extract().updated)

    assert updated == [1, 1, 1, 1]


def test_a_deletion_of_another_type_with_the_same_id_is_ignored(account: NetSuiteAccount) -> None:
    """Ids are unique only within a table."""
    account.customers(5, 6)
    account.add("department", {"id": 5, "name": "Sales"})
    account.extract()
    account.sandbox.netsuite.delete("department", "department", 5)
    account.sandbox.netsuite.delete("customer", "customer", 6)

    report = account.extract()

    assert (report.deleted, account.live("customers")) == (1, {"5"})


def test_rows_with_negative_ids_are_read(account: NetSuiteAccount) -> None:
    """NetSuite's system records have ids below 0."""
    account.add("department", *({"id": key, "name": str(key)} for key in (-5, -1, 0, 7)))

    account.extract("departments")

    assert account.live("departments") == {"-5", "-1", "0", "7"}
