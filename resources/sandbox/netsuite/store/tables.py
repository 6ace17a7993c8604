"""The SuiteQL tables that the stand-in holds, and the SQLite schema made from them.

Values in SQLite: `timestamp` is UTC text "YYYY-MM-DD HH:MM:SS", `date` the same with midnight, `bool` is 'T' or 'F'.
So text order is time order, an index on `lastmodifieddate` works, and most answers need no conversion.
Source: netsuite.md §5 (columns), §7 (none is enforced: the stand-in is only read).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["int", "number", "text", "bool", "date", "timestamp"]

SQLITE_TYPES: Mapping[Kind, str] = {
    "int": "integer",
    "number": "real",
    "text": "text",
    "bool": "text",
    "date": "text",
    "timestamp": "text",
}


@dataclass(frozen=True)
class Column:
    """One column; `refers` is the table whose display value BUILTIN.DF shows."""

    name: str
    kind: Kind
    refers: str = ""


@dataclass(frozen=True)
class Table:
    """One SuiteQL table.

    Attributes:
        name: As SuiteQL spells it, lower case.
        columns: By name.
        key: The primary key.
        display: The column that BUILTIN.DF shows for a reference to this table.
        record: The REST record type; empty when REST has none.
        sequence: Tables with the same sequence share one range of ids (all entities do).
        owned_by: The column that holds the id of the parent record; children go with their parent.
        owner: The parent's table.
    """

    name: str
    columns: Mapping[str, Column]
    key: str = "id"
    display: str = "name"
    record: str = ""
    sequence: str = ""
    owned_by: str = ""
    owner: str = "customer"
    indexed: tuple[str, ...] = field(default=())


def _table(
    name: str,
    *,
    ints: str = "",
    numbers: str = "",
    texts: str = "",
    bools: str = "",
    dates: str = "",
    timestamps: str = "",
    refers: Mapping[str, str] | None = None,
    key: str = "id",
    display: str = "name",
    record: str = "",
    sequence: str = "",
    owned_by: str = "",
    owner: str = "customer",
    indexed: tuple[str, ...] = (),
) -> Table:
    """Read a table from lists of names; a column in `refers` is an id of another table."""
    targets = refers or {}
    names: list[tuple[Kind, str]] = [
        *(("int", each) for each in (key, *ints.split(), *targets) if each not in texts.split()),
        *(("number", each) for each in numbers.split()),
        *(("text", each) for each in texts.split()),
        *(("bool", each) for each in bools.split()),
        *(("date", each) for each in dates.split()),
        *(("timestamp", each) for each in timestamps.split()),
    ]
    columns = {each: Column(each, kind, targets.get(each, "")) for kind, each in names}
    return Table(name, columns, key, display, record, sequence or name, owned_by, owner, indexed)


ADDRESS_TEXTS = "addressee attention addr1 addr2 addr3 addrphone addrtext city state dropdownstate zip country"


def _address_book(of: str) -> tuple[Table, Table]:
    """The entries of a record's address book, and the addresses of these."""
    entries = _table(
        f"{of}addressbook",
        key="internalid",
        display="label",
        ints="addressbookaddress",
        refers={"entity": of},
        texts="label",
        bools="defaultbilling defaultshipping isresidential",
        owned_by="entity",
        owner=of,
        indexed=("addressbookaddress",),
    )
    addresses = _table(
        f"{of}addressbookentityaddress",
        key="nkey",
        display="addrtext",
        ints="recordowner",
        texts=ADDRESS_TEXTS,
        bools="override",
        timestamps="lastmodifieddate",
        owned_by="recordowner",
        owner=of,
    )
    return entries, addresses


_TABLES = (
    _table(
        "customer",
        record="customer",
        sequence="entity",
        display="entityid",
        ints="entitynumber defaultbillingaddress defaultshippingaddress pricelevel contact leadsource territory",
        refers={
            "category": "customercategory",
            "entitystatus": "entitystatus",
            "currency": "currency",
            "terms": "term",
            "parent": "customer",
            "salesrep": "employee",
            "custentity_department": "department",
            "custentity_class": "classification",
            "custentity_location": "location",
        },
        numbers="creditlimit probability balancesearch",
        texts="entityid entitytitle altname companyname salutation firstname middlename lastname title email altemail"
        " phone altphone homephone mobilephone fax url comments searchstage language accountnumber resalenumber"
        " externalid contactlist globalsubscriptionstatus custentity_region",
        bools="isperson isinactive duplicate weblead unsubscribe oncredithold custentity_oa_export_to_openair",
        dates="dateclosed startdate enddate firstsaledate lastsaledate firstorderdate lastorderdate",
        timestamps="datecreated lastmodifieddate",
    ),
    _table(
        "job",
        record="job",
        sequence="entity",
        display="entityid",
        ints="entitynumber jobtype jobbillingtype category defaultbillingaddress defaultshippingaddress",
        refers={
            "customer": "customer",
            "parent": "entity",
            "projectmanager": "employee",
            "entitystatus": "entitystatus",
            "currency": "currency",
            "primarycontact": "contact",
            "contact": "contact",
            "custentity_department": "department",
            "custentity_class": "classification",
            "custentity_location": "location",
        },
        numbers="percentcomplete percenttimecomplete estimatedcost estimatedrevenue estimatedtime actualtime",
        texts="entityid entitytitle altname companyname comments accountnumber externalid",
        bools="isinactive allowtime allowexpenses custentity_oa_export_to_openair",
        dates="startdate enddate projectedenddate calculatedenddate lastbaselinedate",
        timestamps="datecreated lastmodifieddate",
    ),
    _table(
        "contact",
        record="contact",
        sequence="entity",
        display="entityid",
        ints="contactrole category",
        refers={"company": "entity", "subsidiary": "subsidiary"},
        texts="entityid entitytitle firstname middlename lastname salutation title email altemail phone mobilephone"
        " officephone homephone fax comments externalid",
        bools="isinactive",
        timestamps="datecreated lastmodifieddate",
        indexed=("company",),
    ),
    _table(
        "employee",
        record="employee",
        sequence="entity",
        display="entityid",
        refers={"subsidiary": "subsidiary", "department": "department"},
        texts="entityid firstname middlename lastname title email phone externalid",
        bools="isinactive",
        timestamps="datecreated lastmodifieddate",
    ),
    _table(
        "customersubsidiaryrelationship",
        record="customerSubsidiaryRelationship",
        refers={"entity": "customer", "subsidiary": "subsidiary", "primarycurrency": "currency"},
        numbers="balance depositbalance unbilledorders",
        texts="name externalid",
        bools="isprimarysub",
        timestamps="lastmodifieddate",
        owned_by="entity",
    ),
    *_address_book("customer"),
    *_address_book("contact"),
    _table(
        "subsidiary",
        record="subsidiary",
        ints="fiscalcalendar mainaddress shippingaddress returnaddress",
        refers={"parent": "subsidiary", "currency": "currency"},
        texts="name fullname country state dropdownstate edition email fax url legalname"
        " federalidnumber tranprefix externalid",
        bools="iselimination isinactive",
        timestamps="lastmodifieddate",
    ),
    _table(
        "department",
        record="department",
        refers={"parent": "department"},
        texts="name fullname subsidiary externalid",
        bools="includechildren isinactive",
        timestamps="lastmodifieddate",
    ),
    _table(
        "classification",
        record="classification",
        refers={"parent": "classification"},
        texts="name fullname subsidiary externalid",
        bools="includechildren isinactive",
        timestamps="lastmodifieddate",
    ),
    _table(
        "location",
        record="location",
        ints="locationtype mainaddress returnaddress",
        refers={"parent": "location"},
        numbers="latitude longitude",
        texts="name fullname subsidiary tranprefix externalid",
        bools="includechildren isinactive makeinventoryavailable usebins",
        timestamps="lastmodifieddate",
    ),
    _table(
        "currency",
        record="currency",
        ints="currencyprecision",
        numbers="exchangerate",
        texts="name symbol displaysymbol externalid",
        bools="isbasecurrency isinactive",
        timestamps="lastmodifieddate",
    ),
    _table(
        "entitystatus",
        key="key",
        record="customerStatus",
        numbers="probability",
        texts="name entitytype",
        bools="inactive",
    ),
    _table(
        "term",
        record="term",
        ints="daysuntilnetdue",
        numbers="discountpercent",
        texts="name externalid",
        bools="isinactive",
        timestamps="lastmodifieddate",
    ),
    _table(
        "customercategory",
        record="customerCategory",
        texts="name externalid",
        bools="isinactive",
        timestamps="lastmodifieddate",
    ),
    _table(
        "item",
        record="serviceItem",
        display="itemid",
        refers={"parent": "item", "class": "classification", "department": "department", "location": "location"},
        texts="itemid displayname fullname description itemtype subtype externalid custitem_unit",
        bools="isinactive",
        timestamps="createddate lastmodifieddate",
    ),
    _table(
        "customrecord_service_line",
        record="customrecord_service_line",
        ints="owner",
        refers={"custrecord_line_customer": "customer", "custrecord_line_department": "department"},
        texts="name externalid custrecord_line_code",
        bools="isinactive",
        dates="custrecord_line_from",
        timestamps="created lastmodified",
    ),
    _table(
        "customfield",
        key="internalid",
        texts="scriptid name description fieldtype fieldvaluetype fieldvaluetyperecord recordtype",
        bools="isinactive",
        timestamps="lastmodifieddate",
    ),
    _table(
        "deletedrecord",
        key="deletionid",
        ints="recordid recordtypeid deletedby",
        texts="name type scriptid context",
        bools="iscustomlist iscustomrecord iscustomtransaction",
        timestamps="deleteddate",
        indexed=("deleteddate", "recordid"),
    ),
    _table("dual", key="dualid", texts="dummy"),
)

TABLES: Mapping[str, Table] = {each.name: each for each in _TABLES}

# tables that only show rows of other tables
_ENTITY = _table(
    "entity",
    ints="customer project contact employee",
    refers={"parent": "entity"},
    texts="type entityid altname",
    bools="isperson isinactive",
    timestamps="lastmodifieddate",
    display="entityid",
)
_ENTITY_ADDRESS = Table(
    "entityaddress", TABLES["customeraddressbookentityaddress"].columns, key="nkey", display="addrtext"
)
VIEWS: Mapping[str, Table] = {"entity": _ENTITY, "entityaddress": _ENTITY_ADDRESS}

READABLE: Mapping[str, Table] = {**TABLES, **VIEWS}

# columns that exist here and are not columns of SuiteQL
INTERNAL = {("deletedrecord", "deletionid"), ("dual", "dualid")}

# the number NetSuite's system uses for a deleted entity, netsuite.md §5.6
RECORD_TYPE_IDS = {"customer": -9, "lead": -9, "prospect": -9, "job": -9, "contact": -9, "employee": -9}

_VIEW_SQL = """
create view if not exists entityaddress as select * from customeraddressbookentityaddress;
create view if not exists entity as
select id, 'CustJob' as type, entityid, altname, isperson, isinactive, lastmodifieddate,
       id as customer, null as project, null as contact, null as employee, parent from customer
union all
select id, 'Job', entityid, altname, 'F', isinactive, lastmodifieddate, customer, id, null, null, parent from job
union all
select id, 'Contact', entityid, entitytitle, 'T', isinactive, lastmodifieddate, null, null, id, null, company
from contact
union all
select id, 'Employee', entityid, null, 'T', isinactive, lastmodifieddate, null, null, null, id, null from employee;
insert into dual (dualid, dummy) values (1, 'X') on conflict do nothing
"""


def _create(table: Table) -> str:
    columns = ", ".join(
        f'"{each.name}" {SQLITE_TYPES[each.kind]}{" primary key" if each.name == table.key else ""}'
        for each in table.columns.values()
    )
    wanted = {*table.indexed, table.owned_by, *({"lastmodifieddate"} & table.columns.keys())} - {""}
    indexes = "".join(
        f'create index if not exists "{table.name}_{each}" on "{table.name}" ("{each}");' for each in sorted(wanted)
    )
    return f'create table if not exists "{table.name}" ({columns});{indexes}'


def schema() -> str:
    """Statements that create every table, view and index."""
    return "".join(map(_create, TABLES.values())) + _VIEW_SQL
