"""The record API's view of the tables: record types, camelCase fields, one record as JSON (netsuite.md §2.3, §2.7)."""

import sqlite3
from collections.abc import Mapping
from typing import Any

from resources.sandbox.netsuite.store.custom_fields import described as own
from resources.sandbox.netsuite.store.tables import READABLE, TABLES, Column, Table
from resources.sandbox.netsuite.suiteql.oracle_functions import display_value
from resources.sandbox.netsuite.suiteql.typed import Typed
from resources.sandbox.netsuite.switches import NetSuiteSwitches

# lead, prospect and project are no resources of REST
RECORDS: Mapping[str, Table] = {each.record.lower(): each for each in TABLES.values() if each.record}

_NAMES = """
    entityId entityNumber entityTitle altName companyName isPerson isInactive firstName middleName lastName altEmail
    altPhone homePhone mobilePhone officePhone entityStatus searchStage salesRep priceLevel creditLimit leadSource
    accountNumber resaleNumber externalId defaultBillingAddress defaultShippingAddress webLead globalSubscriptionStatus
    onCreditHold dateCreated lastModifiedDate dateClosed startDate endDate firstSaleDate lastSaleDate firstOrderDate
    lastOrderDate contactList balanceSearch projectManager jobType jobBillingType primaryContact percentComplete
    percentTimeComplete estimatedCost estimatedRevenue estimatedTime actualTime allowTime allowExpenses
    projectedEndDate calculatedEndDate lastBaselineDate contactRole isPrimarySub primaryCurrency depositBalance
    unbilledOrders fullName includeChildren fiscalCalendar mainAddress shippingAddress returnAddress dropdownState
    legalName federalIdNumber tranPrefix isElimination locationType makeInventoryAvailable useBins currencyPrecision
    exchangeRate isBaseCurrency displaySymbol entityType daysUntilNetDue discountPercent internalId defaultBilling
    defaultShipping isResidential addressBookAddress addrPhone addrText
"""
_CAMEL = {each.lower(): each for each in _NAMES.split()}
_PATHS = {"entity": "customer"}


def field_name(column: str) -> str:
    """A column as REST spells it."""
    return _CAMEL.get(column, column)


def record_path(table: str) -> str:
    """The REST record type of a table."""
    described = READABLE[table]
    return described.record or _PATHS.get(table, table)


def columns_shown(table: Table, switches: NetSuiteSwitches) -> list[Column]:
    """The fields of a record type, in this account; the key is `id`."""
    hidden = {each.split(".")[1] for each in switches.hidden_columns if each.split(".")[0] == table.name}
    columns = own(table, switches.custom_fields).columns.values()
    return [each for each in columns if each.name not in hidden and each.name != table.key]


def select_sql(table: Table, columns: list[Column]) -> str:
    """All fields of records, with the display value of each reference beside it."""
    parts = [f'r."{table.key}" AS "id"']
    for each in columns:
        parts.append(f'r."{each.name}" AS "{each.name}"')
        if each.refers:
            shown = display_value(Typed(f'r."{each.name}"', "int", refers=each.refers))
            parts.append(f'{shown.sql} AS "{each.name}:name"')
    return f'SELECT {", ".join(parts)} FROM "{table.name}" AS r'


def rendered(row: sqlite3.Row, table: Table, columns: list[Column], base: str) -> dict[str, Any]:
    """One record as REST sends it; a field without a value is left out."""
    own = f"{base}/{table.record}/{row['id']}"
    content: dict[str, Any] = {"links": [{"rel": "self", "href": own}], "id": str(row["id"])}
    for each in columns:
        value = row[each.name]
        if value is None:
            continue
        if each.refers:
            content[field_name(each.name)] = reference(each.refers, value, row[f"{each.name}:name"], base)
        else:
            content[field_name(each.name)] = _value(each, value)
    return content


def reference(table: str, key: int, shown: str | None, base: str) -> dict[str, Any]:
    """A link to another record."""
    links = [{"rel": "self", "href": f"{base}/{record_path(table)}/{key}"}]
    return {"links": links, "id": str(key), "refName": shown or str(key)}


def _value(column: Column, value: Any) -> Any:
    """Dates are ISO 8601 here, and moments are in UTC: unlike SuiteQL."""
    if column.kind == "bool":
        return value == "T"
    if column.kind == "date":
        return value[:10]
    if column.kind == "timestamp":
        return f"{value[:10]}T{value[11:]}Z"
    return value
