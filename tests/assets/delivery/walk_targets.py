"""The two targets as a walk sees them: what they hold, what people do there, what goes wrong, what fills them.

SIDES["precoro"](world), SIDES["suiteprojects"](world)  ->  records(), rename(), unkey() …; the walk itself is one
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Protocol

from assets.delivery.spec.workflow_spec import WorkflowSpec
from assets.delivery.target import Target
from assets.precoro.target import OptionTarget
from assets.suiteprojects.target import SuiteProjectsTarget
from resources.precoro.connect import open_precoro
from resources.sandbox.precoro.switches import PrecoroSwitches
from resources.sandbox.sandbox import Sandbox
from resources.sandbox.suiteprojects.records import RefusedError
from resources.sandbox.suiteprojects.switches import SuiteProjectsSwitches
from resources.suiteprojects.connect import open_suiteprojects
from tests.assets.delivery.builders import one_source, option_tree

LONGEST, DAY_S = 256, 86_400
EXPORTED, OTHERS = {"where": "custentity_export = 'T'"}, {"where": "custentity_export = 'F'"}


@dataclass(frozen=True)
class Shown:
    """One record of a target; a place is an id that no other record of the target has."""

    kind: str
    key: str | None
    name: str | None
    is_on: bool
    parent: str | None
    whole: Mapping[str, Any]


class Side(Protocol):
    """One target system: its state from within, and the workflows that fill it, parents first."""

    system: str
    specs: Mapping[str, WorkflowSpec]
    others: WorkflowSpec
    faulty: tuple[tuple[str, str], ...]  # methods and patterns of calls that may be spoiled
    patience: int  # how many calls or places at most go well before trouble begins

    def records(self) -> dict[str, Shown]:
        """Everything there, by place."""
        ...

    def place(self, workflow: str, target_id: str) -> str:
        """The place of a record that a workflow knows by this id."""
        ...

    def parent_key(self, row: Mapping[str, Any]) -> str:
        """NetSuite id of a project's parent there."""
        ...

    def follows_parent(self) -> bool:
        """Whether a child is switched off with its parent."""
        ...

    def edit(self, place: str, *, name: str | None = None, off: bool = False, unkey: bool = False) -> None:
        """A person edits a record."""
        ...

    def remove(self, place: str) -> None:
        """A person deletes a record, if the system lets them."""
        ...

    def stranger(self, name: str) -> None:
        """A person adds a record that is nobody's of ours."""
        ...

    def allow(self, calls: int | None) -> None:
        """The calls of a day; none: as many as ever."""
        ...

    def calls(self) -> int:
        """Calls answered so far."""
        ...

    def write_calls(self) -> int:
        """Those of them that asked to write."""
        ...

    def records_written(self) -> int:
        """Records that these asked for and that may have been written."""
        ...

    def open(self, workflow: str) -> AbstractContextManager[Target]:
        """The target of one workflow, by a client of its own."""
        ...


class PrecoroSide:
    """One tree of options: customers, projects below them, sub-projects below those."""

    system = "precoro"
    specs: Mapping[str, WorkflowSpec] = {
        "tree": option_tree(
            records=[
                {**option_tree().records[0].model_dump(by_alias=True), "select": EXPORTED},
                option_tree().records[1].model_dump(by_alias=True),
            ]
        )
    }
    others = one_source(select=OTHERS, options={"item_custom_field": 5144})
    faulty = (("POST", ""), ("PUT", ""), ("GET", ""), ("", ""))
    patience = 5

    def __init__(self, world: Sandbox) -> None:
        self._world, self._system = world, world.precoro

    def records(self) -> dict[str, Shown]:
        """Everything there, by place."""
        found = {}
        for each in self._system.options():
            above = None if each["parent_id"] is None else str(each["parent_id"])
            found[str(each["option_id"])] = Shown(
                "Option", each["external_id"], each["name"], each["enable"], above, each
            )
        return found

    def place(self, workflow: str, target_id: str) -> str:  # noqa: ARG002 - one field serves them all
        """The place of an option."""
        return target_id

    def parent_key(self, row: Mapping[str, Any]) -> str:
        """NetSuite id of a project's parent there."""
        return str(row["parent_project_id"] or row["customer_id"])

    def follows_parent(self) -> bool:
        """Whether a child is switched off with its parent."""
        return True

    def edit(self, place: str, *, name: str | None = None, off: bool = False, unkey: bool = False) -> None:
        """A person edits a record."""
        changes = {"name": name} if name else {}
        changes |= ({"enable": 0} if off else {}) | ({"external_id": None} if unkey else {})
        self._system.edit_option(int(place), **changes)

    def remove(self, place: str) -> None:
        """A person deletes a record."""
        self._system.remove_option(int(place))

    def stranger(self, name: str) -> None:
        """A person adds a record of theirs."""
        self._system.add_option(name)

    def allow(self, calls: int | None) -> None:
        """Set the calls of a day."""
        self._world.switches.set("precoro", PrecoroSwitches, calls_per_day=calls or 3000)

    def calls(self) -> int:
        """Calls answered so far."""
        return self._system.calls_made()

    def write_calls(self) -> int:
        """Those of them that asked to write."""
        return self._system.write_calls()

    def records_written(self) -> int:
        """Records that these may have written."""
        return sum(call["method"] in {"POST", "PUT"} and call["status"] < 300 for call in self._system.log())

    @contextmanager
    def open(self, workflow: str) -> Iterator[Target]:  # noqa: ARG002 - one field serves them all
        """The target of one workflow."""
        with open_precoro(sandbox=self._world.folder) as client:
            yield OptionTarget(client, 5144)


def _suite(type_name: str, name: str, **changes: Any) -> WorkflowSpec:
    key = {"Customer": "customer_id", "Project": "project_id"}[type_name]
    fields = [
        {"field": "externalid", "from": key, "locked": True},
        {"field": "name", "from": name, "required": True},
        {"field": "active", "value": True},
    ]
    return one_source(target=f"suiteprojects.{type_name}", fields=fields, **changes)


class SuiteSide:
    """Customers and projects are two kinds of records, by two workflows; a project names its customer."""

    system = "suiteprojects"
    specs: Mapping[str, WorkflowSpec] = {
        "customers": _suite("Customer", "company_name", select=EXPORTED),
        "projects": _suite(
            "Project", "project_name", source="projects", needs=["customers"], parent={"customers": "customer_id"},
            parent_required=True,
        ),
    }  # fmt: skip
    others = _suite("Customer", "company_name", select=OTHERS)
    faulty = (("", ""), ("", "<Add"), ("", "<Modify"), ("", "<Read"))
    patience = 1
    _types: Mapping[str, str] = {"customers": "Customer", "projects": "Project", "others": "Customer"}

    def __init__(self, world: Sandbox) -> None:
        self._world, self._system = world, world.suiteprojects
        self._lengths = {f"{type_name}.name": LONGEST for type_name in ("Customer", "Project")}
        self.allow(None)

    def records(self) -> dict[str, Shown]:
        """Everything there, by place."""
        found = {}
        for type_name in ("Customer", "Project"):
            for row in self._system.rows(type_name):
                above = row.get("customerid")
                found[f"{type_name} {row['id']}"] = Shown(
                    type_name, row.get("externalid"), row.get("name"), row.get("active") == "1",
                    f"Customer {above}" if above else None, row,
                )  # fmt: skip
        return found

    def place(self, workflow: str, target_id: str) -> str:
        """The place of a customer or project."""
        return f"{self._types[workflow]} {target_id}"

    def parent_key(self, row: Mapping[str, Any]) -> str:
        """NetSuite id of a project's parent there."""
        return str(row["customer_id"])

    def follows_parent(self) -> bool:
        """Whether a child is switched off with its parent."""
        return False

    def edit(self, place: str, *, name: str | None = None, off: bool = False, unkey: bool = False) -> None:
        """A person edits a record."""
        changes = {"name": name} if name else {}
        changes |= ({"active": ""} if off else {}) | ({"externalid": ""} if unkey else {})
        type_name, _, number = place.partition(" ")
        self._system.modify(type_name, int(number), **changes)

    def remove(self, place: str) -> None:
        """A person deletes a record."""
        type_name, _, number = place.partition(" ")
        with suppress(RefusedError):  # a customer that has projects stays
            self._system.delete(type_name, int(number))

    def stranger(self, name: str) -> None:
        """A person adds a record of theirs."""
        self._system.add("Customer", name=name)

    def allow(self, calls: int | None) -> None:
        """Set the calls of a day."""
        since = self._world.clock.now().timestamp() - DAY_S
        today = sum(call["at"] > since for call in self._system.call_log())
        most = 100_000 if calls is None else today + calls
        self._world.switches.set(
            "suiteprojects", SuiteProjectsSwitches, strict_lengths=self._lengths, requests_per_day=most
        )

    def calls(self) -> int:
        """Calls answered so far."""
        return self._system.calls_made()

    def write_calls(self) -> int:
        """Those of them that asked to write."""
        return self._system.write_calls()

    def records_written(self) -> int:
        """Records that these may have written."""
        return sum(call["writes"] for call in self._system.call_log())

    @contextmanager
    def open(self, workflow: str) -> Iterator[Target]:
        """The target of one workflow."""
        with open_suiteprojects(sandbox=str(self._world.folder)) as client:
            target = SuiteProjectsTarget(client, self._types[workflow])
            target.batch_size = 2
            yield target


SIDES: Mapping[str, Callable[[Sandbox], Side]] = {"precoro": PrecoroSide, "suiteprojects": SuiteSide}
