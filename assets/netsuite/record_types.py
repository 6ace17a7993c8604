"""The NetSuite record types that Millpond reads: one declaration each, everything else is shared.

sql/extract/<record type>.sql lists the columns; a `RecordType` says how changes, deletions and children are found.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType

from assets.netsuite.suiteql_file import Query
from sql import SERVICE_ITEMS, is_on_demand

STAGES = MappingProxyType({"CUSTOMER": "customers", "LEAD": "leads", "PROSPECT": "prospects"})


@dataclass(frozen=True, kw_only=True)
class RecordType:
    """The way in which one NetSuite table is read.

    Attributes:
        name: Stem of its SQL file.
        table: NetSuite's table; also the key of its watermark.
        required: Columns without which the rows are useless.
        modified: Timestamp column by which changes are found; empty: the table is read in full each time.
        deleted_types: Values of `deletedrecord.type`, in lower case, that may mean this record type; empty: NetSuite
            leaves no deletion note of its rows.
        parent: Column with the id of the record that a row belongs to; rows are read again when that record changes.
        links: Columns with the id of another record, and the record types that it may be of; rows are read again when
            that record is deleted.
        joined: Columns with the key of a row of another table, by which staging joins it.
        optional: The account may lack the table; the raw table then stays empty.
        has_stages: Rows are split over the raw tables of leads, prospects and customers.
        rest_name: Name in the metadata catalog, for record types with custom fields.
    """

    name: str
    table: str
    required: frozenset[str] = frozenset({"id", "name"})
    modified: str = ""
    deleted_types: frozenset[str] = frozenset()
    parent: str = ""
    parent_type: str = "customers"
    links: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    joined: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    optional: bool = False
    has_stages: bool = False
    rest_name: str = ""

    @property
    def references(self) -> Mapping[str, tuple[str, ...]]:
        """Every column of the raw table with the id of another record, and the record types that it may be of."""
        parent = self.parent.rpartition(".")[2]
        return {**self.links, parent: (self.parent_type,)} if parent else self.links

    @property
    def query(self) -> Query:
        """Its SuiteQL."""
        return Query.of(self.name)

    @property
    def raw_tables(self) -> tuple[str, ...]:
        """The warehouse tables that it fills."""
        names = tuple(STAGES.values()) if self.has_stages else (self.name,)
        return tuple(f"raw_netsuite__{name}" for name in names)


_ALL = (
    RecordType(
        name="customers",
        table="customer",
        required=frozenset({"id", "entityid", "isinactive", "lastmodifieddate"}),
        modified="c.lastmodifieddate",
        # custjob: possible type of a deleted customer or project, netsuite.md §5.5
        deleted_types=frozenset({"customer", "lead", "prospect", "custjob"}),
        links=MappingProxyType({"parent": ("customers",)}),
        joined=MappingProxyType({"currency": "currencies", "entitystatus": "entity_statuses"}),
        has_stages=True,
        rest_name="customer",
    ),
    RecordType(
        name="projects",
        table="job",
        required=frozenset({"id", "entityid", "customer", "isinactive", "lastmodifieddate"}),
        modified="j.lastmodifieddate",
        deleted_types=frozenset({"job", "project", "custjob"}),
        links=MappingProxyType({"customer": ("customers",), "parent": ("customers", "projects")}),
        joined=MappingProxyType({"currency": "currencies"}),
        rest_name="job",
    ),
    RecordType(
        name="contacts",
        table="contact",
        required=frozenset({"id", "company", "isinactive", "lastmodifieddate"}),
        modified="c.lastmodifieddate",
        deleted_types=frozenset({"contact"}),
        links=MappingProxyType({"company": ("customers", "projects")}),
        rest_name="contact",
    ),
    RecordType(
        name="customer_subsidiaries",
        table="customersubsidiaryrelationship",
        required=frozenset({"id", "entity", "subsidiary", "lastmodifieddate"}),
        modified="r.lastmodifieddate",
        parent="r.entity",
    ),
    RecordType(
        name="addresses",
        table="customeraddressbook",
        required=frozenset({"internalid", "entity", "lastmodifieddate"}),
        modified="a.lastmodifieddate",
        parent="b.entity",
    ),
    RecordType(
        name="contact_addresses",
        table="contactaddressbook",
        required=frozenset({"internalid", "entity", "lastmodifieddate"}),
        modified="a.lastmodifieddate",
        parent="b.entity",
        parent_type="contacts",
        optional=True,
    ),
    # spellings of the types below: netsuite.md §5.5 [U]
    RecordType(name="subsidiaries", table="subsidiary", deleted_types=frozenset({"subsidiary"})),
    RecordType(name="departments", table="department", deleted_types=frozenset({"department"})),
    RecordType(name="classifications", table="classification", deleted_types=frozenset({"classification", "class"})),
    RecordType(name="locations", table="location", deleted_types=frozenset({"location"})),
    RecordType(name="currencies", table="currency", deleted_types=frozenset({"currency"})),
    RecordType(
        name="entity_statuses",
        table="entitystatus",
        required=frozenset({"key", "name"}),
        deleted_types=frozenset({"entitystatus", "customerstatus"}),
    ),
)

RECORD_TYPES: Mapping[str, RecordType] = MappingProxyType({record_type.name: record_type for record_type in _ALL})


@cache
def record_type_of(name: str) -> RecordType:
    """Return a record type by name; types that are read on demand are read in full each time.

    Raises:
        KeyError: There is no such record type.
    """
    if not is_on_demand(name):
        return RECORD_TYPES[name]
    if name == SERVICE_ITEMS:
        return RecordType(
            name=name,
            table="item",
            required=frozenset({"id", "itemid"}),
            deleted_types=frozenset({"item", "service", "serviceitem"}),
            rest_name="serviceItem",
        )
    return RecordType(
        name=name, table=name, required=frozenset({"id"}), deleted_types=frozenset({name}), rest_name=name
    )
