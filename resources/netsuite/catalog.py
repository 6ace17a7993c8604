"""Kinds of fields in NetSuite's metadata catalog (netsuite.md §2.5)."""

from typing import Any


def field_kind(schema: Any) -> str:
    """Return the kind of a field by its JSON schema.

    reference (an id), references (a multi-select), date, date-time, boolean, integer, number, else text.
    """
    if not isinstance(schema, dict):
        return "text"
    parts = schema.get("properties")
    if isinstance(parts, dict):
        return "references" if "items" in parts else "reference"
    kind, form = _first(schema.get("type")), _first(schema.get("format"))
    if kind == "array":
        return "references"
    return str(form if form in {"date", "date-time"} else kind if kind in {"boolean", "integer", "number"} else "text")


def _first(value: Any) -> str:
    """Return a keyword of a schema; a list of types, such as of a nullable one, stands for its first."""
    listed = value if isinstance(value, list) else [value]
    return next((each for each in listed if isinstance(each, str) and each != "null"), "")
