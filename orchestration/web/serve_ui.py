"""Serve the Dagster UI and its daemon until they are stopped.

webserver + daemon, each in its own session  ->  SIGINT, SIGTERM or the end of either  ->  both are stopped
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
from orchestration.dagster_internals import DAEMON_MODULE
from orchestration.maintenance.dead_runs import close_dead_runs
from orchestration.web.pages import SIGN_IN
from orchestration.web.webserver import access_of

WORKSPACE = ["-w", str(ROOT / "workspace.yaml")]
HOST = "127.0.0.1"
STOP_TIMEOUT_S = 10.0
POLL_S = 0.2
RESPONSE_TIMEOUT_S = 30.0  # of a webserver's first response on a busy machine

Process = subprocess.Popen[bytes]


def serve_ui(console: Console, port: int, *, host: str = HOST, read_only: bool = False) -> int:
    """Start webserver and daemon, wait, and stop both; return the exit code."""
    if _is_taken(port):
        console.print(f"port {port} is in use; choose another one with --port", style="red", highlight=False)
        return 2
    settings = MillpondSettings()
    with open_instance(settings) as instance:  # creates its files before two processes open them at once
        close_dead_runs(instance)
    ready = _ready_lines(settings, host, port, console)
    commands = [
        [sys.executable, "-m", "orchestration.web.webserver", host, str(port), *(["--read-only"] if read_only else [])],
        [sys.executable, "-m", DAEMON_MODULE, "run", *WORKSPACE],
    ]
    # before the first child: after a shell's `&` SIGINT is ignored, children inherit that, and Dagster handles SIGTERM
    # like SIGINT, so that neither would stop them
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    started: list[Process] = []
    try:
        # the workspace's `working_directory: .` is the folder of the process
        started.extend(subprocess.Popen(command, cwd=ROOT, start_new_session=True) for command in commands)  # noqa: S603 - our own commands
        return _wait(started, port, ready, console)
    except KeyboardInterrupt:
        return 0
    finally:
        _stop(started)


def _ready_lines(settings: MillpondSettings, host: str, port: int, console: Console) -> list[str]:
    """The UI's address and how to sign in; the token itself is shown on a terminal only, never in a log."""
    address = f"http://{host}:{port}"
    access = access_of(settings)
    place = "in MILLPOND_UI_TOKEN" if secret_value("MILLPOND_UI_TOKEN") else f"in {settings.ui_token}"
    if access.knows_people:
        sign_in = "users sign in with their names (`millpond user list`)"
    elif console.is_terminal:
        sign_in = f"sign in: {address}/?token={quote(access.token)}"
    else:
        sign_in = f"the sign-in token is {place}"
    return [f"the console is on {address}/console/, the Dagster UI on {address} (stop with Ctrl-C)", sign_in]


def _wait(started: Sequence[Process], port: int, ready: Sequence[str], console: Console) -> int:
    """Print the address once the UI responds, and wait until one of the processes ends by itself."""
    printed = False
    while all(process.poll() is None for process in started):
        if not printed and _responds(port):
            _print_ready(console, ready)
            printed = True
        sleep(POLL_S)
    console.print("webserver or daemon ended; its last lines above show the reason", style="red")
    return 1


def _print_ready(console: Console, ready: Sequence[str]) -> None:
    """Print lines of ours past the console, which would replace the token in the link to sign in."""
    console.file.writelines(f"{line}\n" for line in ready)
    console.file.flush()


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0


def _responds(port: int) -> bool:
    """Return whether a request gets a response: on a busy machine the port is open well before that."""
    connection = http.client.HTTPConnection(HOST, port, timeout=RESPONSE_TIMEOUT_S)
    try:
        connection.request("GET", SIGN_IN)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _stop(started: Sequence[Process]) -> None:
    """Stop the processes and the code servers that they started; kill what is still alive after a timeout."""
    for number in (signal.SIGINT, signal.SIGTERM):
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
