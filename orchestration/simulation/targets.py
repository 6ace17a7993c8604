"""The target systems' records as the stand-ins store them, without the clients that the runs use.

Targets(world)  ->  .records(workflow): uid -> TargetRecord; .edit(), .remove(), .add() as people do in the screens
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from assets.delivery.spec.workflow import Workflow
from assets.suiteprojects.node_target import SUFFIX
from orchestration.simulation.world import World
from resources.sandbox.suiteprojects.errors import ApiError

NODE = "suiteprojects.HierarchyNode"


@dataclass(frozen=True)
class TargetRecord:
    """One record of a target; a uid identifies it among all records of all targets."""

    uid: str
    key: str | None
    name: str | None
    is_active: bool
    parent: str | None
    raw: Mapping[str, Any] = field(repr=False)

    @property
    def kind(self) -> str:
        """Its type: Customer, HierarchyNode, Option."""
        return self.uid.split(" ")[1].partition("(")[0]

    @property
    def values(self) -> dict[str, str | None]:
        """Its fields as text, by the names that a workflow file uses."""
        return {name: None if value in {"", None} else str(value) for name, value in self.raw.items()}


class Targets:
    """The records of every target that the workflows write to."""

    def __init__(self, world: World) -> None:
        self._sandbox, self._world = world.sandbox, world

    def all(self) -> dict[str, TargetRecord]:
        """Return the records of all workflows' targets, by uid."""
        found: dict[str, TargetRecord] = {}
        for workflow in self._world.workflows:
            found.update(self.records(workflow))
        return found

    def records(self, workflow: Workflow) -> dict[str, TargetRecord]:
        """Return the records of one workflow's target, ours and others', by uid."""
        spec = workflow.spec
        if spec.system == "precoro":
            rows = self._sandbox.precoro.options(self._field_id(workflow))
            return {each.uid: each for each in (_option(spec.connection_name, row) for row in rows)}
        rows = self._sandbox.suiteprojects.rows(spec.target.removeprefix("suiteprojects."))
        if spec.target == NODE:
            rows = self._nodes(rows, str(spec.options.get("hierarchy")))
        return {each.uid: each for each in (_record(spec.target, place_of(workflow), row) for row in rows)}

    def _nodes(self, rows: list[dict[str, str]], hierarchy: str) -> list[dict[str, str]]:
        """Return the nodes of one hierarchy, without its levels and what records are assigned to."""
        ids = {
            each["id"]
            for each in self._sandbox.suiteprojects.rows("Hierarchy")
            if hierarchy in {each.get("externalid"), each.get("name")}
        }
        return [row for row in rows if row.get("hierarchyid") in ids and row.get("isanode") == "1"]

    def _field_id(self, workflow: Workflow) -> int:
        """Return the id of the option field that a workflow names, by id or by name."""
        name, connection = str(workflow.spec.options.get("item_custom_field")), workflow.spec.connection
        company = self._sandbox.precoro.company(connection) if connection else self._sandbox.credentials["precoro"]
        with self._sandbox.precoro.store.read() as con:
            rows = con.execute(
                "select field_id from fields join companies using (company_id)"
                " where companies.token = ? and ? in (fields.name, cast(field_id as text))",
                (company["token"], name),
            ).fetchall()
        return int(rows[0]["field_id"] if rows else company["item_custom_field_id"])

    # --- what people do in the screens ----------------------------------------------------------------------------

    def edit(
        self, record: TargetRecord, *, name: str | None = None, deactivate: bool = False, clear_key: bool = False
    ) -> None:
        """Edit a record."""
        if record.uid.startswith("precoro"):
            changes: dict[str, Any] = {"name": name} if name else {}
            changes |= ({"enable": 0} if deactivate else {}) | ({"external_id": None} if clear_key else {})
            self._sandbox.precoro.edit_option(int(record.raw["option_id"]), **changes)
            return
        values = {"name": name} if name else {}
        values |= ({"active": ""} if deactivate else {}) | ({"externalid": ""} if clear_key else {})
        with suppress(ApiError):  # the service's own rules reject it
            self._sandbox.suiteprojects.modify(record.kind, int(record.raw["id"]), **values)

    def remove(self, record: TargetRecord) -> None:
        """Delete a record, with what is below it, if the system permits it."""
        if record.uid.startswith("precoro"):
            self._sandbox.precoro.remove_option(int(record.raw["option_id"]))
            return
        with suppress(ApiError):  # others depend on it
            self._sandbox.suiteprojects.delete(record.kind, int(record.raw["id"]))

    def add(self, workflow: Workflow, name: str) -> None:
        """Add a record that is not ours: an option, or a customer."""
        if workflow.spec.system == "precoro":
            self._sandbox.precoro.add_option(name, field_id=self._field_id(workflow))
        else:
            self._sandbox.suiteprojects.add("Customer", name=name)


def _option(connection: str, row: Mapping[str, Any]) -> TargetRecord:
    above = None if row["parent_id"] is None else f"{connection} Option {row['parent_id']}"
    raw = {**row, "externalId": row["external_id"], "enable": int(row["enable"])}
    del raw["level"]  # follows from the options above it, also when only one of those was moved
    return TargetRecord(
        f"{connection} Option {row['option_id']}",
        row["external_id"] or None,
        row["name"],
        bool(row["enable"]),
        above,
        raw,
    )


def place_of(workflow: Workflow) -> str:
    """Return the beginning of the uids of a workflow's records; nodes of two hierarchies may have the same key."""
    spec = workflow.spec
    if spec.system == "precoro":
        return f"{spec.connection_name} Option"
    part = f"({'_'.join(str(spec.options.get('hierarchy')).split())})" if spec.target == NODE else ""
    return f"suiteprojects {spec.target.removeprefix('suiteprojects.')}{part}"


def _record(target: str, place: str, row: Mapping[str, str]) -> TargetRecord:
    name, is_active, above = row.get("name"), row.get("active") == "1", row.get("customerid")
    parent = f"suiteprojects Customer {above}" if above else None
    if target == NODE:
        is_active = not (name or "").endswith(SUFFIX)
        parent = f"{place} {row['parentid']}" if row.get("parentid") not in {None, "", "0"} else None
        name = (name or "").removesuffix(SUFFIX)
        row = {**row, "name": name, "active": "1" if is_active else ""}
    return TargetRecord(f"{place} {row['id']}", row.get("externalid") or None, name, is_active, parent, row)
