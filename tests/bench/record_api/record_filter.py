"""The `q` filter of record collections: `lastModifiedDate ON_OR_AFTER "12/31/2025" AND …` (netsuite.md §2.2)."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

from resources.sandbox.netsuite.errors import ApiError
from resources.sandbox.netsuite.store.table import Column, Table
from resources.sandbox.netsuite.suiteql.oracle_dates import to_utc
from resources.sandbox.netsuite.switches import NetSuiteSwitches

_TOKENS = re.compile(r'\s*(?:"(?P<text>[^"]*)"|\[(?P<list>[^\]]*)\]|(?P<paren>[()])|(?P<word>[^\s()"\[\]]+))')

_NUMBERS = {"EQUAL": "=", "GREATER": ">", "GREATER_OR_EQUAL": ">=", "LESS": "<", "LESS_OR_EQUAL": "<="}
_TEXTS: Mapping[str, Callable[[str], str]] = {
    "IS": lambda text: text,
    "CONTAIN": lambda text: f"%{text}%",
    "START_WITH": lambda text: f"{text}%",
    "ENDWITH": lambda text: f"%{text}",
}
After = Literal["the_day", "midnight"]

_DATES = frozenset({"AFTER", "BEFORE", "ON", "ON_OR_AFTER", "ON_OR_BEFORE"})


def _invalid(detail: str) -> ApiError:
    return ApiError(
        400, "INVALID_PARAMETER", f"Invalid query parameter 'q'. {detail}", location={"o:errorQueryParam": "q"}
    )


class RecordFilter:
    """One parsed filter: `sql` and its `parameters`."""

    def __init__(self, text: str, table: Table, switches: NetSuiteSwitches, after: After) -> None:
        """Parse the text.

        Raises:
            ApiError: 400, it is not a filter.
        """
        self._table = table
        self._switches = switches
        self._after = after
        self._tokens = _tokens(text)
        self.parameters: list[Any] = []
        self.sql = self._any_of()
        if self._tokens:
            raise _invalid("The expression ends too late.")

    def _next(self) -> tuple[str, str]:
        if not self._tokens:
            raise _invalid("The expression ends too early.")
        return self._tokens.pop(0)

    def _accept(self, word: str) -> bool:
        if self._tokens and self._tokens[0] == ("word", word):
            self._tokens.pop(0)
            return True
        return False

    def _any_of(self) -> str:
        parts = [self._all_of()]
        while self._accept("OR"):
            parts.append(self._all_of())
        return f"({' OR '.join(parts)})"

    def _all_of(self) -> str:
        parts = [self._condition()]
        while self._accept("AND"):
            parts.append(self._condition())
        return f"({' AND '.join(parts)})"

    def _condition(self) -> str:
        kind, token = self._next()
        if (kind, token) == ("paren", "("):
            inner = self._any_of()
            if self._next() != ("paren", ")"):
                raise _invalid("A parenthesis is missing.")
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
            raise _invalid(f"Field '{name}' for record '{self._table.record}' was not found.")
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
        if operator in {"BETWEEN", "WITHIN"} and len(values) == 2:
            return f"{sql} BETWEEN ? AND ?"
        raise _invalid(f"The operator {operator} does not suit this field.")

    def _date(self, column: Column, sql: str, operator: str, value: str) -> str:
        if operator not in _DATES:
            raise _invalid(f"The operator {operator} does not suit this field.")
        preference = self._switches.date_format
        try:
            day = _parse_date(value, preference)
        except ValueError as error:
            raise _invalid(f"Parsing of the value '{value}' failed with date format {preference}.") from error
        start, end = self._midnight(column, day), self._midnight(column, day + timedelta(days=1))
        conditions = {
            "AFTER": (f"{sql} >= ?", [end if self._after == "the_day" else start]),
            "BEFORE": (f"{sql} < ?", [start]),
            "ON": (f"({sql} >= ? AND {sql} < ?)", [start, end]),
            "ON_OR_AFTER": (f"{sql} >= ?", [start]),
            "ON_OR_BEFORE": (f"{sql} < ?", [end]),
        }
        condition, parameters = conditions[operator]
        self.parameters.extend(parameters)
        return condition

    def _midnight(self, column: Column, day: datetime) -> str:
        """Return the start of a day; for a timestamp it is midnight of the session's time zone, in UTC."""
        return to_utc(str(day), self._switches.session_zone) if column.kind == "timestamp" else str(day)


def _parse_date(text: str, preference: str) -> datetime:
    """Parse a date in the user's format, such as M/D/YYYY.

    Raises:
        ValueError: The text has another format.
    """
    codes = {"YYYY": "%Y", "MONTH": "%B", "MON": "%b", "DD": "%d", "MM": "%m", "D": "%d", "M": "%m"}
    pattern = re.sub("MONTH|MON|YYYY|DD|MM|D|M", lambda found: codes[found[0]], preference.upper())
    return datetime.strptime(text, pattern)  # noqa: DTZ007 - a local date


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens, position = [], 0
    while text[position:].strip():
        match = _TOKENS.match(text, position)
        if not match or not match.lastgroup:
            raise _invalid("The expression cannot be parsed.")
        tokens.append((match.lastgroup, match[match.lastgroup]))
        position = match.end()
    return tokens
