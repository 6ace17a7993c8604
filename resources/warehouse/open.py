"""Open the warehouse: one file or a DuckLake, published whole or without personal values."""

from pathlib import Path

from resources.warehouse.column_classes import choose_classes, parse_classes
from resources.warehouse.ducklake import DuckLake, DuckLakeSettings
from resources.warehouse.masking import Personal, masked_copy
from resources.warehouse.warehouse import MEMORY_MB, Warehouse


def open_warehouse(
    folder: Path,
    encryption_key: str = "",
    personal: Personal = "show",
    ducklake: DuckLakeSettings | None = None,
    *,
    classes: str = "",
    any_version: bool = False,
    memory_mb: int = MEMORY_MB,
) -> Warehouse:
    """Return the warehouse of a folder or of a DuckLake, as `WarehouseResource` describes them.

    `classes` is the setting MILLPOND_COLUMN_CLASSES, for this process.
    """
    choose_classes(parse_classes(classes))
    copy = None if personal == "show" and ducklake is None else masked_copy(personal)
    backend = DuckLake(ducklake) if ducklake else None
    return Warehouse(
        folder,
        encryption_key,
        copy,
        backend=backend,
        hides_personal=personal != "show",
        any_version=any_version,
        memory_mb=memory_mb,
    )
