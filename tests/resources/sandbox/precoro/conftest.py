"""Precoro's stand-in without rate limits, and a bare HTTP client for it."""

from collections.abc import Iterator

import httpx
import pytest

from resources.sandbox.precoro.server import PrecoroSandbox
from resources.sandbox.precoro.switches import PrecoroSwitches
from resources.sandbox.sandbox import BASE_URLS, Sandbox

LIMITS = ("limit_per_second", "limit_per_minute", "limit_per_hour", "limit_per_day", "limit_identical")


@pytest.fixture
def stand_in(sandbox: Sandbox) -> PrecoroSandbox:
    """The stand-in, unlimited."""
    sandbox.switches.set("precoro", PrecoroSwitches, **dict.fromkeys(LIMITS, False))
    return sandbox.precoro


@pytest.fixture
def http(sandbox: Sandbox, stand_in: PrecoroSandbox) -> Iterator[httpx.Client]:
    """A client that sends both headers and nothing else of its own."""
    headers = {"X-AUTH-TOKEN": stand_in.credentials["token"], "email": stand_in.credentials["email"]}
    with httpx.Client(transport=sandbox.transport("precoro"), base_url=BASE_URLS["precoro"], headers=headers) as client:
        yield client
