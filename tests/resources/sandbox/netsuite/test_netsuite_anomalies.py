"""Anomalies: each has a switch, is off by default, and is repeatable with its seed."""

from collections.abc import Callable
from datetime import timedelta
from time import perf_counter
from typing import Any

import pytest

from resources.sandbox.netsuite.errors import ApiError
from resources.sandbox.netsuite.server import NetSuiteSandbox
from resources.sandbox.netsuite.switches import NetSuiteSwitches
from resources.sandbox.sandbox import Sandbox
from tests.resources.sandbox.netsuite.api_client import ApiClient, SetSwitches

IDS = "SELECT id FROM customer ORDER BY id ASC"
DATES = "SELECT id, TO_CHAR(SYS_EXTRACT_UTC(lastmodifieddate), 'HH24:MI:SS') AS at FROM customer ORDER BY id ASC"


def statuses(send: Callable[[], Any], times: int) -> list[int]:
    """Return the statuses of consecutive requests."""
    return [send().status_code for _ in range(times)]


def customers(account: NetSuiteSandbox, *ids: int) -> None:
    """Insert some customers."""
    account.insert("customer", ({"id": key, "entityid": f"C{key}", "searchstage": "Lead"} for key in ids))


# --- latency and limits ------------------------------------------------------------------------------------------


def test_latency_can_pass_on_the_sandbox_clock(sandbox: Sandbox, client: ApiClient, switch: SetSwitches) -> None:
    """A long extraction runs at once, while rows change and tokens expire."""
    switch(latency_ms=90_000, latency_clock="sandbox")
    before, began = sandbox.clock.now(), perf_counter()

    client.post(IDS)

    assert sandbox.clock.now() - before >= timedelta(seconds=90)
    assert perf_counter() - began < 30


def test_delays_are_distributed_and_repeatable(sandbox: Sandbox, client: ApiClient, switch: SetSwitches) -> None:
    """They depend on the request and a seed, so that a slow run can be reproduced."""
    switch(latency_mean_ms=60_000, latency_clock="sandbox", latency_seed=7)

    def wait(number: int) -> float:
        before = sandbox.clock.now()
        client.post(IDS, number)
        return (sandbox.clock.now() - before).total_seconds()

    first, again = [wait(number) for number in range(40)], [wait(number) for number in range(40)]

    assert first == pytest.approx(again, abs=2)
    assert 30 < sum(first) / len(first) < 120
    assert max(first) > 3 * min(first)


def test_other_integrations_hold_slots_at_intervals(
    account: NetSuiteSandbox, sandbox: Sandbox, client: ApiClient
) -> None:
    """All integrations share the account's concurrency."""
    busy = NetSuiteSwitches(concurrency_limit=5, occupied_slots=4, occupied_every_s=600, occupied_for_s=120)
    sandbox.clock.sleep(600 - sandbox.clock.now().timestamp() % 600)

    with account.limiter.slot(busy), pytest.raises(ApiError, match="limit exceeded"), account.limiter.slot(busy):
        pass
    sandbox.clock.sleep(130)

    with account.limiter.slot(busy), account.limiter.slot(busy):
        assert client.post(IDS).status_code == 200


def test_other_integrations_may_hold_slots_permanently(account: NetSuiteSandbox) -> None:
    """Without an interval they are never released."""
    busy = NetSuiteSwitches(concurrency_limit=3, occupied_slots=2)

    with account.limiter.slot(busy), pytest.raises(ApiError, match="limit exceeded"), account.limiter.slot(busy):
        pass


def test_rejections_come_in_bursts(client: ApiClient, switch: SetSwitches) -> None:
    """Of every ten requests the last two are rejected."""
    switch(burst_every=10, burst_calls=2)

    found = statuses(lambda: client.get("/system/v1/serverTime"), 20)

    assert found == ([200] * 8 + [429] * 2) * 2


def test_a_token_may_be_revoked_early(client: ApiClient, switch: SetSwitches) -> None:
    """Its stated lifetime is an hour; it is revoked after three requests."""
    switch(token_calls=3)

    assert statuses(lambda: client.post(IDS), 5) == [200, 200, 200, 401, 401]


def test_the_account_clock_may_be_skewed(
    sandbox: Sandbox, account: NetSuiteSandbox, client: ApiClient, switch: SetSwitches
) -> None:
    """Its time is on every row, and in every check of a signature."""
    switch(clock_skew_s=-240)
    customers(account, 1)

    server_time = client.get("/system/v1/serverTime").json()["serverTime"]

    expected = sandbox.clock.now() - timedelta(seconds=240)
    assert server_time[:16] == f"{expected:%Y-%m-%dT%H:%M}"
    assert abs(account.rows("customer")[0]["lastmodifieddate"] - expected) < timedelta(seconds=3)


# --- rows --------------------------------------------------------------------------------------------------------


def test_a_late_row_appears_after_its_timestamp(
    sandbox: Sandbox, account: NetSuiteSandbox, client: ApiClient, switch: SetSwitches
) -> None:
    """As in a long transaction: stamped at its start, visible at its end, overtaken by another row."""
    switch(late_share=1.0, late_s=60)
    customers(account, 1)
    switch(late_share=0.0)
    sandbox.clock.sleep(0.5)
    customers(account, 2)

    before = client.column(IDS)
    sandbox.clock.sleep(61)
    after = client.rows(DATES)

    assert before == ["2"]
    assert [row["id"] for row in after] == ["1", "2"]
    assert after[0]["at"] <= after[1]["at"]


def test_late_writes_to_one_record_keep_their_order(
    sandbox: Sandbox, account: NetSuiteSandbox, client: ApiClient, switch: SetSwitches
) -> None:
    """The record's lock makes later writes wait for a late one, those to its children included."""
    customers(account, 1)
    switch(late_share=1.0, late_s=60)
    account.update("customer", 1, phone="1")
    switch(late_share=0.0)
    account.update("customer", 1, phone="2")
    account.insert("customersubsidiaryrelationship", [{"id": 9, "entity": 1, "subsidiary": 3}])
    account.delete("lead", "customer", 1)

    seen = client.column("SELECT nvl(phone, 'none') AS phone FROM customer")
    sandbox.clock.sleep(61)

    assert seen == ["none"]
    assert client.column(IDS) == []
    assert client.column("SELECT id FROM customersubsidiaryrelationship") == []
    assert client.column("SELECT recordid FROM deletedrecord") == ["1"]
    assert account.rows("customer") == []


def test_late_writes_are_selected_by_the_seed(tmp_path: Any) -> None:
    """The same seed and the same writes give the same result."""

    def visible(name: str, seed: int) -> list[int]:
        sandbox = Sandbox(tmp_path / name)
        sandbox.switches.set("netsuite", NetSuiteSwitches, late_share=0.5, late_s=600, late_seed=seed)
        customers(sandbox.netsuite, *range(40))
        return [row["id"] for row in sandbox.netsuite.rows("customer")]

    assert visible("a", 1) == visible("b", 1) != visible("c", 2)


def test_a_row_is_saved_after_every_nth_query(account: NetSuiteSandbox, client: ApiClient, switch: SetSwitches) -> None:
    """Data changes while it is read."""
    customers(account, 1, 2, 3)
    switch(edit_every=4)

    for _ in range(8):
        client.post(IDS)

    assert sum(row["comments"] is not None for row in account.rows("customer")) in {1, 2}


def test_a_restricted_role_sees_a_table_without_rows(
    account: NetSuiteSandbox, client: ApiClient, switch: SetSwitches
) -> None:
    """The response is the same as for an empty table."""
    customers(account, 1)
    switch(empty_tables=["customer"])

    response = client.post(IDS)

    assert (response.status_code, response.json()["items"], response.json()["totalResults"]) == (200, [], 0)


@pytest.mark.parametrize(("reported", "expected"), [("count", (10, 5, 10)), ("total", (5, 5, 10))])
def test_a_page_may_lack_half_of_its_rows(
    account: NetSuiteSandbox, client: ApiClient, switch: SetSwitches, reported: str, expected: tuple[int, int, int]
) -> None:
    """The response is well-formed with HTTP 200; only a count shows that rows are missing."""
    customers(account, *range(10))
    switch(half_page_every=2, half_page_reports=reported)

    whole, half = client.post(IDS).json(), client.post(IDS).json()

    assert len(whole["items"]) == 10
    assert (half["count"], len(half["items"]), half["totalResults"]) == expected
    assert half["hasMore"] is False


def test_without_late_writes_no_marker_file_exists(
    sandbox: Sandbox, account: NetSuiteSandbox, client: ApiClient
) -> None:
    """An anomaly that is off has no overhead."""
    customers(account, 1)
    client.post(IDS)

    assert not (sandbox.folder / "netsuite_late").exists()


# --- custom fields -----------------------------------------------------------------------------------------------


def test_an_account_may_have_further_custom_fields(
    account: NetSuiteSandbox, client: ApiClient, switch: SetSwitches
) -> None:
    """They are columns of SuiteQL, rows of `customfield` and properties of the metadata."""
    kinds = {"custentity1": "bool", "custentity_end": "date", "custentity_who": "list", "custentity_with": "multi"}
    switch(custom_fields=[f"customer.{name}:{kind}" for name, kind in kinds.items()], date_format="D/M/YYYY")
    values = {"custentity1": True, "custentity_end": "2027-03-04", "custentity_who": 7, "custentity_with": "1, 3, 4"}
    account.insert("customer", [{"id": 1, "entityid": "C1", **values}, {"id": 2, "entityid": "C2"}])
    account.update("customer", 1, custentity_who=8)

    rows = client.rows(f"SELECT {', '.join(kinds)} FROM customer ORDER BY id ASC")
    listed = client.rows("SELECT scriptid, fieldvaluetype FROM customfield WHERE scriptid = 'custentity_with'")
    headers = {"Accept": "application/schema+json"}
    schema = client.http.get("/services/rest/record/v1/metadata-catalog/customer", headers=headers).json()

    expected = {"custentity1": "T", "custentity_end": "4/3/2027", "custentity_who": "8", "custentity_with": "1, 3, 4"}
    assert rows == [expected, {}]
    assert listed == [{"scriptid": "custentity_with", "fieldvaluetype": "Multiple Select"}]
    assert schema["properties"]["custentity_end"]["format"] == "date"
    assert account.rows("customer")[0]["custentity_who"] == 8


def test_an_undeclared_custom_field_is_unknown(client: ApiClient, switch: SetSwitches) -> None:
    """As in an account without it; an invalid declaration is rejected."""
    assert "custentity9" in client.error_text("SELECT custentity9 FROM customer")
    switch(custom_fields=["customer.custentity9:blob"])

    with pytest.raises(ValueError, match="kind one of"):
        client.post(IDS)
