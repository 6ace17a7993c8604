"""What every part of a workflow file is: keys that are known, values that are text."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict


def _as_text(value: Any) -> Any:
    """YAML's own scalars as canonical text: see assets/delivery/target.py."""
    if isinstance(value, bool):
        return "1" if value else "0"
    return str(value) if isinstance(value, int | float) else value


Text = Annotated[str, BeforeValidator(_as_text)]


class Strict(BaseModel):
    """A part of the file; a key that does not exist is an error, not a silent nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)
