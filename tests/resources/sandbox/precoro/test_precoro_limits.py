"""Rate limits on the sandbox's clock (precoro.md §3)."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from resources.clock import Clock
from resources.sandbox.folder_clock import START_TIME
from resources.sandbox.precoro.switches import PrecoroSwitches
from resources.sandbox.sandbox import BASE_URLS, Sandbox

OPTIONS = "/itemcustomfields/5144/options"


class FrozenClock:
    """A clock that moves only with `sleep`."""

    def __init__(self) -> None:
        self._now = START_TIME

    def now(self) -> datetime:
        """Return the time in UTC."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Advance the clock."""
        self._now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    """A frozen clock."""
    return FrozenClock()


@pytest.fixture
def limited(sandbox: Sandbox, clock: Clock) -> Iterator[httpx.Client]:
    """A client of a Precoro with all limits."""
    frozen = Sandbox(sandbox.folder, clock=clock)
    keys = frozen.credentials["precoro"]
    headers = {"X-AUTH-TOKEN": keys["token"], "email": keys["email"]}
    with httpx.Client(transport=frozen.transport("precoro"), base_url=BASE_URLS["precoro"], headers=headers) as http:
        yield http


def only(sandbox: Sandbox, **values: Any) -> None:
    """Disable every limit except the given ones."""
    limits = ("limit_per_second", "limit_per_minute", "limit_per_hour", "limit_per_day", "limit_identical")
    sandbox.switches.set("precoro", PrecoroSwitches, **(dict.fromkeys(limits, False) | values))


def write(http: httpx.Client) -> httpx.Response:
    """Send a request to which the rule for identical GETs does not apply."""
    return http.post(OPTIONS, data={"name": "x"})


def test_one_request_per_second(limited: httpx.Client, sandbox: Sandbox, clock: Clock) -> None:
    """The second request in the same second is rejected, one in the next second is not."""
    statuses = [write(limited).status_code, write(limited).status_code]
    clock.sleep(1.0)
    statuses.append(write(limited).status_code)

    assert statuses == [201, 429, 201]
    assert (sandbox.precoro.rate_limited_calls(), sandbox.precoro.write_calls()) == (1, 2)


@pytest.mark.parametrize(
    ("limit", "calls", "name", "wait_s"),
    [
        ("limit_per_minute", "calls_per_minute", "Minute limiter", 60),
        ("limit_per_hour", "calls_per_hour", "Hourly limiter", 3600),
        ("limit_per_day", "calls_per_day", "Daily limiter", 86400),
    ],
)
def test_requests_per_minute_hour_and_day_are_limited(
    limited: httpx.Client, sandbox: Sandbox, clock: Clock, limit: str, calls: str, name: str, wait_s: int
) -> None:
    """Requests are rejected under the name of the window until the first one is outside of it."""
    only(sandbox, **{limit: True, calls: 3})

    responses = [write(limited) for _ in range(4)]
    body = responses[-1].json()
    clock.sleep(wait_s)

    assert [response.status_code for response in responses] == [201, 201, 201, 429]
    assert (body["RateLimit-Type"], body["RateLimit-Limit"]) == (name, 3)
    assert write(limited).status_code == 201


def test_an_identical_get_has_the_documented_response(limited: httpx.Client, sandbox: Sandbox, clock: Clock) -> None:
    """§7.9: verbatim; another URL, or a write, is not an identical GET."""
    only(sandbox, limit_identical=True)
    limited.get("/itemcustomfields", params={"page": 1, "per_page": 100})

    clock.sleep(40)
    rejected = limited.get("/itemcustomfields", params={"page": 1, "per_page": 100})

    assert rejected.status_code == 429
    assert rejected.json() == {
        "error": "Too many requests for this endpoint",
        "RateLimit-Type": "Route based limiter by minute",
        "RateLimit-Retry-After": "2026-11-16 06:01:00 UTC",
        "RateLimit-Limit": 1,
    }
    assert rejected.headers["retry-after"] == "20"
    assert limited.get("/itemcustomfields", params={"page": 2, "per_page": 100}).status_code == 200
    assert limited.get(OPTIONS).status_code == 200
    assert [write(limited).status_code for _ in range(2)] == [201, 201]


def test_an_identical_get_is_allowed_30_times_per_hour(limited: httpx.Client, sandbox: Sandbox, clock: Clock) -> None:
    """§3: even a minute apart."""
    only(sandbox, limit_identical=True)
    statuses = []
    for _ in range(31):
        statuses.append(limited.get("/users").status_code)
        clock.sleep(61)

    assert statuses == [200] * 30 + [429]


def test_the_retry_after_header_is_a_switch(limited: httpx.Client, sandbox: Sandbox) -> None:
    """§3: it is unknown whether the service sends the header; the body always has the time."""
    sandbox.switches.set("precoro", PrecoroSwitches, retry_after_header=False)
    write(limited)

    assert "retry-after" not in write(limited).headers


def test_rejected_requests_may_count(limited: httpx.Client, sandbox: Sandbox, clock: Clock) -> None:
    """Unknown: a client that retries without waiting may keep itself locked out."""
    only(sandbox, limit_per_minute=True, calls_per_minute=1, rejected_calls_count=True)
    write(limited)
    clock.sleep(40)
    write(limited)
    clock.sleep(40)

    assert write(limited).status_code == 429


def test_fixed_windows_start_at_the_full_hour(limited: httpx.Client, sandbox: Sandbox, clock: Clock) -> None:
    """Unknown: with fixed windows two bursts may be adjacent."""
    only(sandbox, limit_per_hour=True, calls_per_hour=1, windows="fixed")
    clock.sleep(3599)

    statuses = [write(limited).status_code, write(limited).status_code]
    clock.sleep(1)
    statuses.append(write(limited).status_code)

    assert statuses == [201, 429, 201]


def test_each_company_has_its_own_limits(limited: httpx.Client, sandbox: Sandbox) -> None:
    """§1: each company has its own token."""
    other = sandbox.precoro.add_company("Millpond UK")
    limited.get("/users")

    assert limited.get("/users").status_code == 429
    assert limited.get("/users", headers={"X-AUTH-TOKEN": other["token"]}).status_code == 200
