"""What the shipped workflows promise, computed a second time from NetSuite's tables in plain Python.

Nothing here uses the project's mapping, planning or delivery: the tests compare two independent answers.
"""

from typing import Any

from resources.sandbox.sandbox import Sandbox

Rows = dict[str, dict[str, Any]]

SUBSIDIARY = "2"


def rows_by_id(sandbox: Sandbox, table: str) -> Rows:
    """A table of the sandbox's NetSuite by internal id."""
    return {str(row["id"]): row for row in sandbox.netsuite.rows(table)}


def company_name(row: dict[str, Any]) -> str:
    """What a customer is called in both targets."""
    return row["companyname"] or row["altname"] or " ".join(filter(None, (row["firstname"], row["lastname"])))


def selected_customers(sandbox: Sandbox, refused: set[str]) -> Rows:
    """What SuiteProjects Pro must hold: external id to values; `refused` are ids that it does not take."""
    currencies = {key: row["symbol"] for key, row in rows_by_id(sandbox, "currency").items()}
    selected = {}
    for key, row in rows_by_id(sandbox, "customer").items():
        stage = row["searchstage"].lower()
        if stage == "lead" or row["isinactive"] or not row["custentity_oa_export_to_openair"] or key in refused:
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
    """What Precoro must hold: external id to name and external id of the parent."""
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
    waiting = {key: row for key, row in jobs.items() if not row["isinactive"]}
    for _ in range(3):  # a parent before its children, three levels
        for key, row in list(waiting.items()):
            parent = str(row["parent"]) if str(row["parent"]) in jobs else str(row["customer"])
            in_scope = primary.get(str(row["customer"])) == SUBSIDIARY
            if in_scope and parent in options and options[parent]["level"] < 3 and row["companyname"]:
                options[key] = {"name": row["companyname"], "parent": parent, "level": options[parent]["level"] + 1}
                del waiting[key]
    return options


def held_customers(sandbox: Sandbox) -> list[dict[str, Any]]:
    """What SuiteProjects Pro's stand-in holds of ours: external id, values, whether it is switched on."""
    return [row for row in sandbox.suiteprojects.rows("Customer") if row.get("externalid")]


def held_options(sandbox: Sandbox) -> list[dict[str, Any]]:
    """What Precoro's stand-in holds of ours, with the parent's external id."""
    field = sandbox.credentials["precoro"]["item_custom_field_id"]
    options = sandbox.precoro.options(field)
    keys = {option["option_id"]: option["external_id"] for option in options}
    return [option | {"parent": keys.get(option["parent_id"])} for option in options if option["external_id"]]
