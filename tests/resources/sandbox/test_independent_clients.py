"""Clients written by others, unchanged, against the served sandbox: the proof that it speaks the real protocols.

`precoro-sdk` lives in our environment. `netsuite` wants an older httpx than ours and `oaxmlapi` is from 2016, so the
two are installed once, with what they depend on, into a folder of pytest's cache and run there by `python -S`, which
shows them nothing of our environment. Where no package index is reachable those tests say so and are skipped;
with MILLPOND_REQUIRE_CLIENTS=1 they fail instead.
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
from pathlib import Path
from socket import SHUT_WR, create_connection, socket
from typing import Any

import httpx
import precoro
import pytest
from lxml import etree

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

told = json.load(sys.stdin)
keys = ("consumer_key", "consumer_secret", "token_id", "token_secret")
api = NetSuiteRestApi(Config(account=told["account"], auth=TokenAuth(**{key: told[key] for key in keys})))

async def main():
    query = "SELECT id, companyname FROM customer ORDER BY id ASC"
    pages = [await api.suiteql(query, limit=20, offset=offset) for offset in (0, 20)]
    first = pages[0]["items"][0]["id"]
    record = await api.get("/record/v1/customer/" + first)
    schema = await api.jsonschema("customer")
    print(json.dumps({"pages": pages, "record": record, "schema": schema}))

asyncio.run(main())
"""

OAXMLAPI_SCRIPT = """
import json, sys, urllib.request
import xml.etree.ElementTree as ET
from oaxmlapi.commands import Add, Read
from oaxmlapi.connections import Application, Auth, Request
from oaxmlapi.datatypes import Datatype

told = json.load(sys.stdin)
app = Application("independent", "1.2", told["namespace"], told["key"])
auth = Auth(told["company"], told["user"], told["password"])
fields = {"name": "CUST-1", "company": "Ångström & Söhne", "externalid": "1001", "currency": "EUR", "city": "Wien"}
commands = [
    Add("Customer", {}, Datatype("Customer", fields)).add(),
    Read("Customer", "all", {"limit": "0,100"}, [], ["id", "name", "company", "externalid"]).read(),
]
body = ET.tostring(Request(app, auth, commands).request(), "utf-8")
with urllib.request.urlopen(urllib.request.Request(told["base_url"] + "/api.pl", body)) as answer:
    print(json.dumps(answer.read().decode()))
"""


@pytest.fixture(scope="session")
def clients(pytestconfig: pytest.Config) -> Path:
    """The folder that holds the two clients with their own dependencies."""
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
            tell = pytest.fail if os.environ.get("MILLPOND_REQUIRE_CLIENTS") else pytest.skip
            tell(f"{', '.join(CLIENTS)} cannot be installed: {ended.stderr.strip().splitlines()[-1]}")
        try:
            partial.rename(folder)
        except OSError:  # another test process was first
            shutil.rmtree(partial)
    return folder


def run_client(clients: Path, script: str, told: dict[str, Any], **environment: str) -> Any:
    """Run a script of a client's own environment; what it prints as JSON."""
    ended = subprocess.run(
        [sys.executable, "-S", "-W", "ignore", "-c", script],
        input=json.dumps(told),
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(clients), "PYTHONUTF8": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


class Tunnel(socketserver.StreamRequestHandler):
    """One CONNECT: whatever host of NetSuite's is asked for, the stand-in's port is what it gets."""

    def handle(self) -> None:
        """Open the tunnel and pass bytes both ways until both sides are done."""
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
    """Pass bytes on until the source ends; then end the sink's input."""
    try:
        while chunk := source.recv(65536):
            sink.sendall(chunk)
        sink.shutdown(SHUT_WR)
    except OSError:  # the other side is gone: so is the tunnel
        return


class Proxy(socketserver.ThreadingTCPServer):
    """The proxy of netsuite.md §8.1: clients without a setting for the address reach the sandbox unchanged."""

    daemon_threads = True

    def __init__(self, upstream: tuple[str, int]) -> None:
        super().__init__(("127.0.0.1", 0), Tunnel)
        self.upstream = upstream
        self.hosts: list[str] = []


@pytest.fixture
def netsuite_served(serve: Serve, tmp_path: Path) -> dict[str, Any]:
    """NetSuite behind TLS, with 30 customers."""
    folder = tmp_path / "filled"
    seed(Sandbox(folder), customers=30)
    details: dict[str, Any] = serve("--tls", folder=folder).details
    return details


@pytest.fixture
def proxy(netsuite_served: dict[str, Any]) -> Iterator[Proxy]:
    """A CONNECT proxy in front of it."""
    url = httpx.URL(netsuite_served["netsuite"]["base_url"])
    assert url.port
    with Proxy((url.host, url.port)) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


def test_netsuite_0_12_reads_suiteql_a_record_and_its_schema(
    netsuite_served: dict[str, Any], proxy: Proxy, clients: Path
) -> None:
    """The best known Python client signs by TBA, pages by offset, and knows no other host than NetSuite's."""
    port = proxy.server_address[1]

    read = run_client(
        clients,
        NETSUITE_SCRIPT,
        netsuite_served["netsuite"],
        HTTPS_PROXY=f"http://127.0.0.1:{port}",
        NO_PROXY="",
        SSL_CERT_FILE=netsuite_served["ca_file"],
    )

    rows = [row for page in read["pages"] for row in page["items"]]
    assert set(proxy.hosts) == {"1234567-sb1.suitetalk.api.netsuite.com:443"}
    assert [page["count"] for page in read["pages"]] == [20, 10]
    assert [page["hasMore"] for page in read["pages"]] == [True, False]
    assert len({row["id"] for row in rows}) == 30
    assert read["record"]["id"] == rows[0]["id"] == "1001"
    assert read["record"].get("companyName") == rows[0].get("companyname")
    assert "companyName" in read["schema"]["properties"]


def test_oaxmlapi_1_2_writes_and_reads_a_customer(serve: Serve, clients: Path) -> None:
    """The only XML client on the package index; it builds the request, urllib carries it."""
    details = serve().details["suiteprojects"]

    text = run_client(clients, OAXMLAPI_SCRIPT, details)

    check_customer(etree.fromstring(text.encode(), parser()))


def test_an_xml_client_of_that_shape_writes_and_reads_a_customer(serve: Serve) -> None:
    """The same bytes without the package: API_ver, `_Return`, one `addr` for each part of the address."""
    told = serve().details["suiteprojects"]
    head = {"API_ver": "1.0", "client": "independent", "client_ver": "1.1.1"}
    request = etree.Element("request", head | {name: told[name] for name in ("namespace", "key")})
    login = etree.SubElement(etree.SubElement(request, "Auth"), "Login")
    for name in ("company", "user", "password"):
        etree.SubElement(login, name).text = told[name]
    customer = etree.SubElement(etree.SubElement(request, "Add", type="Customer"), "Customer")
    for name, value in {"name": "CUST-1", "company": "Ångström & Söhne", "externalid": "1001"}.items():
        etree.SubElement(customer, name).text = value
    for name, value in {"city": "Wien", "zip": "1010"}.items():
        address = etree.SubElement(etree.SubElement(customer, "addr"), "Address")
        etree.SubElement(address, name).text = value
    read = etree.SubElement(request, "Read", type="Customer", method="all", limit="0,100")
    wanted = etree.SubElement(read, "_Return")
    for name in ("id", "name", "company", "externalid"):
        etree.SubElement(wanted, name)

    answer = httpx.post(told["base_url"] + "/api.pl", content=etree.tostring(request, encoding="utf-8"))

    check_customer(etree.fromstring(answer.content, parser()))


def parser() -> etree.XMLParser:
    """A parser that fetches and expands nothing."""
    return etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)


def check_customer(response: etree._Element) -> None:
    """Each command is answered in order, and the customer comes back as it was written."""
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
    """The SDK takes a base URL, so it needs no proxy; every write answers the bare option."""
    served = serve()
    SwitchBoard(served.folder / "switches.json").set("precoro", PrecoroSwitches, **NO_LIMITS)
    told = served.details["precoro"]
    field = told["item_custom_field_id"]

    with precoro.PrecoroClient(told["token"], told["email"], base_url=told["base_url"]) as client:
        before = client.item_custom_fields.get(field)["options"]["data"]
        customer = client.item_custom_fields.add_option(field, "Acme")
        project = client.item_custom_fields.add_option(field, "Refit", parent_id=customer["id"])
        client.item_custom_fields.patch_option(field, customer["id"], externalId="1001")
        client.item_custom_fields.update_option(field, customer["id"], name="Acme Group", enable=True)
        client.item_custom_fields.update_option(field, project["id"], name="Refit", enable=False)
        listed = {option["id"]: option for option in client.item_custom_fields.get(field)["options"]["data"]}

    kept = {row["option_id"]: row for row in Sandbox(served.folder).precoro.options()}
    assert len(listed) == len(before) + 2
    assert listed[customer["id"]]["name"] == "Acme Group"
    assert listed[customer["id"]]["externalId"] == "1001"
    assert listed[project["id"]]["enable"] is False
    assert kept[project["id"]]["parent_id"] == customer["id"]
