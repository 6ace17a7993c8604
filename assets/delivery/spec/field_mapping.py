"""One row of a workflow's field mapping: a target field and the origin of its value."""

from typing import Any, Literal

from pydantic import Field, model_validator

from assets.delivery.spec.base import Strict, Text

OnMultiple = Literal["none", "first"]


class Lookup(Strict):
    """A lookup of the row's value in another table: `by` is compared with it, `return` replaces it."""

    table: str = Field(
        description="A table of the warehouse, such as stg_netsuite__currencies or target_suiteprojects__customers, or"
        " records of the target system, such as suiteprojects.User."
    )
    by: str = Field(description="Column that is compared with the row's value.")
    return_: str = Field(alias="return", description="Column whose value is used.")
    on_multiple: OnMultiple = Field(
        "none",
        description="If several values are found: use none of them, or the first one (the lowest number, or the first"
        " in alphabetical order).",
    )
    then: "Lookup | None" = Field(None, description="A second lookup, of the value that the first one found.")

    @property
    def own(self) -> str:
        """The lookup without the one that follows: `table.return by column`."""
        return f"{self.table}.{self.return_} by {self.by}"

    @property
    def description(self) -> str:
        """The lookup as people read it: `table.return by column, then …`."""
        return f"{self.own}, then {self.then.description}" if self.then else self.own

    @property
    def chain(self) -> "list[Lookup]":
        """This lookup and those that follow it."""
        return [self, *(self.then.chain if self.then else [])]


class FieldRow(Strict):
    """One row of the mapping: a target field and the origin of its value."""

    field: str = Field(description="Field of the target record.")
    from_: str | None = Field(None, alias="from", description="Column of the staging table, copied as is.")
    sql: str | None = Field(None, description="SQL expression over the columns of the staging table.")
    value: Text | None = Field(None, description="A constant.")
    values: dict[Text, Text] | None = Field(None, description="Value list: source value to target value.")
    lookup: Lookup | None = Field(None, description="Replaces the value by one from another table.")
    reference: str | None = Field(
        None, description="Workflow that delivers the record whose NetSuite id the row reads; its target id is sent."
    )
    on_unmapped: Literal["error", "blank", "keep"] = Field(
        "error",
        description="If the value list or the lookup has no entry for the value: quarantine the record, send a blank,"
        " or send the value unchanged.",
    )
    on_blank: Literal["clear", "keep"] = Field(
        "clear", description="If the value is blank: clear the field in the target, or leave it unchanged."
    )
    on: Literal["always", "create"] = Field(
        "always", description="`create`: the field is sent when the record is created and never again."
    )
    max_length: int | None = Field(
        None, gt=0, description="Maximum number of characters; a longer value is quarantined, never truncated."
    )
    required: bool = Field(default=False, description="A blank value quarantines the record.")
    locked: bool = Field(default=False, description="The row carries the record's key and cannot be switched off.")
    active: bool = Field(default=True, description="A row that is switched off has no effect.")

    @model_validator(mode="before")
    @classmethod
    def _plain_on(cls, given: Any) -> Any:
        """Accept the key `on`, which YAML 1.1 (and so Dagster's own loader) reads as true."""
        if isinstance(given, dict) and True in given:
            return {"on" if name is True else name: value for name, value in given.items()}
        return given

    @model_validator(mode="after")
    def _consistent(self) -> "FieldRow":
        given = [name for name, origin in self._origins.items() if origin is not None]
        if len(given) != 1:
            raise ValueError(f"give exactly one of `from`, `sql`, `value`; found {', '.join(given) or 'none'}")
        if self.reference and self.values is not None:
            raise ValueError("`reference` supplies the value list; remove `values`")
        if self.values is not None and self.lookup:
            raise ValueError("give `values` or `lookup`, not both")
        if self.locked and not self.active:
            raise ValueError("a locked row carries the record's key and cannot be switched off")
        if self.locked and self.on_blank == "keep":
            raise ValueError("a locked row carries the record's key and is never blank; remove `on_blank`")
        return self

    @property
    def _origins(self) -> dict[str, str | None]:
        return {"from": self.from_, "sql": self.sql, "value": self.value}

    @property
    def origin(self) -> str:
        """The origin of the value as people read it."""
        origin = next(f"{name}: {text}" for name, text in self._origins.items() if text is not None)
        return f"{origin}, looked up: {self.lookup.description}" if self.lookup else origin
