"""Translate conditions of Oracle's notation into SQL: `(stage = '_customer') AND (subsidiary = '1','3')`.

Source: suiteprojects_connector.md §4.3. How conditions are combined and lists are written is not documented: AND, OR,
NOT, and comma-separated lists with or without parentheses are accepted.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from resources.warehouse.tables import literal

_TOKEN = re.compile(
    r"\s*(?:(?P<literal>'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")|(?P<op><=|>=|<>|=|<|>)|(?P<mark>[(),])"
    r"|(?P<number>-?\d+(?:\.\d+)?)|(?P<name>[A-Za-z_][A-Za-z0-9_.]*))"
)
MAX_DEPTH = 40


class ConditionError(Exception):
    """A condition that cannot be parsed or converted; the text is the reason."""


@dataclass(frozen=True)
class Column:
    """A source column; `translate` converts the notation's values into those of the staging table."""

    sql: str
    kind: str = "text"  # text, boolean, other
    translate: Callable[[str], str] = str

    @property
    def text(self) -> str:
        """The column as text, in SQL."""
        return self.sql if self.kind == "text" else f"cast({self.sql} as varchar)"


def as_sql(text: str, column: Callable[[str], Column]) -> str:
    """Return a condition as SQL over staging columns; `column` resolves a source field, or raises ConditionError.

    Raises:
        ConditionError: The condition is invalid, or a field has no column.
    """
    parser = _Parser(_tokens(text), column)
    sql = parser.disjunction(0)
    parser.expect_end()
    return sql


def _tokens(text: str) -> list[tuple[str, str]]:
    found, position = [], 0
    text = text.strip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            raise ConditionError(f"the condition is invalid at character {position + 1}")
        found.append((match.lastgroup, match[match.lastgroup]))
        position = match.end()
    return found


class _Parser:
    """Recursive descent over the tokens."""

    def __init__(self, tokens: list[tuple[str, str]], column: Callable[[str], Column]) -> None:
        self._tokens = tokens
        self._position = 0
        self._column = column

    def _next(self) -> tuple[str, str]:
        return self._tokens[self._position] if self._position < len(self._tokens) else ("end", "")

    def _take(self, *words: str) -> str | None:
        kind, text = self._next()
        if kind == "literal" or text not in words:
            return None
        self._position += 1
        return text

    def expect_end(self) -> None:
        """Raise ConditionError if tokens are left."""
        if self._next()[0] != "end":
            raise ConditionError(f"AND, OR or the end of the condition is expected before `{self._next()[1]}`")

    def disjunction(self, depth: int) -> str:
        """Parse `… OR …`."""
        return self._joined("or", ("OR", "||"), lambda: self._conjunction(depth))

    def _conjunction(self, depth: int) -> str:
        return self._joined("and", ("AND", "&&"), lambda: self._operand(depth))

    def _joined(self, word: str, operators: tuple[str, ...], operand: Callable[[], str]) -> str:
        parts = [operand()]
        while self._take(*operators):
            parts.append(operand())
        return parts[0] if len(parts) == 1 else f" {word} ".join(f"({part})" for part in parts)

    def _operand(self, depth: int) -> str:
        if depth > MAX_DEPTH:
            raise ConditionError("the condition is nested too deep")
        if self._take("NOT"):
            return f"not ({self._operand(depth + 1)})"
        if self._take("("):
            inside = self.disjunction(depth + 1)
            if not self._take(")"):
                raise ConditionError("a parenthesis is not closed")
            return inside
        return self._comparison()

    def _comparison(self) -> str:
        kind, name = self._next()
        if kind != "name":
            raise ConditionError(f"a field name is expected before `{name or 'the end'}`")
        self._position += 1
        op = self._take("=", "<=", ">=", "<", ">", "<>")
        if op is None:
            raise ConditionError(f"one of = <= >= < > <> is expected after `{name}`")
        return _compared(self._column(name), op, self._values())

    def _values(self) -> list[tuple[str, str]]:
        parenthesis = self._take("(")
        values = [self._value()]
        while self._take(","):
            values.append(self._value())
        if parenthesis and not self._take(")"):
            raise ConditionError("the parenthesis of a list is not closed")
        return values

    def _value(self) -> tuple[str, str]:
        kind, text = self._next()
        if kind not in {"literal", "number"}:
            raise ConditionError("the right side must be a quoted value, a number, or a list of them")
        self._position += 1
        return kind, re.sub(r"\\(['\"\\])", r"\1", text[1:-1]) if kind == "literal" else text


def _compared(column: Column, op: str, values: list[tuple[str, str]]) -> str:
    if len(values) > 1 and op not in {"=", "<>"}:
        raise ConditionError(f"`{op}` takes one value, not a list")
    kind, value = values[0]
    if column.kind == "boolean":
        return f"{column.sql} {op} {str(value.lower() in {'t', 'true', '1', 'yes'}).lower()}"
    if op in {"=", "<>"}:
        # for the connector, a blank differs from every value; for SQL, null does not
        text = f"coalesce({column.text}, '')"
        listed = ", ".join(literal(column.translate(each)) for _, each in values)
        return f"{text} {op} {listed}" if len(values) == 1 else f"{text} {'in' if op == '=' else 'not in'} ({listed})"
    if kind == "number" or re.fullmatch(r"-?\d+(\.\d+)?", value):
        return f"try_cast({column.sql} as double) {op} {value}"
    return f"{column.text} {op} {literal(column.translate(value))}"
