"""Time from a save to both targets, with real processes: webhook, daemon, and a process for each run.

save in the sandbox -> signed POST -> `millpond webhook` -> change notification sensor -> real-time run -> confirmed

    make bench-realtime ARGS="--saves 30 --every-s 4"

All waits are real, including Precoro's one second between two calls. A save has arrived when the ledger has its
confirmation from SuiteProjects Pro and from Precoro.
"""

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory

import dagster as dg
from cyclopts import App
from rich.console import Console
from rich.table import Table

from assets.delivery.spec.switches import Switches
from orchestration.automation.groups import REALTIME
from orchestration.configuration.settings import ROOT, MillpondSettings
from orchestration.dagster_instance import open_instance
from orchestration.realtime.queue import NotificationQueue
from resources.netsuite.webhook_signature import PATH
from resources.sandbox.generator.seed import seed as fill
from resources.sandbox.netsuite.user_event import Deployment
from resources.sandbox.sandbox import Sandbox
from resources.warehouse.warehouse import Warehouse

WORKFLOWS = ("suiteprojects__customers", "suiteprojects__projects", "suiteprojects__contacts", "precoro__options")
BOTH = ("suiteprojects__customers", "precoro__options")
CUSTOMERS = """
select customer_id
from stg_netsuite__customers as customer
join sync_links as suite
    on suite.workflow = 'suiteprojects__customers' and suite.source_id = customer_id and suite.target_id is not null
join sync_links as option
    on option.workflow = 'precoro__options' and option.source = 'customers' and option.source_id = customer_id
where not is_inactive and not is_person and company_name is not null and option.target_id is not null
order by try_cast(customer_id as bigint)
"""
CONFIRMED = """
select workflow, source_id, seen_at from sync_attempts
where source = 'customers' and state in ('confirmed', 'found') and seen_at > ?
order by seen_at
"""
TIMEOUT_S = 240.0

app = App(name="realtime", help=__doc__)
console = Console(width=110)


@dataclass(frozen=True)
class Save:
    """One save: the times at which it began, and at which NetSuite's user event had its response."""

    record_id: str
    began: float
    notified: float


@contextmanager
def processes(home: Path, port: int) -> Iterator[None]:
    """Run the webhook and the daemon as `millpond webhook` and `millpond ui` do."""
    webhook = ["-c", "from orchestration.cli.main import main; main()", "webhook", "--port", str(port)]
    daemon = ["-m", "dagster._daemon", "run", "-w", str(ROOT / "workspace.yaml")]
    logs = [(home / f"{name}.log").open("w") for name in ("webhook", "daemon")]
    started = [
        subprocess.Popen(
            [sys.executable, "-W", "ignore", *command], cwd=ROOT, stdout=log, stderr=log, start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509 - no other thread runs yet
        )
        for command, log in zip((webhook, daemon), logs, strict=True)
    ]  # fmt: skip
    try:
        until = time.monotonic() + 60
        while not _is_up(port):
            if time.monotonic() > until or started[0].poll() is not None:
                raise SystemExit((home / "webhook.log").read_text()[-2000:])
            time.sleep(0.1)
        yield
    finally:
        for each in started:
            os.killpg(each.pid, signal.SIGTERM)
        for each in started:
            try:
                each.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(each.pid, signal.SIGKILL)
        for log in logs:
            log.close()


def _is_up(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def free_port() -> int:
    """Return an unused port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def prepare(home: Path, customers: int) -> tuple[Sandbox, Warehouse, list[str]]:
    """Return a home after its first run, with real-time updates; and the ids of customers in both targets."""
    sandbox, warehouse = Sandbox(home / "sandbox"), Warehouse(home / "warehouse")
    fill(sandbox, customers=customers, seed=3)
    from orchestration.definitions import definitions

    with open_instance(MillpondSettings()) as instance:
        job = {each.name: each for each in definitions().resolve_all_job_defs()}["all"]
        quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
        assert job.execute_in_process(instance=instance, raise_on_error=False, run_config=quiet).success
    for name in WORKFLOWS:
        Switches(warehouse.folder).override(name, realtime=True)
    sandbox.clock.follow_wall()  # type: ignore[attr-defined]  # the folder's own clock
    return sandbox, warehouse, [str(row[0]) for row in warehouse.read(CUSTOMERS).rows()]


def save_all(sandbox: Sandbox, ids: list[str], saves: int, every_s: float) -> list[Save]:
    """Save one record after another, every `every_s` seconds."""
    done = []
    start = time.time()
    for number in range(saves):
        time.sleep(max(0.0, start + number * every_s - time.time()))
        record_id, began = ids[number % len(ids)], time.time()
        sandbox.netsuite.update("customer", int(record_id), companyname=f"Saved {number} at {began:.3f}")
        done.append(Save(record_id, began, time.time()))
    return done


def arrivals(warehouse: Warehouse, done: list[Save]) -> dict[tuple[str, float], float]:
    """Return the time of each save's first confirmation, by workflow and by the time of the save."""
    moment = datetime.fromtimestamp(done[0].began, UTC).replace(tzinfo=None)
    found: dict[tuple[str, float], float] = {}
    for workflow, record_id, at in warehouse.read(CONFIRMED, [moment]).iter_rows():
        seconds = at.replace(tzinfo=UTC).timestamp()
        for save in done:
            if save.record_id == record_id and save.began < seconds:
                found.setdefault((workflow, save.began), seconds)
    return found


def percentile(values: list[float], percent: int) -> float:
    """Return a percentile, or the only value."""
    return quantiles(values, n=100, method="inclusive")[percent - 1] if len(values) > 1 else values[0]


@app.default
def bench(*, saves: int = 30, every_s: float = 4.0, customers: int = 200) -> None:
    """Measure, and print a table.

    Parameters
    ----------
    saves
        Number of saves.
    every_s
        Seconds between saves.
    customers
        Number of customers, leads and prospects in NetSuite.
    """
    with TemporaryDirectory() as folder:
        home = Path(folder)
        os.environ |= {
            "MILLPOND_HOME": str(home), "MILLPOND_MODE": "sandbox",
            "MILLPOND_WEBHOOK_SECRETS": secrets.token_urlsafe(32),
        }  # fmt: skip
        os.environ.pop("DAGSTER_HOME", None)
        sandbox, warehouse, ids = prepare(home, customers)
        if not ids:
            raise SystemExit("no customer is in both targets: increase --customers")
        port = free_port()
        url, secret = f"http://127.0.0.1:{port}{PATH}", os.environ["MILLPOND_WEBHOOK_SECRETS"]
        sandbox.netsuite.user_event.deploy(Deployment(url, secret, "1234567_SB1"))
        with processes(home, port), open_instance(MillpondSettings()) as instance:
            wait_for_daemon(instance)
            done = save_all(sandbox, ids, saves, every_s)
            until = time.monotonic() + TIMEOUT_S
            while NotificationQueue(home).pending() and time.monotonic() < until:
                time.sleep(0.5)
            confirmed = arrivals(warehouse, done)
            runs = instance.get_run_records(dg.RunsFilter(job_name=REALTIME), limit=1000)
        print_table(done, confirmed, runs)


def wait_for_daemon(instance: dg.DagsterInstance) -> None:
    """Wait until the change notification sensor was evaluated, when everything is loaded."""
    until = time.monotonic() + 120
    while time.monotonic() < until:
        states = [each for each in instance.all_instigator_state() if each.instigator_name == "change_notifications"]
        if states and instance.get_ticks(states[0].instigator_origin_id, states[0].selector_id, limit=1):
            return
        time.sleep(0.5)
    raise SystemExit("the daemon evaluated no sensor within two minutes")


def print_table(done: list[Save], confirmed: dict[tuple[str, float], float], runs: list[dg.RunRecord]) -> None:
    """Print one row per stage."""
    arrived = [each for each in done if all((name, each.began) in confirmed for name in BOTH)]
    parts: dict[str, list[float]] = {
        "save -> response to NetSuite's user event": [each.notified - each.began for each in done],
        "run requested -> its process started": [
            each.start_time - each.create_timestamp.timestamp() for each in runs if each.start_time
        ],
        "run started -> ended": [each.end_time - each.start_time for each in runs if each.start_time and each.end_time],
        "save -> confirmed by SuiteProjects Pro": [confirmed[BOTH[0], each.began] - each.began for each in arrived],
        "save -> confirmed by Precoro": [confirmed[BOTH[1], each.began] - each.began for each in arrived],
        "save -> confirmed by both": [
            max(confirmed[name, each.began] for name in BOTH) - each.began for each in arrived
        ],
    }
    table = Table("seconds", "p50", "p95", "max", title=f"{len(arrived)} of {len(done)} saves, {len(runs)} runs")
    for name, values in parts.items():
        if values:
            table.add_row(
                name, *(f"{value:.2f}" for value in (percentile(values, 50), percentile(values, 95), max(values)))
            )
    console.print(table)
    console.print(f"machine load: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", highlight=False)
    raise SystemExit(0 if len(arrived) == len(done) else 1)


if __name__ == "__main__":
    app()
