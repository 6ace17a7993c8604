"""The recipes of docs/workflows/cookbook.md, planned against the records that the page shows."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Self

import polars as pl

import sql
from assets.delivery.component.workflow_file import load_workflow
from assets.delivery.imports.candidates import make_selection
from assets.delivery.imports.selection import ImportSelection
from assets.delivery.mart.build import make_mart
from assets.delivery.mart.current_state import read_target_state
from assets.delivery.plan.planner import Planned, make_plan
from assets.delivery.run_context import RunContext
from assets.delivery.send.apply import run_sync
from assets.delivery.spec.sources import STAGING_PREFIX
from assets.delivery.spec.workflow import Workflow
from assets.netsuite.record_types import RECORD_TYPES, record_type_of
from assets.target_registry import TARGETS
from assets.warehouse.staging_schemas import staging_schemas
from orchestration.configuration.settings import ROOT
from resources.precoro.connect import open_precoro
from resources.sandbox.sandbox import Sandbox
from resources.suiteprojects.connect import open_suiteprojects
from resources.warehouse.tables import replace_table
from resources.warehouse.warehouse import Warehouse
from tests.assets.suiteprojects.other_client import other_client

PAGE = ROOT / "docs" / "workflows" / "cookbook.md"
PLAIN = {
    "is_inactive": False,
    "is_deleted": False,
    "is_missing": False,
    "is_person": False,
    "modified_at": "2026-11-01",
}
Row = Mapping[str, Any]


class Recipe(NamedTuple):
    """One recipe: its file, and the decisions that the page shows.

    Attributes:
        name: The workflow's name, in the first line of the file.
        results: A row for each record: record, decision, and values of target fields.
        guards: The guards because of which the plan waits.
    """

    title: str
    name: str
    text: str
    results: Sequence[Mapping[str, str]]
    guards: Sequence[str] = ()


def recipes() -> list[Recipe]:
    """Return every recipe of the page."""
    found = []
    for part in re.split(r"^### ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        file = re.search(r"```yaml\n# (?P<name>\w+)/defs.yaml\n(?P<text>.*?)```", part, re.DOTALL)
        assert file, part[:60]
        (results,) = tables(part[file.end() :])
        guards = re.findall(r"^The plan waits for a person, because of the guard `(\w+)`", part, re.MULTILINE)
        found.append(Recipe(part.partition("\n")[0], file["name"], file["text"], results, guards))
    return found


def tables(text: str) -> Iterator[list[dict[str, str]]]:
    """Yield the rows of each Markdown table."""
    for found in re.finditer(r"^\|(?P<head>.*)\|\n\|[-|: ]+\|\n(?P<rows>(?:\|.*\|\n?)*)", text, re.MULTILINE):
        names = _cells(found["head"])
        yield [dict(zip(names, _cells(line[1:-1]), strict=True)) for line in found["rows"].splitlines()]


def _cells(line: str) -> list[str]:
    return [each.strip().replace("&amp;", "&") for each in line.split("|")]


def examples() -> dict[str, list[dict[str, str]]]:
    """Return the records of the page by staging table; two tables of one name are columns of the same records."""
    text = PAGE.read_text(encoding="utf-8").partition("## The examples")[2].partition("\n## ")[0]
    found: dict[str, list[dict[str, str]]] = {}
    for part in re.split(rf"^`(?={STAGING_PREFIX})", text, flags=re.MULTILINE)[1:]:
        first, *others = tables(part)
        for more in others:
            first = [{**row, **extra} for row, extra in zip(first, more, strict=True)]
        found[part.partition("`")[0]] = first
    return found


class Kitchen:
    """A warehouse with the examples, and the sandbox's SuiteProjects Pro and Precoro."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.sandbox = folder, Sandbox(folder / "sandbox")
        self.warehouse = Warehouse(folder / "warehouse")
        self.sandbox.netsuite.insert("customer", [])

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.clients = {
                "suiteprojects": stack.enter_context(open_suiteprojects(sandbox=str(self.sandbox.folder))),
                "precoro": stack.enter_context(open_precoro(sandbox=self.sandbox.folder)),
            }
            stack.enter_context(self.warehouse.kept_open())
            other = stack.enter_context(other_client(self.sandbox))
            for name, company in (("ACME", "Acme Nordic"), ("GLOBEX", "Globex")):
                other.write("Add", "Customer", name=name, company=company, active="1")
            self._open = stack.pop_all()
        self._stage()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def _stage(self) -> None:
        """Fill the staging tables, and note in the ledger that they were read."""
        given = examples()
        own = [name.removeprefix(STAGING_PREFIX) for name in given]
        schemas = staging_schemas(*(name for name in own if name not in RECORD_TYPES))
        with self.warehouse.writer() as con:
            con.execute(sql.statement("ledger", "stg_builds").text)
            con.execute(sql.statement("ledger", "sync_watermarks").text)
            for table, rows in given.items():
                replace_table(con, table, _typed(rows, schemas[table].schema))
                con.execute("insert into stg_builds (staging_table, raw_table) values (?, 'raw')", [table])
                source = record_type_of(table.removeprefix(STAGING_PREFIX)).table
                con.execute("insert into sync_watermarks (source_table) values (?)", [source])

    def load(self, recipe: Recipe) -> Workflow:
        """Write a recipe's file, and validate it."""
        file = self.folder / "workflows" / recipe.name / "defs.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(recipe.text, encoding="utf-8")
        return load_workflow(file)

    def plan(self, recipe: Recipe) -> tuple[Planned, RunContext]:
        """Make a recipe's mart and plan."""
        workflow = self.load(recipe)
        kind = TARGETS[workflow.spec.target]
        client = self.clients[kind.system]
        target, clock = kind.build(client, workflow.spec.options), self.sandbox.clock
        make_mart(self.warehouse, workflow, read_system=partial(kind.records, client), clock=clock)
        if workflow.spec.imports:
            make_selection(self.warehouse, workflow, ImportSelection(), run_id=recipe.name, clock=clock)
        run = RunContext(self.warehouse, workflow, target, recipe.name, clock)
        read_target_state(run)
        return make_plan(run), run

    def deliver(self, recipe: Recipe) -> None:
        """Send a recipe's plan."""
        planned, run = self.plan(recipe)
        assert not planned.tripped
        run_sync(run)

    def results(self, recipe: Recipe, fields: Sequence[str]) -> list[dict[str, str]]:
        """Return the decisions of a recipe's plan, with values of some fields, as the page shows them."""
        columns = "source_id, action, reason_code, payload"
        rows = self.warehouse.read(f'select {columns} from "plan_{recipe.name}" order by source, source_id')
        return [
            {
                "record": source_id,
                "decision": action if action in {"create", "adopt"} else f"{action}: `{code}`",
                **{name: json.loads(payload)[name] or "" if payload else "" for name in fields},
            }
            for source_id, action, code, payload in rows.iter_rows()
        ]


def _typed(rows: Sequence[Row], schema: Mapping[str, Any]) -> pl.DataFrame:
    """Return the records with the types of the staging table; custom fields are text, blank cells are null."""
    kept = {name: kind for name, kind in schema.items() if not name.endswith("_any")}
    columns = {**kept, **{name: pl.String for row in rows for name in row if name not in kept}}
    full = [{**{n: PLAIN[n] for n in columns if n in PLAIN}, **{n: v for n, v in row.items() if v}} for row in rows]
    frame = pl.DataFrame(full, schema=dict.fromkeys(columns, pl.Object), orient="row", strict=False)
    return frame.select(_column(frame, name, kind) for name, kind in columns.items())


def _column(frame: pl.DataFrame, name: str, kind: Any) -> pl.Series:
    values = [_value(each, kind) for each in frame[name].to_list()]
    if kind == pl.Date or isinstance(kind, pl.Datetime):
        return pl.Series(name, values, pl.String).str.to_datetime("%Y-%m-%d").cast(kind)
    return pl.Series(name, values, kind)


def _value(given: Any, kind: Any) -> Any:
    if isinstance(given, str) and isinstance(kind, pl.List):
        return [each.strip() for each in given.split(",")]
    return given == "true" if isinstance(given, str) and kind == pl.Boolean else given
