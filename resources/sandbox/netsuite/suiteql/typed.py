"""Translated expressions with their Oracle type, and comparisons of them.

`instant` is UTC text with the time zone of its display; `local` is local time without a zone. In a comparison of both,
the local side is converted to UTC, so that the index on lastmodifieddate is used.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from resources.sandbox.netsuite.errors import unsupported

ValueKind = Literal["text", "int", "number", "bool", "instant", "local", "null", "bind", "condition"]
TIMES = frozenset({"instant", "local"})


@dataclass(frozen=True)
class Typed:
    """One expression in SQLite with its Oracle type.

    Attributes:
        zone: For an instant: the time zone in which it is displayed and compared.
        refers: Table of the display value that BUILTIN.DF returns.
        name: Name of the output column without an alias.
        required: Never null, so NULLS LAST is unnecessary.
    """

    sql: str
    kind: ValueKind
    zone: str = ""
    refers: str = ""
    name: str = ""
    required: bool = False


NULL = Typed("NULL", "null")


def quoted(text: str) -> str:
    """Return a text literal."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """Return a quoted name."""
    return '"' + name.replace('"', '""') + '"'


def as_local(value: Typed) -> Typed:
    """Convert an instant to local time of its zone."""
    if value.kind != "instant":
        return value
    sql = value.sql if value.zone == "UTC" else f"ns_local({value.sql}, {quoted(value.zone)})"
    return Typed(sql, "local")


def as_utc_sql(value: Typed, zone: str, ambiguous: str) -> str:
    """Convert a local time of a zone to UTC."""
    if value.kind == "instant" or zone == "UTC":
        return value.sql
    return f"ns_utc({value.sql}, {quoted(zone)}, {quoted(ambiguous)})"


def comparable(first: Typed, second: Typed, ambiguous: str) -> tuple[str, str]:
    """Return the SQL of both sides of a comparison.

    Raises:
        ApiError: A time is compared with another type.
    """
    kinds = {first.kind, second.kind}
    if not kinds & TIMES or "null" in kinds:
        return first.sql, second.sql
    if not kinds <= TIMES:
        raise unsupported("a date must be compared with TO_DATE or TO_TIMESTAMP")
    if first.kind == "instant" and second.kind == "local":
        return first.sql, as_utc_sql(second, first.zone, ambiguous)
    if first.kind == "local" and second.kind == "instant":
        return as_utc_sql(first, second.zone, ambiguous), second.sql
    return first.sql, second.sql


def unified(values: Sequence[Typed]) -> tuple[list[str], Typed]:
    """Convert the branches of a value (CASE, COALESCE …) to one kind; return their SQL, and the kind without SQL."""
    typed = [each for each in values if each.kind != "null"]
    if not typed:
        return [each.sql for each in values], NULL
    kinds = {each.kind for each in typed}
    if kinds <= TIMES and len({(each.kind, each.zone) for each in typed}) > 1:
        return [as_local(each).sql for each in values], Typed("", "local")
    if kinds & TIMES and not kinds <= TIMES:
        raise unsupported("dates and other values in one expression")
    kind: ValueKind = typed[0].kind if len(kinds) == 1 else "text"
    if kinds <= {"int", "number", "bind"} and len(kinds) > 1:
        kind = "number"
    return [each.sql for each in values], replace(typed[0], sql="", kind=kind, refers="", name="", required=False)
