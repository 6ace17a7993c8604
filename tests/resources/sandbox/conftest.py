"""A served sandbox for tests that need real ports: a child process, stopped with the test."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
COMMAND = (sys.executable, "-c", "from orchestration.cli.sandbox import app; app()", "serve")


@dataclass
class Served:
    """A sandbox served by a child process."""

    process: subprocess.Popen[str]
    details: dict[str, Any]
    folder: Path

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, wait, and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout=10)


Serve = Callable[..., Served]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Serve a folder: `serve("--tls")`; stopped after the test."""
    with ExitStack() as stack:

        def start(*options: str, folder: Path = tmp_path / "served") -> Served:
            command = [*COMMAND, "--state", str(folder), *options]
            process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            stack.enter_context(process)
            stack.callback(process.kill)
            assert process.stdout
            line = process.stdout.readline()
            assert line, process.stderr.read() if process.stderr else ""
            return Served(process, json.loads(line), folder)

        yield start
