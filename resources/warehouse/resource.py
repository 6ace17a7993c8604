"""Dagster resource of the warehouse: one file or a DuckLake, published whole or without personal values."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
from pydantic import Field

from resources.warehouse.ducklake import DuckLakeSettings
from resources.warehouse.masking import Personal
from resources.warehouse.open import open_warehouse
from resources.warehouse.warehouse import MEMORY_MB, Warehouse


class WarehouseResource(dg.ConfigurableResource[Warehouse]):
    """Location of the warehouse."""

    folder: str = Field(description="Folder of millpond.duckdb and analyst.duckdb.")
    encryption_key: str = Field(default="", description="Key that encrypts plans at rest; a secret, so give dg.EnvVar.")
    personal: Personal = Field(default="show", description="What analysts see of personal values: show, mask or empty.")
    classes: str = Field(default="", description="Classes of columns that differ from those by name.")
    catalog: str = Field(default="", description="PostgreSQL with the catalog of a DuckLake; empty: one file.")
    data: str = Field(default="", description="Folder of the DuckLake's data files, such as s3://bucket/warehouse.")
    catalog_schema: str = Field(default="millpond", description="PostgreSQL schema of the catalog.")
    endpoint: str = Field(default="", description="Address of an object store other than Amazon's.")
    region: str = Field(default="us-east-1", description="Region of the object store.")
    s3_key: str = Field(default="", description="Access key of the object store; a secret, so give dg.EnvVar.")
    s3_secret: str = Field(default="", description="Secret key of the object store; a secret, so give dg.EnvVar.")

    memory_mb: int = Field(default=MEMORY_MB, description="Megabytes that DuckDB may use.")

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Generator[Warehouse]:  # noqa: ARG002
        """Yield the plain warehouse, which other processes may open whenever they wait for it."""
        folder, lake = Path(self.folder), self._ducklake()
        warehouse = open_warehouse(
            folder, self.encryption_key, self.personal, lake, classes=self.classes, memory_mb=self.memory_mb
        )
        with warehouse.kept_open():
            yield warehouse

    def _ducklake(self) -> DuckLakeSettings | None:
        if not self.catalog:
            return None
        return DuckLakeSettings(
            self.catalog, self.data, self.catalog_schema, self.endpoint, self.region, self.s3_key, self.s3_secret
        )
