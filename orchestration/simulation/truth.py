"""The truth: the stand-ins' NetSuite, read past every fault, and the requirements of the workflow files.

Truth.observe()  ->  a full reading into a warehouse in memory  ->  expected.py  ->  versions of every record

The requirement is derived in DuckDB by the second reading of workflow files that checks certificates: it shares no code
with the engine's mapping and deciding.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import duckdb
import polars as pl
import yaml

from assets.delivery.spec.sources import STAGING_PREFIX, key_column
from assets.delivery.spec.workflow import Workflow
from assets.netsuite.extract.extract import extract
from assets.netsuite.record_types import record_type_of
from assets.suiteprojects.countries import with_codes
from assets.target_registry import TARGETS
from assets.warehouse.staging import stage_table
from orchestration.certificate_check.expected import Rules, rules_of, unknown_fields
from orchestration.certificate_check.parents import line_above, parents_of
from orchestration.certificate_check.read_outs import PREFIX, quoted
from orchestration.simulation.memory_warehouse import MemoryWarehouse
from orchestration.simulation.targets import TargetRecord
from orchestration.simulation.world import World
from resources.netsuite.client import NetSuiteClient
from resources.netsuite.connect import open_netsuite
from sql import statement

ACTIVE, INACTIVE, OPEN = "active", "inactive", "none"
Key = tuple[str, str, str]  # workflow, source, NetSuite id


@dataclass(frozen=True)
class Version:
    """The requirement of one record from an observation on.

    Attributes:
        number: The observation.
        key: Its key in the target.
        state: active, inactive, or none if the workflow file leaves it open.
        values: The fields that can be derived, as canonical text.
    """

    number: int
    key: str
    state: str
    values: Mapping[str, str | None] = field(default_factory=dict)

    def is_shown_by(self, records: list[TargetRecord]) -> bool:
        """Return whether the target's records with this key are as required."""
        active = [each for each in records if each.is_active]
        if self.state == ACTIVE:
            return len(active) == 1 and not self.differences(active[0])
        return self.state == OPEN or not active

    def differences(self, record: TargetRecord) -> dict[str, tuple[str | None, str | None]]:
        """Return the fields whose values differ: required and actual."""
        shown: Mapping[str, str | None] = with_codes(record.values)
        return {
            name: (value, shown.get(name))
            for name, value in self.values.items()
            if name in COMPARABLE.get(record.kind, shown.keys() | {name}) and not _is_same(value, shown.get(name))
        }


# of the nodes of a hierarchy, depth and path are derived by the target
COMPARABLE: Mapping[str, set[str]] = {"HierarchyNode": {"externalid", "name", "active"}}


def _is_same(required: str | None, shown: str | None) -> bool:
    """Return whether the stand-in's value is the required one: it shows false as a blank, and a date with a time."""
    if required == "0":
        return shown in {None, "0"}
    return required == shown or bool(required and shown and shown == f"{required} 00:00:00")


class Truth:
    """The requirements of all records, by observation."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.moments: list[datetime] = []
        self.versions: dict[Key, list[Version]] = {}
        self.not_derived: dict[str, dict[str, str]] = {}
        self._lists: dict[str, pl.DataFrame] = {}
        self._attributes = {each.name: _attributes(world, each) for each in world.workflows}

    def observe(self) -> None:
        """Read NetSuite in full, and note what the workflow files require now."""
        number, world = len(self.moments), self._world
        self.moments.append(world.now)
        warehouse = MemoryWarehouse(world.folder / "truth")
        try:
            with open_netsuite(sandbox=str(world.sandbox.folder), concurrency=1) as client:
                for name in world.record_types:
                    self._read(warehouse, client, name)
            with warehouse.writer() as con:
                for source in world.sources:
                    definition = statement("staging", f"{STAGING_PREFIX}{source}")
                    stage_table(con, definition)
                    view = quoted(PREFIX + definition.name)
                    con.execute(f"create view {view} as from {quoted(definition.name)}")
                for workflow in world.workflows:
                    self._note(con, workflow, number)
        finally:
            warehouse.close()

    def _read(self, warehouse: MemoryWarehouse, client: NetSuiteClient, name: str) -> None:
        """Read a record type in full; lists such as currencies, which no one edits here, once."""
        tables = record_type_of(name).raw_tables
        if any(table in self._lists for table in tables):
            for table in tables:
                warehouse.replace(table, self._lists[table])
            return
        extract(warehouse, client, name, self._world.extraction, run_id="truth")
        if not record_type_of(name).modified:
            self._lists.update({table: warehouse.table(table) for table in tables})

    def _note(self, con: duckdb.DuckDBPyConnection, workflow: Workflow, number: int) -> None:
        ids = {record.source: key_column(record.source) for record in workflow.spec.records}
        key_field = TARGETS[workflow.spec.target].key_field
        rules = rules_of(con, self._attributes[workflow.name], key_field, ids)
        self.not_derived[workflow.name] = unknown_fields(rules)
        required = {
            (each.source, source_id): version for each in rules for source_id, version in _required(con, each, number)
        }
        parents = {child: above for each in rules for child, above in parents_of(con, each).items()}
        upstream = self._active_in(workflow.spec.upstream)

        gone = {each.source: INACTIVE if each.retires_deleted else OPEN for each in rules}

        def state_of(record: tuple[str, str]) -> str:
            if record in required:
                return required[record].state
            if (workflow.name, *record) in self.versions:
                return gone[record[0]]
            return ACTIVE if record in upstream else OPEN

        for record, version in required.items():
            below = state_below(record, parents, state_of) if version.state == ACTIVE else version.state
            self._append((workflow.name, *record), replace(version, state=below))
        for key, versions in self.versions.items():
            if key[0] == workflow.name and key[1:] not in required:
                self._append(key, Version(number, versions[-1].key, gone[key[1]]))

    def _active_in(self, workflows: Sequence[str]) -> set[tuple[str, str]]:
        """Return the records that other workflows require in their targets now."""
        return {
            (source, source_id)
            for (workflow, source, source_id), versions in self.versions.items()
            if workflow in workflows and versions[-1].state == ACTIVE
        }

    def _append(self, key: Key, version: Version) -> None:
        versions = self.versions.setdefault(key, [])
        if not versions or (versions[-1].state, versions[-1].values) != (version.state, version.values):
            versions.append(version)

    def of(self, workflow: str) -> Iterator[tuple[Key, list[Version]]]:
        """Yield the records of a workflow, each with its versions."""
        return ((key, versions) for key, versions in self.versions.items() if key[0] == workflow)

    def selected(self) -> dict[str, int]:
        """Return the number of records that each workflow requires in its target now."""
        return {
            each.name: sum(versions[-1].state == ACTIVE for _, versions in self.of(each.name))
            for each in self._world.workflows
        }

    def through(self, moment: datetime) -> int:
        """Return the last observation until a moment; -1 if there was none."""
        return max((number for number, at in enumerate(self.moments) if at <= moment), default=-1)


def state_below(
    record: tuple[str, str],
    parents: Mapping[tuple[str, str], tuple[str, str]],
    state_of: Callable[[tuple[str, str]], str],
) -> str:
    """Return the state of a record that is required by itself: with those above it, it is inactive, or left open."""
    line = line_above(record, parents)
    if line is None:
        return OPEN  # in or below a cycle
    return next((state for state in map(state_of, line) if state != ACTIVE), ACTIVE)


def _attributes(world: World, workflow: Workflow) -> Any:
    file = world.options.workflows / workflow.name / "defs.yaml"
    return yaml.safe_load(file.read_text(encoding="utf-8"))["attributes"]


def _required(con: duckdb.DuckDBPyConnection, rules: Rules, number: int) -> Iterator[tuple[str, Version]]:
    cursor = con.execute(f"{rules.select()} order by try_cast(source_id as bigint), source_id")
    columns = [each[0] for each in cursor.description or ()]
    for row in cursor.fetchall():
        values = dict(zip(columns, row, strict=True))
        derived = {name: values[name] for name in rules.derived}
        yield values["source_id"], Version(number, values["key"], values["state"], derived)
