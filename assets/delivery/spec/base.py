"""Base of every model of a YAML file."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict

from resources.plain_numbers import plain_number


def _as_text(value: Any) -> Any:
    """Return YAML's own scalars as canonical text: see assets/delivery/target.py."""
    if isinstance(value, bool):
        return "1" if value else "0"
    return plain_number(str(value)) if isinstance(value, int | float) else value


# the schema for editors accepts YAML's own scalars
Text = Annotated[str, BeforeValidator(_as_text, json_schema_input_type=str | bool | int | float)]


class Strict(BaseModel):
    """A part of a YAML file; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)
