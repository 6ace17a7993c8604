"""Conditions of Oracle's notation as SQL: `(stage = '_customer') AND (subsidiary = '1','3')`.

Source: suiteprojects_connector.md §4.3. How conditions are joined and how a list is written is not documented: AND, OR
and NOT are taken, and lists with commas, with or without brackets.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

_TOKEN = re.compile(
    r"\s*(?:(?P<literal>'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")|(?P<op><=|>=|<>|=|<|>)|(?P<mark>[(),])"
    r"|(?P<number>-?\d+(?:\.\d+)?)|(?P<name>[A-Za-z_][A-Za-z0-9_.]*))"
)
DEEPEST = 40


class RelationError(Exception):
    """The condition cannot be read or carried over; the text says why."""


@dataclass(frozen=True)
class Column:
    """A source column as SQL sees it; `known` turns the notation's values into ours."""

    sql: str
    kind: str = "text"  # text, boolean, other
    known: Callable[[str], str] = str


def as_sql(text: str, column: Callable[[str], Column]) -> str:
    """A condition as an SQL expression over staging columns.

    Args:
        text: The condition.
        column: The staging column of a source field; raises RelationError for one that there is none for.

    Raises:
        RelationError: It cannot be read, or names something that has no column.
    """
    reader = _Reader(_tokens(text), column)
    sql = reader.either(0)
    reader.expect_end()
    return sql


def _tokens(text: str) -> list[tuple[str, str]]:
    found, place = [], 0
    text = text.strip()
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None or match.lastgroup is None:
            raise RelationError(f"the condition cannot be read from character {place + 1} on")
        found.append((match.lastgroup, match[match.lastgroup]))
        place = match.end()
    return found


class _Reader:
    """Recursive descent over the tokens."""

    def __init__(self, tokens: list[tuple[str, str]], column: Callable[[str], Column]) -> None:
        self._tokens = tokens
        self._place = 0
        self._column = column

    def _next(self) -> tuple[str, str]:
        return self._tokens[self._place] if self._place < len(self._tokens) else ("end", "")

    def _take(self, *words: str) -> str | None:
        kind, text = self._next()
        if kind == "literal" or text not in words:
            return None
        self._place += 1
        return text

    def expect_end(self) -> None:
        """Nothing may be left over."""
        if self._next()[0] != "end":
            raise RelationError(f"the condition has `{self._next()[1]}` where it should end or go on with AND or OR")

    def either(self, depth: int) -> str:
        """`… OR …`."""
        if depth > DEEPEST:
            raise RelationError("the condition is nested too deep")
        parts = [self._all(depth)]
        while self._take("OR", "||"):
            parts.append(self._all(depth))
        return parts[0] if len(parts) == 1 else " or ".join(f"({part})" for part in parts)

    def _all(self, depth: int) -> str:
        parts = [self._one(depth)]
        while self._take("AND", "&&"):
            parts.append(self._one(depth))
        return parts[0] if len(parts) == 1 else " and ".join(f"({part})" for part in parts)

    def _one(self, depth: int) -> str:
        if self._take("NOT"):
            return f"not ({self._one(depth + 1)})"
        if self._take("("):
            inside = self.either(depth + 1)
            if not self._take(")"):
                raise RelationError("a bracket is not closed")
            return inside
        return self._relation()

    def _relation(self) -> str:
        kind, name = self._next()
        if kind != "name":
            raise RelationError(f"a field name is missing before `{name or 'the end'}`")
        self._place += 1
        op = self._take("=", "<=", ">=", "<", ">", "<>")
        if op is None:
            raise RelationError(f"after `{name}` one of = <= >= < > <> is missing")
        return _compared(self._column(name), op, self._values())

    def _values(self) -> list[tuple[str, str]]:
        bracket = self._take("(")
        values = [self._value()]
        while self._take(","):
            values.append(self._value())
        if bracket and not self._take(")"):
            raise RelationError("a list's bracket is not closed")
        return values

    def _value(self) -> tuple[str, str]:
        kind, text = self._next()
        if kind not in {"literal", "number"}:
            raise RelationError("the right side must be a value in quotes, a number, or a list of them")
        self._place += 1
        return kind, re.sub(r"\\(['\"\\])", r"\1", text[1:-1]) if kind == "literal" else text


def quote(text: str) -> str:
    """A text as an SQL literal."""
    escaped = text.replace("'", "''")
    return f"'{escaped}'"


def _compared(column: Column, op: str, values: list[tuple[str, str]]) -> str:
    if len(values) > 1 and op not in {"=", "<>"}:
        raise RelationError(f"`{op}` takes one value, not a list")
    if column.kind == "boolean":
        truth = values[0][1].lower() in {"t", "true", "1", "yes"}
        return f"{column.sql} {op} {str(truth).lower()}"
    if op in {"=", "<>"}:
        # a blank is no null there: what differs from a value includes what is blank
        text = f"coalesce({_text(column)}, '')"
        listed = ", ".join(quote(column.known(value)) for _, value in values)
        words = {"=": "in", "<>": "not in"} if len(values) > 1 else {"=": "=", "<>": "<>"}
        return f"{text} {words[op]} ({listed})" if len(values) > 1 else f"{text} {words[op]} {listed}"
    kind, value = values[0]
    if kind == "number" or re.fullmatch(r"-?\d+(\.\d+)?", value):
        return f"try_cast({column.sql} as double) {op} {value}"
    return f"{_text(column)} {op} {quote(column.known(value))}"


def _text(column: Column) -> str:
    return column.sql if column.kind == "text" else f"cast({column.sql} as varchar)"
