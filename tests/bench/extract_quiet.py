"""Read all record types when nothing has changed: the time in calls, one table after another and all at once.

python -m tests.bench.extract_quiet [--customers 1000] [--latency 300 1000] [--slots 5]

The account is served by a process of its own, which times each call. The aim counts the calls that every table needs
for itself in rounds of all usable slots, and two more: NetSuite's time, and deletions after changes.
"""

import argparse
import tempfile
from collections.abc import Callable
from math import ceil
from pathlib import Path
from time import perf_counter

from rich.console import Console
from rich.table import Table

from assets.netsuite.extract.extract import extract
from assets.netsuite.extract.extract_all import extract_all
from assets.netsuite.extract.settings import ExtractionSettings
from assets.netsuite.record_types import RECORD_TYPES
from resources.netsuite.client import NetSuiteClient
from resources.netsuite.connect import open_netsuite
from resources.sandbox.generator.seed import seed
from resources.sandbox.netsuite.switches import NetSuiteSwitches
from resources.sandbox.sandbox import Sandbox
from resources.warehouse.warehouse import Warehouse
from tests.bench.extract import WIDTH, Account, served

Read = Callable[[Warehouse, NetSuiteClient, str], None]
SETTINGS = ExtractionSettings()


def one_after_another(warehouse: Warehouse, client: NetSuiteClient, run_id: str) -> None:
    """Read each record type after the one before."""
    for name in RECORD_TYPES:
        extract(warehouse, client, name, SETTINGS, run_id=run_id)


def all_at_once(warehouse: Warehouse, client: NetSuiteClient, run_id: str) -> None:
    """Read them as a run does."""
    for outcome in extract_all(warehouse, client, tuple(RECORD_TYPES), SETTINGS, run_id=run_id):
        if outcome.error:
            raise outcome.error


def timed(account: Account, warehouse: Warehouse, read: Read, run_id: str) -> tuple[int, float, float]:
    """Read once; return the calls, the seconds from the first to the last of them, and all seconds."""
    names = ("account", "client_id", "certificate_id", "private_key_file")
    keys = {name: str(account.keys[name]) for name in names}
    before, began = len(lines(account)), perf_counter()
    with open_netsuite(**keys, base_url=account.base_url) as client:
        read(warehouse, client, run_id)
        calls = client.calls
    times = [line.split() for line in lines(account)[before:]]
    times = times[-calls:]  # without sign-in
    return calls, max(float(each[1]) for each in times) - min(float(each[0]) for each in times), perf_counter() - began


def lines(account: Account) -> list[str]:
    """Return the server's log, a line per call."""
    return (account.folder / "calls.txt").read_text().splitlines()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, default=1000)
    parser.add_argument("--latency", type=int, nargs="*", default=[300, 1000], help="milliseconds per call")
    parser.add_argument("--slots", type=int, default=5, help="calls that the account accepts in parallel")
    options = parser.parse_args()
    shown = Table(title=f"all {len(RECORD_TYPES)} record types, nothing changed, {options.slots} slots")
    for head in ("", "ms a call", "calls", "reading, s", "in call times", "aim", "whole, s"):
        shown.add_column(head, justify="right" if head else "left")
    with tempfile.TemporaryDirectory() as parent:
        filled = Path(parent) / "filled"
        sandbox = Sandbox(filled)
        sandbox.clock.follow_wall()  # type: ignore[attr-defined]  # the folder's own clock
        seed(sandbox, customers=options.customers, companies=None, seed=1)
        sandbox.switches.set("netsuite", NetSuiteSwitches, concurrency_limit=options.slots)
        with served(filled, options.slots, tls=False) as account:
            switches, warehouse = Sandbox(account.folder).switches, Warehouse(Path(parent) / "warehouse")
            timed(account, warehouse, all_at_once, "first")
            for latency in options.latency:
                switches.set("netsuite", NetSuiteSwitches, concurrency_limit=options.slots, latency_ms=latency)
                for title, read in (("one after another", one_after_another), ("all at once", all_at_once)):
                    calls, reading_s, whole_s = timed(account, warehouse, read, title)
                    aim = ceil(calls / account.usable) + 2
                    shown.add_row(
                        title, str(latency), str(calls), f"{reading_s:.2f}", f"{1000 * reading_s / latency:.1f}",
                        str(aim), f"{whole_s:.2f}",
                    )  # fmt: skip
    Console(width=WIDTH).print(shown)


if __name__ == "__main__":
    main()
