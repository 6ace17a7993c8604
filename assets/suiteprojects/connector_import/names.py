"""Names of Oracle's connector and ours: integration points, fields and tables.

Source: suiteprojects_connector.md §1.2 to §1.5 and §7. Other names are not converted, and are reported.
"""

from dataclasses import dataclass

from assets.suiteprojects.record_types import KINDS
from resources.suiteprojects.dictionary import RECORD_TYPES

# NetSuite's search columns -> our staging columns, of all three records
_SHARED = {
    "internalId": "{key}",
    "entityId": "entity_number",
    "externalId": "external_id",
    "isInactive": "is_inactive",
    "dateCreated": "created_at",
    "lastModifiedDate": "modified_at",
    "currency": "currency_id",
    "subsidiary": "subsidiary_id",
}
_PERSON = {
    "email": "email", "phone": "phone", "fax": "fax", "salutation": "salutation", "firstName": "first_name",
    "middleName": "middle_name", "lastName": "last_name", "comments": "comments",
}  # fmt: skip
_ADDRESS = {
    **{f"{name}{number}": f"address_line{number}" for name in ("addr", "address") for number in (1, 2, 3)},
    "city": "city", "state": "state", "zip": "zip", "zipCode": "zip", "country": "country_code",
    "countryCode": "country_code",
}  # fmt: skip
_ADDRESS_PARTS = {
    **{f"{name}{number}": f"address_line{number}" for name in ("Addr", "Address") for number in (1, 2, 3)},
    "City": "city", "State": "state", "Zip": "zip", "ZipCode": "zip", "Country": "country_code",
    "CountryCode": "country_code",
}  # fmt: skip
_DEFAULT_ADDRESSES = {
    f"{prefix}{part}": f"{ours}_{column}"
    for ours, prefixes in (("billing", ("bill", "billing")), ("shipping", ("ship", "shipping")))
    for prefix in prefixes
    for part, column in _ADDRESS_PARTS.items()
}
_SOURCES = {
    "customers": {
        **_PERSON, **_ADDRESS, **_DEFAULT_ADDRESSES, "companyName": "company_name", "altName": "alt_name", "url": "url",
        "stage": "stage",
        "parent": "parent_customer_id", "category": "category_id", "entityStatus": "status_id", "terms": "terms_id",
        "salesRep": "sales_rep_id", "isPerson": "is_person", "accountNumber": "account_number",
        "accountnumber": "account_number",
        "creditLimit": "credit_limit", "title": "title", "mobilePhone": "mobile_phone",
    },
    "projects": {
        "companyName": "project_name", "customer": "customer_id", "parent": "customer_id", "startDate": "start_date",
        "endDate": "end_date", "projectedEndDate": "end_date", "entityStatus": "status_id", "status": "status_id",
        "projectManager": "project_manager_id",
    },
    "contacts": {**_PERSON, "company": "customer_id", "title": "title", "mobilePhone": "mobile_phone"},
}  # fmt: skip
_KEYS = {"customers": "customer_id", "projects": "project_id", "contacts": "contact_id"}
# columns of SuiteProjects Pro's tables -> fields of its API, where the names differ
_ADDRESS_TARGETS = {
    "address1": "addr_addr1", "address2": "addr_addr2", "address3": "addr_addr3", "address4": "addr_addr4",
    "city": "addr_city", "state": "addr_state", "zip": "addr_zip", "country": "addr_country", "phone": "addr_phone",
    "fax": "addr_fax", "email": "addr_email", "mobile": "addr_mobile", "first_name": "addr_first",
    "last_name": "addr_last", "middle_name": "addr_middle", "salutation": "addr_salutation",
}  # fmt: skip


@dataclass(frozen=True)
class Point:
    """An integration point that Millpond has a workflow for."""

    name: str  # CUSTOMER_TO_CUSTOMER
    source: str  # our source: customers
    record: str  # NetSuite's record: Customer
    target: str  # SuiteProjects Pro's record: Customer
    export_flag: bool  # whether the export flag filters it by default

    @property
    def workflow(self) -> str:
        """Name of the workflow."""
        return f"suiteprojects__{self.source}"

    @property
    def key(self) -> str:
        """Staging column of NetSuite's internal id."""
        return _KEYS[self.source]

    @property
    def parent_field(self) -> str | None:
        """API field that holds the id of the record's customer."""
        return KINDS[self.target].parent_field

    def column(self, name: str) -> str | None:
        """Return the staging column of a source field; custom fields keep their names."""
        if name.startswith("custentity"):
            return name if self.source != "contacts" else None
        found = {**_SHARED, **_SOURCES[self.source]}.get(name)
        return found.format(key=self.key) if found else None

    def target_field(self, name: str) -> str | None:
        """Return the API field of a column of SuiteProjects Pro's table; custom fields end in __c."""
        return name if name.endswith("__c") else field_of(self.target, name)


POINTS = {
    each.name: each
    for each in (
        Point("CUSTOMER_TO_CUSTOMER", "customers", "Customer", "Customer", export_flag=True),
        Point("JOB_TO_PROJECT", "projects", "Job", "Project", export_flag=True),
        Point("CONTACT_TO_CONTACT", "contacts", "Contact", "Contact", export_flag=False),
    )
}


def field_of(record: str, name: str) -> str | None:
    """Return the API field of a column: `external_id` is `externalid`, `city` is `addr_city`."""
    flat = KINDS[record].fields if record in KINDS else RECORD_TYPES[record].flat
    if name in flat:
        return name
    if name in _ADDRESS_TARGETS and _ADDRESS_TARGETS[name] in flat:
        return _ADDRESS_TARGETS[name]
    bare = {each.replace("_", ""): each for each in flat}
    return bare.get(name.replace("_", ""))


def record_type_of(table: str) -> str | None:
    """Return the record type of a SuiteProjects Pro table: `user` is User, `hierarchy_node` is HierarchyNode."""
    return next((name for name in RECORD_TYPES if name.lower() == table.replace("_", "").lower()), None)
