"""Records of the simulated systems as rows to print.

listing(sandbox, "netsuite", "leads")  ->  Listing(columns, rows)
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from resources.sandbox.netsuite.switches import NetSuiteSwitches
from resources.sandbox.precoro.switches import PrecoroSwitches
from resources.sandbox.sandbox import Sandbox, SystemName
from resources.sandbox.suiteprojects.switches import SuiteProjectsSwitches

Row = Mapping[str, Any]

SWITCHES: Mapping[SystemName, type] = {
    "netsuite": NetSuiteSwitches,
    "suiteprojects": SuiteProjectsSwitches,
    "precoro": PrecoroSwitches,
}


@dataclass(frozen=True)
class RecordType:
    """One listed record type: its table, its main columns, and a filter for its rows."""

    table: str
    columns: tuple[str, ...]
    keep: Callable[[Row], bool] = lambda _: True


@dataclass(frozen=True)
class Listing:
    """The rows of one record type with all their columns; `columns` are the main ones."""

    columns: tuple[str, ...]
    rows: list[dict[str, Any]]


_ENTITY = ("id", "entityid", "altname", "entitystatus", "parent", "isinactive", "lastmodifieddate")
_HIERARCHY = ("id", "fullname", "parent", "subsidiary", "isinactive")

RECORD_TYPES: Mapping[SystemName, Mapping[str, RecordType]] = {
    "netsuite": {
        "customers": RecordType("customer", _ENTITY, lambda row: row["searchstage"] == "Customer"),
        "leads": RecordType("customer", _ENTITY, lambda row: row["searchstage"] == "Lead"),
        "prospects": RecordType("customer", _ENTITY, lambda row: row["searchstage"] == "Prospect"),
        "projects": RecordType(
            "job", ("id", "entityid", "companyname", "customer", "parent", "isinactive", "lastmodifieddate")
        ),
        "contacts": RecordType("contact", ("id", "entityid", "company", "title", "isinactive", "lastmodifieddate")),
        "relationships": RecordType(
            "customersubsidiaryrelationship", ("id", "entity", "subsidiary", "isprimarysub", "lastmodifieddate")
        ),
        "addresses": RecordType(
            "customeraddressbookentityaddress", ("nkey", "recordowner", "addr1", "zip", "city", "state", "country")
        ),
        "subsidiaries": RecordType("subsidiary", ("id", "fullname", "country", "currency", "iselimination")),
        "departments": RecordType("department", _HIERARCHY),
        "classes": RecordType("classification", _HIERARCHY),
        "locations": RecordType("location", _HIERARCHY),
        "currencies": RecordType("currency", ("id", "symbol", "name")),
        "statuses": RecordType("entitystatus", ("key", "name", "entitytype", "inactive")),
        "deleted": RecordType("deletedrecord", ("recordid", "type", "name", "deleteddate")),
    },
    "suiteprojects": {
        "customers": RecordType("Customer", ("id", "externalid", "name", "company", "type", "active", "updated")),
        "projects": RecordType("Project", ("id", "externalid", "name", "customerid", "active", "updated")),
        "contacts": RecordType("Contact", ("id", "externalid", "name", "customerid", "active", "updated")),
        "hierarchies": RecordType("Hierarchy", ("id", "name", "type", "active")),
        "nodes": RecordType("HierarchyNode", ("id", "externalid", "name", "hierarchyid", "parentid")),
    },
    "precoro": {
        "options": RecordType(
            "options", ("option_id", "external_id", "name", "code", "enable", "level", "parent_id", "updated_at")
        ),
    },
}


def listing(sandbox: Sandbox, system: SystemName, record_type: str) -> Listing:
    """Return the rows of one record type.

    Raises:
        ValueError: The system has no such record type; the message lists the known ones.
    """
    known = RECORD_TYPES[system]
    if record_type not in known:
        raise ValueError(f"{system} has no record type {record_type!r}; known: {', '.join(known)}")
    listed = known[record_type]
    readers: Mapping[SystemName, Callable[[], list[dict[str, Any]]]] = {
        "netsuite": lambda: sandbox.netsuite.rows(listed.table),
        "suiteprojects": lambda: list(sandbox.suiteprojects.rows(listed.table)),
        "precoro": sandbox.precoro.options,
    }
    return Listing(listed.columns, [row for row in readers[system]() if listed.keep(row)])


def as_table(title: str, columns: Iterable[str], rows: Iterable[Row]) -> Table:
    """Return a table for the terminal; values are printed verbatim, never as markup."""
    names = list(columns)
    table = Table(title=title, title_justify="left")
    for name in names:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(_cell(row.get(name)) for name in names))
    return table


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = value.strftime("%Y-%m-%d %H:%M:%S") if hasattr(value, "strftime") else str(value)
    return text.replace("[", r"\[")
