"""A bare way to talk XML to the stand-in, without the project's own client."""

from collections.abc import Callable

import pytest
from lxml import etree

from resources.sandbox.sandbox import Sandbox
from resources.sandbox.transport import Call

Talk = Callable[..., list[etree._Element]]


@pytest.fixture
def talk(sandbox: Sandbox) -> Talk:
    """Send commands as text after a good Auth; the blocks after Auth come back."""
    own = sandbox.credentials["suiteprojects"]

    def send(commands: str, *, auth: str = "", envelope: str = "", method: str = "POST") -> list[etree._Element]:
        login = f"<Auth><Login><access_token>{own['access_token']}</access_token></Login></Auth>"
        opening = envelope or f'API_version="1.0" namespace="default" key="{own["key"]}"'
        body = f"<request {opening}>{auth or login}{commands}</request>"
        answer = sandbox.suiteprojects.answer(Call(method, "http://127.0.0.1/api.pl", {}, body.encode()))
        assert answer.status == 200
        blocks = list(etree.fromstring(answer.body))
        return blocks if auth or envelope else blocks[1:]

    return send
