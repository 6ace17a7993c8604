"""What is read from NetSuite: one line of differences per thing; everything else is alike.

sql/extract/<thing>.sql says the columns; a `Thing` says how changes, deletions and children are found.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from assets.netsuite.suiteql_file import Query
from sql import SERVICE_ITEMS, is_on_demand

STAGES = MappingProxyType({"CUSTOMER": "customers", "LEAD": "leads", "PROSPECT": "prospects"})


@dataclass(frozen=True, kw_only=True)
class RecordType:
    """How one NetSuite table is read.

    Attributes:
        name: Stem of its SQL file.
        table: NetSuite's table, also the key of its watermark.
        required: Columns without which the thing is of no use.
        modified: The time stamp by which changes are found; empty: the table is small, or has none, and is read
            whole each time.
        deleted_as: Spellings of `deletedrecord.type` (lower case) that may mean this thing.
        parent: Column that holds the id of the record that it is a part of: rows are read again when that one changed.
        of: What that record is.
        optional: An account may not have it: the raw table stays empty.
        split: For customers, the raw tables that the stages go to.
        record: Its name in the metadata catalogue, where custom fields are wanted.
    """

    name: str
    table: str
    required: frozenset[str] = frozenset({"id", "name"})
    modified: str = ""
    deleted_as: frozenset[str] = frozenset()
    parent: str = ""
    of: str = "customers"
    optional: bool = False
    split: bool = False
    record: str = ""

    @property
    def query(self) -> Query:
        """The thing's SuiteQL."""
        return Query.of(self.name)

    @property
    def raw_tables(self) -> tuple[str, ...]:
        """The tables of the warehouse that it fills."""
        names = tuple(STAGES.values()) if self.split else (self.name,)
        return tuple(f"raw_netsuite__{name}" for name in names)


_ALL = (
    RecordType(
        name="customers",
        table="customer",
        required=frozenset({"id", "entityid", "isinactive", "lastmodifieddate"}),
        modified="c.lastmodifieddate",
        # custjob: what the deletion of any customer or project may be called, netsuite.md §5.5
        deleted_as=frozenset({"customer", "lead", "prospect", "custjob"}),
        split=True,
        record="customer",
    ),
    RecordType(
        name="projects",
        table="job",
        required=frozenset({"id", "entityid", "customer", "isinactive", "lastmodifieddate"}),
        modified="j.lastmodifieddate",
        deleted_as=frozenset({"job", "project", "custjob"}),
        record="job",
    ),
    RecordType(
        name="contacts",
        table="contact",
        required=frozenset({"id", "company", "isinactive", "lastmodifieddate"}),
        modified="c.lastmodifieddate",
        deleted_as=frozenset({"contact"}),
        record="contact",
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
        of="contacts",
        optional=True,
    ),
    RecordType(name="subsidiaries", table="subsidiary"),
    RecordType(name="departments", table="department"),
    RecordType(name="classifications", table="classification"),
    RecordType(name="locations", table="location"),
    RecordType(name="currencies", table="currency"),
    RecordType(name="entity_statuses", table="entitystatus", required=frozenset({"key", "name"})),
)

RECORD_TYPES: Mapping[str, RecordType] = MappingProxyType({record_type.name: record_type for record_type in _ALL})


@cache
def record_type_of(name: str) -> RecordType:
    """A thing by its name; one that is read on demand is read whole each time.

    Raises:
        KeyError: There is none.
    """
    if not is_on_demand(name):
        return RECORD_TYPES[name]
    if name == SERVICE_ITEMS:
        return RecordType(name=name, table="item", required=frozenset({"id", "itemid"}), record="serviceItem")
    return RecordType(name=name, table=name, required=frozenset({"id"}), record=name)
