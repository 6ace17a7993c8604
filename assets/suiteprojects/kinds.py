"""What differs between customers, contacts and projects, as a table; everything else is one class."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from assets.delivery.frames import PARENT
from assets.delivery.target import TargetField
from resources.suiteprojects.dictionary import CONTACT, CUSTOMER, PROJECT, RecordType

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


KINDS: Mapping[str, RecordKind] = {
    # a customer needs a name or a company (status 824), so neither alone is required
    "Customer": RecordKind(CUSTOMER),
    "Contact": RecordKind(CONTACT, parent_field="customerid", required=frozenset({"addr_last"})),
    "Project": RecordKind(PROJECT, parent_field="customerid", required=frozenset({"name"})),
}
