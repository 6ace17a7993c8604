"""The documented record types of SuiteProjects Pro and their properties, for the target and for the sandbox.

Follows Oracle's XML API reference (Customer, Contact, Project, Hierarchy, HierarchyNode, CustField, User, Currency,
Address). Lengths are left out on purpose: only an account's own data dictionary has them.
"""

from resources.suiteprojects.properties import Property, RecordType


def _texts(names: str) -> list[Property]:
    return [Property(name) for name in names.split()]


def _booleans(names: str) -> list[Property]:
    return [Property(name, kind="boolean") for name in names.split()]


def _table(*groups: Property | list[Property]) -> dict[str, Property]:
    flat = [each for group in groups for each in (group if isinstance(group, list) else [group])]
    return {each.name: each for each in flat}


_ID = Property("id", "internal id", computed=True)
_STAMPS = [
    Property("created", "when it was added", "timestamp", computed=True),
    Property("updated", "when it was last changed", "timestamp", computed=True),
]
_EXTERNAL = Property("externalid", "key of the source system")
_ACTIVE = Property("active", "whether it is in use", "boolean")
_NAME = Property("name", "name")
_NODES = Property("hierarchy_node_ids", "hierarchy nodes it belongs to, one per hierarchy", "ids")
_CUSTOMER = Property("customerid", "customer it belongs to", refers="Customer")
_BILLING_LINKS = [
    Property("billing_contact_id", "contact billed", refers="Contact"),
    Property("shipping_contactid", "contact shipped to", refers="Contact"),
    Property("sold_to_contact_id", "contact sold to", refers="Contact"),
    Property("primary_contactid", "main contact", refers="Contact"),
]

CUSTOMER = RecordType(
    "Customer",
    "customer",
    _table(
        _ID,
        Property("name", "nickname shown in lists"),
        Property("company", "company name"),
        _EXTERNAL,
        Property("code", "accounting code"),
        _ACTIVE,
        Property("type", "C for a customer, P for a prospect"),
        Property("userid", "owner", refers="User"),
        _BILLING_LINKS,
        Property("currency", "currency code, enabled in the account"),
        Property("terms", "payment terms"),
        Property("rate", "billing rate", "number"),
        _NODES,
        Property("filterset_ids", "filter sets", "ids"),
        Property("web", "web address"),
        Property("notes", "notes"),
        _texts(
            "billing_code invoice_prefix invoice_text invoice_layoutid credit_invoice_layout_id statements"
            " tb_approver tb_approvalprocess cost_centerid bus_typeid company_sizeid territoryid hear_aboutid"
            " customer_location_id"
        ),
        _booleans("ta_include te_include"),
        Property("picklist_label", "label in lists", computed=True),
        _STAMPS,
    ),
    addresses=("addr", "billingaddr", "contactaddr"),
)

CONTACT = RecordType(
    "Contact",
    "contact",
    _table(
        _ID,
        _NAME,
        _CUSTOMER,
        Property("customer_company", "customer by company name, for imports"),
        Property("customer_externalid", "customer's key of the source system", computed=True),
        _EXTERNAL,
        _ACTIVE,
        Property("code", "accounting code"),
        Property("job_title", "job title"),
        Property("notes", "notes"),
        _booleans("can_bill_to can_ship_to can_sold_to"),
        Property("exported", "when it was exported"),
        Property("picklist_label", "label in lists", computed=True),
        _STAMPS,
    ),
    addresses=("addr",),
)

PROJECT = RecordType(
    "Project",
    "project",
    _table(
        _ID,
        _NAME,
        _CUSTOMER,
        Property("customer_name", "customer's name", computed=True),
        _EXTERNAL,
        Property("code", "accounting code"),
        _ACTIVE,
        Property("userid", "owner", refers="User"),
        Property("project_stageid", "stage"),
        Property("start_date", "first day", "date"),
        Property("finish_date", "last day", "date", computed=True),
        Property("budget", "budget in money", "number"),
        Property("budget_time", "budget in hours", "number"),
        Property("currency", "currency code, enabled in the account"),
        Property("rate", "billing rate", "number"),
        Property("billing_contactid", "contact billed", refers="Contact"),
        Property("shipping_contact_id", "contact shipped to", refers="Contact"),
        Property("sold_to_contact_id", "contact sold to", refers="Contact"),
        Property("main_contactid", "main contact", refers="Contact"),
        _NODES,
        Property("filtersetids", "filter sets", "ids"),
        Property("notes", "notes"),
        _texts(
            "cost_centerid billing_code invoice_layoutid invoice_text tax_locationid project_locationid rate_cardid"
            " message auto_bill tb_approver tb_approvalprocess ta_approver ta_approvalprocess te_approver"
            " te_approvalprocess template_project_id"
        ),
        Property("portfolio_projectid", "portfolio it belongs to", refers="Project"),
        _booleans("only_owner_can_edit is_portfolio_project"),
        Property("originating_id", computed=True),
        Property("picklist_label", "label in lists", computed=True),
        _STAMPS,
    ),
)

HIERARCHY = RecordType(
    "Hierarchy",
    "hierarchy",
    _table(
        _ID,
        _NAME,
        Property("type", "customer, project or user"),
        _ACTIVE,
        _EXTERNAL,
        Property("notes", "notes"),
        _booleans("required requireonform available_as_column primary_dropdown_filter primary_user_filterset"),
        _STAMPS,
    ),
    commands=frozenset({"Read", "Add", "Modify"}),
)

HIERARCHY_NODE = RecordType(
    "HierarchyNode",
    "hierarchy_node",
    _table(
        _ID,
        _NAME,
        Property("hierarchyid", "hierarchy it belongs to", refers="Hierarchy"),
        Property("levelid", "level of a node", refers="HierarchyNode"),
        Property("parentid", "node above", refers="HierarchyNode"),
        Property("recordid", "customer, project or user of an association"),
        Property("isalevel", "whether it is a level", "boolean"),
        Property("isanode", "whether it is a node", "boolean"),
        _EXTERNAL,
        Property("notes", "notes"),
        _STAMPS,
    ),
)

CUST_FIELD = RecordType(
    "CustField",
    "",
    _table(
        _ID,
        Property("name", "name without __c"),
        Property("association", "type of record that has the field"),
        Property("picker", "kind of field"),
        Property("title", "label"),
        Property("hint", "help text"),
        Property("valuelist", "allowed values, comma separated"),
        Property("maxlength", "characters allowed", "number"),
        _texts("decpos size rows seq hidden_data_entry"),
        _booleans("active required force_unique checked defnow"),
        _STAMPS,
    ),
    commands=frozenset({"Read", "Modify"}),
)

USER = RecordType(
    "User",
    "user",
    _table(
        _ID, _NAME, Property("nickname"), _EXTERNAL, Property("external_id"), _ACTIVE, Property("currency"), _STAMPS
    ),
    addresses=("addr",),
    commands=frozenset({"Read"}),
)

# oaProjectstage of the SOAP description; only the properties needed to find a stage by its name
PROJECT_STAGE = RecordType("Projectstage", "", _table(_ID, _NAME, _STAMPS), commands=frozenset({"Read"}))

CURRENCY = RecordType(
    "Currency",
    "",
    _table(_ID, Property("name"), Property("symbol", "currency code"), Property("rate", kind="number"), _STAMPS),
    commands=frozenset({"Read"}),
)

RECORD_TYPES = {
    each.name: each
    for each in (CUSTOMER, CONTACT, PROJECT, HIERARCHY, HIERARCHY_NODE, CUST_FIELD, USER, PROJECT_STAGE, CURRENCY)
}
