"""Limits of concurrent requests and of requests per minute and day, and their error responses."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from resources.sandbox.netsuite.errors import ApiError
from resources.sandbox.netsuite.governance import ConcurrencyLimiter
from resources.sandbox.netsuite.server import NetSuiteSandbox
from resources.sandbox.netsuite.store.journal import Journal
from resources.sandbox.netsuite.switches import NetSuiteSwitches
from resources.sandbox.sandbox import Sandbox
from tests.resources.sandbox.netsuite.api_client import ApiClient, SetSwitches


def test_of_six_concurrent_requests_one_is_rejected(client: ApiClient, switch: SetSwitches) -> None:
    """The limit of the standard tier is five."""
    switch(latency_ms=300)

    with ThreadPoolExecutor(6) as threads:
        responses = list(threads.map(lambda _: client.get("/system/v1/serverTime"), range(6)))

    assert sorted(each.status_code for each in responses) == [200] * 5 + [429]


def test_a_rejected_request_has_the_documented_body(
    account: NetSuiteSandbox, client: ApiClient, switch: SetSwitches
) -> None:
    """CONCURRENCY_LIMIT_EXCEEDED, without Retry-After."""
    switch(concurrency_limit=1)

    with account.limiter.slot(NetSuiteSwitches(concurrency_limit=1)):
        response = client.get("/system/v1/serverTime")

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


def test_a_rejected_request_may_have_retry_after(
    account: NetSuiteSandbox, client: ApiClient, switch: SetSwitches
) -> None:
    """It is undocumented and therefore a switch, as is the status 401."""
    single = NetSuiteSwitches(concurrency_limit=1)
    switch(concurrency_limit=1, retry_after="7")
    with account.limiter.slot(single):
        assert client.get("/system/v1/serverTime").headers["retry-after"] == "7"

    switch(concurrency_as_401=True)
    with account.limiter.slot(single):
        assert client.get("/system/v1/serverTime").status_code == 401


def test_a_slot_is_released_after_its_request(client: ApiClient, switch: SetSwitches) -> None:
    """Also after an error response."""
    switch(concurrency_limit=1)

    statuses = [client.post(query).status_code for query in ["SELECT nonsense", "SELECT id FROM customer"] * 2]

    assert statuses == [400, 200, 400, 200]


def test_slots_are_shared_between_processes_and_released_by_a_kill(sandbox: Sandbox, tmp_path: Path) -> None:
    """A killed process must not hold a slot forever."""
    limiter = ConcurrencyLimiter(tmp_path / "slots", Journal(tmp_path / "journal.sqlite"), sandbox.clock)
    single = NetSuiteSwitches(concurrency_limit=1)
    script = (
        "import fcntl, os, sys\n"
        "file = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)\n"
        "fcntl.flock(file, fcntl.LOCK_EX)\n"
        "print('locked', flush=True)\n"
        "sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", script, os.fspath(tmp_path / "slots" / "slot_0")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout
        assert other.stdout.readline() == "locked\n"
        with pytest.raises(ApiError, match="limit exceeded"), limiter.slot(single):
            pass
        other.kill()

    with limiter.slot(single), pytest.raises(ApiError, match="limit exceeded"), limiter.slot(single):
        pass


def test_the_concurrency_limit_can_be_disabled(
    account: NetSuiteSandbox, switch: SetSwitches, client: ApiClient
) -> None:
    """For benchmarks of the client alone."""
    switch(concurrency_limit=0)

    with ExitStack() as stack:
        for _ in range(10):
            stack.enter_context(account.limiter.slot(NetSuiteSwitches(concurrency_limit=0)))
        assert client.get("/system/v1/serverTime").status_code == 200


def test_requests_per_minute_can_be_limited(sandbox: Sandbox, client: ApiClient, switch: SetSwitches) -> None:
    """Only third parties report this limit, so it is off by default."""
    switch(calls_per_minute=3)
    statuses = [client.get("/system/v1/serverTime").status_code for _ in range(4)]

    sandbox.clock.sleep(61)

    assert statuses == [200, 200, 200, 429]
    assert client.get("/system/v1/serverTime").status_code == 200


def test_requests_per_day_can_be_limited(sandbox: Sandbox, client: ApiClient, switch: SetSwitches) -> None:
    """Also with the title of the documentation's sample."""
    switch(calls_per_day=1, concurrency_title="Bad Request")
    client.get("/system/v1/serverTime")
    sandbox.clock.sleep(3600)

    rejected = client.get("/system/v1/serverTime")

    assert (rejected.status_code, rejected.json()["title"]) == (429, "Bad Request")


def test_server_time_is_utc_and_iso(sandbox: Sandbox, client: ApiClient) -> None:
    """It is the source of the watermark."""
    assert client.get("/system/v1/serverTime").json() == {"serverTime": f"{sandbox.clock.now():%Y-%m-%dT%H:%M:%S}.000Z"}


def test_governance_limits_report_the_accounts_concurrency(client: ApiClient, switch: SetSwitches) -> None:
    """The client stays one below it."""
    switch(concurrency_limit=15, integration_limit=2)

    assert client.get("/system/v1/governanceLimits").json() == {
        "accountConcurrencyLimit": 15,
        "accountUnallocatedConcurrencyLimit": 13,
        "integrationConcurrencyLimit": 2,
        "integrationLimitType": "integrationSpecific",
    }


def test_governance_limits_may_need_an_administrator(client: ApiClient, switch: SetSwitches) -> None:
    """The client then needs the limit as a setting."""
    switch(governance_visible=False)

    assert client.get("/system/v1/governanceLimits").status_code == 403
