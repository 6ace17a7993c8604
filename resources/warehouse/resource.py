"""Hands out the warehouse: a file or a lake, published whole or without personal values."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
from pydantic import Field

from resources.warehouse.ducklake import Lake, LakePlace
from resources.warehouse.masking import Personal, masked_copy
from resources.warehouse.warehouse import Warehouse


def open_warehouse(
    folder: Path, seal_key: str = "", personal: Personal = "show", lake: Lake | None = None
) -> Warehouse:
    """The warehouse of a folder, or of a catalog; see `WarehouseResource`."""
    copy = None if personal == "show" and lake is None else masked_copy(personal)
    place = LakePlace(lake) if lake else None
    return Warehouse(folder, seal_key, copy, place=place, hides=personal != "show")


class WarehouseResource(dg.ConfigurableResource[Warehouse]):
    """Where the warehouse lies."""

    folder: str = Field(description="Folder of stage.duckdb and analyst.duckdb.")
    seal_key: str = Field(default="", description="Key that seals plans at rest; a secret, so give dg.EnvVar.")
    personal: Personal = Field(default="show", description="What analysts see of personal values: show, mask or empty.")
    catalog: str = Field(default="", description="PostgreSQL with the catalog of a DuckLake; empty: one file.")
    data: str = Field(default="", description="Folder of the lake's data files, like s3://bucket/warehouse.")
    catalog_schema: str = Field(default="millpond", description="PostgreSQL schema of the catalog.")
    endpoint: str = Field(default="", description="Address of an object store that is not Amazon's.")
    region: str = Field(default="us-east-1", description="Region of the object store.")
    s3_key: str = Field(default="", description="Access key of the object store; a secret, so give dg.EnvVar.")
    s3_secret: str = Field(default="", description="Secret key of the object store; a secret, so give dg.EnvVar.")

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Generator[Warehouse]:  # noqa: ARG002
        """Hand out the plain warehouse; it opens the warehouse only while it reads or writes."""
        yield open_warehouse(Path(self.folder), self.seal_key, self.personal, self._lake())

    def _lake(self) -> Lake | None:
        if not self.catalog:
            return None
        return Lake(
            self.catalog, self.data, self.catalog_schema, self.endpoint, self.region, self.s3_key, self.s3_secret
        )
