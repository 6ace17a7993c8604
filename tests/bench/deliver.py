"""Delivery beside others, in one run: the same customers into the same served SuiteProjects Pro, from nothing.

python -m tests.bench.deliver [--rows 2000] [--latency 100] [--peer-rows 200] [--batch 500]

Requests are counted where they are answered, and the day's quota is what the service says of it. drt-core is unchanged
and lives in an environment of its own under build/bench; when it cannot be installed the reason stands in its place.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from resources.clock import WallClock
from resources.sandbox.suiteprojects.switches import SuiteProjectsSwitches
from resources.sandbox.world import Sandbox
from tests.bench.deliver_senders import DRT, PACKAGE, rows, template

CACHE = Path(__file__).parents[2] / "build" / "bench"
ME = "tests.bench.deliver_senders"
KEYS = ("company", "user", "password", "namespace", "key")
WIDTH = 140  # characters of the table


@dataclass(frozen=True)
class Measured:
    """One sender; `whole_s` only where there is more than sending."""

    name: str
    rows: int
    requests: int
    writes: int
    quota: float
    sending_s: float
    whole_s: float | None
    refused: int
    held: int


class NotMeasuredError(Exception):
    """Why there is no number."""


@contextmanager
def served(folder: Path, latency_ms: int) -> Iterator[tuple[Sandbox, str]]:
    """An empty account at an address."""
    sandbox = Sandbox(folder)
    sandbox.clock.follow_wall()  # type: ignore[attr-defined]  # the folder's own clock
    command = [sys.executable, "-m", ME, "serve", str(folder), str(latency_ms)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout
            yield sandbox, server.stdout.readline().strip()
        finally:
            server.terminate()


def measured(name: str, count: int, latency_ms: int, command: list[str], told: dict[str, object]) -> Measured:
    """Let one sender send to an account of its own, and ask the account what came."""
    with (
        tempfile.TemporaryDirectory() as folder,
        served(Path(folder) / "sandbox", latency_ms) as (sandbox, base_url),
    ):
        keys = {each: sandbox.credentials["suiteprojects"][each] for each in KEYS}
        more = {"rows": rows(count), "template": template(keys)} if "count" not in told else {"keys": keys}
        given = {"base_url": base_url, **more, **({"folder": folder} | told if "count" in told else {})}
        done = subprocess.run(
            [*command, json.dumps(given)] if "count" in told else [*command, _argument(given)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise NotMeasuredError(f"{name}: {(done.stderr.strip() or 'it failed').splitlines()[-1]}")
        figures = json.loads(done.stdout.splitlines()[-1])
        service = sandbox.suiteprojects
        requests, per_day = service.calls_made(), SuiteProjectsSwitches().requests_per_day or 0
        return Measured(
            name, count, requests, service.write_calls(), requests / per_day, figures["sending_s"],
            figures.get("whole_s"), figures["refused"], len(service.rows("Customer")),
        )  # fmt: skip
