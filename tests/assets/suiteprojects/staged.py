"""Fill staging tables directly, without an extraction from NetSuite."""

from typing import Any

import polars as pl

from assets.warehouse.staging_schemas import staging_schemas
from resources.warehouse.tables import replace_table
from resources.warehouse.warehouse import Warehouse

CUSTOM = ("custentity_oa_export_to_openair", "custentity_department", "custentity_class", "custentity_location")
Row = dict[str, Any]


def stage(warehouse: Warehouse, **tables: list[Row]) -> None:
    """Replace staging tables: `customers=[customer("1")]`."""
    with warehouse.writer() as con:
        for name, rows in tables.items():
            table = f"stg_netsuite__{name}"
            schema = {**staging_schemas()[table].schema, **dict.fromkeys(CUSTOM, pl.String)}
            plain = {"is_inactive": False, "is_deleted": False, "custentity_oa_export_to_openair": "T"}
            replace_table(con, table, pl.DataFrame([{**plain, **row} for row in rows], schema=schema))


def customer(key: str, **changed: Any) -> Row:
    """Return one plausible customer."""
    plain = {"entity_number": f"C{key}", "company_name": f"Company {key}", "stage": "customer", "currency_code": "EUR"}
    never_blank = {"is_person": False}  # NetSuite never leaves it blank
    return {"customer_id": key, **plain, **never_blank, **changed}


def project(key: str, customer_id: str | None, **changed: Any) -> Row:
    """Return one plausible project."""
    return {"project_id": key, "customer_id": customer_id, "project_name": f"Project {key}", **changed}


def contact(key: str, customer_id: str | None, **changed: Any) -> Row:
    """Return one plausible contact."""
    return {"contact_id": key, "customer_id": customer_id, "last_name": f"Last {key}", **changed}


def tree(key_column: str, *nodes: tuple[str, str, str | None], **changed: Row) -> list[Row]:
    """Return a classification from (id, name, parent id), parents first; more by id: `_2={"is_inactive": True}`."""
    paths: dict[str, str] = {}
    rows = []
    for key, name, parent in nodes:
        paths[key] = f"{paths[parent]} : {name}" if parent else name
        more = changed.get(f"_{key}", {})
        rows.append({key_column: key, "name": name, "parent_id": parent, "full_name": paths[key], **more})
    return rows
