"""Serve the Dagster UI and its daemon on the loopback address until they are stopped."""

import signal
import subprocess
import sys
from types import FrameType

from rich.console import Console

from orchestration.home import prepare_home
from orchestration.settings import ROOT, MillpondSettings

WORKSPACE = ["-w", str(ROOT / "workspace.yaml")]


def serve_ui(console: Console, port: int) -> int:
    """Start webserver and daemon, wait, and stop both; returns the exit code."""
    prepare_home(MillpondSettings())
    commands = [
        [sys.executable, "-m", "dagster_webserver", *WORKSPACE, "-h", "127.0.0.1", "-p", str(port)],
        [sys.executable, "-m", "dagster._daemon", "run", *WORKSPACE],
    ]
    # the workspace's `working_directory: .` is the folder of the process
    started = [subprocess.Popen(command, cwd=ROOT) for command in commands]  # noqa: S603 - our own commands
    signal.signal(signal.SIGTERM, _interrupt)
    console.print(f"the Dagster UI is on http://127.0.0.1:{port} (stop with Ctrl-C)", highlight=False)
    try:
        # when the webserver ends, for whatever reason, the daemon has nobody to serve
        return started[0].wait()
    except KeyboardInterrupt:
        return 0
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(30)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
