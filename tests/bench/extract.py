"""Compare our extraction with other tools in one run: the same served account and rows, while records change.

python -m tests.bench.extract [--customers 20000] [--latency 300] [--slots 5] [--still] [--only ours,netsuite,dlt]
    [--changed 100] [--small 60]

Each tool reads everything while records change, and again after 100 customers were changed. A connector that reads one
record at a time gets a small account: its figures are rates.

Each tool is a process of its own; its peak memory is the kernel's figure for that process (Linux). Other tools are
unmodified, in environments of their own under build/bench; a tool that cannot be installed is reported and left out.
The time for which a call holds one of the account's slots is measured on the server, so that the figures are meaningful
on a busy machine. NetSuite's limit of 100,000 rows per query is off, because offset paging ends there.
"""

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

import duckdb
import httpx
from rich.console import Console
from rich.table import Table

from assets.netsuite.record_types import RECORD_TYPES
from assets.netsuite.suiteql_file import Query
from resources.clock import WallClock
from resources.netsuite.auth import ClientCredentials
from resources.sandbox.sandbox import Sandbox
from tests.bench import extract_peers
from tests.bench.extract_served import CUSTOM, change, edit_records, fill
from tests.resources.sandbox.test_independent_clients import Proxy

CHANGED = "+46 changed"
POLL_S = 0.05
MAX_ERROR_TEXT = 300  # characters of a failed tool's output
WIDTH = 140  # characters of the table
CACHE = Path(__file__).parents[2] / "build" / "bench"
QUERY = Query.of("customers").with_columns(CUSTOM)


@dataclass(frozen=True)
class Account:
    """A served account."""

    folder: Path
    base_url: str
    keys: Mapping[str, Any]
    slots: int

    @property
    def usable(self) -> int:
        """Slots without the one that is left to others."""
        return max(1, self.slots - 1)

    def calls_so_far(self) -> int:
        """Return the number of calls, including sign-in and rejections."""
        return len((self.folder / "calls.txt").read_text().splitlines())

    def row_calls(self) -> list[tuple[float, float]]:
        """Return when each successful call for rows took its slot and when it released it."""
        lines = (line.split() for line in (self.folder / "calls.txt").read_text().splitlines())
        return [(float(begin), float(end)) for begin, end, status, data in lines if data == "1" and status == "200"]


def idle(calls: list[tuple[float, float]], usable: int) -> tuple[float, float, float]:
    """Return the unused slot-seconds: before all slots were first in use, in between, and after the last time."""
    changes = sorted([(begin, 1) for begin, _ in calls] + [(end, -1) for _, end in calls])
    spans, busy = list[tuple[float, float, int]](), 0
    for (moment, more), (until, _) in pairwise(changes):
        busy += more
        spans.append((moment, until, busy))
    full = [span for span in spans if span[2] >= usable]
    first, last = (full[0][0], full[-1][1]) if full else (spans[-1][1], spans[-1][1])
    lost = [0.0, 0.0, 0.0]
    for begin, end, count in spans:
        lost[(begin >= first) + (begin >= last)] += (end - begin) * max(0, usable - count)
    return lost[0], lost[1], lost[2]


@dataclass(frozen=True)
class Measurement:
    """The figures of one tool."""

    name: str
    rows: int
    seconds: float
    calls: int
    held_s: float
    reading_s: float
    peak_mb: float
    lost: int
    duplicated: int
    usable: int
    idle: tuple[float, float, float]
    paged: bool
    again: tuple[int, float, int, int]  # second run: calls, seconds, rows changed, rows found

    @property
    def speed(self) -> float:
        """Rows per second, including process start and writing."""
        return self.rows / self.seconds

    @property
    def used(self) -> float:
        """Share of the usable slots' time that calls took while reading."""
        return self.held_s / (self.reading_s * self.usable)

    @property
    def limit(self) -> float:
        """Rows per second if all usable slots always read full pages, by the duration of calls in this run."""
        return 1000 * self.usable / (self.held_s / self.calls)


@dataclass(frozen=True)
class Tool:
    """A tool: its command, given the account and a folder, and the query for id and phone of its result."""

    name: str
    command: Callable[[Account, Path], tuple[list[str], dict[str, str]]]
    rows: str
    tls: bool = False
    paged: bool = True  # 1000 rows per call; other tools get the small account


def ours(account: Account, folder: Path) -> tuple[list[str], dict[str, str]]:
    """Return the command for Millpond's extraction."""
    names = ("account", "client_id", "certificate_id", "private_key_file")
    keys = {**{name: account.keys[name] for name in names}, "base_url": account.base_url}
    job = {"keys": keys, "folder": str(folder), "slots": 20, "custom": CUSTOM}
    return [sys.executable, "-m", "tests.bench.extract_ours", json.dumps(job)], {}


def peer(kind: str, ranges: int = 1) -> Callable[[Account, Path], tuple[list[str], dict[str, str]]]:
    """Return the command for another tool, in its own environment."""

    def command(account: Account, folder: Path) -> tuple[list[str], dict[str, str]]:
        python = environment(kind)
        text = QUERY.page().replace(f" > ? order by {QUERY.key_expression} asc", "{condition}")
        job = {"base_url": account.base_url, "query": text, "key": QUERY.key_expression, "ranges": ranges}
        job |= {"folder": str(folder), "since": f"{datetime.now(UTC) - timedelta(days=50):%Y-%m-%dT%H:%M:%SZ}"}
        job |= account.keys
        if kind == "dlt":
            job["token"], job["borders"] = token(account), borders(account, ranges)
        return [str(python), "-c", extract_peers.SCRIPTS[kind], json.dumps(job)], {}

    return command


def environment(kind: str) -> Path:
    """Return the Python of a tool's environment, created once."""
    folder = CACHE / kind
    if not (folder / "ready").exists():
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
        subprocess.run([*pip, *extract_peers.PACKAGES[kind]], check=True, stderr=subprocess.DEVNULL)
        (folder / "ready").touch()
    return folder / "bin" / "python"


def token(account: Account) -> str:
    """Return a bearer token, for a tool that cannot sign in by itself."""
    keys = account.keys
    auth = ClientCredentials(
        base_url=account.base_url,
        client_id=keys["client_id"],
        certificate_id=keys["certificate_id"],
        private_key=Path(keys["private_key_file"]).read_bytes(),
        clock=WallClock(),
    )
    with httpx.Client(auth=auth, base_url=account.base_url, trust_env=False) as http:
        asked = http.get("/services/rest/system/v1/serverTime").request
    return asked.headers["Authorization"].removeprefix("Bearer ")


def borders(account: Account, ranges: int) -> list[int]:
    """Return ids that split the customers into ranges of equal size, as a user would configure them."""
    ids = sorted(row["id"] for row in Sandbox(account.folder).netsuite.rows("customer"))
    return [ids[len(ids) * part // ranges] for part in range(1, ranges)]


ROWS = "select id::bigint as id, phone from warehouse."
TOOLS = {
    "ours": Tool(
        "Millpond", ours, " union all ".join(f"{ROWS}{table}" for table in RECORD_TYPES["customers"].raw_tables)
    ),
    "netsuite": Tool("netsuite 0.12", peer("netsuite"), f"{ROWS}customer", tls=True),
    "dlt": Tool("dlt 1.31", peer("dlt"), f"{ROWS}warehouse.customer"),
    "dlt4": Tool("dlt 1.31, 4 id ranges", peer("dlt", 4), f"{ROWS}warehouse.customer"),
    "airbyte": Tool("airbyte 0.1.29", peer("airbyte"), f"{ROWS}customer", tls=True, paged=False),
}


@contextmanager
def served(filled: Path, slots: int, *, tls: bool) -> Iterator[Account]:
    """Serve a copy of the account in a process of its own."""
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "account"
        shutil.copytree(filled, folder)
        command = [sys.executable, "-m", "tests.bench.extract_served", str(folder), *(["--tls"] if tls else [])]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout
            base_url = process.stdout.readline().strip()
            keys = json.loads((folder / "credentials.json").read_text())["netsuite"]
            keys["private_key_file"] = str(folder / "netsuite_private_key.pem")
            keys["ca_file"] = str(folder / "tls" / "ca.pem")
            yield Account(folder, base_url, keys, slots)
        finally:
            process.terminate()
            process.wait()


@contextmanager
def edited(account: Account, *, still: bool) -> Iterator[set[int]]:
    """Edit records in the background; afterwards the set holds the ids that existed all the time."""
    sandbox, stop, stayed = Sandbox(account.folder), threading.Event(), set[int]()
    ids = [row["id"] for row in sandbox.netsuite.rows("customer")]
    stayed.update(ids)

    def work() -> None:
        stayed.difference_update(edit_records(sandbox, ids, stop))

    thread = threading.Thread(target=work)
    if not still:
        thread.start()
    try:
        yield stayed
    finally:
        stop.set()
        if not still:
            thread.join()


def measure(tool: Tool, filled: Path, options: argparse.Namespace, *, still: bool) -> Measurement:
    """Measure one tool: a full read, and another one after some customers were changed."""
    with served(filled, options.slots, tls=tool.tls) as account, tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "out"
        folder.mkdir()
        with proxied(account, tool.tls) as more:
            with edited(account, still=still) as stayed:
                seconds, peak_mb = run(tool, account, folder, more)
            got = [key for key, _ in read_rows(folder, tool.rows)]
            calls = account.row_calls()
            again = run_again(tool, account, folder, more, options.changed if tool.paged else options.small // 3)
        return Measurement(
            name=tool.name,
            rows=len(got),
            seconds=seconds,
            calls=len(calls),
            held_s=sum(end - begin for begin, end in calls),
            reading_s=max(end for _, end in calls) - min(begin for begin, _ in calls),
            peak_mb=peak_mb,
            lost=len(stayed - set(got)),
            duplicated=len(got) - len(set(got)),
            usable=account.usable,
            idle=idle(calls, account.usable),
            paged=tool.paged,
            again=again,
        )


def measure_or_still(tool: Tool, filled: Path, options: argparse.Namespace, notes: list[str]) -> Measurement:
    """Measure one tool; if it fails while records change, note that and measure it without changes."""
    try:
        return measure(tool, filled, options, still=options.still)
    except RuntimeError as error:
        if options.still:
            raise
        notes.append(f"{tool.name}: measured without changes; with changes, {error}")
        return measure(tool, filled, options, still=True)


def run(tool: Tool, account: Account, folder: Path, more: Mapping[str, str]) -> tuple[float, float]:
    """Run a tool; return seconds, and peak memory in megabytes."""
    command, variables = tool.command(account, folder)
    began = perf_counter()
    environ = {**os.environ, **variables, **more}
    output = folder.parent / "output.txt"
    with output.open("wb") as errors:
        child = subprocess.Popen(command, env=environ, stdout=errors, stderr=errors, start_new_session=True)
        peak_mb = peak_of(child)
    if child.returncode:
        last = (output.read_text(errors="replace").strip().splitlines() or ["no output"])[-1]
        raise RuntimeError(f"it exited with {child.returncode}: {last[:MAX_ERROR_TEXT]}")
    return perf_counter() - began, peak_mb


def run_again(
    tool: Tool, account: Account, folder: Path, more: Mapping[str, str], changed: int
) -> tuple[int, float, int, int]:
    """Change some customers and run again; return calls, seconds, customers changed, and those found."""
    change(Sandbox(account.folder), changed, CHANGED)
    before = account.calls_so_far()
    seconds, _ = run(tool, account, folder, more)
    found = {key for key, phone in read_rows(folder, tool.rows) if phone == CHANGED}
    return account.calls_so_far() - before, seconds, changed, len(found)


def peak_of(child: subprocess.Popen[bytes]) -> float:
    """Wait for a process; return its peak memory in megabytes (the rusage of wait4 would include its parent's)."""
    status, peak = Path(f"/proc/{child.pid}/status"), 0.0
    while child.poll() is None:
        with suppress(OSError):
            marks = re.findall(r"VmHWM:\s+(\d+)", status.read_text())
            peak = max(peak, *(int(mark) / 1024 for mark in marks), 0.0)
        sleep(POLL_S)
    return peak


@contextmanager
def proxied(account: Account, needed: bool) -> Iterator[dict[str, str]]:  # noqa: FBT001
    """Start a proxy that redirects a tool which knows only NetSuite's own host."""
    if not needed:
        yield {}
        return
    url = httpx.URL(account.base_url)
    assert url.port
    with Proxy((url.host, url.port)) as proxy:
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{proxy.server_address[1]}"
        yield {"HTTPS_PROXY": address, "NO_PROXY": "", "SSL_CERT_FILE": account.keys["ca_file"]}
        proxy.shutdown()


def read_rows(folder: Path, query: str) -> list[tuple[int, str | None]]:
    """Return id and phone number of the rows in a tool's DuckDB file."""
    with duckdb.connect() as con:
        con.execute(f"attach '{next(folder.glob('*.duckdb'))}' as warehouse (read_only)")
        return con.execute(query).fetchall()


def _rate(rows: float) -> str:
    """Return rows per second as text: an integer, or two digits if small."""
    return f"{rows:,.0f}" if rows >= 100 else f"{rows:.2g}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, default=20_000)
    parser.add_argument("--latency", type=int, default=300, help="milliseconds per call")
    parser.add_argument("--slots", type=int, default=5, help="calls that the account accepts in parallel")
    parser.add_argument("--still", action="store_true", help="do not change records during the read")
    parser.add_argument("--changed", type=int, default=100, help="customers to change before the second run")
    parser.add_argument("--small", type=int, default=60, help="customers for tools that read one record at a time")
    parser.add_argument("--only", default=",".join(TOOLS))
    options = parser.parse_args()
    console, measured, notes = Console(width=WIDTH), list[Measurement](), list[str]()
    with tempfile.TemporaryDirectory() as parent:
        filled = {paged: Path(parent) / f"filled_{paged}" for paged in (True, False)}
        for paged, folder in filled.items():
            fill(folder, options.customers if paged else options.small, options.latency, options.slots)
        for key in options.only.split(","):
            try:
                measured.append(measure_or_still(TOOLS[key], filled[TOOLS[key].paged], options, notes))
            except subprocess.CalledProcessError as error:
                notes.append(f"{TOOLS[key].name}: not measured, installation failed ({error.returncode})")
            except RuntimeError as error:
                notes.append(f"{TOOLS[key].name}: not measured, {error}")
    if measured:
        console.print(table(measured, options))
        console.print(table_again(measured))
    for line in notes:
        console.print(line)


def table(measured: list[Measurement], options: argparse.Namespace) -> Table:
    """Return the figures, with ratios to the first tool and to the limit."""
    nominal = 1000 * max(1, options.slots - 1) / (options.latency / 1000)
    shown = Table(
        title=f"{options.customers:,} customers x {len(QUERY.columns)} columns, {options.latency} ms per call,"
        f" {options.slots} slots, {options.slots - 1} usable: at most {nominal:,.0f} rows/s"
        f" ({platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f})",
        caption="whole run: including process start and writing. used: share of the usable slots' time while reading."
        " limit: full pages on all usable slots, by the duration of calls in this run. lost, duplicated: of the rows"
        " that existed all the time" + ("" if options.still else ", with 10 inserts, deletes and updates per second"),
    )
    heads = (
        *("", "rows", "rows/s, whole run", "ratio", "reading", "of the limit", "used", "idle: first/between/last"),
        *("calls", "peak MB", "lost", "duplicated"),
    )
    for head in heads:
        shown.add_column(head, justify="right" if head else "left")
    for each in measured:
        reading = each.rows / each.reading_s
        shown.add_row(
            each.name, f"{each.rows:,}", _rate(each.speed), f"{each.speed / measured[0].speed:.2g}",
            _rate(reading), f"{reading / each.limit:.0%}" if each.paged else "", f"{each.used:.0%}",
            " / ".join(f"{part / (each.reading_s * each.usable):.1%}" for part in each.idle),
            str(each.calls), f"{each.peak_mb:.0f}", str(each.lost), str(each.duplicated),
        )  # fmt: skip
    return shown


def table_again(measured: list[Measurement]) -> Table:
    """Return the figures of the second run: calls, and changed customers that were found."""
    shown = Table(title="second run, after some customers were changed", caption="calls: including sign-in and probes")
    for head in ("", "changed", "found", "calls", "calls per changed row", "ratio", "seconds"):
        shown.add_column(head, justify="right" if head else "left")
    ours = measured[0].again[0] / measured[0].again[2]
    for each in measured:
        calls, seconds, changed, found = each.again
        shown.add_row(each.name, str(changed), str(found), str(calls), f"{calls / changed:.2f}",
                      f"{calls / changed / ours:.1f}", f"{seconds:.1f}")  # fmt: skip
    return shown


if __name__ == "__main__":
    main()
