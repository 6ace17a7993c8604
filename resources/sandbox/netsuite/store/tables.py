"""The SuiteQL tables of the simulated account.

Source: netsuite.md §5 (columns), §7 (field lengths; not enforced, because clients only read).
"""

from collections.abc import Mapping

from resources.sandbox.netsuite.store.table import Table, create_sql, define_table

ADDRESS_TEXTS = "addressee attention addr1 addr2 addr3 addrphone addrtext city state dropdownstate zip country"


def _address_book(of: str) -> tuple[Table, Table]:
    """Define the entries of a record's address book, and their addresses."""
    entries = define_table(
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
    addresses = define_table(
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
    define_table(
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
    define_table(
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
    define_table(
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
    define_table(
        "employee",
        record="employee",
        sequence="entity",
        display="entityid",
        refers={"subsidiary": "subsidiary", "department": "department"},
        texts="entityid firstname middlename lastname title email phone externalid",
        bools="isinactive",
        timestamps="datecreated lastmodifieddate",
    ),
    define_table(
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
    define_table(
        "subsidiary",
        record="subsidiary",
        ints="fiscalcalendar mainaddress shippingaddress returnaddress",
        refers={"parent": "subsidiary", "currency": "currency"},
        texts="name fullname country state dropdownstate edition email fax url legalname"
        " federalidnumber tranprefix externalid",
        bools="iselimination isinactive",
        timestamps="lastmodifieddate",
    ),
    define_table(
        "department",
        record="department",
        refers={"parent": "department"},
        texts="name fullname subsidiary externalid",
        bools="includechildren isinactive",
        timestamps="lastmodifieddate",
    ),
    define_table(
        "classification",
        record="classification",
        refers={"parent": "classification"},
        texts="name fullname subsidiary externalid",
        bools="includechildren isinactive",
        timestamps="lastmodifieddate",
    ),
    define_table(
        "location",
        record="location",
        ints="locationtype mainaddress returnaddress",
        refers={"parent": "location"},
        numbers="latitude longitude",
        texts="name fullname subsidiary tranprefix externalid",
        bools="includechildren isinactive makeinventoryavailable usebins",
        timestamps="lastmodifieddate",
    ),
    define_table(
        "currency",
        record="currency",
        ints="currencyprecision",
        numbers="exchangerate",
        texts="name symbol displaysymbol externalid",
        bools="isbasecurrency isinactive",
        timestamps="lastmodifieddate",
    ),
    define_table(
        "entitystatus",
        key="key",
        record="customerStatus",
        numbers="probability",
        texts="name entitytype",
        bools="inactive",
    ),
    define_table(
        "term",
        record="term",
        ints="daysuntilnetdue",
        numbers="discountpercent",
        texts="name externalid",
        bools="isinactive",
        timestamps="lastmodifieddate",
    ),
    define_table(
        "customercategory",
        record="customerCategory",
        texts="name externalid",
        bools="isinactive",
        timestamps="lastmodifieddate",
    ),
    define_table(
        "item",
        record="serviceItem",
        display="itemid",
        refers={"parent": "item", "class": "classification", "department": "department", "location": "location"},
        texts="itemid displayname fullname description itemtype subtype externalid custitem_unit",
        bools="isinactive",
        timestamps="createddate lastmodifieddate",
    ),
    define_table(
        "customrecord_service_line",
        record="customrecord_service_line",
        ints="owner",
        refers={"custrecord_line_customer": "customer", "custrecord_line_department": "department"},
        texts="name externalid custrecord_line_code",
        bools="isinactive",
        dates="custrecord_line_from",
        timestamps="created lastmodified",
    ),
    define_table("customlist_tier", record="", texts="name scriptid", ints="recordid", bools="isinactive"),
    define_table(
        "customfield",
        key="internalid",
        texts="scriptid name description fieldtype fieldvaluetype fieldvaluetyperecord recordtype",
        bools="isinactive",
        timestamps="lastmodifieddate",
    ),
    define_table(
        "deletedrecord",
        key="deletionid",
        ints="recordid recordtypeid deletedby",
        texts="name type scriptid context",
        bools="iscustomlist iscustomrecord iscustomtransaction",
        timestamps="deleteddate",
        indexed=("deleteddate", "recordid"),
    ),
    define_table("dual", key="dualid", texts="dummy"),
)

TABLES: Mapping[str, Table] = {each.name: each for each in _TABLES}

# views of other tables
_ENTITY = define_table(
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

# columns of the SQLite tables that SuiteQL does not have
INTERNAL = {("deletedrecord", "deletionid"), ("dual", "dualid")}

# NetSuite's record type number of a deleted entity, netsuite.md §5.6
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


def schema() -> str:
    """Return the statements that create every table, view and index."""
    return "".join(map(create_sql, TABLES.values())) + _VIEW_SQL
