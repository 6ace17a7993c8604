"""The `q` parameter of record collections: `lastModifiedDate ON_OR_AFTER "12/31/2025" AND …` (netsuite.md §2.2)."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from resources.sandbox.netsuite.refusal import Refusal
from resources.sandbox.netsuite.store.tables import Column, Table
from resources.sandbox.netsuite.suiteql.oracle_dates import read_preferred_day, to_utc
from resources.sandbox.netsuite.switches import NetSuiteSwitches

_TOKENS = re.compile(r'\s*(?:"(?P<text>[^"]*)"|\[(?P<list>[^\]]*)\]|(?P<paren>[()])|(?P<word>[^\s()"\[\]]+))')

_NUMBERS = {"EQUAL": "=", "GREATER": ">", "GREATER_OR_EQUAL": ">=", "LESS": "<", "LESS_OR_EQUAL": "<="}
_TEXTS: Mapping[str, Callable[[str], str]] = {
    "IS": lambda text: text,
    "CONTAIN": lambda text: f"%{text}%",
    "START_WITH": lambda text: f"{text}%",
    "ENDWITH": lambda text: f"%{text}",
}
_DATES = frozenset({"AFTER", "BEFORE", "ON", "ON_OR_AFTER", "ON_OR_BEFORE"})


def _bad(detail: str) -> Refusal:
    return Refusal(400, "INVALID_PARAMETER", f"Invalid query parameter 'q'. {detail}", place={"o:errorQueryParam": "q"})


class Filter:
    """Reads one filter: `sql` and its parameters."""

    def __init__(self, text: str, table: Table, switches: NetSuiteSwitches) -> None:
        """Read the text.

        Raises:
            Refusal: 400, it is no filter.
        """
        self._table = table
        self._switches = switches
        self._tokens = _tokens(text)
        self.parameters: list[Any] = []
        self.sql = self._any_of()
        if self._tokens:
            raise _bad("The expression ends too late.")

    def _next(self) -> tuple[str, str]:
        if not self._tokens:
            raise _bad("The expression ends too early.")
        return self._tokens.pop(0)

    def _word_follows(self, word: str) -> bool:
        if self._tokens and self._tokens[0] == ("word", word):
            self._tokens.pop(0)
            return True
        return False

    def _any_of(self) -> str:
        parts = [self._all_of()]
        while self._word_follows("OR"):
            parts.append(self._all_of())
        return f"({' OR '.join(parts)})"

    def _all_of(self) -> str:
        parts = [self._condition()]
        while self._word_follows("AND"):
            parts.append(self._condition())
        return f"({' AND '.join(parts)})"

    def _condition(self) -> str:
        kind, token = self._next()
        if (kind, token) == ("paren", "("):
            inner = self._any_of()
            if self._next() != ("paren", ")"):
                raise _bad("A parenthesis is missing.")
            return inner
        column, sql = self._field(token)
        operator = self._next()[1].upper()
        if operator in {"EMPTY", "EMPTY_NOT"}:
            return f"{sql} IS {'NOT ' if operator == 'EMPTY_NOT' else ''}NULL"
        negated = operator.endswith("_NOT")
        condition = self._compared(column, sql, operator.removesuffix("_NOT"), self._next()[1])
        return f"(NOT {condition})" if negated else condition

    def _field(self, name: str) -> tuple[Column, str]:
        column = self._table.columns.get(self._table.key if name == "id" else name.lower())
        if not column:
            raise _bad(f"Field '{name}' for record '{self._table.record}' was not found.")
        return column, f'r."{column.name}"'

    def _compared(self, column: Column, sql: str, operator: str, value: str) -> str:
        if column.kind in {"date", "timestamp"}:
            return self._date(column, sql, operator, value)
        if column.kind == "bool" and operator == "IS":
            self.parameters.append("T" if value.lower() in {"true", "t"} else "F")
            return f"{sql} = ?"
        if column.kind == "text" and operator in _TEXTS:
            self.parameters.append(_TEXTS[operator](value))
            return f"{sql} {'=' if operator == 'IS' else 'LIKE'} ?"
        return self._number(sql, operator, value)

    def _number(self, sql: str, operator: str, value: str) -> str:
        values = [each.strip().strip("'\"") for each in value.split(",")]
        self.parameters.extend(values)
        if operator in _NUMBERS and len(values) == 1:
            return f"{sql} {_NUMBERS[operator]} ?"
        if operator == "ANY_OF":
            return f"{sql} IN ({', '.join('?' for _ in values)})"
        if operator in {"BETWEEN", "WITHIN"} and len(values) == 2:  # noqa: PLR2004
            return f"{sql} BETWEEN ? AND ?"
        raise _bad(f"The operator {operator} does not suit this field.")

    def _date(self, column: Column, sql: str, operator: str, value: str) -> str:
        if operator not in _DATES:
            raise _bad(f"The operator {operator} does not suit this field.")
        preference = self._switches.date_format
        try:
            day = read_preferred_day(value, preference)
        except ValueError as error:
            raise _bad(f"Parsing of the value '{value}' failed with date format {preference}.") from error
        begins, ends = self._edge(column, day), self._edge(column, day + timedelta(days=1))
        conditions = {
            "AFTER": (f"{sql} >= ?", [ends if self._switches.q_after == "the_day" else begins]),
            "BEFORE": (f"{sql} < ?", [begins]),
            "ON": (f"({sql} >= ? AND {sql} < ?)", [begins, ends]),
            "ON_OR_AFTER": (f"{sql} >= ?", [begins]),
            "ON_OR_BEFORE": (f"{sql} < ?", [ends]),
        }
        condition, parameters = conditions[operator]
        self.parameters.extend(parameters)
        return condition

    def _edge(self, column: Column, day: datetime) -> str:
        """The beginning of a day, which for a moment is a day of the session's zone."""
        return to_utc(str(day), self._switches.session_zone) if column.kind == "timestamp" else str(day)


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens, place = [], 0
    while text[place:].strip():
        match = _TOKENS.match(text, place)
        if not match or not match.lastgroup:
            raise _bad("The expression cannot be read.")
        tokens.append((match.lastgroup, match[match.lastgroup]))
        place = match.end()
    return tokens
