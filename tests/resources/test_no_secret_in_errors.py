"""No credential in any error of a client, whatever the service answers and whatever form the credential has."""

import threading
import traceback
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from resources.netsuite.client import NetSuiteClient
from resources.netsuite.connect import open_netsuite
from resources.precoro.client import PrecoroClient
from resources.precoro.connect import open_precoro
from resources.suiteprojects.connect import open_suiteprojects
from tests.resources.test_http import JumpingClock

CANARY = "canary-7f3a9b+/=%zq"  # of characters that each form spells differently
WAYS = {
    "as it came": lambda text: text,
    "as JSON with an error": lambda text: '{"error": "invalid", "o:errorDetails": [{"detail": ' + repr(text) + "}]}",
    "as XML": lambda text: f'<?xml version="1.0"?><response><Auth status="401"/><x>{quote(text)}</x></response>',
    "in base64": lambda text: b64encode(text.encode()).decode(),
}


class Echo(BaseHTTPRequestHandler):
    """Refuses everything, and repeats the request in the answer, its reason and its headers."""

    status, way = 400, staticmethod(WAYS["as it came"])

    def _answer(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        sent = f"{self.path} {dict(self.headers)} {self.rfile.read(length).decode(errors='replace')}"
        body = type(self).way(sent).encode()
        self.send_response(self.status)
        self.send_header("Content-Type", "application/json" if body.startswith(b"{") else "text/html")
        self.send_header("WWW-Authenticate", f'Bearer error="{quote(sent)}"')
        self.send_header("Location", f"/elsewhere?echo={quote(sent)}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815 - the names of http.server

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


@pytest.fixture
def echo() -> Iterator[tuple[type[Echo], str]]:
    """A server on this machine, and its address."""
    handler = type("Handler", (Echo,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield handler, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A private key."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=3072)
    file = tmp_path_factory.mktemp("key") / "key.pem"
    formats = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(key.private_bytes(*formats))
    return file


Opened = AbstractContextManager[Any]


def netsuite_tba(url: str, key: Path, given: dict[str, str]) -> Opened:  # noqa: ARG001 - one signature for all
    """NetSuite by token-based authentication."""
    names = ("consumer_key", "consumer_secret", "token_id", "token_secret")
    keys = {name: given.get(name, "fine") for name in names}
    return open_netsuite(base_url=url, account="1", auth="tba", attempts=1, **keys)


def netsuite_oauth(url: str, key: Path, given: dict[str, str]) -> Opened:
    """NetSuite by OAuth 2.0."""
    keys = {name: given.get(name, "fine") for name in ("client_id", "certificate_id")}
    return open_netsuite(base_url=url, account="1", private_key_file=str(key), attempts=1, **keys)


def suiteprojects(url: str, key: Path, given: dict[str, str]) -> Opened:  # noqa: ARG001
    """SuiteProjects Pro by password, or by access token."""
    keys = {name: given.get(name, "fine") for name in ("password", "key")}
    return open_suiteprojects(
        base_url=url,
        company="c",
        user="u",
        namespace="n",
        attempts=1,
        access_token=given.get("access_token", ""),
        **keys,
    )


def precoro(url: str, key: Path, given: dict[str, str]) -> Opened:
    """Precoro by token."""
    keys = {name: given.get(name, "fine@example.com") for name in ("token", "email")}
    return open_precoro(
        base_url=url, attempts=1, budget_file=key.with_name("budget.sqlite"), clock=JumpingClock(), **keys
    )


def call(client: Any) -> None:
    """Make one call that signs in."""
    if isinstance(client, NetSuiteClient):
        client.suiteql("select id from customer")
    elif isinstance(client, PrecoroClient):
        client.create_option(1, {"name": "x"})
    else:
        client.server_time()


CREDENTIALS = [
    (netsuite_tba, "consumer_key"), (netsuite_tba, "consumer_secret"), (netsuite_tba, "token_id"),
    (netsuite_tba, "token_secret"), (netsuite_oauth, "client_id"), (netsuite_oauth, "certificate_id"),
    (suiteprojects, "password"), (suiteprojects, "key"), (suiteprojects, "access_token"), (precoro, "token"),
]  # fmt: skip
STATUSES = (400, 401, 500, 302)
BROKEN = {"fine": CANARY, "line break": f"{CANARY}\nX: y", "not ASCII": f"{CANARY}\u2019", "NUL": f"{CANARY}\0"}


@pytest.mark.parametrize(("opened", "name"), CREDENTIALS, ids=lambda each: getattr(each, "__name__", each))
@pytest.mark.parametrize("form", BROKEN)
def test_no_credential_is_in_the_chain_of_an_error(
    echo: tuple[type[Echo], str], key_file: Path, opened: Callable[..., Opened], name: str, form: str
) -> None:
    """A refusal that repeats our headers, a header that cannot be sent, a page instead of an answer."""
    handler, url = echo
    seen = []
    with opened(url, key_file, {name: BROKEN[form]}) as client:
        for handler.status, way in product(STATUSES, WAYS.values()):
            handler.way = staticmethod(way)
            try:
                call(client)
            except Exception as error:  # noqa: BLE001 - whatever it is, its texts are judged
                seen.append("".join(traceback.format_exception(error)) + repr(error) + repr(error.__cause__))
    assert len(seen) == len(STATUSES) * len(WAYS)
    for text in seen:
        assert "canary-7f3a9b" not in text
        assert quote(CANARY) not in text
        assert CANARY not in text
