"""Millpond's delivery compared with drt-core's: the same customers, sent to an empty simulated SuiteProjects Pro.

python -m tests.bench.deliver [--rows 2000] [--latency 100] [--peer-rows 200] [--batch 500]

The service counts requests and reports the day's quota. drt-core is unmodified, in a separate environment under
build/bench; if it cannot be installed, the reason is printed instead.
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
WIDTH = 170  # characters of the table


@dataclass(frozen=True)
class Measured:
    """The measurements of one sender; `total_s` includes more than sending, None if there is nothing more.

    `own_s` is the part of sending in which no request was served, and `own_cpu_s` the CPU of the sender meanwhile.
    """

    name: str
    rows: int
    requests: int
    writes: int
    quota: float
    sending_s: float
    own_s: float | None
    own_cpu_s: float | None
    total_s: float | None
    rejected: int
    arrived: int


class NotMeasuredError(Exception):
    """A sender cannot be measured; the message has the reason."""


@contextmanager
def served(folder: Path, latency_ms: int) -> Iterator[tuple[Sandbox, str]]:
    """Serve an empty account; yield the sandbox and the URL."""
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
    """Let one sender send to its own account, and measure the result in the account.

    Raises:
        NotMeasuredError: It failed.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        served(Path(folder) / "sandbox", latency_ms) as (sandbox, base_url),
    ):
        keys = {each: sandbox.credentials["suiteprojects"][each] for each in KEYS}
        task = {"base_url": base_url, "keys": keys, "folder": folder, "count": count, "batch": batch}
        task |= {"rows": rows(count), "template": template(keys)}
        (file := Path(folder) / "task.json").write_text(json.dumps(task))
        done = subprocess.run([*command, str(file)], capture_output=True, text=True, check=False)
        if done.returncode:
            raise NotMeasuredError(f"{name}: {(done.stderr.strip() or 'failed without a message').splitlines()[-1]}")
        figures = json.loads(done.stdout.splitlines()[-1])
        service = sandbox.suiteprojects
        requests = service.calls_made()
        with open_suiteprojects(sandbox=str(sandbox.folder)) as client:
            quota = requests / ((client.remaining_today() or 0) + service.calls_made())
        return Measured(
            name, count, requests, service.write_calls(), quota, figures["sending_s"],
            figures.get("own_s"), figures.get("own_cpu_s"), figures.get("total_s"),
            figures["rejected"], len(service.rows("Customer")),
        )  # fmt: skip


def peer() -> list[str]:
    """Return drt-core's command; its environment is created once.

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
                reason = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-1]
                raise NotMeasuredError(f"{PACKAGE} cannot be installed: {reason}")
        (folder / "ready").touch()
    return [str(python), "-c", DRT]


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--peer-rows", type=int, default=200)
    parser.add_argument("--latency", type=int, default=100, help="milliseconds")
    parser.add_argument("--batch", type=int, default=500)
    arguments = parser.parse_args()
    table = Table(
        title=f"delivery at {arguments.latency} ms per request, {platform.machine()}, {os.cpu_count()} cores",
        caption="quota: share of the day's requests, from RateLimit; one record in a hundred is invalid",
    )
    for head in ("sender", "rows", "requests", "writes", "rows per write", "quota", "sending s", "rows/s", "own s",
                 "own CPU s", "own rows/s", "total s", "rejections reported", "arrived"):  # fmt: skip
        table.add_column(head, justify="left" if head == "sender" else "right")
    console, missing = Console(width=WIDTH), []
    senders = {
        "Millpond": (arguments.rows, lambda: [sys.executable, "-m", ME, "send"]),
        "drt-core, one by one": (arguments.peer_rows, peer),
    }
    for name, (count, command) in senders.items():
        try:
            each = measured(name, count, arguments.latency, command(), arguments.batch)
        except NotMeasuredError as error:
            missing.append(str(error))
            continue
        table.add_row(
            each.name, f"{each.rows:,}", f"{each.requests:,}", f"{each.writes:,}", f"{each.rows / each.writes:.1f}",
            f"{each.quota:.3%}", f"{each.sending_s:.2f}", f"{each.rows / each.sending_s:,.0f}",
            *("" if value is None else f"{value:.2f}" for value in (each.own_s, each.own_cpu_s)),
            "" if each.own_s is None else f"{each.rows / each.own_s:,.0f}",
            "" if each.total_s is None else f"{each.total_s:.2f}", f"{each.rejected} of {each.rows // 100}",
            f"{each.arrived:,}",
        )  # fmt: skip
    console.print(table)
    for reason in missing:
        console.print(f"not measured: {reason}", markup=False, highlight=False)


if __name__ == "__main__":
    main()
