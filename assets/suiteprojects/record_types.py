"""The record types of SuiteProjects Pro that a workflow may sync to: customers, contacts, projects, hierarchy nodes."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from assets.delivery.schemas import PARENT
from assets.delivery.target import TargetField
from resources.suiteprojects.dictionary import CONTACT, CUSTOMER, HIERARCHY_NODE, PROJECT
from resources.suiteprojects.properties import Property, RecordType

KEY_FIELD = "externalid"
ACTIVE_FIELD = "active"
PARENT_ID = PARENT  # among the changed fields: the record has another parent
_FIELD_KINDS = {"boolean", "number", "date"}


@dataclass(frozen=True)
class RecordKind:
    """One type of record as a target."""

    record_type: RecordType
    parent_field: str | None = None
    required: frozenset[str] = frozenset()
    choices: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @cached_property
    def fields(self) -> Mapping[str, TargetField]:
        """The documented properties that can be written, by flat name."""
        return {
            name: TargetField(
                name,
                each.description,
                kind=each.kind if each.kind in _FIELD_KINDS else "text",
                required=name in self.required,
                choices=self.choices.get(name),
            )
            for name, each in self.record_type.flat.items()
            if not each.computed
        }


# the fields of a node beside its own properties: whether its name has the inactive suffix, and its position
NODE = RecordKind(
    replace(
        HIERARCHY_NODE,
        properties={
            **{name: HIERARCHY_NODE.properties[name] for name in ("id", "name", "externalid", "notes", "parentid")},
            ACTIVE_FIELD: Property(ACTIVE_FIELD, "whether people should select it", "boolean"),
            "depth": Property("depth", "its level, 1 at the top", "number"),
            "path": Property("path", "names from the top, separated by ` : `; for match rules only"),
        },
    ),
    parent_field="parentid",
    required=frozenset({"name", "depth"}),
)

KINDS: Mapping[str, RecordKind] = {
    # a customer needs a name or a company (status 824), so neither alone is required
    "Customer": RecordKind(CUSTOMER, choices={"type": frozenset({"C", "P"})}),
    "Contact": RecordKind(CONTACT, parent_field="customerid", required=frozenset({"addr_last"})),
    "Project": RecordKind(PROJECT, parent_field="customerid", required=frozenset({"name"})),
}
