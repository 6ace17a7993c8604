"""A translated expression with its Oracle type, and how two of them are compared.

`instant` is UTC text with the zone it is shown in; `local` is wall time without a zone. An instant compared with wall
time leaves the column bare and converts the other side once, so that the index on lastmodifieddate is used.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from resources.sandbox.netsuite.refusal import unsupported

ValueKind = Literal["text", "int", "number", "bool", "instant", "local", "null", "bind", "condition"]
TIMES = frozenset({"instant", "local"})


@dataclass(frozen=True)
class Typed:
    """SQLite text of one expression, and what Oracle would know of it.

    Attributes:
        zone: For an instant: the zone in which it is shown and compared.
        refers: Table whose display value BUILTIN.DF shows.
        name: Name of the output column when it has no alias.
        required: Never null, so that "nulls last" need not be said.
    """

    sql: str
    kind: ValueKind
    zone: str = ""
    refers: str = ""
    name: str = ""
    required: bool = False


NULL = Typed("NULL", "null")


def quoted(text: str) -> str:
    """A text literal."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """A quoted name."""
    return '"' + name.replace('"', '""') + '"'


def as_local(value: Typed) -> Typed:
    """A time as wall time of its zone."""
    if value.kind != "instant":
        return value
    sql = value.sql if value.zone == "UTC" else f"ns_local({value.sql}, {quoted(value.zone)})"
    return Typed(sql, "local")


def as_utc_sql(value: Typed, zone: str, ambiguous: str) -> str:
    """A wall time read in a zone, as UTC text."""
    if value.kind == "instant" or zone == "UTC":
        return value.sql
    return f"ns_utc({value.sql}, {quoted(zone)}, {quoted(ambiguous)})"


def comparable(first: Typed, second: Typed, ambiguous: str) -> tuple[str, str]:
    """Both sides of a comparison.

    Raises:
        Refusal: A time is compared with something that is none.
    """
    kinds = {first.kind, second.kind}
    if not kinds & TIMES or "null" in kinds:
        return first.sql, second.sql
    if not kinds <= TIMES:
        raise unsupported("a date is compared through TO_DATE or TO_TIMESTAMP only")
    if first.kind == "instant" and second.kind == "local":
        return first.sql, as_utc_sql(second, first.zone, ambiguous)
    if first.kind == "local" and second.kind == "instant":
        return as_utc_sql(first, second.zone, ambiguous), second.sql
    return first.sql, second.sql


def unified(values: Sequence[Typed]) -> tuple[list[str], Typed]:
    """Branches of one value (CASE, COALESCE …) brought to one kind; the second part has that kind."""
    told = [each for each in values if each.kind != "null"]
    if not told:
        return [each.sql for each in values], NULL
    kinds = {each.kind for each in told}
    if kinds <= TIMES and len({(each.kind, each.zone) for each in told}) > 1:
        return [as_local(each).sql for each in values], Typed("", "local")
    if kinds & TIMES and not kinds <= TIMES:
        raise unsupported("dates and other values in one expression")
    kind: ValueKind = told[0].kind if len(kinds) == 1 else "text"
    if kinds <= {"int", "number", "bind"} and len(kinds) > 1:
        kind = "number"
    return [each.sql for each in values], replace(told[0], sql="", kind=kind, refers="", name="", required=False)
