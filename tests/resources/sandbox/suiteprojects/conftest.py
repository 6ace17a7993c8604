"""XML requests to the simulated SuiteProjects Pro, without the project's own client."""

from collections.abc import Callable

import pytest
from lxml import etree

from resources.sandbox.sandbox import Sandbox
from resources.sandbox.transport import Request

Send = Callable[..., list[etree._Element]]


@pytest.fixture
def send(sandbox: Sandbox) -> Send:
    """A function that sends commands after a valid Auth and returns the blocks after Auth."""
    own = sandbox.credentials["suiteprojects"]

    def post(commands: str, *, auth: str = "", envelope: str = "", method: str = "POST") -> list[etree._Element]:
        login = f"<Auth><Login><access_token>{own['access_token']}</access_token></Login></Auth>"
        opening = envelope or f'API_version="1.0" namespace="default" key="{own["key"]}"'
        body = f"<request {opening}>{auth or login}{commands}</request>"
        response = sandbox.suiteprojects.handle(Request(method, "http://127.0.0.1/api.pl", {}, body.encode()))
        assert response.status == 200
        blocks = list(etree.fromstring(response.body))
        return blocks if auth or envelope else blocks[1:]

    return post
