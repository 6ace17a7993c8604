"""Large tables: beyond NetSuite's row limit, never by offset, never more parallel calls than granted."""

import pytest

from resources.netsuite.connect import open_netsuite
from tests.assets.netsuite.conftest import NetSuiteAccount


def fill(account: NetSuiteAccount, count: int, step: int = 1) -> None:
    """Insert leads with one timestamp, as a mass import does."""
    moment = account.sandbox.clock.now()
    rows = ({"id": key * step, "searchstage": "Lead", "lastmodifieddate": moment} for key in range(1, count + 1))
    account.sandbox.netsuite.insert("customer", rows)


def statuses(account: NetSuiteAccount) -> list[int]:
    """Return the status of every call so far."""
    return [call["status"] for call in account.sandbox.netsuite.call_log()]


def test_a_full_load_exceeds_the_row_limit_of_a_query(account: NetSuiteAccount) -> None:
    """NetSuite returns 100,000 rows of a query, here 2,000; each page is a query of its own."""
    account.switch(row_cap=2000, page_cap=2)
    fill(account, 9_500, step=3)

    report = account.extract()

    assert (report.inserted, len(account.live("leads"))) == (9_500, 9_500)
    assert report.calls <= 4 + 10 + 4, "nearly empty pages cost as much as full ones"


@pytest.mark.parametrize(("configured", "limits"), [(20, {}), (20, {"integration_limit": 3}), (2, {}), (1, {})])
def test_parallel_calls_stay_below_the_limit(account: NetSuiteAccount, configured: int, limits: dict[str, int]) -> None:
    """One slot of the account is left to others; a rejection would appear as a 429."""
    account.switch(concurrency_limit=4, occupied_slots=1, latency_ms=5, **limits)
    fill(account, 12_000)

    with open_netsuite(sandbox=str(account.sandbox.folder), concurrency=configured) as account.client:
        report = account.extract()
        maximum = account.client.concurrency.maximum

    assert (report.inserted, maximum) == (12_000, min(configured, 3))
    assert 429 not in statuses(account)


def test_the_setting_applies_if_the_limits_are_not_visible(account: NetSuiteAccount) -> None:
    """Only administrators may see them; rejections show that the setting is too high, and reduce the slots."""
    account.switch(governance_visible=False, concurrency_limit=2, latency_ms=5)
    fill(account, 15_000)

    with open_netsuite(sandbox=str(account.sandbox.folder), concurrency=8) as account.client:
        report = account.extract()
        limit = account.client.concurrency

    assert report.inserted == 15_000
    assert (limit.maximum, limit.slots < 8) == (8, True)


def test_repeated_rejections_are_retried(account: NetSuiteAccount) -> None:
    """Other integrations use slots from time to time."""
    account.switch(burst_every=9, burst_calls=3)
    fill(account, 15_000)

    assert account.extract().inserted == 15_000
    assert 429 in statuses(account)


def test_the_concurrency_limit_is_read_once_per_run(account: NetSuiteAccount) -> None:
    """The tables of a run share it."""
    account.switch(concurrency_limit=3)
    fill(account, 2_500)
    with open_netsuite(sandbox=str(account.sandbox.folder), concurrency=9) as account.client:
        account.extract()
        account.extract("contacts")

        assert account.client.concurrency.maximum == 2
    limits = [call for call in account.sandbox.netsuite.call_log() if call["path"].endswith("governanceLimits")]
    assert len(limits) == 1


@pytest.mark.parametrize(("count", "length"), [(2_000, 15_000), (800, 60_000)])
def test_memory_is_bounded_by_bytes_not_by_rows(account: NetSuiteAccount, count: int, length: int) -> None:
    """Few customers with long comments need as much memory as many with short ones: 30 MB and 48 MB here."""
    rows = (
        {"id": key, "searchstage": "Lead", "comments": f"{key} " * (length // 5)} for key in range(1001, 1001 + count)
    )
    account.sandbox.netsuite.insert("customer", rows)

    first, again = account.extract(), account.extract(full=True)

    assert (first.inserted, again.unchanged) == (count, count)
    assert len(account.raw("leads")["1001"]["comments"]) == length


def test_a_load_with_little_memory_spills_to_disk(account: NetSuiteAccount) -> None:
    """DuckDB's memory is limited; the rows of a large table spill to disk."""
    account.configure(memory_mb=40)
    fill(account, 12_000)

    first, again = account.extract(), account.extract(full=True)

    assert (first.inserted, again.unchanged, again.deleted) == (12_000, 12_000, 0)
    assert list((account.warehouse.folder / "scratch").iterdir()) == []
