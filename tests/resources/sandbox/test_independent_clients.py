"""Independent clients work unchanged with the served sandbox: the proof that it speaks the real protocols.

`precoro-sdk` is in our environment. `netsuite` needs an older httpx than ours and `oaxmlapi` is from 2016, so both are
installed once, with their dependencies, into a folder of pytest's cache and run there by `python -S`, isolated from our
environment. Without a package index those tests are skipped; with MILLPOND_REQUIRE_CLIENTS=1 they fail.
"""

import json
import os
import shutil
import socketserver
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import SHUT_WR, create_connection, socket
from typing import Any

import httpx
import precoro
import pytest
from lxml import etree

from resources.clock import SharedClock
from resources.sandbox.certificates import tls_files
from resources.sandbox.generator.seed import seed
from resources.sandbox.precoro.switches import PrecoroSwitches
from resources.sandbox.sandbox import Sandbox
from resources.sandbox.switches import SwitchBoard

Serve = Callable[..., Any]

CLIENTS = ("netsuite==0.12.0", "oaxmlapi==1.2")
NO_LIMITS = {f"limit_per_{unit}": False for unit in ("second", "minute", "hour", "day")} | {"limit_identical": False}

NETSUITE_SCRIPT = """
import asyncio, json, sys
from netsuite import Config, NetSuiteRestApi, TokenAuth

settings = json.load(sys.stdin)
keys = ("consumer_key", "consumer_secret", "token_id", "token_secret")
api = NetSuiteRestApi(Config(account=settings["account"], auth=TokenAuth(**{key: settings[key] for key in keys})))

async def main():
    print(json.dumps(await read()))

async def read():
    %s

asyncio.run(main())
"""
QUERY_AND_SCHEMA = """
    query = "SELECT id, companyname FROM customer ORDER BY id ASC"
    pages = [await api.suiteql(query, limit=20, offset=offset) for offset in (0, 20)]
    return {"pages": pages, "schema": await api.jsonschema("customer")}
"""
RECORD = """
    return await api.get("/record/v1/customer/1001")
"""

OAXMLAPI_SCRIPT = """
import json, sys, urllib.request
import xml.etree.ElementTree as ET
from oaxmlapi.commands import Add, Read
from oaxmlapi.connections import Application, Auth, Request
from oaxmlapi.datatypes import Datatype

settings = json.load(sys.stdin)
app = Application("independent", "1.2", settings["namespace"], settings["key"])
auth = Auth(settings["company"], settings["user"], settings["password"])
fields = {"name": "CUST-1", "company": "Ångström & Söhne", "externalid": "1001", "currency": "EUR", "city": "Wien"}
commands = [
    Add("Customer", {}, Datatype("Customer", fields)).add(),
    Read("Customer", "all", {"limit": "0,100"}, [], ["id", "name", "company", "externalid"]).read(),
]
body = ET.tostring(Request(app, auth, commands).request(), "utf-8")
with urllib.request.urlopen(urllib.request.Request(settings["base_url"] + "/api.pl", body)) as response:
    print(json.dumps(response.read().decode()))
"""


@pytest.fixture(scope="session")
def clients(pytestconfig: pytest.Config) -> Path:
    """The folder of the two clients and their dependencies."""
    assert pytestconfig.cache
    folder = pytestconfig.cache.mkdir("independent-clients") / "-".join(CLIENTS)
    if not folder.exists():
        partial = Path(tempfile.mkdtemp(dir=folder.parent))
        options = ("--quiet", "--disable-pip-version-check", "--target", str(partial))
        ended = subprocess.run(
            [sys.executable, "-m", "pip", "install", *options, *CLIENTS], capture_output=True, text=True, check=False
        )
        if ended.returncode:
            shutil.rmtree(partial)
            stop = pytest.fail if os.environ.get("MILLPOND_REQUIRE_CLIENTS") else pytest.skip
            stop(f"{', '.join(CLIENTS)} cannot be installed: {ended.stderr.strip().splitlines()[-1]}")
        try:
            partial.rename(folder)
        except OSError:  # another test process was first
            shutil.rmtree(partial)
    return folder


def run_client(clients: Path, script: str, settings: dict[str, Any], **environment: str) -> Any:
    """Run a script in the clients' environment; return its JSON output."""
    ended = subprocess.run(
        [sys.executable, "-S", "-W", "ignore", "-c", script],
        input=json.dumps(settings),
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(clients), "PYTHONUTF8": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


class Tunnel(socketserver.StreamRequestHandler):
    """One CONNECT: every NetSuite host is connected to the sandbox's port."""

    def handle(self) -> None:
        """Open the tunnel and copy bytes in both directions until both sides are closed."""
        target = self.rfile.readline().split()[1].decode()
        while self.rfile.readline().strip():
            pass
        if not target.endswith(".netsuite.com:443"):
            self.wfile.write(b"HTTP/1.1 403 Forbidden\r\n\r\n")
            return
        assert isinstance(self.server, Proxy)
        self.server.hosts.append(target)
        with create_connection(self.server.upstream) as upstream:
            self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=pump, args=(upstream, self.connection))
            back.start()
            pump(self.connection, upstream)
            back.join()


def pump(source: socket, sink: socket) -> None:
    """Copy bytes until the source is closed, then close the sink's input."""
    try:
        while chunk := source.recv(65536):
            sink.sendall(chunk)
        sink.shutdown(SHUT_WR)
    except OSError:  # the other side closed the connection
        return


class Proxy(socketserver.ThreadingTCPServer):
    """The proxy of netsuite.md §8.1: clients without a setting for the URL reach the sandbox unchanged."""

    daemon_threads = True

    def __init__(self, upstream: tuple[str, int]) -> None:
        super().__init__(("127.0.0.1", 0), Tunnel)
        self.upstream = upstream
        self.hosts: list[str] = []


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    """A sandbox folder with 30 customers, on the machine's clock."""
    sandbox = Sandbox(tmp_path / "filled")
    seed(sandbox, customers=30)
    assert isinstance(sandbox.clock, SharedClock)
    sandbox.clock.follow_wall()
    return sandbox.folder


@contextmanager
def proxy_to(base_url: str) -> Iterator[Proxy]:
    """Run a CONNECT proxy in front of a served NetSuite."""
    url = httpx.URL(base_url)
    assert url.port
    with Proxy((url.host, url.port)) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


def run_netsuite(clients: Path, folder: Path, base_url: str, statements: str) -> Any:
    """Run statements with the `netsuite` client; it connects to NetSuite's own host only."""
    with proxy_to(base_url) as proxy:
        result = run_client(
            clients,
            NETSUITE_SCRIPT % statements,
            Sandbox(folder).credentials["netsuite"],
            HTTPS_PROXY=f"http://127.0.0.1:{proxy.server_address[1]}",
            NO_PROXY="",
            SSL_CERT_FILE=str(tls_files(folder).ca),
        )
        assert set(proxy.hosts) == {"1234567-sb1.suitetalk.api.netsuite.com:443"}
    return result


@pytest.mark.long
def test_netsuite_0_12_reads_suiteql_and_a_schema(serve: Serve, filled: Path, clients: Path) -> None:
    """The best known Python client signs by TBA and pages by offset."""
    base_url = serve("--tls", folder=filled).details["netsuite"]["base_url"]

    read = run_netsuite(clients, filled, base_url, QUERY_AND_SCHEMA)

    rows = [row for page in read["pages"] for row in page["items"]]
    assert [page["count"] for page in read["pages"]] == [20, 10]
    assert [page["hasMore"] for page in read["pages"]] == [True, False]
    assert len({row["id"] for row in rows}) == 30
    assert rows[0]["id"] == "1001"
    assert "companyName" in read["schema"]["properties"]


@pytest.mark.long
def test_netsuite_0_12_reads_a_record(filled: Path, clients: Path) -> None:
    """The record API that benches add to the sandbox is the real one as well."""
    command = [sys.executable, "-m", "tests.bench.extract_served", str(filled), "--tls"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        record = run_netsuite(clients, filled, process.stdout.readline().strip(), RECORD)
        process.terminate()

    (first, *_) = Sandbox(filled).netsuite.rows("customer")
    assert (record["id"], record.get("companyName")) == ("1001", first["companyname"])


@pytest.mark.long
def test_oaxmlapi_1_2_writes_and_reads_a_customer(serve: Serve, clients: Path) -> None:
    """The only XML client on the package index; it builds the request, urllib sends it."""
    details = serve().details["suiteprojects"]

    text = run_client(clients, OAXMLAPI_SCRIPT, details)

    check_customer(etree.fromstring(text.encode(), parser()))


def test_a_similar_xml_client_writes_and_reads_a_customer(serve: Serve) -> None:
    """The same request without the package: API_ver, `_Return`, one `addr` per part of the address."""
    settings = serve().details["suiteprojects"]
    head = {"API_ver": "1.0", "client": "independent", "client_ver": "1.1.1"}
    request = etree.Element("request", head | {name: settings[name] for name in ("namespace", "key")})
    login = etree.SubElement(etree.SubElement(request, "Auth"), "Login")
    for name in ("company", "user", "password"):
        etree.SubElement(login, name).text = settings[name]
    customer = etree.SubElement(etree.SubElement(request, "Add", type="Customer"), "Customer")
    for name, value in {"name": "CUST-1", "company": "Ångström & Söhne", "externalid": "1001"}.items():
        etree.SubElement(customer, name).text = value
    for name, value in {"city": "Wien", "zip": "1010"}.items():
        address = etree.SubElement(etree.SubElement(customer, "addr"), "Address")
        etree.SubElement(address, name).text = value
    read = etree.SubElement(request, "Read", type="Customer", method="all", limit="0,100")
    returned = etree.SubElement(read, "_Return")
    for name in ("id", "name", "company", "externalid"):
        etree.SubElement(returned, name)

    response = httpx.post(settings["base_url"] + "/api.pl", content=etree.tostring(request, encoding="utf-8"))

    check_customer(etree.fromstring(response.content, parser()))


def parser() -> etree.XMLParser:
    """Return a parser without network access and entities."""
    return etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)


def check_customer(response: etree._Element) -> None:
    """Check that each command has a block in order, and that the customer is returned as written."""
    auth, added, read = response
    found = read.find("Customer")

    assert [(each.tag, each.get("status")) for each in (auth, added, read)] == [
        ("Auth", "0"),
        ("Add", "0"),
        ("Read", "0"),
    ]
    assert found is not None
    assert found.findtext("company") == "Ångström & Söhne"
    assert found.findtext("externalid") == "1001"
    assert found.findtext("id") == added.findtext("Customer/id")


def test_precoro_sdk_creates_renames_disables_and_lists_options(serve: Serve) -> None:
    """The SDK accepts a base URL, so it needs no proxy; every write returns the option."""
    served = serve()
    SwitchBoard(served.folder / "switches.json").set("precoro", PrecoroSwitches, **NO_LIMITS)
    settings = served.details["precoro"]
    field = settings["item_custom_field_id"]

    with precoro.PrecoroClient(settings["token"], settings["email"], base_url=settings["base_url"]) as client:
        before = client.item_custom_fields.get(field)["options"]["data"]
        customer = client.item_custom_fields.add_option(field, "Acme")
        project = client.item_custom_fields.add_option(field, "Refit", parent_id=customer["id"])
        client.item_custom_fields.patch_option(field, customer["id"], externalId="1001")
        client.item_custom_fields.update_option(field, customer["id"], name="Acme Group", enable=True)
        client.item_custom_fields.update_option(field, project["id"], name="Refit", enable=False)
        listed = {option["id"]: option for option in client.item_custom_fields.get(field)["options"]["data"]}

    stored = {row["option_id"]: row for row in Sandbox(served.folder).precoro.options()}
    assert len(listed) == len(before) + 2
    assert listed[customer["id"]]["name"] == "Acme Group"
    assert listed[customer["id"]]["externalId"] == "1001"
    assert listed[project["id"]]["enable"] is False
    assert stored[project["id"]]["parent_id"] == customer["id"]
