"""The expected target records of the shipped workflows, computed from NetSuite's tables in plain Python.

This code shares nothing with the mapping, planning or delivery code, so tests compare two independent results.
"""

from typing import Any

from resources.sandbox.sandbox import Sandbox

Rows = dict[str, dict[str, Any]]

SUBSIDIARY = "2"


def rows_by_id(sandbox: Sandbox, table: str) -> Rows:
    """Return a NetSuite table by internal id."""
    return {str(row["id"]): row for row in sandbox.netsuite.rows(table)}


def company_name(row: dict[str, Any]) -> str:
    """Return a customer's name in both targets."""
    return row["companyname"] or row["altname"] or " ".join(filter(None, (row["firstname"], row["lastname"])))


def selected_customers(sandbox: Sandbox, rejected: set[str]) -> Rows:
    """Return the expected customers of SuiteProjects Pro by external id, without the ids that it rejects."""
    currencies = {key: row["symbol"] for key, row in rows_by_id(sandbox, "currency").items()}
    selected = {}
    for key, row in rows_by_id(sandbox, "customer").items():
        stage = row["searchstage"].lower()
        if stage == "lead" or row["isinactive"] or not row["custentity_oa_export_to_openair"] or key in rejected:
            continue
        selected[key] = {
            "name": row["entityid"],
            "company": company_name(row),
            "type": {"customer": "C", "prospect": "P"}[stage],
            "currency": currencies.get(str(row["currency"])),
            "addr_email": row["email"],
            "netsuite_customer_id__c": key,
        }
    return selected


def selected_options(sandbox: Sandbox) -> Rows:
    """Return the expected options of Precoro by external id: name, level and external id of the parent."""
    members: dict[str, set[str]] = {}
    primary: dict[str, str] = {}
    for relation in sandbox.netsuite.rows("customersubsidiaryrelationship"):
        members.setdefault(str(relation["entity"]), set()).add(str(relation["subsidiary"]))
        if relation["isprimarysub"]:
            primary[str(relation["entity"])] = str(relation["subsidiary"])
    options: Rows = {}
    for key, row in rows_by_id(sandbox, "customer").items():
        fits = row["searchstage"] == "Customer" and not row["isinactive"] and SUBSIDIARY in members.get(key, set())
        if fits and len(company_name(row)) <= 83:
            options[key] = {"name": company_name(row), "parent": None, "level": 1}
    jobs = rows_by_id(sandbox, "job")
    remaining = {key: row for key, row in jobs.items() if not row["isinactive"]}
    for _ in range(3):  # parents before children, three levels
        for key, row in list(remaining.items()):
            parent = str(row["parent"]) if str(row["parent"]) in jobs else str(row["customer"])
            in_scope = primary.get(str(row["customer"])) == SUBSIDIARY
            if in_scope and parent in options and options[parent]["level"] < 3 and row["companyname"]:
                options[key] = {"name": row["companyname"], "parent": parent, "level": options[parent]["level"] + 1}
                del remaining[key]
    return options


def target_customers(sandbox: Sandbox) -> list[dict[str, Any]]:
    """Return our customers in the simulated SuiteProjects Pro."""
    return [row for row in sandbox.suiteprojects.rows("Customer") if row.get("externalid")]


def target_options(sandbox: Sandbox) -> list[dict[str, Any]]:
    """Return our options in the simulated Precoro, with the external id of the parent."""
    field = sandbox.credentials["precoro"]["item_custom_field_id"]
    options = sandbox.precoro.options(field)
    keys = {option["option_id"]: option["external_id"] for option in options}
    return [option | {"parent": keys.get(option["parent_id"])} for option in options if option["external_id"]]
