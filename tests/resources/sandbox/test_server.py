"""The served sandbox: three loopback ports in a child process, http and https, dropped and cut connections."""

import signal
import socket
import ssl
import stat
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from resources.sandbox.certificates import tls_files
from resources.sandbox.faults import Fault, FaultKind, Faults
from resources.sandbox.precoro.switches import PrecoroSwitches
from resources.sandbox.sandbox import Sandbox
from resources.sandbox.server import listen
from resources.sandbox.switches import SwitchBoard

Serve = Callable[..., Any]

ROOT = Path(__file__).parents[3]

KEYS = {
    "netsuite": {
        "base_url",
        "account",
        "consumer_key",
        "consumer_secret",
        "token_id",
        "token_secret",
        "client_id",
        "certificate_id",
        "private_key_file",
    },
    "suiteprojects": {"base_url", "company", "user", "password", "namespace", "key", "access_token"},
    "precoro": {"base_url", "token", "email", "item_custom_field_id"},
}
NO_LIMITS = {f"limit_per_{unit}": False for unit in ("second", "minute", "hour", "day")} | {"limit_identical": False}


def precoro(details: dict[str, Any], **options: Any) -> httpx.Client:
    """Return an HTTP client with the credentials of the served Precoro."""
    settings = details["precoro"]
    headers = {"X-AUTH-TOKEN": settings["token"], "email": settings["email"]}
    return httpx.Client(base_url=settings["base_url"], headers=headers, **options)


def options_path(details: dict[str, Any]) -> str:
    """Return the path for creating options."""
    return f"/itemcustomfields/{details['precoro']['item_custom_field_id']}/options"


def test_the_first_line_has_all_client_settings(serve: Serve) -> None:
    """Other programs start the sandbox and parse this line; stdout has nothing else."""
    served = serve()

    assert {system: set(served.details[system]) for system in KEYS} == KEYS
    assert served.details["ca_file"] is None
    for system in KEYS:
        url = httpx.URL(served.details[system]["base_url"])
        assert (url.scheme, url.host) == ("http", "127.0.0.1")
    assert Path(served.details["netsuite"]["private_key_file"]).is_absolute()
    assert served.stop() == 0
    assert served.process.stdout
    assert served.process.stdout.read() == ""


def test_each_port_serves_one_system(serve: Serve) -> None:
    """Each system responds to a client without credentials in its own way."""
    details = serve().details

    netsuite = httpx.post(
        details["netsuite"]["base_url"] + "/services/rest/query/v1/suiteql",
        headers={"Prefer": "transient"},
        json={"q": "SELECT id FROM customer"},
    )
    suiteprojects = httpx.post(details["suiteprojects"]["base_url"] + "/api.pl", content=b"<request/>")
    unknown = httpx.get(details["precoro"]["base_url"] + "/itemcustomfields")
    with precoro(details) as client:
        known = client.get("/itemcustomfields", params={"per_page": 10})

    assert netsuite.status_code == 401
    assert suiteprojects.status_code == 200
    assert b"<response" in suiteprojects.content
    assert unknown.status_code == 401
    assert known.status_code == 200


def test_tls_certificates_are_signed_by_the_folder_authority(serve: Serve) -> None:
    """With the authority's certificate clients connect, by the strictest rules; without it they do not."""
    details = serve("--tls").details
    trusting = ssl.create_default_context(cafile=details["ca_file"])
    trusting.verify_flags |= ssl.VERIFY_X509_STRICT

    with precoro(details, verify=trusting) as client:
        response = client.get("/itemcustomfields", params={"per_page": 10})
    with precoro(details) as client, pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        client.get("/itemcustomfields")

    assert details["precoro"]["base_url"].startswith("https://127.0.0.1:")
    assert response.status_code == 200


@pytest.mark.parametrize(("number", "option"), [(signal.SIGTERM, "--tls"), (signal.SIGINT, "--clock=wall")])
def test_a_signal_stops_the_server_cleanly(serve: Serve, number: int, option: str) -> None:
    """Supervisors treat an exit code other than 0 as a crash; an idle connection must not delay the exit."""
    served = serve(option)
    ca_file = served.details["ca_file"]
    verify = ssl.create_default_context(cafile=ca_file) if ca_file else True

    with precoro(served.details, verify=verify) as client:
        client.get("/itemcustomfields")
        code = served.stop(number)

    assert code == 0
    assert served.process.stderr
    assert served.process.stderr.read() == f"sandbox: stand-ins in {served.folder}\n"


def test_a_lost_response_drops_the_connection_after_processing(serve: Serve) -> None:
    """The dangerous case: the option exists, and the client does not know."""
    served = serve()
    Faults(served.folder / "faults.sqlite").plan("precoro", Fault(FaultKind.LOST, "POST"))

    with precoro(served.details) as client, pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        client.post(options_path(served.details), data={"name": "Acme"})

    names = [option["name"] for option in Sandbox(served.folder).precoro.options()]
    assert names.count("Acme") == 1


def test_a_cut_response_is_an_error(serve: Serve) -> None:
    """Half of a body must never be mistaken for a whole one."""
    served = serve("--tls")
    Faults(served.folder / "faults.sqlite").plan("precoro", Fault(FaultKind.CUT, "GET"))
    context = ssl.create_default_context(cafile=served.details["ca_file"])

    with precoro(served.details, verify=context) as client, pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        client.get("/itemcustomfields")
    with precoro(served.details, verify=context) as client:
        assert client.get("/legalentities").status_code in {200, 429}


def test_concurrent_clients_lose_no_writes(serve: Serve) -> None:
    """Extraction reads in parallel, so the state is shared by threads."""
    served = serve()
    SwitchBoard(served.folder / "switches.json").set("precoro", PrecoroSwitches, **NO_LIMITS)
    before = len(Sandbox(served.folder).precoro.options())

    def add(number: int) -> int:
        with precoro(served.details) as client:
            responses = [
                client.post(options_path(served.details), data={"name": f"Option {number}.{each}"}) for each in range(5)
            ]
        return sum(response.is_success for response in responses)

    with ThreadPoolExecutor(8) as pool:
        done = sum(pool.map(add, range(8)))

    assert done == 40
    assert len(Sandbox(served.folder).precoro.options()) == before + 40


def test_a_served_folder_follows_the_machine_clock(serve: Serve) -> None:
    """Clients sign with the machine's time, which NetSuite accepts within five minutes."""
    served = serve()

    clock = Sandbox(served.folder).clock

    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=5)


def test_a_served_folder_can_keep_its_own_clock(serve: Serve, tmp_path: Path) -> None:
    """A client on the sandbox's clock passes through rate limits of a day in seconds."""
    folder = tmp_path / "shared"
    begins = Sandbox(folder).clock.now()

    serve("--clock", "shared", folder=folder)

    assert timedelta(0) <= Sandbox(folder).clock.now() - begins < timedelta(minutes=1)


def test_private_files_are_readable_by_their_owner_only(serve: Serve) -> None:
    """Keys of a sandbox are protected like real ones, because people copy habits."""
    folder = serve("--tls").folder
    private = [folder / "credentials.json", folder / "netsuite_private_key.pem", folder / "tls" / "server-key.pem"]

    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in private} == dict.fromkeys(
        (path.name for path in private), 0o600
    )


def test_the_authority_is_stable_and_its_key_is_not_stored(tmp_path: Path) -> None:
    """A client that trusts ca.pem still trusts it after a restart; without the key nothing else can be signed."""
    first = tls_files(tmp_path).ca.read_bytes()

    assert tls_files(tmp_path).ca.read_bytes() == first
    assert [path.name for path in tmp_path.iterdir()] == ["tls"]
    assert sorted(path.name for path in (tmp_path / "tls").iterdir()) == [
        "ca.pem",
        "lock",
        "server-key.pem",
        "server.pem",
    ]


def test_the_server_listens_on_loopback_only() -> None:
    """The credentials are printed, and no one else on the network may use them."""
    with listen(0) as listener:
        assert listener.getsockname()[0] == "127.0.0.1"


def test_a_used_port_is_reported_in_one_line(tmp_path: Path) -> None:
    """A traceback would hide an error that the user can fix."""
    with listen(0) as listener:
        listener.listen()
        options = ["--precoro-port", str(listener.getsockname()[1]), "--state", str(tmp_path / "served")]
        call = "from orchestration.cli.sandbox import app; app()"
        ended = subprocess.run(
            [sys.executable, "-c", call, "serve", *options], cwd=ROOT, capture_output=True, text=True, check=False
        )

    assert ended.returncode == 2
    assert ended.stdout == ""
    assert "Address already in use" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_nagles_algorithm_is_disabled() -> None:
    """Asyncio sets TCP_NODELAY only on sockets that name their protocol; without it a response took 40 ms."""
    with listen(0) as listener:
        assert listener.proto == socket.IPPROTO_TCP
