"""Record types of the REST record API and their field names (netsuite.md §2.3, §2.7)."""

from collections.abc import Mapping

from resources.sandbox.netsuite.store.custom_fields import with_custom_fields
from resources.sandbox.netsuite.store.table import Column, Table
from resources.sandbox.netsuite.store.tables import TABLES
from resources.sandbox.netsuite.switches import NetSuiteSwitches

# by lower-case name; lead, prospect and project are not record types of REST
RECORD_TYPES: Mapping[str, Table] = {each.record.lower(): each for each in TABLES.values() if each.record}

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
_CAMEL_CASE = {each.lower(): each for each in _NAMES.split()}


def field_name(column: str) -> str:
    """Return a column's name in REST."""
    return _CAMEL_CASE.get(column, column)


def record_columns(table: Table, switches: NetSuiteSwitches) -> list[Column]:
    """Return the fields of a record type in this account, without the key."""
    hidden = {each.split(".")[1] for each in switches.hidden_columns if each.split(".")[0] == table.name}
    columns = with_custom_fields(table, switches.custom_fields).columns.values()
    return [each for each in columns if each.name not in hidden and each.name != table.key]
