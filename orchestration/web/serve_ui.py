"""Serve the Dagster UI and its daemon until they are stopped.

webserver + daemon, each in its own session  ->  SIGINT, SIGTERM, a closed terminal or the end of either  ->  both stop
"""

import http.client
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from time import monotonic, sleep
from types import FrameType
from urllib.parse import quote

from rich.console import Console

from orchestration.configuration.secret_settings import secret_value
from orchestration.configuration.settings import ROOT, MillpondSettings
from orchestration.dagster_instance import open_instance
from orchestration.maintenance.dead_runs import close_dead_runs
from orchestration.web.pages import SIGN_IN
from orchestration.web.webserver import access_of

WORKSPACE = ["-w", str(ROOT / "workspace.yaml")]
HOST = "127.0.0.1"
STOP_TIMEOUT_S = 10.0
POLL_S = 0.2
STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # the last when the terminal is closed
RESPONSE_TIMEOUT_S = 30.0  # of a webserver's first response on a busy machine

Process = subprocess.Popen[bytes]


def serve_ui(console: Console, port: int, *, host: str = HOST, read_only: bool = False) -> int:
    """Start webserver and daemon, wait, and stop both; return the exit code."""
    if _is_taken(host, port):
        console.print(f"port {port} is in use; choose another one with --port", style="red", highlight=False)
        return 2
    settings = MillpondSettings()
    with open_instance(settings) as instance:  # creates its files before two processes open them at once
        close_dead_runs(instance)
    ready = _ready_lines(settings, host, port, console)
    commands = [
        [sys.executable, "-m", "orchestration.web.webserver", host, str(port), *(["--read-only"] if read_only else [])],
        [sys.executable, "-m", "orchestration.daemon", "run", *WORKSPACE],
    ]
    # before the first child: after a shell's `&` SIGINT is ignored, children inherit that, and Dagster handles SIGTERM
    # like SIGINT, so that neither would stop them
    for number in STOPS:
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # which `nohup` asks for
            signal.signal(number, _interrupt)
    started: list[Process] = []
    try:
        # the workspace's `working_directory: .` is the folder of the process
        started.extend(subprocess.Popen(command, cwd=ROOT, start_new_session=True) for command in commands)  # noqa: S603 - our own commands
        return _wait(started, host, port, ready, console)
    except KeyboardInterrupt:
        return 0
    finally:
        _stop(started)


def _ready_lines(settings: MillpondSettings, host: str, port: int, console: Console) -> list[str]:
    """The UI's address and how to sign in; the token itself is shown on a terminal only, never in a log."""
    here = address_here(host)
    address = f"http://[{here}]:{port}" if ":" in here else f"http://{here}:{port}"
    access = access_of(settings)
    place = "in MILLPOND_UI_TOKEN" if secret_value("MILLPOND_UI_TOKEN") else f"in {settings.ui_token}"
    if access.knows_people:
        sign_in = "users sign in with their names (`millpond user list`)"
    elif console.is_terminal:
        sign_in = f"sign in: {address}/?token={quote(access.token)}"
    else:
        sign_in = f"the sign-in token is {place}"
    refused = f"! browsers are refused at this address; add {here} to MILLPOND_UI_ALLOWED_HOSTS"
    return [
        f"the console is on {address}/console/, the Dagster UI on {address} (stop with Ctrl-C)",
        sign_in,
        *([] if here.lower() in access.hosts else [refused]),
    ]


def address_here(host: str) -> str:
    """Return the address at which this machine reaches a server that listens on `host`, such as on all addresses."""
    return {"0.0.0.0": HOST, "::": "::1"}.get(host, host)  # noqa: S104 - nothing listens here


def _wait(started: Sequence[Process], host: str, port: int, ready: Sequence[str], console: Console) -> int:
    """Print the address once the UI responds, and wait until one of the processes ends by itself."""
    printed = False
    while all(process.poll() is None for process in started):
        if not printed and _responds(host, port):
            _print_ready(console, ready)
            printed = True
        sleep(POLL_S)
    console.print("webserver or daemon ended; its last lines above show the reason", style="red")
    return 1


def _print_ready(console: Console, ready: Sequence[str]) -> None:
    """Print lines of ours past the console, which would replace the token in the link to sign in."""
    console.file.writelines(f"{line}\n" for line in ready)
    console.file.flush()


def _is_taken(host: str, port: int) -> bool:
    try:
        socket.create_connection((address_here(host), port), timeout=1).close()
    except OSError:  # an address that is not of this machine is named by the webserver
        return False
    return True


def _responds(host: str, port: int) -> bool:
    """Return whether a request gets a response: on a busy machine the port is open well before that."""
    connection = http.client.HTTPConnection(address_here(host), port, timeout=RESPONSE_TIMEOUT_S)
    try:
        connection.request("GET", SIGN_IN, headers={"Host": "localhost"})  # other names may be refused
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _stop(started: Sequence[Process]) -> None:
    """Stop the processes and the code servers that they started; kill what is still alive after a timeout."""
    for number in STOPS:
        signal.signal(number, signal.SIG_IGN)
    for process in started:
        process.terminate()
    deadline = monotonic() + STOP_TIMEOUT_S
    while any(_is_alive(process) for process in started) and monotonic() < deadline:
        sleep(POLL_S)
    for process in started:
        if _is_alive(process):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _is_alive(process: Process) -> bool:
    """Return whether the process or one that it started is alive: all are in its session."""
    process.poll()  # reaps it; otherwise it would count as alive
    try:
        os.killpg(process.pid, 0)
    except ProcessLookupError:
        return False
    return True


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
