"""A simulated NetSuite account, its switches, and an authenticated client."""

from typing import Any

import pytest

from resources.sandbox.netsuite.server import NetSuiteSandbox
from resources.sandbox.netsuite.switches import NetSuiteSwitches
from resources.sandbox.sandbox import Sandbox
from tests.resources.sandbox.netsuite.api_client import ApiClient, SetSwitches, authenticated


@pytest.fixture
def account(sandbox: Sandbox) -> NetSuiteSandbox:
    """The NetSuite account of this test."""
    return sandbox.netsuite


@pytest.fixture
def switch(sandbox: Sandbox) -> SetSwitches:
    """A function that changes the account's behavior: `switch(session_zone="GMT")`."""

    def change(**values: Any) -> None:
        sandbox.switches.set("netsuite", NetSuiteSwitches, **values)

    return change


@pytest.fixture
def client(sandbox: Sandbox) -> ApiClient:
    """A client with an access token that is valid for the whole test."""
    return authenticated(sandbox)
