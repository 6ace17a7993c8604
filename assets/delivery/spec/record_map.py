"""The part of a workflow file about one source: selection, field mapping, parent, and lifecycle."""

from pydantic import Field, model_validator

from assets.delivery.spec.base import Strict
from assets.delivery.spec.field_mapping import FieldRow
from assets.delivery.spec.policies import Lifecycle, Select
from assets.delivery.spec.sources import STAGING_PREFIX


class RecordMap(Strict):
    """One source table and how its records become target records."""

    source: str = Field(description="Staging table without its prefix: `customers` reads stg_netsuite__customers.")
    select: Select = Field(Select(), description="The source records that take part.")
    fields: list[FieldRow] = Field(min_length=1, description="The mapping: a row for each target field.")
    parent: dict[str, str] | None = Field(
        None, description="Source of the parent record and the column with its id, in order of preference."
    )
    parent_required: bool = Field(default=False, description="A record without a parent is quarantined.")
    lifecycle: Lifecycle = Field(
        Lifecycle(), description="What happens to target records whose source record is no longer live."
    )

    @model_validator(mode="after")
    def _usable(self) -> "RecordMap":
        if not self.rows:
            raise ValueError("every row of `fields` is switched off; set `active: false` on the workflow instead")
        if self.parent_required and not self.parent:
            raise ValueError("`parent_required` needs `parent`: the source and the column with the parent's id")
        return self

    @property
    def rows(self) -> list[FieldRow]:
        """The rows in effect: switched on, and the last one of those for the same field."""
        last = {row.field: row for row in self.fields if row.active}
        return list(last.values())

    @property
    def table(self) -> str:
        """The staging table."""
        return STAGING_PREFIX + self.source
