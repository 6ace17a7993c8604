"""One row of a workflow's field mapping: a target field, and where its value comes from."""

from typing import Any, Literal

from pydantic import Field, model_validator

from assets.delivery.spec.base import Strict, Text


class LookUp(Strict):
    """Where the row's value is looked up: the row of `table` whose `by` equals it gives `return`."""

    table: str = Field(
        description="A table of the warehouse, such as stg_netsuite__currencies or target_suiteprojects__customers, or records"
        " of the target's system, such as suiteprojects.User."
    )
    by: str = Field(description="Column that is compared with the row's value.")
    return_: str = Field(alias="return", description="Column whose value is taken.")
    several: Literal["none", "first"] = Field(
        "none", description="Of several values none is taken, or the first: the lowest number, or the first by letters."
    )
    then: "LookUp | None" = Field(None, description="Where the value that was found is looked up in its turn.")

    @property
    def told(self) -> str:
        """As a person reads it."""
        own = f"{self.table}.{self.return_} by {self.by}"
        return f"{own}, then {self.then.told}" if self.then else own

    @property
    def chain(self) -> "list[LookUp]":
        """This one and those that follow it."""
        return [self, *(self.then.chain if self.then else [])]


class FieldRow(Strict):
    """One row of the mapping: a target field and where its value comes from."""

    field: str = Field(description="Field of the target record.")
    from_: str | None = Field(None, alias="from", description="Column of the staging table, taken as it is.")
    sql: str | None = Field(None, description="SQL expression over the staging table's columns.")
    value: Text | None = Field(None, description="A constant.")
    values: dict[Text, Text] | None = Field(None, description="Value list: what becomes what.")
    lookup: LookUp | None = Field(None, description="Take the value from another table.")
    links: str | None = Field(
        None, description="Workflow that delivers the record which the source value names: its id there is sent."
    )
    otherwise: Literal["error", "blank", "keep"] = Field(
        "error",
        description="A value that the list does not name or the look-up does not find: quarantine the record, send"
        " nothing, or send as is.",
    )
    blank: Literal["clear", "keep"] = Field(
        "clear", description="A blank value empties the field there, or leaves it as it is."
    )
    on: Literal["always", "create"] = Field("always", description="`create`: written once and left alone afterwards.")
    max_length: int | None = Field(
        None, gt=0, description="Characters allowed; a longer value is quarantined, never cut."
    )
    required: bool = Field(default=False, description="A blank value quarantines the record.")
    locked: bool = Field(default=False, description="The row carries the identity and cannot be switched off.")
    active: bool = Field(default=True, description="A row that is switched off has no effect.")

    @model_validator(mode="before")
    @classmethod
    def _plain_on(cls, given: Any) -> Any:
        """YAML 1.1, which Dagster's own loader reads, takes the key `on` for true."""
        if isinstance(given, dict) and True in given:
            return {"on" if name is True else name: value for name, value in given.items()}
        return given

    @model_validator(mode="after")
    def _one_origin(self) -> "FieldRow":
        given = [name for name, origin in self._origins.items() if origin is not None]
        if len(given) != 1:
            raise ValueError(f"give exactly one of `from`, `sql`, `value`; found {given or 'none'}")
        if self.links and self.values is not None:
            raise ValueError("`links` makes the value list out of what was delivered; leave `values` out")
        if self.locked and not self.active:
            raise ValueError("a locked row carries the identity; it cannot be switched off")
        if self.blank == "keep" and self.locked:
            raise ValueError("a locked row carries the identity; it is never blank, so leave `blank` out")
        if self.values is not None and self.lookup:
            raise ValueError("give `values` or `lookup`, not both")
        return self

    @property
    def _origins(self) -> dict[str, str | None]:
        return {"from": self.from_, "sql": self.sql, "value": self.value}

    @property
    def origin(self) -> str:
        """The row's origin as a person reads it."""
        told = next(f"{name}: {text}" for name, text in self._origins.items() if text is not None)
        return f"{told}, looked up: {self.lookup.told}" if self.lookup else told
