"""The warehouse as the settings say, outside a run."""

import os

from orchestration.settings import MillpondSettings
from resources.precoro.connect import SHARED
from resources.warehouse.ducklake import Lake
from resources.warehouse.masking import Personal
from resources.warehouse.resource import open_warehouse
from resources.warehouse.warehouse import Warehouse


def warehouse_of(settings: MillpondSettings, *, seal_key: str = "", personal: Personal = "show") -> Warehouse:
    """Open it; plans are sealed and opened only with the key."""
    return open_warehouse(settings.warehouse, seal_key, personal, lake_of(settings))


def lake_of(settings: MillpondSettings) -> Lake | None:
    """The DuckLake, when the warehouse is one."""
    if not settings.warehouse_catalog:
        return None
    return Lake(
        catalog=settings.warehouse_catalog,
        data=settings.lake_data or f"{settings.warehouse}/lake",
        schema=settings.lake_schema,
        endpoint=settings.warehouse_s3_endpoint,
        region=settings.warehouse_s3_region,
        key=os.environ.get("MILLPOND_WAREHOUSE_S3_KEY", ""),
        secret=os.environ.get("MILLPOND_WAREHOUSE_S3_SECRET", ""),
    )


def budget_of(settings: MillpondSettings) -> str:
    """Where calls to Precoro are counted: with the sandbox, beside the warehouse, or in the lake's database for all."""
    if settings.sandbox:
        return ""
    if settings.warehouse_catalog:
        return f"{SHARED}{settings.warehouse_catalog}"
    return str(settings.home.absolute() / "precoro_budget.sqlite")
