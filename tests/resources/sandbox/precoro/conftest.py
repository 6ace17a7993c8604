"""A simulated Precoro without rate limits, and an HTTP client for it."""

from collections.abc import Iterator

import httpx
import pytest

from resources.sandbox.precoro.server import PrecoroSandbox
from resources.sandbox.precoro.switches import PrecoroSwitches
from resources.sandbox.sandbox import BASE_URLS, Sandbox

LIMITS = ("limit_per_second", "limit_per_minute", "limit_per_hour", "limit_per_day", "limit_identical")


@pytest.fixture
def service(sandbox: Sandbox) -> PrecoroSandbox:
    """The simulated Precoro without rate limits."""
    sandbox.switches.set("precoro", PrecoroSwitches, **dict.fromkeys(LIMITS, False))
    return sandbox.precoro


@pytest.fixture
def http(sandbox: Sandbox, service: PrecoroSandbox) -> Iterator[httpx.Client]:
    """A client that sends both authentication headers."""
    headers = {"X-AUTH-TOKEN": service.credentials["token"], "email": service.credentials["email"]}
    with httpx.Client(transport=sandbox.transport("precoro"), base_url=BASE_URLS["precoro"], headers=headers) as client:
        yield client
