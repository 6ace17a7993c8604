"""The two targets of the random walks: their records, manual edits, quotas, and the workflows that fill them.

WALK_TARGETS["precoro"](sandbox), WALK_TARGETS["suiteprojects"](sandbox)  ->  records(), edit(), set_daily_quota() …
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

from assets.delivery.spec.workflow_spec import WorkflowSpec
from assets.delivery.target import Target
from assets.precoro.target import OptionTarget
from assets.suiteprojects.target import SuiteProjectsTarget
from resources.precoro.connect import open_precoro
from resources.sandbox.precoro.switches import PrecoroSwitches
from resources.sandbox.sandbox import Sandbox
from resources.sandbox.suiteprojects.errors import ApiError
from resources.sandbox.suiteprojects.switches import SuiteProjectsSwitches
from resources.suiteprojects.connect import open_suiteprojects
from tests.assets.delivery.builders import one_source, option_tree

LONGEST, DAY_S = 256, 86_400
EXPORTED, OTHERS = {"where": "custentity_export = 'T'"}, {"where": "custentity_export = 'F'"}


@dataclass(frozen=True)
class TargetRecord:
    """One record of a target."""

    kind: str
    key: str | None
    name: str | None
    is_active: bool
    parent: str | None
    raw: Mapping[str, Any]


class WalkTarget(Protocol):
    """One target system in the sandbox, and the workflows that fill it, parents first.

    A uid identifies a record among all records of the target.
    """

    system: str
    specs: Mapping[str, WorkflowSpec]
    others: WorkflowSpec
    fault_patterns: tuple[tuple[str, str], ...]  # methods and patterns of calls that may get faults
    max_skip: int  # most calls or failpoints before the fault

    def records(self) -> dict[str, TargetRecord]:
        """Return all records, by uid."""
        ...

    def uid(self, workflow: str, target_id: str) -> str:
        """Return the uid of a record that a workflow knows by this id."""
        ...

    def parent_key(self, row: Mapping[str, Any]) -> str:
        """Return the NetSuite id of a project's parent in the target."""
        ...

    def follows_parent(self) -> bool:
        """Return whether a child is deactivated with its parent."""
        ...

    def edit(self, uid: str, *, name: str | None = None, deactivate: bool = False, clear_key: bool = False) -> None:
        """Edit a record manually."""
        ...

    def remove(self, uid: str) -> None:
        """Delete a record manually, if the system permits it."""
        ...

    def add_foreign(self, name: str) -> None:
        """Add a record that is not ours."""
        ...

    def set_daily_quota(self, calls: int | None) -> None:
        """Limit the calls that are left of the day; None: the usual quota."""
        ...

    def ignore_key_in_creates(self) -> None:
        """Let a create leave a record without our key, which a second call sets, if the system may do that."""
        ...

    def stores_key_in_creates(self) -> bool:
        """Return whether a create leaves no record without our key."""
        ...

    def calls(self) -> int:
        """Return the number of calls so far."""
        ...

    def write_calls(self) -> int:
        """Return the number of write calls so far."""
        ...

    def records_written(self) -> int:
        """Return how many records these may have written."""
        ...

    def open(self, workflow: str) -> AbstractContextManager[Target]:
        """Open the target of one workflow with its own client."""
        ...


class PrecoroWalkTarget:
    """One tree of options: customers, their projects, and sub-projects."""

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
    fault_patterns = (("POST", ""), ("PUT", ""), ("GET", ""), ("", ""))
    max_skip = 5

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox, self._system = sandbox, sandbox.precoro

    def records(self) -> dict[str, TargetRecord]:
        """Return all records, by uid."""
        found = {}
        for each in self._system.options():
            above = None if each["parent_id"] is None else str(each["parent_id"])
            found[str(each["option_id"])] = TargetRecord(
                "Option", each["external_id"], each["name"], each["enable"], above, each
            )
        return found

    def uid(self, workflow: str, target_id: str) -> str:  # noqa: ARG002 - all workflows share one custom field
        """Return the option's id."""
        return target_id

    def parent_key(self, row: Mapping[str, Any]) -> str:
        """Return the NetSuite id of a project's parent in the target."""
        return str(row["parent_project_id"] or row["customer_id"])

    def follows_parent(self) -> bool:
        """Return whether a child is deactivated with its parent."""
        return True

    def edit(self, uid: str, *, name: str | None = None, deactivate: bool = False, clear_key: bool = False) -> None:
        """Edit an option manually."""
        changes = {"name": name} if name else {}
        changes |= ({"enable": 0} if deactivate else {}) | ({"external_id": None} if clear_key else {})
        self._system.edit_option(int(uid), **changes)

    def remove(self, uid: str) -> None:
        """Delete an option manually."""
        self._system.remove_option(int(uid))

    def add_foreign(self, name: str) -> None:
        """Add an option that is not ours."""
        self._system.add_option(name)

    def set_daily_quota(self, calls: int | None) -> None:
        """Limit the calls that are left of the day; None: the usual quota."""
        self._sandbox.switches.set("precoro", PrecoroSwitches, calls_per_day=calls or 3000)

    def ignore_key_in_creates(self) -> None:
        """Set the switch."""
        self._sandbox.switches.set("precoro", PrecoroSwitches, post_external_id="ignore")

    def stores_key_in_creates(self) -> bool:
        """Return the switch."""
        return self._system.switches.post_external_id == "accept"

    def calls(self) -> int:
        """Return the number of calls so far."""
        return self._system.calls_made()

    def write_calls(self) -> int:
        """Return the number of write calls so far."""
        return self._system.write_calls()

    def records_written(self) -> int:
        """Return how many records these may have written."""
        made = [call["method"] for call in self._system.call_log() if call["method"] != "GET" and call["status"] < 300]
        # a PATCH after a POST completes the same record; alone it completes a PUT whose response was lost
        return sum(method != "PATCH" or before != "POST" for before, method in pairwise(["", *made]))

    @contextmanager
    def open(self, workflow: str) -> Iterator[Target]:  # noqa: ARG002 - all workflows share one custom field
        """Open the target of one workflow."""
        with open_precoro(sandbox=self._sandbox.folder) as client:
            yield OptionTarget(client, 5144)


def _suite(type_name: str, name: str, **changes: Any) -> WorkflowSpec:
    key = {"Customer": "customer_id", "Project": "project_id"}[type_name]
    fields = [
        {"field": "externalid", "from": key, "locked": True},
        {"field": "name", "from": name, "required": True},
        {"field": "active", "value": True},
    ]
    return one_source(target=f"suiteprojects.{type_name}", fields=fields, **changes)


class SuiteProjectsWalkTarget:
    """Customers and projects are two record types with one workflow each; a project names its customer."""

    system = "suiteprojects"
    specs: Mapping[str, WorkflowSpec] = {
        "customers": _suite("Customer", "company_name", select=EXPORTED),
        "projects": _suite(
            "Project", "project_name", source="projects", needs=["customers"], parent={"customers": "customer_id"},
            parent_required=True,
        ),
    }  # fmt: skip
    others = _suite("Customer", "company_name", select=OTHERS)
    fault_patterns = (("", ""), ("", "<Add"), ("", "<Modify"), ("", "<Read"))
    max_skip = 1
    _types: Mapping[str, str] = {"customers": "Customer", "projects": "Project", "others": "Customer"}

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox, self._system = sandbox, sandbox.suiteprojects
        self._lengths = {f"{type_name}.name": LONGEST for type_name in ("Customer", "Project")}
        self.set_daily_quota(None)

    def records(self) -> dict[str, TargetRecord]:
        """Return all records, by uid."""
        found = {}
        for type_name in ("Customer", "Project"):
            for row in self._system.rows(type_name):
                above = row.get("customerid")
                found[f"{type_name} {row['id']}"] = TargetRecord(
                    type_name, row.get("externalid"), row.get("name"), row.get("active") == "1",
                    f"Customer {above}" if above else None, row,
                )  # fmt: skip
        return found

    def uid(self, workflow: str, target_id: str) -> str:
        """Return record type and id: two types may have the same id."""
        return f"{self._types[workflow]} {target_id}"

    def parent_key(self, row: Mapping[str, Any]) -> str:
        """Return the NetSuite id of a project's parent in the target."""
        return str(row["customer_id"])

    def follows_parent(self) -> bool:
        """Return whether a child is deactivated with its parent."""
        return False

    def edit(self, uid: str, *, name: str | None = None, deactivate: bool = False, clear_key: bool = False) -> None:
        """Edit a record manually."""
        changes = {"name": name} if name else {}
        changes |= ({"active": ""} if deactivate else {}) | ({"externalid": ""} if clear_key else {})
        type_name, _, number = uid.partition(" ")
        self._system.modify(type_name, int(number), **changes)

    def remove(self, uid: str) -> None:
        """Delete a record manually."""
        type_name, _, number = uid.partition(" ")
        with suppress(ApiError):  # a customer that has projects cannot be deleted
            self._system.delete(type_name, int(number))

    def add_foreign(self, name: str) -> None:
        """Add a customer that is not ours."""
        self._system.add("Customer", name=name)

    def set_daily_quota(self, calls: int | None) -> None:
        """Limit the calls that are left of the day; None: the usual quota."""
        since = self._sandbox.clock.now().timestamp() - DAY_S
        today = sum(call["at"] > since for call in self._system.call_log())
        most = 100_000 if calls is None else today + calls
        self._sandbox.switches.set(
            "suiteprojects", SuiteProjectsSwitches, strict_lengths=self._lengths, requests_per_day=most
        )

    def ignore_key_in_creates(self) -> None:
        """Do nothing: a create is one call."""

    def stores_key_in_creates(self) -> bool:
        """Return that it does."""
        return True

    def calls(self) -> int:
        """Return the number of calls so far."""
        return self._system.calls_made()

    def write_calls(self) -> int:
        """Return the number of write calls so far."""
        return self._system.write_calls()

    def records_written(self) -> int:
        """Return how many records these may have written."""
        return sum(call["writes"] for call in self._system.call_log())

    @contextmanager
    def open(self, workflow: str) -> Iterator[Target]:
        """Open the target of one workflow."""
        with open_suiteprojects(sandbox=str(self._sandbox.folder)) as client:
            target = SuiteProjectsTarget(client, self._types[workflow])
            target.batch_size = 2
            yield target


WALK_TARGETS: Mapping[str, Callable[[Sandbox], WalkTarget]] = {
    "precoro": PrecoroWalkTarget,
    "suiteprojects": SuiteProjectsWalkTarget,
}
