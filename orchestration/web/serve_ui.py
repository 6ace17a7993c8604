"""Serve the Dagster UI and its daemon on the loopback address until they are stopped.

webserver + daemon, each in a session of its own  ->  SIGINT, SIGTERM or the end of either  ->  both are stopped
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

from orchestration.dagster_instance import open_instance
from orchestration.maintenance.dead_runs import close_dead_runs
from orchestration.settings import ROOT, MillpondSettings
from orchestration.web.sign_in import SIGN_IN
from orchestration.web.webserver import sign_in_token

WORKSPACE = ["-w", str(ROOT / "workspace.yaml")]
HOST = "127.0.0.1"
STOP_TIMEOUT_S = 10.0
POLL_S = 0.2
ANSWER_TIMEOUT_S = 30.0  # the first answer of a webserver on a busy machine

Process = subprocess.Popen[bytes]


def serve_ui(console: Console, port: int, *, host: str = HOST, read_only: bool = False) -> int:
    """Start webserver and daemon, wait, and stop both; returns the exit code."""
    if _is_taken(port):
        console.print(f"port {port} is in use; choose another one with --port", style="red", highlight=False)
        return 2
    settings = MillpondSettings()
    with open_instance(settings) as instance:  # its files are there before two processes open them at once
        close_dead_runs(instance)
    told = _told(settings, host, port, console)
    commands = [
        [sys.executable, "-m", "orchestration.web.webserver", host, str(port), *(["--read-only"] if read_only else [])],
        [sys.executable, "-m", "dagster._daemon", "run", *WORKSPACE],
    ]
    # before the first child: behind a shell's `&` SIGINT is ignored, children inherit that, and Dagster gives SIGTERM
    # the handler of SIGINT, so that neither would end them
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    started: list[Process] = []
    try:
        # the workspace's `working_directory: .` is the folder of the process
        started.extend(subprocess.Popen(command, cwd=ROOT, start_new_session=True) for command in commands)  # noqa: S603 - our own commands
        return _serve(started, port, told, console)
    except KeyboardInterrupt:
        return 0
    finally:
        _stop(started)


def _told(settings: MillpondSettings, host: str, port: int, console: Console) -> list[str]:
    """Where the UI is and how to sign in; the token itself is shown to a person at a terminal, never to a log."""
    address = f"http://{host}:{port}"
    token = sign_in_token(settings)
    where = "in MILLPOND_UI_TOKEN" if os.environ.get("MILLPOND_UI_TOKEN") else f"in {settings.ui_token}"
    link = [f"sign in: {address}/?token={quote(token)}"] if console.is_terminal else [f"the sign-in token is {where}"]
    return [f"the Dagster UI is on {address} (stop with Ctrl-C)", *link]


def _serve(started: Sequence[Process], port: int, told: Sequence[str], console: Console) -> int:
    """Say where the UI is once it answers, and wait until one of the processes ends by itself."""
    said = False
    while all(process.poll() is None for process in started):
        if not said and _answers(port):
            for line in told:
                console.print(line, markup=False, highlight=False, soft_wrap=True)
            sys.stdout.flush()
            said = True
        sleep(POLL_S)
    console.print("webserver or daemon ended; its last lines above say why", style="red")
    return 1


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0


def _answers(port: int) -> bool:
    """Whether a request is answered: on a busy machine the port is open well before that."""
    connection = http.client.HTTPConnection(HOST, port, timeout=ANSWER_TIMEOUT_S)
    try:
        connection.request("GET", SIGN_IN)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _stop(started: Sequence[Process]) -> None:
    """Ask them to end, wait for them and for the code servers that they started, and kill what is left in the end."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    for process in started:
        process.terminate()
    give_up = monotonic() + STOP_TIMEOUT_S
    while any(_is_alive(process) for process in started) and monotonic() < give_up:
        sleep(POLL_S)
    for process in started:
        if _is_alive(process):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _is_alive(process: Process) -> bool:
    """Whether the process or one that it started lives: all are in the session that it leads."""
    process.poll()  # takes leave of it, else it would count as living for ever
    try:
        os.killpg(process.pid, 0)
    except ProcessLookupError:
        return False
    return True


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
