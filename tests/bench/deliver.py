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

from resources.sandbox.sandbox import Sandbox
from resources.suiteprojects.connect import open_suiteprojects
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


def measured(name: str, count: int, latency_ms: int, command: list[str], batch: int) -> Measured:
    """Let one sender send to an account of its own, and ask the account what came.

    Raises:
        NotMeasuredError: It failed.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        served(Path(folder) / "sandbox", latency_ms) as (sandbox, base_url),
    ):
        keys = {each: sandbox.credentials["suiteprojects"][each] for each in KEYS}
        told = {"base_url": base_url, "keys": keys, "folder": folder, "count": count, "batch": batch}
        told |= {"rows": rows(count), "template": template(keys)}
        (given := Path(folder) / "told.json").write_text(json.dumps(told))
        done = subprocess.run([*command, str(given)], capture_output=True, text=True, check=False)
        if done.returncode:
            raise NotMeasuredError(f"{name}: {(done.stderr.strip() or 'it failed').splitlines()[-1]}")
        figures = json.loads(done.stdout.splitlines()[-1])
        service = sandbox.suiteprojects
        requests = service.calls_made()
        with open_suiteprojects(sandbox=str(sandbox.folder)) as client:
            quota = requests / (client.remaining_today() + service.calls_made())
        return Measured(
            name, count, requests, service.write_calls(), quota, figures["sending_s"],
            figures.get("whole_s"), figures["refused"], len(service.rows("Customer")),
        )  # fmt: skip


def peer() -> list[str]:
    """The command of the other sender, in an environment that is made once.

    Raises:
        NotMeasuredError: It cannot be installed.
    """
    folder = CACHE / "drt"
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        install = [str(python), "-m", "pip", "install", "-qq", "--disable-pip-version-check", PACKAGE]
        for step in ([sys.executable, "-m", "venv", "--clear", str(folder)], install):
            done = subprocess.run(step, capture_output=True, text=True, check=False)
            if done.returncode:
                why = (done.stderr.strip() or done.stdout.strip() or "no word").splitlines()[-1]
                raise NotMeasuredError(f"{PACKAGE} cannot be installed: {why}")
        (folder / "ready").touch()
    return [str(python), "-c", DRT]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--peer-rows", type=int, default=200)
    parser.add_argument("--latency", type=int, default=100, help="milliseconds")
    parser.add_argument("--batch", type=int, default=500)
    asked = parser.parse_args()
    table = Table(
        title=f"delivery at {asked.latency} ms a request, {platform.machine()}, {os.cpu_count()} cores",
        caption="quota: share of the day's requests, as RateLimit tells it; one record in a hundred is refused",
    )
    for head in ("sender", "rows", "requests", "writes", "rows a write", "quota", "sending s", "rows/s", "whole s",
                 "refused, told", "arrived"):  # fmt: skip
        table.add_column(head, justify="left" if head == "sender" else "right")
    console, missing = Console(width=WIDTH), []
    senders = {
        "Millpond": (asked.rows, lambda: [sys.executable, "-m", ME, "send"]),
        "drt-core, one by one": (asked.peer_rows, peer),
    }
    for name, (count, command) in senders.items():
        try:
            each = measured(name, count, asked.latency, command(), asked.batch)
        except NotMeasuredError as error:
            missing.append(str(error))
            continue
        table.add_row(
            each.name, f"{each.rows:,}", f"{each.requests:,}", f"{each.writes:,}", f"{each.rows / each.writes:.1f}",
            f"{each.quota:.3%}", f"{each.sending_s:.2f}", f"{each.rows / each.sending_s:,.0f}",
            "" if each.whole_s is None else f"{each.whole_s:.2f}", f"{each.refused} of {each.rows // 100}",
            f"{each.held:,}",
        )  # fmt: skip
    console.print(table)
    for reason in missing:
        console.print(f"not measured: {reason}", markup=False, highlight=False)


if __name__ == "__main__":
    main()
