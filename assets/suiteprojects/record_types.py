"""What differs between customers, contacts, projects and hierarchy nodes, as a table."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from assets.delivery.schemas import PARENT
from assets.delivery.target import TargetField
from resources.suiteprojects.dictionary import CONTACT, CUSTOMER, HIERARCHY_NODE, PROJECT, Property, RecordType

KEY_FIELD = "externalid"
ACTIVE_FIELD = "active"
PARENT_ID = PARENT  # among the changed fields: the parent is another one now
_KIND_OF = {"boolean": "boolean", "number": "number", "date": "date"}


@dataclass(frozen=True)
class RecordKind:
    """One type of record that a workflow may deliver."""

    record_type: RecordType
    parent_field: str | None = None
    required: frozenset[str] = frozenset()

    @cached_property
    def fields(self) -> Mapping[str, TargetField]:
        """The documented properties that can be written, under their flat names."""
        return {
            name: TargetField(
                name,
                each.description,
                kind=_KIND_OF.get(each.kind, "text"),
                required=name in self.required,
            )
            for name, each in self.record_type.flat.items()
            if not each.computed
        }


# what a node shows beside its properties: which is switched off by its name's ending, and where it stands
NODE = RecordKind(
    replace(
        HIERARCHY_NODE,
        properties={
            **{name: HIERARCHY_NODE.properties[name] for name in ("id", "name", "externalid", "notes", "parentid")},
            ACTIVE_FIELD: Property(ACTIVE_FIELD, "whether people should choose it", "boolean"),
            "depth": Property("depth", "level that it is on, 1 at the top", "number"),
            "path": Property("path", "names from the top, parted by blank, colon, blank; only to match by"),
        },
    ),
    parent_field="parentid",
    required=frozenset({"name", "depth"}),
)

KINDS: Mapping[str, RecordKind] = {
    # a customer needs a name or a company (status 824), so neither alone is required
    "Customer": RecordKind(CUSTOMER),
    "Contact": RecordKind(CONTACT, parent_field="customerid", required=frozenset({"addr_last"})),
    "Project": RecordKind(PROJECT, parent_field="customerid", required=frozenset({"name"})),
}
