"""A NetSuite account, its switches, and a caller that is signed in."""

from typing import Any

import httpx
import pytest

from resources.sandbox.netsuite.server import NetSuiteSandbox
from resources.sandbox.netsuite.switches import NetSuiteSwitches
from resources.sandbox.sandbox import BASE_URLS, Sandbox
from tests.resources.sandbox.netsuite.caller import Caller, Switch


@pytest.fixture
def account(sandbox: Sandbox) -> NetSuiteSandbox:
    """The NetSuite account of this test."""
    return sandbox.netsuite


@pytest.fixture
def switch(sandbox: Sandbox) -> Switch:
    """Change how the account behaves: `switch(session_zone="GMT")`."""

    def change(**values: Any) -> None:
        sandbox.switches.set("netsuite", NetSuiteSwitches, **values)

    return change


@pytest.fixture
def caller(sandbox: Sandbox, account: NetSuiteSandbox) -> Caller:
    """A caller with an access token that lives for the whole test."""
    token = account.journal.issue_token(["rest_webservices"], sandbox.clock.now(), 10**8)
    headers = {"Authorization": f"Bearer {token}", "Prefer": "transient"}
    return Caller(
        httpx.Client(transport=sandbox.transport("netsuite"), base_url=BASE_URLS["netsuite"], headers=headers)
    )
