"""Build one plausible record, workflow or frame each, with the given fields changed."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import duckdb
import polars as pl

from assets.delivery.mart.build import write_mart
from assets.delivery.mart.lookup import Lookups, as_value_list
from assets.delivery.schemas import LINK_SCHEMA, MART_COLUMNS, TargetShape
from assets.delivery.spec.field_mapping import Lookup
from assets.delivery.spec.workflow import Workflow
from assets.delivery.spec.workflow_spec import WorkflowSpec
from assets.delivery.target import TARGET_STATE_COLUMNS, TargetField
from resources.warehouse.tables import read_frame, replace_table

CUSTOMER_SCHEMA: dict[str, Any] = {
    "customer_id": pl.String,
    "entity_number": pl.String,
    "stage": pl.String,
    "company_name": pl.String,
    "alt_name": pl.String,
    "email": pl.String,
    "subsidiary_id": pl.String,
    "subsidiary_ids": pl.List(pl.String),
    "parent_customer_id": pl.String,
    "custentity_export": pl.String,
    "is_person": pl.Boolean,
    "is_inactive": pl.Boolean,
    "is_deleted": pl.Boolean,
    "is_missing": pl.Boolean,
    "modified_at": pl.Datetime("us"),
}
PROJECT_SCHEMA: dict[str, Any] = {
    "project_id": pl.String,
    "entity_number": pl.String,
    "project_name": pl.String,
    "customer_id": pl.String,
    "parent_project_id": pl.String,
    "subsidiary_id": pl.String,
    "start_date": pl.Date,
    "is_inactive": pl.Boolean,
    "is_deleted": pl.Boolean,
    "is_missing": pl.Boolean,
    "modified_at": pl.Datetime("us"),
}


def customer(customer_id: str = "1", **changes: Any) -> dict[str, Any]:
    """Return a row of stg_netsuite__customers: an active customer of subsidiary 2 that is marked for export."""
    row = {
        "customer_id": customer_id,
        "entity_number": f"C{customer_id}",
        "stage": "customer",
        "company_name": f"Company {customer_id}",
        "alt_name": None,
        "email": None,
        "subsidiary_id": "2",
        "subsidiary_ids": ["2"],
        "parent_customer_id": None,
        "custentity_export": "T",
        "is_person": False,
        "is_inactive": False,
        "is_deleted": False,
        "is_missing": False,
        "modified_at": datetime(2026, 11, 1, 12, 0),  # noqa: DTZ001 - the warehouse's timestamps are naive UTC
    }
    return _changed(row, changes)


def project(project_id: str = "100", **changes: Any) -> dict[str, Any]:
    """Return a row of stg_netsuite__projects: an active project of customer 1."""
    row = {
        "project_id": project_id,
        "entity_number": f"P{project_id}",
        "project_name": f"Project {project_id}",
        "customer_id": "1",
        "parent_project_id": None,
        "subsidiary_id": "2",
        "start_date": date(2026, 11, 2),
        "is_inactive": False,
        "is_deleted": False,
        "is_missing": False,
        "modified_at": datetime(2026, 11, 1, 12, 0),  # noqa: DTZ001 - the warehouse's timestamps are naive UTC
    }
    return _changed(row, changes)


def _changed(row: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    assert changes.keys() <= row.keys(), changes.keys() - row.keys()
    return row | dict(changes)


def customers(*rows: Mapping[str, Any]) -> pl.DataFrame:
    """Return stg_netsuite__customers."""
    return pl.DataFrame(list(rows), schema=CUSTOMER_SCHEMA)


def projects(*rows: Mapping[str, Any]) -> pl.DataFrame:
    """Return stg_netsuite__projects."""
    return pl.DataFrame(list(rows), schema=PROJECT_SCHEMA)


def mart_of(
    spec: WorkflowSpec, *, lookups: Mapping[Lookup, pl.DataFrame] | None = None, today: date = date(2026, 11, 22),
    **sources: pl.DataFrame,
) -> pl.DataFrame:  # fmt: skip
    """Return the mart of a workflow named `flow`, made from staging tables.

    Args:
        spec: The workflow.
        lookups: The table of each lookup, columns by and return.
        today: The date of the run.
        sources: Staging tables by source.
    """
    workflow = Workflow("flow", spec)
    lists = {lookup: as_value_list(table, lookup.on_multiple) for lookup, table in (lookups or {}).items()}
    with duckdb.connect() as con:
        for name, table in sources.items():
            replace_table(con, f"stg_netsuite__{name}", table)
        write_mart(con, workflow, Lookups(lists), today)
        return read_frame(con, f"from {workflow.mart}")


OPTION_ROWS = (
    {"field": "externalId", "from": "customer_id", "locked": True},
    {"field": "name", "from": "company_name", "required": True},
    {"field": "enable", "value": True},
)


def one_source(**changes: Any) -> WorkflowSpec:
    """Return a workflow of one source, in the short form: customers as Precoro options."""
    settings = {"target": "precoro.Option", "source": "customers", "fields": list(OPTION_ROWS)}
    return WorkflowSpec.model_validate(settings | changes)


SUITE_ROWS = (
    {"field": "externalid", "from": "customer_id", "locked": True},
    {"field": "name", "from": "entity_number"},
    {"field": "company", "from": "company_name"},
    {"field": "active", "value": True},
)


def suite_customers(*more: Mapping[str, Any], **changes: Any) -> WorkflowSpec:
    """Return a workflow of customers as SuiteProjects Pro customers, with more field rows and other settings."""
    settings = {"match": [{"field": "name", "ignore_case": True}]} | changes
    return one_source(target="suiteprojects.Customer", fields=[*SUITE_ROWS, *more], **settings)


def option_tree(**changes: Any) -> WorkflowSpec:
    """Return the shipped Precoro workflow in short: customers, their projects below, and sub-projects below those."""
    below = {
        "source": "projects",
        "parent": {"projects": "parent_project_id", "customers": "customer_id"},
        "parent_required": True,
        "fields": [
            {"field": "externalId", "from": "project_id", "locked": True},
            {"field": "name", "from": "project_name", "required": True},
            {"field": "enable", "value": True},
        ],
    }
    top = {"source": "customers", "fields": list(OPTION_ROWS)}
    settings = {"target": "precoro.Option", "options": {"item_custom_field": 5144}, "records": [top, below]}
    return WorkflowSpec.model_validate(settings | changes)


OPTIONS = TargetShape(
    "externalId",
    "enable",
    {
        "externalId": TargetField("externalId"),
        "name": TargetField("name", max_length=20, required=True),
        "code": TargetField("code"),
        "enable": TargetField("enable", kind="boolean"),
    },
)
OPTION_FIELDS = ("externalId", "name", "enable")


def desired(source_id: str = "1", **changes: Any) -> dict[str, Any]:
    """Return a row of a mart of customers with the disposition `deliver`."""
    row = {
        "source": "customers",
        "source_id": source_id,
        "disposition": "deliver",
        "reason_code": None,
        "reason": None,
        "parent_source": None,
        "parent_source_id": None,
        "level": 1,
        "source_hash": f"source of {source_id}",
        "payload_hash": f"payload of {source_id}",
        "externalId": source_id,
        "name": f"Company {source_id}",
        "enable": "1",
    }
    return _changed(row, changes)


def below(source_id: str, parent_id: str, **changes: Any) -> dict[str, Any]:
    """Return a row of a mart: a project below a customer."""
    place = {"source": "projects", "parent_source": "customers", "parent_source_id": parent_id, "level": 2}
    return desired(source_id, **(place | changes))


def actual(target_id: str = "901", external_id: str | None = "1", **changes: Any) -> dict[str, Any]:
    """Return a row of a target state: the record made from `desired(external_id)`."""
    row = {
        "target_id": target_id,
        "external_id": external_id,
        "is_active": True,
        "parent_id": None,
        "updated_at": None,
        "externalId": external_id,
        "name": f"Company {external_id}",
        "enable": "1",
    }
    return _changed(row, changes)


def link(source_id: str = "1", target_id: str | None = "901", **changes: Any) -> dict[str, Any]:
    """Return a row of LINK_SCHEMA: the confirmed link of `desired(source_id)`."""
    row = {
        "source": "customers",
        "source_id": source_id,
        "target_id": target_id,
        "parent_target_id": None,
        "payload_hash": f"payload of {source_id}",
        "workflow_version": "earlier",
        "value_hashes": None,
    }
    return _changed(row, changes)


def mart(*rows: Mapping[str, Any]) -> pl.DataFrame:
    """Return a mart of options."""
    return pl.DataFrame(list(rows), schema={**MART_COLUMNS, **dict.fromkeys(OPTION_FIELDS, pl.String)})


def target_state(*rows: Mapping[str, Any]) -> pl.DataFrame:
    """Return a target state of options."""
    return pl.DataFrame(list(rows), schema={**TARGET_STATE_COLUMNS, **dict.fromkeys(OPTION_FIELDS, pl.String)})


def links(*rows: Mapping[str, Any]) -> pl.DataFrame:
    """Return links."""
    return pl.DataFrame(list(rows), schema=LINK_SCHEMA)
