"""The stand-in's rate limits, by its clock (precoro.md §3)."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from resources.clock import Clock
from resources.sandbox.precoro.switches import PrecoroSwitches
from resources.sandbox.sandbox import BASE_URLS, BEGINS, Sandbox

OPTIONS = "/itemcustomfields/5144/options"


class StillClock:
    """A clock that only moves when told."""

    def __init__(self) -> None:
        self._now = BEGINS

    def now(self) -> datetime:
        """The time in UTC."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Move."""
        self._now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    """Time stands still."""
    return StillClock()


@pytest.fixture
def limited(sandbox: Sandbox, clock: Clock) -> Iterator[httpx.Client]:
    """A client of the strict stand-in."""
    world = Sandbox(sandbox.folder, clock=clock)
    keys = world.credentials["precoro"]
    headers = {"X-AUTH-TOKEN": keys["token"], "email": keys["email"]}
    with httpx.Client(transport=world.transport("precoro"), base_url=BASE_URLS["precoro"], headers=headers) as http:
        yield http


def only(sandbox: Sandbox, **values: Any) -> None:
    """Switch every limit off but those named."""
    limits = ("limit_per_second", "limit_per_minute", "limit_per_hour", "limit_per_day", "limit_identical")
    sandbox.switches.set("precoro", PrecoroSwitches, **(dict.fromkeys(limits, False) | values))


def write(http: httpx.Client) -> httpx.Response:
    """A call that is exempt from the identical-GET rule."""
    return http.post(OPTIONS, data={"name": "x"})


def test_one_request_a_second(limited: httpx.Client, sandbox: Sandbox, clock: Clock) -> None:
    """The second call in the same second is refused, the next second's is not."""
    answers = [write(limited).status_code, write(limited).status_code]
    clock.sleep(1.0)
    answers.append(write(limited).status_code)

    assert answers == [201, 429, 201]
    assert (sandbox.precoro.refusals(), sandbox.precoro.write_calls()) == (1, 2)


@pytest.mark.parametrize(
    ("limit", "calls", "kind", "wait_s"),
    [
        ("limit_per_minute", "calls_per_minute", "Minute limiter", 60),
        ("limit_per_hour", "calls_per_hour", "Hourly limiter", 3600),
        ("limit_per_day", "calls_per_day", "Daily limiter", 86400),
    ],
)
def test_longer_windows(
    limited: httpx.Client, sandbox: Sandbox, clock: Clock, limit: str, calls: str, kind: str, wait_s: int
) -> None:
    """The call after the last is refused under the window's own name until the first has left the window."""
    only(sandbox, **{limit: True, calls: 3})

    answers = [write(limited) for _ in range(4)]
    body = answers[-1].json()
    clock.sleep(wait_s)

    assert [answer.status_code for answer in answers] == [201, 201, 201, 429]
    assert (body["RateLimit-Type"], body["RateLimit-Limit"]) == (kind, 3)
    assert write(limited).status_code == 201


def test_the_documented_answer_to_the_same_get(limited: httpx.Client, sandbox: Sandbox, clock: Clock) -> None:
    """§7.9: word for word; another address, or a write, is not the same GET."""
    only(sandbox, limit_identical=True)
    limited.get("/itemcustomfields", params={"page": 1, "per_page": 100})

    clock.sleep(40)
    refused = limited.get("/itemcustomfields", params={"page": 1, "per_page": 100})

    assert refused.status_code == 429
    assert refused.json() == {
        "error": "Too many requests for this endpoint",
        "RateLimit-Type": "Route based limiter by minute",
        "RateLimit-Retry-After": "2026-11-16 06:01:00 UTC",
        "RateLimit-Limit": 1,
    }
    assert refused.headers["retry-after"] == "20"
    assert limited.get("/itemcustomfields", params={"page": 2, "per_page": 100}).status_code == 200
    assert limited.get(OPTIONS).status_code == 200
    assert [write(limited).status_code for _ in range(2)] == [201, 201]


def test_the_same_get_30_times_an_hour(limited: httpx.Client, sandbox: Sandbox, clock: Clock) -> None:
    """§3: even a minute apart."""
    only(sandbox, limit_identical=True)
    answers = []
    for _ in range(31):
        answers.append(limited.get("/users").status_code)
        clock.sleep(61)

    assert answers == [200] * 30 + [429]


def test_the_header_is_a_switch(limited: httpx.Client, sandbox: Sandbox) -> None:
    """§3: whether the service sends any header is unknown; the body always tells."""
    sandbox.switches.set("precoro", PrecoroSwitches, retry_after_header=False)
    write(limited)

    assert "retry-after" not in write(limited).headers


def test_refused_calls_may_count(limited: httpx.Client, sandbox: Sandbox, clock: Clock) -> None:
    """Unknown: a client that hammers may keep itself locked out."""
    only(sandbox, limit_per_minute=True, calls_per_minute=1, refused_calls_count=True)
    write(limited)
    clock.sleep(40)
    write(limited)
    clock.sleep(40)

    assert write(limited).status_code == 429


def test_fixed_windows_begin_with_the_clock(limited: httpx.Client, sandbox: Sandbox, clock: Clock) -> None:
    """Unknown: counted from the full hour, two bursts may touch."""
    only(sandbox, limit_per_hour=True, calls_per_hour=1, windows="fixed")
    clock.sleep(3599)

    answers = [write(limited).status_code, write(limited).status_code]
    clock.sleep(1)
    answers.append(write(limited).status_code)

    assert answers == [201, 429, 201]


def test_each_company_has_its_own_allowance(limited: httpx.Client, sandbox: Sandbox) -> None:
    """§1: one token for each company."""
    other = sandbox.precoro.add_company("Millpond UK")
    limited.get("/users")

    assert limited.get("/users").status_code == 429
    assert limited.get("/users", headers={"X-AUTH-TOKEN": other["token"]}).status_code == 200
