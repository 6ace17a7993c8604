"""Trouble on purpose: each kind by a switch, off by default, the same again with the same seed."""

from collections.abc import Callable
from datetime import timedelta
from time import perf_counter
from typing import Any

import pytest

from resources.sandbox.netsuite.governance import Gate
from resources.sandbox.netsuite.server import NetSuiteSandbox
from resources.sandbox.netsuite.switches import NetSuiteSwitches
from resources.sandbox.sandbox import Sandbox
from tests.resources.sandbox.netsuite.caller import Caller, Switch

IDS = "SELECT id FROM customer ORDER BY id ASC"
DATES = "SELECT id, TO_CHAR(SYS_EXTRACT_UTC(lastmodifieddate), 'HH24:MI:SS') AS at FROM customer ORDER BY id ASC"


def statuses(ask: Callable[[], Any], times: int) -> list[int]:
    """The statuses of some calls, one after the other."""
    return [ask().status_code for _ in range(times)]


def customers(account: NetSuiteSandbox, *ids: int) -> None:
    """Some customers."""
    account.insert("customer", ({"id": key, "entityid": f"C{key}", "searchstage": "Lead"} for key in ids))


# --- how long, and how often -------------------------------------------------------------------------------------


def test_an_answer_may_take_time_of_the_sandbox(sandbox: Sandbox, caller: Caller, switch: Switch) -> None:
    """A long reading, lived through at once: rows change and tokens end meanwhile."""
    switch(latency_ms=90_000, latency_clock="sandbox")
    before, began = sandbox.clock.now(), perf_counter()

    caller.post(IDS)

    assert sandbox.clock.now() - before >= timedelta(seconds=90)
    assert perf_counter() - began < 30


def test_waits_are_spread_and_the_same_again(sandbox: Sandbox, caller: Caller, switch: Switch) -> None:
    """Drawn from a distribution by the call and a seed, so that a slow run can be told again."""
    switch(latency_mean_ms=60_000, latency_clock="sandbox", latency_seed=7)

    def wait(number: int) -> float:
        before = sandbox.clock.now()
        caller.post(IDS, number)
        return (sandbox.clock.now() - before).total_seconds()

    first, again = [wait(number) for number in range(40)], [wait(number) for number in range(40)]

    assert first == pytest.approx(again, abs=2)
    assert 30 < sum(first) / len(first) < 120
    assert max(first) > 3 * min(first)


def test_others_hold_slots_for_a_while(account: NetSuiteSandbox, sandbox: Sandbox, caller: Caller) -> None:
    """The account's concurrency is shared by every integration."""
    gate: Gate = account.gate
    busy = NetSuiteSwitches(concurrency_limit=5, foreign_slots=4, foreign_every_s=600, foreign_for_s=120)
    sandbox.clock.sleep(600 - sandbox.clock.now().timestamp() % 600)

    with gate.slot(busy):
        assert gate._take(5 - gate._foreign(busy)) is None
    sandbox.clock.sleep(130)
    later = gate._foreign(busy)

    assert (gate._foreign(NetSuiteSwitches(foreign_slots=2)), later) == (2, 0)
    assert caller.post(IDS).status_code == 200


def test_refusals_come_in_bursts(caller: Caller, switch: Switch) -> None:
    """Every tenth call begins to be refused, and two of them are."""
    switch(burst_every=10, burst_calls=2)

    found = statuses(lambda: caller.get("/system/v1/serverTime"), 20)

    assert found == ([200] * 8 + [429] * 2) * 2


def test_a_token_may_be_withdrawn_early(caller: Caller, switch: Switch) -> None:
    """It says that it lives an hour; somebody revokes it after three calls."""
    switch(token_calls=3)

    assert statuses(lambda: caller.post(IDS), 5) == [200, 200, 200, 401, 401]


def test_netsuites_clock_may_differ_from_ours(
    sandbox: Sandbox, account: NetSuiteSandbox, caller: Caller, switch: Switch
) -> None:
    """Its time is on every row, and in every check of a signature."""
    switch(clock_skew_s=-240)
    customers(account, 1)

    told = caller.get("/system/v1/serverTime").json()["serverTime"]

    expected = sandbox.clock.now() - timedelta(seconds=240)
    assert told[:16] == f"{expected:%Y-%m-%dT%H:%M}"
    assert abs(account.rows("customer")[0]["lastmodifieddate"] - expected) < timedelta(seconds=3)


# --- rows --------------------------------------------------------------------------------------------------------


def test_a_late_row_is_older_than_its_first_sight(
    sandbox: Sandbox, account: NetSuiteSandbox, caller: Caller, switch: Switch
) -> None:
    """A long transaction: stamped when it began, seen when it ended, and another row overtakes it."""
    switch(late_share=1.0, late_s=60)
    customers(account, 1)
    switch(late_share=0.0)
    sandbox.clock.sleep(0.5)
    customers(account, 2)

    before = caller.column(IDS)
    sandbox.clock.sleep(61)
    after = caller.rows(DATES)

    assert before == ["2"]
    assert [row["id"] for row in after] == ["1", "2"]
    assert after[0]["at"] <= after[1]["at"]


def test_late_writes_to_one_record_keep_their_order(
    sandbox: Sandbox, account: NetSuiteSandbox, caller: Caller, switch: Switch
) -> None:
    """The record's lock makes the second one wait for the first, late or not; its children wait with it."""
    customers(account, 1)
    switch(late_share=1.0, late_s=60)
    account.update("customer", 1, phone="1")
    switch(late_share=0.0)
    account.update("customer", 1, phone="2")
    account.insert("customersubsidiaryrelationship", [{"id": 9, "entity": 1, "subsidiary": 3}])
    account.delete("lead", "customer", 1)

    seen = caller.column("SELECT nvl(phone, 'none') AS phone FROM customer")
    sandbox.clock.sleep(61)

    assert seen == ["none"]
    assert caller.column(IDS) == []
    assert caller.column("SELECT id FROM customersubsidiaryrelationship") == []
    assert caller.column("SELECT recordid FROM deletedrecord") == ["1"]
    assert account.rows("customer") == []


def test_which_writes_are_late_follows_from_the_seed(tmp_path: Any) -> None:
    """The same seed and the same writes in the same order: the same story."""

    def visible(name: str, seed: int) -> list[int]:
        world = Sandbox(tmp_path / name)
        world.switches.set("netsuite", NetSuiteSwitches, late_share=0.5, late_s=600, late_seed=seed)
        customers(world.netsuite, *range(40))
        return [row["id"] for row in world.netsuite.rows("customer")]

    assert visible("a", 1) == visible("b", 1) != visible("c", 2)


def test_a_row_is_saved_after_every_nth_query(account: NetSuiteSandbox, caller: Caller, switch: Switch) -> None:
    """Data moves while it is read."""
    customers(account, 1, 2, 3)
    switch(edit_every=4)

    for _ in range(8):
        caller.post(IDS)

    assert sum(row["comments"] is not None for row in account.rows("customer")) in {1, 2}


def test_a_restricted_role_sees_a_table_without_rows(account: NetSuiteSandbox, caller: Caller, switch: Switch) -> None:
    """No error tells it from an empty table."""
    customers(account, 1)
    switch(emptied_tables=["customer"])

    response = caller.post(IDS)

    assert (response.status_code, response.json()["items"], response.json()["totalResults"]) == (200, [], 0)


@pytest.mark.parametrize(("tells", "expected"), [("count", (10, 5, 10)), ("total", (5, 5, 10))])
def test_half_a_page_may_come(
    account: NetSuiteSandbox, caller: Caller, switch: Switch, tells: str, expected: tuple[int, int, int]
) -> None:
    """Well-formed, HTTP 200, and rows are missing: only a number beside them tells."""
    customers(account, *range(10))
    switch(half_page_every=2, half_page_tells=tells)

    whole, half = caller.post(IDS).json(), caller.post(IDS).json()

    assert len(whole["items"]) == 10
    assert (half["count"], len(half["items"]), half["totalResults"]) == expected
    assert half["hasMore"] is False


def test_an_account_without_trouble_leaves_no_trace_of_it(
    sandbox: Sandbox, account: NetSuiteSandbox, caller: Caller
) -> None:
    """Off means off: nothing is written, nothing is looked up."""
    customers(account, 1)
    caller.post(IDS)

    assert not (sandbox.folder / "netsuite_late").exists()


# --- custom fields -----------------------------------------------------------------------------------------------


def test_an_account_may_have_custom_fields_of_its_own(account: NetSuiteSandbox, caller: Caller, switch: Switch) -> None:
    """Of every kind; they are columns of SuiteQL, rows of `customfield` and properties of the metadata."""
    kinds = {"custentity1": "bool", "custentity_end": "date", "custentity_who": "list", "custentity_with": "multi"}
    switch(custom_fields=[f"customer.{name}:{kind}" for name, kind in kinds.items()], date_format="D/M/YYYY")
    values = {"custentity1": True, "custentity_end": "2027-03-04", "custentity_who": 7, "custentity_with": "1, 3, 4"}
    account.insert("customer", [{"id": 1, "entityid": "C1", **values}, {"id": 2, "entityid": "C2"}])
    account.update("customer", 1, custentity_who=8)

    rows = caller.rows(f"SELECT {', '.join(kinds)} FROM customer ORDER BY id ASC")
    listed = caller.rows("SELECT scriptid, fieldvaluetype FROM customfield WHERE scriptid = 'custentity_with'")
    headers = {"Accept": "application/schema+json"}
    schema = caller.http.get("/services/rest/record/v1/metadata-catalog/customer", headers=headers).json()

    expected = {"custentity1": "T", "custentity_end": "4/3/2027", "custentity_who": "8", "custentity_with": "1, 3, 4"}
    assert rows == [expected, {}]
    assert listed == [{"scriptid": "custentity_with", "fieldvaluetype": "Multiple Select"}]
    assert schema["properties"]["custentity_end"]["format"] == "date"
    assert account.rows("customer")[0]["custentity_who"] == 8


def test_a_custom_field_that_nobody_declared_is_unknown(caller: Caller, switch: Switch) -> None:
    """As in an account that has not got it; a wrong declaration is refused."""
    assert "custentity9" in caller.refusal("SELECT custentity9 FROM customer")
    switch(custom_fields=["customer.custentity9:blob"])

    with pytest.raises(ValueError, match="kind one of"):
        caller.post(IDS)
