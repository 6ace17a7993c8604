"""Time of the console's pages at 100,000 customers.

`python -m tests.bench.console HOME [--times 20]`: a copy of the warehouse of a home after a run and a plan, as
`millpond demo` and `millpond plan all` leave it, in which each customer, contact and project is there that many times;
the customers' plan updates nearly all of them. For each page the median of requests that each follow a change of the
warehouse, as of a run, and the median of those that follow no change; and the processor time of this process, which is
more than the time on two cores if both work, and depends less on what else the machine does.
"""

import argparse
import os
import re
import shutil
import tempfile
from html import unescape
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

import duckdb
from rich.console import Console
from rich.table import Table
from starlette.testclient import TestClient

from orchestration.configuration.settings import MillpondSettings
from orchestration.web.console.routes import console
from orchestration.web.console.warm import warm
from resources.warehouse.tables import columns_of, quoted, tables_of
from resources.warehouse.warehouse import Warehouse

CUSTOMERS = "suiteprojects__customers"
SOURCES = ("customers", "contacts", "projects")
LIMIT_MS, REPEATS = 300, 5
IDS = {
    "source_id", "parent_source_id", "customer_id", "contact_id", "project_id", "parent_id", "company_id",
    "source_number", "external_id", "target_id", "parent_target_id",
}  # fmt: skip
_EVERYTHING = """
update {plan} set action = 'update', reason_code = 'source_changed', reason = 'differs in: company', payload = '{{}}',
    changes = [{{'field': 'company', 'before': 'a', 'after': 'b'}}] where action in ('unchanged', 'skipped')
"""


def multiply(con: duckdb.DuckDBPyConnection, table: str, times: int, condition: str = "true") -> None:
    """Add copies of a table's rows, each with ids of its own."""
    values = []
    for name, kind in columns_of(con, table).items():
        column, copy = quoted(name), "copy * 1000000"
        if name == "attempt_id":
            values.append(f"{column} || '-' || copy")
        elif name in IDS and kind == "VARCHAR":
            values.append(f"coalesce(cast(try_cast({column} as bigint) + {copy} as varchar), {column})")
        else:
            values.append(f"{column} + {copy}" if name in IDS else column)
    con.execute(
        f"insert into {quoted(table)} select {', '.join(values)} from {quoted(table)}, range(1, {times}) as r(copy)"
        f" where {condition}"
    )


def enlarge(file: Path, times: int) -> int:
    """Multiply the records of a warehouse; return the number of customers."""
    with duckdb.connect(str(file)) as con:
        known = tables_of(con)
        for source in SOURCES:
            of_source = [
                f"stg_netsuite__{source}",
                f"hist_netsuite__{source}",
                *(
                    f"{each}_suiteprojects__{source}"
                    for each in ("mart", "target", "plan", "hist_mart_", "hist_target_")
                ),
            ]
            for table in known.intersection(of_source):
                multiply(con, table, times)
        for table in ("sync_decisions", "sync_links", "sync_attempts"):
            multiply(con, table, times, f"source in {SOURCES}")
        con.execute(_EVERYTHING.format(plan=quoted(f"plan_{CUSTOMERS}")))
        return int(con.execute("select count(*) from stg_netsuite__customers").fetchall()[0][0])


def measure(pages: dict[str, str], http: TestClient, file: Path) -> Table:
    """Read each page several times, first with a warehouse that changed before each request."""
    table = Table("page", "after a change, ms", "own, ms", "again, ms", "own, ms", "kB")
    for name, path in pages.items():
        figures, size = list[float](), 0
        for changes in (True, False):
            times, own = [], []
            for _ in range(REPEATS):
                if changes:
                    os.utime(file)
                began, cpu = perf_counter(), process_time()
                response = http.get(f"/console/{path}")
                times.append((perf_counter() - began) * 1000)
                own.append((process_time() - cpu) * 1000)
                size = len(response.raise_for_status().content)
            figures += [median(times), median(own)]
        slow = " (slow)" if min(figures[:2]) > LIMIT_MS or min(figures[2:]) > LIMIT_MS else ""
        table.add_row(name, *(f"{each:.0f}" for each in figures), f"{size // 1000}{slow}")
    return table


def pages_of(live: Warehouse) -> dict[str, str]:
    """Return every page that reads the warehouse, the forms' searches, and the page of a record of each source."""
    ready = "select plan_id from sync_plans where workflow = ? and state = 'ready'"
    plan = f"plans/{live.read(ready, [CUSTOMERS])['plan_id'][0]}"
    sent = "select run_id from sync_runs where plan_id is not null order by position limit 1"
    run = live.read(sent)["run_id"][0]
    records = dict(live.read("select source, min(source_id) from sync_links group by source order by source").rows())
    customer = records["customers"]
    return {
        "overview": "", "plans": "plans", "plan": plan, "plan, a late page": f"{plan}?page=900",
        "plan, a name": f"{plan}?text=group", "plan, a field": f"{plan}?field=company&action=update",
        "plan, what follows": f"{plan}/follows", "held": "held", "held, a workflow": f"held?workflow={CUSTOMERS}",
        "ignored": "held/ignored", "records": "records?q=group", "search, a part": "search?q=group",
        "search, an id": f"search?q={customer}", "search, an address": "search?q=a@b.example",
        "search, nothing": "search?q=zzqqzz", "runs": "runs", "run": f"runs/{run}",
        "run, a late page": f"runs/{run}?page=100", "report": f"reports/run-{run[:8]}.html", "match": "match",
        "match, a workflow": f"match?workflow={CUSTOMERS}",
        "match, a late page": f"match?workflow={CUSTOMERS}&page=500",
        "certificates": "certificates", "ledger": "ledger", "parity": "parity", "simulations": "simulations",
        "forget": f"forget?source=customers&source_id={customer}", "forget, a name": "forget?q=group",
        "forget, its part": f"forget/survey?part=1&source=customers&source_id={customer}",
        **{f"record, {source}": f"records/{source}/{key}" for source, key in records.items()},
        "record, then": f"records/customers/{customer}?as_of=2030-01-01",
    }  # fmt: skip


def held_pages(http: TestClient) -> dict[str, str]:
    """Return the pages of the causes that hold records back, as *Held back* links to them, the largest first."""
    links = re.findall(r'href="/console/(held/records[^"]*)"', http.get("/console/held").text)
    return {f"held, cause {number}": unescape(link) for number, link in enumerate(links, 1)}


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("home", type=Path)
    parser.add_argument("--times", type=int, default=20)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "warehouse" / "millpond.duckdb"
        file.parent.mkdir()
        shutil.copy(given.home / "warehouse" / "millpond.duckdb", file)
        customers = enlarge(file, given.times)
        os.environ.update(MILLPOND_HOME=folder, MILLPOND_MODE="sandbox")
        app = console(MillpondSettings(), lambda *_: None)  # type: ignore[arg-type,return-value]
        warm(app.state.site)  # as the server does when it starts
        pages = pages_of(app.state.site.account("").live)
        with TestClient(app) as http:
            table = measure({**pages, **held_pages(http)}, http, file)
        Console().print(f"{customers:,} customers")
        Console().print(table)


if __name__ == "__main__":
    main()
