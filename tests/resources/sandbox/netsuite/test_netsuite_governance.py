"""How many calls are answered: at once, in a minute, and what a refused one looks like."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from resources.sandbox.netsuite.governance import Gate
from resources.sandbox.netsuite.server import NetSuiteSandbox
from resources.sandbox.netsuite.store.journal import Journal
from resources.sandbox.netsuite.switches import NetSuiteSwitches
from resources.sandbox.sandbox import Sandbox
from tests.resources.sandbox.netsuite.caller import Caller, Switch


def test_of_six_calls_at_once_one_is_refused(caller: Caller, switch: Switch) -> None:
    """The standard tier answers five."""
    switch(latency_ms=300)

    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(lambda _: caller.get("/system/v1/serverTime"), range(6)))

    assert sorted(each.status_code for each in answers) == [200] * 5 + [429]


def test_a_refused_call_has_the_documented_envelope(account: NetSuiteSandbox, caller: Caller, switch: Switch) -> None:
    """CONCURRENCY_LIMIT_EXCEEDED, without Retry-After."""
    switch(concurrency_limit=1)

    with account.gate.slot(NetSuiteSwitches(concurrency_limit=1)):
        response = caller.get("/system/v1/serverTime")

    assert response.json() == {
        "type": "https://www.rfc-editor.org/rfc/rfc6585.html#section-4",
        "title": "Too Many Requests",
        "status": 429,
        "o:errorDetails": [
            {
                "detail": "Concurrent request limit exceeded. Request blocked.",
                "o:errorCode": "CONCURRENCY_LIMIT_EXCEEDED",
            }
        ],
    }
    assert "retry-after" not in response.headers


def test_a_refused_call_may_say_when_to_come_back(account: NetSuiteSandbox, caller: Caller, switch: Switch) -> None:
    """Not documented, so a switch; so is the answer 401."""
    held = NetSuiteSwitches(concurrency_limit=1)
    switch(concurrency_limit=1, retry_after="7")
    with account.gate.slot(held):
        assert caller.get("/system/v1/serverTime").headers["retry-after"] == "7"

    switch(concurrency_as_401=True)
    with account.gate.slot(held):
        assert caller.get("/system/v1/serverTime").status_code == 401


def test_a_slot_is_free_after_its_call(caller: Caller, switch: Switch) -> None:
    """Also when the call was refused for another reason."""
    switch(concurrency_limit=1)

    statuses = [caller.post(query).status_code for query in ["SELECT nonsense", "SELECT id FROM customer"] * 2]

    assert statuses == [400, 200, 400, 200]


def test_slots_are_shared_between_processes_and_freed_by_death(sandbox: Sandbox, tmp_path: Path) -> None:
    """A killed process must not hold a slot for ever."""
    gate = Gate(tmp_path / "slots", Journal(tmp_path / "journal.sqlite"), sandbox.clock)
    one = NetSuiteSwitches(concurrency_limit=1)
    script = (
        "import fcntl, os, sys\n"
        "file = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)\n"
        "fcntl.flock(file, fcntl.LOCK_EX)\n"
        "print('held', flush=True)\n"
        "sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", script, os.fspath(tmp_path / "slots" / "slot_0")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout
        assert other.stdout.readline() == "held\n"
        assert gate._take(1) is None
        other.kill()

    with gate.slot(one):
        assert gate._take(1) is None


def test_without_a_limit_any_number_is_answered(account: NetSuiteSandbox, switch: Switch, caller: Caller) -> None:
    """For benchmarks of the client alone."""
    switch(concurrency_limit=0)

    with ExitStack() as stack:
        for _ in range(10):
            stack.enter_context(account.gate.slot(NetSuiteSwitches(concurrency_limit=0)))
        assert caller.get("/system/v1/serverTime").status_code == 200


def test_a_window_of_calls_can_be_limited(sandbox: Sandbox, caller: Caller, switch: Switch) -> None:
    """Asserted by third parties only, so off by default."""
    switch(calls_per_minute=3)
    statuses = [caller.get("/system/v1/serverTime").status_code for _ in range(4)]

    sandbox.clock.sleep(61)

    assert statuses == [200, 200, 200, 429]
    assert caller.get("/system/v1/serverTime").status_code == 200


def test_a_day_of_calls_can_be_limited(sandbox: Sandbox, caller: Caller, switch: Switch) -> None:
    """Also with the title that the documentation's sample shows."""
    switch(calls_per_day=1, concurrency_title="Bad Request")
    caller.get("/system/v1/serverTime")
    sandbox.clock.sleep(3600)

    refused = caller.get("/system/v1/serverTime")

    assert (refused.status_code, refused.json()["title"]) == (429, "Bad Request")


def test_server_time_is_utc_and_iso(sandbox: Sandbox, caller: Caller) -> None:
    """The watermark's source."""
    assert caller.get("/system/v1/serverTime").json() == {"serverTime": f"{sandbox.clock.now():%Y-%m-%dT%H:%M:%S}.000Z"}


def test_governance_limits_tell_the_accounts_concurrency(caller: Caller, switch: Switch) -> None:
    """The client stays one under it."""
    switch(concurrency_limit=15, integration_limit=2)

    assert caller.get("/system/v1/governanceLimits").json() == {
        "accountConcurrencyLimit": 15,
        "accountUnallocatedConcurrencyLimit": 13,
        "integrationConcurrencyLimit": 2,
        "integrationLimitType": "integrationSpecific",
    }


def test_governance_limits_may_need_an_administrator(caller: Caller, switch: Switch) -> None:
    """Then the client has to be told."""
    switch(governance_visible=False)

    assert caller.get("/system/v1/governanceLimits").status_code == 403
