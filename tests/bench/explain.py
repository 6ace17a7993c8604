"""Time to explain one record on a large ledger.

`python -m tests.bench.explain [--ledger-rows 10000000]`: a tenth as many customers, each with a link, three decisions
and three sends, the sends in the order of many small runs; median of the lookups by NetSuite id, target id and name.
"""

import argparse
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter

from rich.console import Console
from rich.table import Table

from assets.delivery.audit.explain import explain_record
from assets.delivery.ledger.tables import ensure_ledger
from assets.delivery.mart.lineage import column_lineage, write_lineage
from resources.warehouse.analytics import add_analytics
from resources.warehouse.warehouse import Warehouse
from tests.assets.delivery.builders import customers, one_source, projects

WORKFLOW = "suiteprojects__customers"
ROWS_PER_RECORD = 10  # in the ledger
DECISIONS = 3
REPEATS = 7
LIMIT_MS = 100

# a prime step visits the records in an irregular order, as small runs do
_SENT = """
insert into sync_attempts by name
select
    md5(decision || ' ' || id) as attempt_id, state, 'run ' || decision as run_id, $workflow as workflow,
    'customers' as source, cast(id as varchar) as source_id, id as source_number, 'update' as action,
    't' || id as target_id,
    left(md5(cast(id as varchar)), 18) as payload_hash, 'abcdefabcdef' as workflow_version,
    left(md5(cast(id as varchar)), 16) as request_hash, '' as code, '' as reason,
    if(state = 'intent', '[{"field": "company", "before": "a", "after": "b"}]', null) as image,
    timestamp '2026-01-01' + to_seconds(decision * 1000 + place / 1000) as seen_at
from (
    select decision, place, (place * 7919 + decision) % $records as id
    from range($decisions) as s(decision), range($records) as p(place)
),
    (values ('intent'), ('confirmed')) as states(state)
"""
_DECIDED = """
insert into sync_decisions by name
select
    $workflow as workflow, 'customers' as source, cast(id as varchar) as source_id, id as source_number,
    'update' as action, 'source_changed' as reason_code, 'differs in: company' as reason,
    't' || id as target_id, 'abcdefabcdef' as workflow_version, 'run ' || decision as from_run,
    timestamp '2026-01-01' + to_seconds(decision * 1000) as from_at,
    if(decision + 1 = $decisions, null, 'run ' || (decision + 1)) as to_run
from (
    select decision, (place * 7919 + decision) % $records as id
    from range($decisions) as s(decision), range($records) as p(place)
)
"""
_LINKED = """
insert into sync_links by name
select
    $workflow as workflow, 'suiteprojects.Customer' as target, 'customers' as source, cast(id as varchar) as source_id,
    't' || id as target_id, 'external_id' as matched_by, left(md5(cast(id as varchar)), 18) as payload_hash,
    'abcdefabcdef' as workflow_version, 'run 2' as run_id, timestamp '2026-01-03' as confirmed_at
from range($records) as p(id)
"""
_STAGED = """
insert into stg_netsuite__customers by name
select
    cast(id as varchar) as customer_id, 'C' || id as entity_number, 'Company ' || id as company_name,
    'office' || id || '@example.com' as email, timestamp '2026-01-01' as modified_at
from range($records) as p(id)
"""


def prepare(folder: Path, rows: int) -> None:
    """Create a warehouse whose ledger has this many rows."""
    warehouse, records = Warehouse(folder), rows // ROWS_PER_RECORD
    warehouse.replace("stg_netsuite__customers", customers())
    warehouse.replace("stg_netsuite__projects", projects())
    values = {"workflow": WORKFLOW, "records": records, "decisions": DECISIONS}
    with warehouse.writer() as con:
        ensure_ledger(con)
        for statement in (_SENT, _DECIDED, _LINKED, _STAGED):
            used = {name: value for name, value in values.items() if f"${name}" in statement}
            con.execute(statement, used)
        write_lineage(con, WORKFLOW, column_lineage(one_source(), WORKFLOW))
    tables = ("mart", "plan")
    with warehouse.writer() as con:
        for table in tables:
            con.execute(
                f"create table {table}_{WORKFLOW} as select 'customers' as source, customer_id as source_id,"
                " company_name as company from stg_netsuite__customers"
            )
        con.execute(
            f"create table target_{WORKFLOW} as select 't' || customer_id as target_id, company_name as company"
            " from stg_netsuite__customers"
        )
    with warehouse.writer(transaction=False) as con:  # views whose columns do not all exist are skipped
        add_analytics(con)


def explained(warehouse: Warehouse, text: str) -> None:
    """Explain a record as `millpond explain` does before it prints."""
    _, explanation = explain_record(warehouse, text)
    assert explanation
    (history,) = explanation.histories
    assert len(history.attempts) == 2 * DECISIONS
    assert len(history.decided) == DECISIONS


def selected(warehouse: Warehouse, text: str) -> None:
    """Explain a record as an analyst does, in SQL."""
    assert warehouse.read(f"from explain('{text}')").height == 3 * DECISIONS + 2


def milliseconds(work: Callable[[], None]) -> float:
    """Return the median duration of several runs."""
    times = []
    for _ in range(REPEATS):
        began = perf_counter()
        work()
        times.append((perf_counter() - began) * 1000)
    return median(times)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ledger-rows", type=int, default=1_000_000)
    rows = parser.parse_args().ledger_rows
    record = rows // ROWS_PER_RECORD // 3
    table = Table("lookup", "ms, median", title=f"explaining one of {rows // ROWS_PER_RECORD:,} records; {rows:,} rows")
    with tempfile.TemporaryDirectory() as name:
        prepare(Path(name), rows)
        warehouse = Warehouse(Path(name))
        for way, explain in (("millpond explain", explained), ("from explain('…')", selected)):
            for kind, text in (("NetSuite id", record), ("target id", f"t{record}"), ("name", f"company {record}")):
                if explain is selected and kind == "name":
                    continue
                took = milliseconds(partial(explain, warehouse, str(text)))
                table.add_row(f"{way}, {kind}", f"{took:.0f}{'' if took <= LIMIT_MS else f' > {LIMIT_MS}'}")
    Console().print(table)


if __name__ == "__main__":
    main()
