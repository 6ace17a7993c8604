"""Tables and columns that SuiteQL shows in this account, by its switches."""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

from resources.sandbox.netsuite.errors import bad_query, unknown_name
from resources.sandbox.netsuite.store.custom_fields import with_custom_fields
from resources.sandbox.netsuite.store.table import Kind
from resources.sandbox.netsuite.store.tables import INTERNAL, READABLE
from resources.sandbox.netsuite.suiteql.typed import Typed, ValueKind, identifier
from resources.sandbox.netsuite.switches import NetSuiteSwitches

BAD_REQUEST = 400
_KINDS: Mapping[Kind, ValueKind] = {
    "int": "int",
    "number": "number",
    "text": "text",
    "bool": "bool",
    "date": "local",
    "timestamp": "instant",
}


def _primary_subsidiary(customer: str) -> str:
    return (
        "(SELECT ns_csr.subsidiary FROM customersubsidiaryrelationship AS ns_csr"
        f" WHERE ns_csr.entity = {customer} AND ns_csr.isprimarysub = 'T')"
    )


def check_visible(table: str, switches: NetSuiteSwitches) -> None:
    """Raise ApiError for a table that does not exist or is hidden from the role; NetSuite returns the same error."""
    if table not in READABLE or table in switches.hidden_tables:
        text = switches.hidden_table_text
        if not text and switches.hidden_table_status == BAD_REQUEST:
            raise bad_query(f"Record '{table}' was not found.")
        raise unknown_name(text, switches.hidden_table_status)


@lru_cache(maxsize=1024)
def columns_of(table: str, alias: str, switches: NetSuiteSwitches) -> Mapping[str, Typed]:
    """Return the columns of one table under an alias, by name.

    Raises:
        ApiError: The table is not visible.
    """
    check_visible(table, switches)
    definition = with_custom_fields(READABLE[table], switches.custom_fields)
    prefix = identifier(alias)
    columns = {
        each.name: Typed(
            f"{prefix}.{identifier(each.name)}",
            _KINDS[each.kind],
            zone=switches.session_zone if each.kind == "timestamp" else "",
            refers=each.refers,
            name=each.name,
            required=each.name == definition.key,
        )
        for each in definition.columns.values()
        if (table, each.name) not in INTERNAL
    }
    columns.update(_uncertain(table, prefix, switches))
    if table == "customer" and switches.stage_column != "searchstage":
        del columns["searchstage"]
    hidden, blank = (
        {each.split(".")[1] for each in named if each.split(".")[0] == table}
        for named in (switches.hidden_columns, switches.blank_columns)
    )
    return {
        name: replace(column, sql="NULL") if name in blank else column
        for name, column in columns.items()
        if name not in hidden
    }


def visible_rows(table: str, switches: NetSuiteSwitches) -> str:
    """Return SQL for the rows of a table that the role may see."""
    if table in switches.empty_tables:
        return f"(SELECT * FROM {identifier(table)} WHERE false)"
    hidden = [int(each.split(".")[1]) for each in switches.hidden_records if each.split(".")[0] == table]
    if not hidden:
        return identifier(table)
    key = identifier(READABLE[table].key)
    return f"(SELECT * FROM {identifier(table)} WHERE {key} NOT IN ({', '.join(map(str, hidden))}))"


def _uncertain(table: str, prefix: str, switches: NetSuiteSwitches) -> dict[str, Typed]:
    """Return columns that exist in some accounts only, or have another meaning there."""
    columns: dict[str, Typed] = {}
    if table == "customer" and switches.stage_column == "stage":
        columns["stage"] = Typed(f'upper({prefix}."searchstage")', "text", name="stage")
    if table == "customer" and switches.customer_subsidiary:
        sql = _primary_subsidiary(f"{prefix}.id")
        columns["subsidiary"] = Typed(sql, "int", refers="subsidiary", name="subsidiary")
    if table == "job" and switches.job_subsidiary:
        sql = _primary_subsidiary(f"{prefix}.customer")
        columns["subsidiary"] = Typed(sql, "int", refers="subsidiary", name="subsidiary")
    if table == "job" and switches.job_parent == "customer":
        columns["parent"] = Typed(f'{prefix}."customer"', "int", refers="customer", name="parent")
    if table == "deletedrecord":
        columns["deleteddate"] = Typed(
            f'{prefix}."deleteddate"', "instant", zone=switches.deleteddate_zone, name="deleteddate"
        )
    return columns
