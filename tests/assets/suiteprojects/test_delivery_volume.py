"""Number of requests for a thousand records, counted by the service."""

import pytest

from assets.suiteprojects.target import SuiteProjectsTarget
from resources.errors import QuotaExhaustedError
from resources.sandbox.suiteprojects.switches import SuiteProjectsSwitches
from tests.assets.suiteprojects.account import Account, shipped
from tests.assets.suiteprojects.staged import customer, stage

CUSTOMERS = "suiteprojects__customers"


def deliver(account: Account, count: int, **changed: str) -> tuple[int, int]:
    """Sync this many customers; return the number of requests, and of those that were writes."""
    stage(account.warehouse, departments=[], customers=[customer(str(n), **changed) for n in range(count)])
    account.runs += 1
    service = account.sandbox.suiteprojects
    calls, writes = service.calls_made(), service.write_calls()
    account.deliver(CUSTOMERS)
    return service.calls_made() - calls, service.write_calls() - writes


@pytest.mark.long
def test_a_thousand_customers_take_one_request_per_batch(account: Account) -> None:
    """Two canary batches, then full ones; a hundred changes take one request, no changes take none."""
    calls, writes = deliver(account, 1100)
    assert writes == 2 + 3  # 5, 50, then 500, 500 and 45
    assert calls <= writes + 9

    assert deliver(account, 1100) == (5, 0)  # fields, currencies, hierarchies, two pages of customers
    stage(account.warehouse, customers=[customer(str(n), url="x" if n < 100 else None) for n in range(1100)])
    before = account.sandbox.suiteprojects.write_calls()
    account.deliver(CUSTOMERS)
    assert account.sandbox.suiteprojects.write_calls() - before == 1


def test_a_batch_may_have_up_to_1000_records(account: Account) -> None:
    """By a setting; more are rejected."""
    account.use(shipped(CUSTOMERS, lambda given: given.update(options={"batch": "1000"}, canary=[])))

    assert deliver(account, 1000)[1] == 1
    with pytest.raises(ValueError, match="one request takes 1 to 1000"):
        SuiteProjectsTarget(account.client, batch=1001)


@pytest.mark.long
def test_at_the_daily_quota_the_run_stops_and_the_next_one_continues(account: Account) -> None:
    """Status 556: records that were sent are kept, and nothing is sent twice."""
    account.use(shipped(CUSTOMERS, lambda given: given.update(canary=[])))
    stage(account.warehouse, departments=[], customers=[customer(str(n)) for n in range(1200)])
    made = account.sandbox.suiteprojects.calls_made()
    account.sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, requests_per_day=made + 5)

    first = account.deliver(CUSTOMERS)
    account.sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, requests_per_day=100_000)  # the next day
    account.runs += 1
    second = account.deliver(CUSTOMERS)

    assert isinstance(first.stop, QuotaExhaustedError)
    assert 0 < first.counts["created"] < 1200
    assert (second.stop, first.counts["created"] + second.counts["created"]) == (None, 1200)
    assert len(account.records("Customer")) == len(account.other.read("Customer")) == 1200


def test_a_plan_records_the_remaining_quota_and_whether_it_is_sufficient(account: Account) -> None:
    """RateLimit is read together with the first page of records, so it costs no request."""
    account.use(shipped(CUSTOMERS, lambda given: given.update(options={"batch": "10"}, canary=[])))
    stage(account.warehouse, departments=[], customers=[customer(str(n)) for n in range(100)])
    service, query = account.sandbox.suiteprojects, "select calls_needed, calls_left, seconds_needed from sync_plans"
    account.plan(CUSTOMERS)
    sufficient = account.warehouse.read(query).row(0)
    plenty = 100_000 - service.calls_made()
    account.sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, requests_per_day=service.calls_made() + 9)
    account.plan(CUSTOMERS)
    short = account.warehouse.read(f"{query} order by made_at desc").row(0)

    assert sufficient == (10, plenty, None)
    assert short[0] > short[1] > 0
    assert short[2] == 86_400


def test_an_account_that_rejects_a_second_command_is_read_anyway(account: Account) -> None:
    """The remaining quota is optional."""
    account.use(shipped(CUSTOMERS, lambda given: given.update(fields=given["fields"][:8])))
    account.sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, max_commands=2)  # Auth is one
    stage(account.warehouse, departments=[], customers=[customer("1")])

    account.plan(CUSTOMERS)

    assert account.warehouse.read("select calls_needed, calls_left from sync_plans").row(0) == (1, None)


def test_the_remaining_quota_is_read_from_the_service(account: Account) -> None:
    """Reading RateLimit costs a request itself."""
    assert (account.client.remaining_today() or 0) - (account.client.remaining_today() or 0) == 1
