"""Hands out the pond, published whole or without personal values."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
from pydantic import Field

from resources.masking import Personal, masked_copy
from resources.warehouse import Warehouse


def open_pond(folder: Path, seal_key: str = "", personal: Personal = "show") -> Warehouse:
    """The pond of a folder; see `WarehouseResource`."""
    return Warehouse(folder, seal_key, None if personal == "show" else masked_copy(personal))


class WarehouseResource(dg.ConfigurableResource[Warehouse]):
    """Where the pond lies."""

    folder: str = Field(description="Folder of stage.duckdb and analyst.duckdb.")
    seal_key: str = Field(default="", description="Key that seals plans at rest; a secret, so give dg.EnvVar.")
    personal: Personal = Field(default="show", description="What analysts see of personal values: show, mask or empty.")

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Generator[Warehouse]:  # noqa: ARG002
        """Hand out the plain warehouse; it opens the file only while it writes."""
        yield open_pond(Path(self.folder), self.seal_key, self.personal)
