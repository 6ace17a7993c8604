"""The web server with users and a sign-in proxy, on a port, and visitors of it."""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import sleep
from typing import Any

import dagster as dg
import httpx
from websockets.sync.client import ClientConnection, connect

from orchestration.configuration.settings import ROOT
from orchestration.web.access import COOKIE
from orchestration.web.identity import Role
from orchestration.web.pages import SIGN_IN
from orchestration.web.users import Users
from resources.sandbox.generator.seed import seed
from tests.orchestration.conftest import at_home
from tests.orchestration.web.test_ui import free_port, running, wait_until

PROXY, HEADER = "127.0.0.5", "X-Forwarded-User"
PASSWORD = "a-password-of-{}-1"
PEOPLE = {"ada": Role.APPROVER, "olga": Role.OPERATOR, "vic": Role.VIEWER}
TOKEN = "a-token-that-is-off-now"


@dataclass
class Visitor:
    """A browser of one person, from one address."""

    http: httpx.Client

    def sign_in(self, name: str, password: str) -> httpx.Response:
        """Send the form, a second later if someone else has just guessed."""
        answer = self.http.post(SIGN_IN, data={"user": name, "password": password})
        while answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
            sleep(0.2)
            answer = self.http.post(SIGN_IN, data={"user": name, "password": password})
        return answer

    def graphql(self, query: str, **variables: Any) -> httpx.Response:
        """Send one GraphQL request as the UI does."""
        return self.http.post("/graphql", json={"query": query, "variables": variables})

    def session(self) -> str:
        """Return the session cookie."""
        return str(self.http.cookies[COOKIE])


@dataclass
class Server:
    """The running server."""

    folder: Path
    port: int
    visitors: dict[str, Visitor] = field(default_factory=dict)

    @property
    def address(self) -> str:
        """Its base URL."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def users(self) -> Users:
        """Its users, as the command line changes them."""
        return Users(self.folder / "users.json")

    @contextmanager
    def visitor(self, client: str = "127.0.0.1", headers: Mapping[str, str] | None = None) -> Iterator[Visitor]:
        """Open a browser without cookies at a local address."""
        transport = httpx.HTTPTransport(local_address=client)
        own = {"Origin": self.address, **(headers or {})}
        with httpx.Client(base_url=self.address, timeout=30, headers=own, transport=transport) as http:
            yield Visitor(http)

    def instance(self) -> dg.DagsterInstance:
        """Return Dagster's storage."""
        return dg.DagsterInstance.from_config(str(self.folder / "dagster"))

    def runs(self) -> list[dg.DagsterRun]:
        """Return the stored runs, newest first."""
        with self.instance() as instance:
            return list(instance.get_runs())

    @contextmanager
    def web_socket(self, session: str) -> Iterator[ClientConnection]:
        """Open GraphQL's web socket with a session."""
        headers = {"Cookie": f"{COOKIE}={session}"}
        with connect(
            f"ws://127.0.0.1:{self.port}/graphql", origin=self.address, additional_headers=headers,
            subprotocols=["graphql-ws"], open_timeout=30,
        ) as socket:  # fmt: skip
            socket.send(json.dumps({"type": "connection_init"}))
            yield socket


def is_served(address: str) -> bool:
    """Return whether the server responds."""
    try:
        return httpx.get(f"{address}{SIGN_IN}", timeout=30).is_success
    except httpx.HTTPError:
        return False


@contextmanager
def people_server(folder: Path, instance: str = "") -> Iterator[Server]:
    """Serve the UI with one user of each role, and a sign-in proxy at another address.

    Args:
        folder: The home.
        instance: Dagster's settings; by default runs wait in its queue, as no daemon takes them.
    """
    dagster = folder / "dagster"
    dagster.mkdir()
    (dagster / "dagster.yaml").write_text(instance or (ROOT / "dagster.yaml").read_text(encoding="utf-8"))
    server = Server(folder, free_port())
    variables = {
        "DAGSTER_HOME": str(dagster), "MILLPOND_UI_TOKEN": TOKEN, "MILLPOND_AUTH_HEADER": HEADER,
        "MILLPOND_AUTH_PROXIES": PROXY,
    }  # fmt: skip
    with at_home(folder) as home:
        seed(home.sandbox, customers=6, companies=None, seed=3)
        for name, role in PEOPLE.items():
            server.users.add(name, role, PASSWORD.format(name))
        command = [sys.executable, "-m", "orchestration.web.webserver", "127.0.0.1", str(server.port)]
        before = os.environ.get("DAGSTER_HOME")
        os.environ["DAGSTER_HOME"] = str(dagster)  # the storage opens its files there
        try:
            with running(command, folder / "log", **variables) as process:
                wait_until(lambda: is_served(server.address) or process.poll() is not None, 90, "no response")
                assert process.poll() is None, (folder / "log").read_text()[-2000:]
                yield server
        finally:
            os.environ.pop("DAGSTER_HOME") if before is None else os.environ.update(DAGSTER_HOME=before)
