"""Extraction beside others, in one run: the same served account, the same rows, while people change them.

python -m tests.bench.extract [--customers 20000] [--latency 300] [--slots 5] [--still] [--only ours,netsuite,dlt]
    [--changed 100] [--few 60]

Each reads everything while people work, and then once more after 100 customers were changed. The connector that asks
for one record at a time gets an account with few of them: its figures are rates.

Each contestant is a process of its own; its peak memory is the kernel's figure for that process (Linux). Others are
unchanged and live in environments of their own under build/bench; what cannot be installed is told of and left out. How
long a call holds one of the account's slots is measured where it is answered, so that the table means something on a
busy machine as well. NetSuite's cap of 100,000 rows a query is off: offset pages end there.
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
from tests.bench.extract_served import CUSTOM, change, fill, move
from tests.resources.sandbox.test_independent_clients import Proxy

CHANGED = "+46 changed"
POLL_S = 0.05
MOST_TEXT = 300  # of what a contestant that failed said
WIDTH = 140  # characters of the table
CACHE = Path(__file__).parents[2] / "build" / "bench"
QUERY = Query.of("customers").with_columns(CUSTOM)


@dataclass(frozen=True)
class Account:
    """A served account as a contestant finds it."""

    folder: Path
    base_url: str
    keys: Mapping[str, Any]
    slots: int

    @property
    def usable(self) -> int:
        """Slots without the one that is left to others."""
        return max(1, self.slots - 1)

    def calls_so_far(self) -> int:
        """Every call, sign-in and refusals included."""
        return len((self.folder / "calls.txt").read_text().splitlines())

    def calls(self) -> list[tuple[float, float]]:
        """Calls for rows that were answered: when each took its slot and gave it back."""
        lines = (line.split() for line in (self.folder / "calls.txt").read_text().splitlines())
        return [(float(begin), float(end)) for begin, end, status, data in lines if data == "1" and status == "200"]


def idle(calls: list[tuple[float, float]], usable: int) -> tuple[float, float, float]:
    """Slot-seconds in which no call was under way: before all slots were first in use, between, after the last time."""
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
class Measured:
    """One contestant."""

    name: str
    rows: int
    seconds: float
    calls: int
    held_s: float
    reading_s: float
    peak_mb: float
    lost: int
    doubled: int
    usable: int
    idle: tuple[float, float, float]
    paged: bool
    again: tuple[int, float, int, int]  # calls, seconds, rows that were changed, and of these found

    @property
    def speed(self) -> float:
        """Rows a second, the process's start and the writing included."""
        return self.rows / self.seconds

    @property
    def used(self) -> float:
        """Share of the granted slots' time that calls were under way, while reading."""
        return self.held_s / (self.reading_s * self.usable)

    @property
    def limit(self) -> float:
        """Rows a second if all usable slots were always used for full pages, by how long calls took in this run."""
        return 1000 * self.usable / (self.held_s / self.calls)


@dataclass(frozen=True)
class Contestant:
    """Who reads: the command, given the account and a folder of its own; where id and phone are afterwards."""

    name: str
    command: Callable[[Account, Path], tuple[list[str], dict[str, str]]]
    rows: str
    tls: bool = False
    paged: bool = True  # a thousand rows a call; the others get few customers


def ours(account: Account, folder: Path) -> tuple[list[str], dict[str, str]]:
    """Millpond's extraction."""
    names = ("account", "client_id", "certificate_id", "private_key_file")
    keys = {**{name: account.keys[name] for name in names}, "base_url": account.base_url}
    told = {"keys": keys, "folder": str(folder), "lanes": 20, "custom": CUSTOM}
    return [sys.executable, "-m", "tests.bench.extract_ours", json.dumps(told)], {}


def peer(kind: str, ranges: int = 1) -> Callable[[Account, Path], tuple[list[str], dict[str, str]]]:
    """A client of others, in its own environment."""

    def command(account: Account, folder: Path) -> tuple[list[str], dict[str, str]]:
        python = environment(kind)
        text = QUERY.page().replace(f" > ? order by {QUERY.key_expression} asc", "{condition}")
        told = {"base_url": account.base_url, "query": text, "key": QUERY.key_expression, "ranges": ranges}
        told |= {"folder": str(folder), "since": f"{datetime.now(UTC) - timedelta(days=50):%Y-%m-%dT%H:%M:%SZ}"}
        told |= account.keys
        if kind == "dlt":
            told["token"], told["borders"] = token(account), borders(account, ranges)
        return [str(python), "-c", extract_peers.SCRIPTS[kind], json.dumps(told)], {}

    return command


def environment(kind: str) -> Path:
    """The Python of a peer's environment, made once."""
    folder = CACHE / kind
    if not (folder / "ready").exists():
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
        subprocess.run([*pip, *extract_peers.PACKAGES[kind]], check=True, stderr=subprocess.DEVNULL)
        (folder / "ready").touch()
    return folder / "bin" / "python"


def token(account: Account) -> str:
    """A bearer token, for a client that cannot sign in by itself."""
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
    """Ids that cut the customers into ranges of equal size, as somebody would write them by hand."""
    ids = sorted(row["id"] for row in Sandbox(account.folder).netsuite.rows("customer"))
    return [ids[len(ids) * part // ranges] for part in range(1, ranges)]


ROWS = "select id::bigint as id, phone from stage."
CONTESTANTS = {
    "ours": Contestant(
        "Millpond", ours, " union all ".join(f"{ROWS}{table}" for table in RECORD_TYPES["customers"].raw_tables)
    ),
    "netsuite": Contestant("netsuite 0.12", peer("netsuite"), f"{ROWS}customer", tls=True),
    "dlt": Contestant("dlt 1.31", peer("dlt"), f"{ROWS}warehouse.customer"),
    "dlt4": Contestant("dlt 1.31, 4 id ranges", peer("dlt", 4), f"{ROWS}warehouse.customer"),
    "airbyte": Contestant("airbyte 0.1.29", peer("airbyte"), f"{ROWS}customer", tls=True, paged=False),
}


@contextmanager
def served(filled: Path, slots: int, *, tls: bool) -> Iterator[Account]:
    """A fresh copy of the account, served by a process of its own."""
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
def moving(account: Account, *, still: bool) -> Iterator[set[int]]:
    """People at work; afterwards the set holds what was there all the time."""
    sandbox, stop, stayed = Sandbox(account.folder), threading.Event(), set[int]()
    ids = [row["id"] for row in sandbox.netsuite.rows("customer")]
    stayed.update(ids)

    def work() -> None:
        stayed.difference_update(move(sandbox, ids, stop))

    thread = threading.Thread(target=work)
    if not still:
        thread.start()
    try:
        yield stayed
    finally:
        stop.set()
        if not still:
            thread.join()


def measure(contestant: Contestant, filled: Path, asked: argparse.Namespace, *, still: bool) -> Measured:
    """Let one contestant read the account, and read it again when some customers were changed."""
    with served(filled, asked.slots, tls=contestant.tls) as account, tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "out"
        folder.mkdir()
        with proxied(account, contestant.tls) as more:
            with moving(account, still=still) as stayed:
                seconds, peak_mb = run(contestant, account, folder, more)
            got = [key for key, _ in read_rows(folder, contestant.rows)]
            calls = account.calls()
            again = read_again(contestant, account, folder, more, asked.changed if contestant.paged else asked.few // 3)
        return Measured(
            name=contestant.name,
            rows=len(got),
            seconds=seconds,
            calls=len(calls),
            held_s=sum(end - begin for begin, end in calls),
            reading_s=max(end for _, end in calls) - min(begin for begin, _ in calls),
            peak_mb=peak_mb,
            lost=len(stayed - set(got)),
            doubled=len(got) - len(set(got)),
            usable=account.usable,
            idle=idle(calls, account.usable),
            paged=contestant.paged,
            again=again,
        )


def attempt(contestant: Contestant, filled: Path, asked: argparse.Namespace, told: list[str]) -> Measured:
    """Measure one; who does not get through while data moves is told, and measured over data that stand still."""
    try:
        return measure(contestant, filled, asked, still=asked.still)
    except RuntimeError as error:
        if asked.still:
            raise
        told.append(f"{contestant.name}: measured over data that stood still; while they moved, {error}")
        return measure(contestant, filled, asked, still=True)


def run(contestant: Contestant, account: Account, folder: Path, more: Mapping[str, str]) -> tuple[float, float]:
    """One run of a contestant: seconds, and peak memory in megabytes."""
    command, variables = contestant.command(account, folder)
    began = perf_counter()
    environ = {**os.environ, **variables, **more}
    said = folder.parent / "said.txt"
    with said.open("wb") as errors:
        child = subprocess.Popen(command, env=environ, stdout=errors, stderr=errors, start_new_session=True)
        peak_mb = peak_of(child)
    if child.returncode:
        last = (said.read_text(errors="replace").strip().splitlines() or ["without a word"])[-1]
        raise RuntimeError(f"it ended with {child.returncode}: {last[:MOST_TEXT]}")
    return perf_counter() - began, peak_mb


def read_again(
    contestant: Contestant, account: Account, folder: Path, more: Mapping[str, str], changed: int
) -> tuple[int, float, int, int]:
    """After some customers were changed: calls, seconds, how many were changed and how many of these were found."""
    change(Sandbox(account.folder), changed, CHANGED)
    before = account.calls_so_far()
    seconds, _ = run(contestant, account, folder, more)
    found = {key for key, phone in read_rows(folder, contestant.rows) if phone == CHANGED}
    return account.calls_so_far() - before, seconds, changed, len(found)


def peak_of(child: subprocess.Popen[bytes]) -> float:
    """Wait for a process; its high-water mark in megabytes (the rusage of wait4 would count its parent's as well)."""
    status, peak = Path(f"/proc/{child.pid}/status"), 0.0
    while child.poll() is None:
        with suppress(OSError):
            marks = re.findall(r"VmHWM:\s+(\d+)", status.read_text())
            peak = max(peak, *(int(mark) / 1024 for mark in marks), 0.0)
        sleep(POLL_S)
    return peak


@contextmanager
def proxied(account: Account, needed: bool) -> Iterator[dict[str, str]]:  # noqa: FBT001
    """For a client that knows no other host than NetSuite's: a proxy that leads it here."""
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
    """Id and phone number of the rows that a contestant has in its DuckDB file."""
    with duckdb.connect() as con:
        con.execute(f"attach '{next(folder.glob('*.duckdb'))}' as stage (read_only)")
        return con.execute(query).fetchall()


def _told(rows: float) -> str:
    """Rows per second: whole ones, or two digits of few."""
    return f"{rows:,.0f}" if rows >= 100 else f"{rows:.2g}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, default=20_000)
    parser.add_argument("--latency", type=int, default=300, help="milliseconds a call")
    parser.add_argument("--slots", type=int, default=5, help="calls that the account answers at once")
    parser.add_argument("--still", action="store_true", help="nobody changes anything meanwhile")
    parser.add_argument("--changed", type=int, default=100, help="customers that are changed before the second run")
    parser.add_argument("--few", type=int, default=60, help="customers for those who ask for one record at a time")
    parser.add_argument("--only", default=",".join(CONTESTANTS))
    asked = parser.parse_args()
    console, measured, absent = Console(width=WIDTH), list[Measured](), list[str]()
    with tempfile.TemporaryDirectory() as parent:
        filled = {paged: Path(parent) / f"filled_{paged}" for paged in (True, False)}
        for paged, folder in filled.items():
            fill(folder, asked.customers if paged else asked.few, asked.latency, asked.slots)
        for key in asked.only.split(","):
            try:
                measured.append(attempt(CONTESTANTS[key], filled[CONTESTANTS[key].paged], asked, absent))
            except subprocess.CalledProcessError as error:
                absent.append(f"{CONTESTANTS[key].name}: not measured, could not be installed ({error.returncode})")
            except RuntimeError as error:
                absent.append(f"{CONTESTANTS[key].name}: not measured, {error}")
    if measured:
        console.print(table(measured, asked))
        console.print(table_again(measured))
    for line in absent:
        console.print(line)


def table(measured: list[Measured], asked: argparse.Namespace) -> Table:
    """The figures, as ratios to the first contestant and to the limit."""
    nominal = 1000 * max(1, asked.slots - 1) / (asked.latency / 1000)
    shown = Table(
        title=f"{asked.customers:,} customers x {len(QUERY.columns)} columns, {asked.latency} ms a call,"
        f" {asked.slots} slots, {asked.slots - 1} usable: at most {nominal:,.0f} rows/s"
        f" ({platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f})",
        caption="whole run: the process's start and the writing included. used: share of the usable slots' time, while"
        " reading. limit: full pages on all usable slots, by how long calls took in this run. lost, doubled: rows that"
        " were there all the time" + ("" if asked.still else ", while 10 inserts, deletes and updates a second came"),
    )
    heads = (
        *("", "rows", "rows/s, whole run", "ratio", "reading", "of the limit", "used", "idle: first/between/last"),
        *("calls", "peak MB", "lost", "doubled"),
    )
    for head in heads:
        shown.add_column(head, justify="right" if head else "left")
    for each in measured:
        reading = each.rows / each.reading_s
        shown.add_row(
            each.name, f"{each.rows:,}", _told(each.speed), f"{each.speed / measured[0].speed:.2g}",
            _told(reading), f"{reading / each.limit:.0%}" if each.paged else "", f"{each.used:.0%}",
            " / ".join(f"{part / (each.reading_s * each.usable):.1%}" for part in each.idle),
            str(each.calls), f"{each.peak_mb:.0f}", str(each.lost), str(each.doubled),
        )  # fmt: skip
    return shown


def table_again(measured: list[Measured]) -> Table:
    """The second run: who asks for what, and whether it was found."""
    shown = Table(title="once more, after some customers were changed", caption="calls: sign-in and probes included")
    for head in ("", "changed", "found", "calls", "calls a changed row", "ratio", "seconds"):
        shown.add_column(head, justify="right" if head else "left")
    ours = measured[0].again[0] / measured[0].again[2]
    for each in measured:
        calls, seconds, changed, found = each.again
        shown.add_row(each.name, str(changed), str(found), str(calls), f"{calls / changed:.2f}",
                      f"{calls / changed / ours:.1f}", f"{seconds:.1f}")  # fmt: skip
    return shown


if __name__ == "__main__":
    main()
