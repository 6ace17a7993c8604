"""Read the records that change notifications name, and all above them, from NetSuite again, and stage them.

hinted records  ->  look_again (the row, and what is a part of it)  ->  stg_, hist_  ->  their parents  -> …

What a change notification says is not believed: values come from NetSuite, and a record is deleted when NetSuite shows it no more.
"""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import chain

import duckdb
import polars as pl

from assets.delivery.plan.planner import Workflow
from assets.delivery.schemas import KEY
from assets.delivery.spec.expressions import key_column
from assets.netsuite.extract.extract import look_again
from assets.netsuite.extract.settings import ExtractionSettings
from assets.netsuite.record_types import RECORD_TYPES
from assets.warehouse.history import LAYER as HISTORY
from assets.warehouse.history import keep
from assets.warehouse.staging import LAYER as STAGING
from assets.warehouse.staging import build
from resources.failpoints import reach
from resources.netsuite.client import NetSuiteClient
from resources.warehouse.tables import has_table, quoted, tables_of
from resources.warehouse.warehouse import Warehouse
from sql import names, statement

Key = tuple[str, str]
PARTS = [
    record_type for record_type in RECORD_TYPES.values() if record_type.parent
]  # read with the record that they are parts of
DEEPEST = 50  # a ring of parents ends here; the mart says what is wrong with it


def read_again(
    warehouse: Warehouse,
    client: NetSuiteClient,
    workflows: Sequence[Workflow],
    hinted: Mapping[Key, bool],
    settings: ExtractionSettings,
    *,
    run_id: str,
) -> pl.DataFrame:
    """Bring the staged rows of some records, and of all above them, up to date.

    Args:
        warehouse: The warehouse.
        client: NetSuite.
        workflows: They say who is whose parent.
        hinted: The records, and of each whether somebody said that it was deleted.
        settings: Custom columns.
        run_id: Written beside each row.

    Returns:
        KEY: the records and all above them, as far as NetSuite or the warehouse has them.

    Raises:
        IntegrationError: NetSuite could not be read; what was read is kept, and harms nobody.
    """
    seen: set[Key] = set()
    todo = set(hinted)
    gone_at = client.clock.now().replace(tzinfo=None)
    for _ in range(DEEPEST):
        if not todo:
            break
        _read(warehouse, client, todo, {key for key in todo if hinted.get(key)}, gone_at, settings, run_id)
        seen |= todo
        with warehouse.writer() as con:
            _stage(con, {source for source, _ in todo})
            todo = _above(con, workflows, todo) - seen
    reach("hints_taken")
    return pl.DataFrame(sorted(seen), schema=dict.fromkeys(KEY, pl.String), orient="row")


def _read(
    warehouse: Warehouse, client: NetSuiteClient, keys: Iterable[Key], said_deleted: set[Key], gone_at: datetime,
    settings: ExtractionSettings, run_id: str,
) -> None:  # fmt: skip
    """Ask for the records, then for what belongs to those that are there, or are surely gone."""
    asked: dict[str, list[str]] = {}
    for source, record_id in sorted(keys, key=lambda key: (key[0], int(key[1]))):
        asked.setdefault(source, []).append(record_id)

    def again(name: str, ids: Sequence[str]) -> set[str]:
        gone = {record_id: gone_at for record_id in ids if (name, record_id) in said_deleted}
        return look_again(warehouse, client, name, ids, settings, run_id=run_id, said_deleted=gone)

    with ThreadPoolExecutor(len(RECORD_TYPES)) as pool:
        shown = dict(zip(asked, pool.map(again, asked, asked.values()), strict=True))
        for source, record_id in said_deleted:
            shown[source].add(record_id)
        with warehouse.writer(transaction=False) as con:
            there = tables_of(con)
        below = {
            record_type.name: sorted(shown[record_type.of], key=int)
            for record_type in PARTS
            if shown.get(record_type.of) and there.issuperset(record_type.raw_tables)
        }
        list(pool.map(again, below, below.values()))


def _stage(con: duckdb.DuckDBPyConnection, sources: set[str]) -> None:
    """Stage what was read, and keep the versions that began."""
    read = [
        *(RECORD_TYPES[name] for name in sources),
        *(record_type for record_type in PARTS if record_type.of in sources),
    ]
    raw = set(chain.from_iterable(record_type.raw_tables for record_type in read))
    touched = [each for name in names(STAGING) if raw & set((each := statement(STAGING, name)).reads)]
    staged = {each.name for each in touched if has_table(con, each.name) and build(con, each).mode != "unchanged"}
    for each in (statement(HISTORY, name) for name in names(HISTORY)):
        if has_table(con, each.name) and staged & set(each.reads):
            keep(con, each)


def _above(con: duckdb.DuckDBPyConnection, workflows: Sequence[Workflow], keys: Iterable[Key]) -> set[Key]:
    """The parents of these records, as the workflows' files say who that is."""
    wanted: dict[str, list[str]] = {}
    for source, record_id in keys:
        wanted.setdefault(source, []).append(record_id)
    found: set[Key] = set()
    maps = {
        (record.source, parent, column)
        for workflow in workflows
        for record in workflow.spec.records
        for parent, column in (record.parent or {}).items()
    }
    for source, parent, column in sorted(maps):
        if source in wanted:
            rows = con.execute(
                f"select distinct {quoted(column)} from {quoted(f'stg_netsuite__{source}')}"
                f" where list_contains(?, {quoted(key_column(source))}) and {quoted(column)} is not null",
                [wanted[source]],
            ).fetchall()
            found |= {(parent, str(row[0])) for row in rows if str(row[0]).isdecimal()}
    return found
