"""From settings to the warehouse, without Dagster, and to its clock.

MillpondSettings, secrets  ->  warehouse_of()  ->  one file or a DuckLake
"""

from pathlib import Path

from orchestration.configuration.secret_settings import secret_value
from orchestration.configuration.settings import MillpondSettings
from resources.clock import Clock, WallClock
from resources.warehouse.ducklake import DuckLakeSettings
from resources.warehouse.open import open_warehouse
from resources.warehouse.warehouse import Warehouse


def warehouse_of(settings: MillpondSettings, *, any_version: bool = False) -> Warehouse:
    """Return the warehouse outside a run; of any schema version only to upgrade it."""
    encryption_key = secret_value("MILLPOND_ENCRYPTION_KEY")
    return open_warehouse(
        settings.warehouse,
        encryption_key,
        settings.personal_data,
        _lake(settings),
        classes=settings.column_classes,
        any_version=any_version,
        memory_mb=settings.memory_mb,
    )


def _lake(settings: MillpondSettings) -> DuckLakeSettings | None:
    if not settings.warehouse_catalog:
        return None
    return DuckLakeSettings(
        catalog=settings.warehouse_catalog,
        data=settings.lake_data or f"{settings.warehouse}/lake",
        schema=settings.lake_schema,
        endpoint=settings.warehouse_s3_endpoint,
        region=settings.warehouse_s3_region,
        key=secret_value("MILLPOND_WAREHOUSE_S3_KEY"),
        secret=secret_value("MILLPOND_WAREHOUSE_S3_SECRET"),
    )


def warehouse_clock(settings: MillpondSettings) -> Clock:
    """Return the clock of the warehouse's timestamps: the sandbox's own, or the machine's."""
    from resources.sandbox.folder_clock import folder_clock  # late: production does not load the sandbox

    return folder_clock(Path(settings.sandbox)) if settings.sandbox else WallClock()
