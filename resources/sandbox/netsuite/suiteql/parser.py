"""Parsing of SuiteQL text: rejection of unsupported statements, and extraction of their parameters.

text  ->  scan (numbers after a comparison become parameters)  ->  parse (sqlglot, Oracle)  ->  check

A keyset client sends the same statement a thousand times with other numbers; extracting the numbers makes the
translation cacheable. Source: netsuite.md §1.3.
"""

import re
from dataclasses import dataclass
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from resources.sandbox.netsuite.errors import unsupported
from resources.sandbox.netsuite.suiteql.oracle_functions import HANDLERS
from resources.sandbox.netsuite.switches import NetSuiteSwitches

PREFIX = "ns_"
MAX_IN_VALUES = 1000


def _word_set(text: str) -> frozenset[str]:
    return frozenset(text.split())


PARSED_FUNCTIONS = _word_set(
    "AVG COUNT MAX MEDIAN MIN SUM RANK DENSE_RANK ROW_NUMBER TRIM CAST EXTRACT DF CF CONSOLIDATE HIERARCHY"
    " RELATIVE_RANGES"
)
# words other than functions that may precede a parenthesis
_KEYWORDS = _word_set(
    "IN AND OR NOT EXISTS FROM SELECT WHERE ON JOIN AS BY OVER HAVING UNION ALL ANY SOME WHEN THEN ELSE BETWEEN LIKE"
    " INTERSECT MINUS CASE DISTINCT PARTITION ORDER GROUP USING FIRST NEXT"
    " VARCHAR VARCHAR2 CHAR NUMBER"
)
_REJECTED_WORDS = frozenset({"LIMIT", "OFFSET", "ILIKE"})

_TOKENS = re.compile(
    r"""
      (?P<string>'(?:[^']|'')*')
    | (?P<comment>--[^\n]*|/\*.*?\*/)
    | (?P<quoted>"[^"]*")
    | (?P<literal_date>\b(?:DATE|TIMESTAMP)\s*(?='))
    | (?P<compare>(?:>=|<=|<>|!=|=|<|>)\s*)(?P<number>\d+)(?![\w.])
    | (?P<bind>\?)
    | (?P<odd>[\[\]:`{};])
    | (?P<name>[A-Za-z_][\w$\#]*)(?P<paren>\s*\()?
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
_QUERY_START = re.compile(r"\s*\(*\s*(?:SELECT|WITH)\b", re.IGNORECASE)
_TOP = re.compile(r"^\s*SELECT\s+TOP\s+(\d+)\s", re.IGNORECASE)


@dataclass(frozen=True)
class Scanned:
    """A statement whose numbers are parameters; `text` is the cache key of its translation."""

    text: str
    parameters: dict[str, Any]
    top: int = 0


def scan(query: str, binds: list[Any], switches: NetSuiteSwitches) -> Scanned:
    """Replace numbers and binds by named parameters.

    Raises:
        ApiError: The statement has a token that SuiteQL lacks.
    """
    top = _TOP.match(query)
    if top and switches.top_allowed:
        query = f"SELECT {query[top.end() :]}"
    scanner = _Scanner(query, binds, switches)
    text = _TOKENS.sub(scanner.replaced, query.strip().removesuffix(";"))
    if scanner.bound != len(binds):
        raise unsupported(f"{scanner.bound} binds in the statement, {len(binds)} params given")
    return Scanned(text, scanner.parameters, int(top[1]) if top else 0)


class _Scanner:
    """Rewrites one statement token by token."""

    def __init__(self, query: str, binds: list[Any], switches: NetSuiteSwitches) -> None:
        self._query = query
        self._binds = binds
        self._switches = switches
        self.bound = 0
        self.parameters: dict[str, Any] = {}

    def replaced(self, token: re.Match[str]) -> str:
        """Return the replacement of a token."""
        if token["odd"] or token["literal_date"]:
            raise unsupported(f"not in SuiteQL: {token[0]}")
        if token["bind"]:
            return self._bind()
        if token["number"]:
            return f"{token['compare']}{self._parameter(int(token['number']))}"
        return self._word(token) if token["name"] else token[0]

    def _bind(self) -> str:
        if self.bound >= len(self._binds):
            raise unsupported("more binds in the statement than params given")
        self.bound += 1
        return self._parameter(self._binds[self.bound - 1])

    def _parameter(self, value: Any) -> str:
        name = f"p{len(self.parameters)}"
        self.parameters[name] = value
        return f":{name}"

    def _word(self, token: re.Match[str]) -> str:
        name, paren = token["name"].upper(), token["paren"] or ""
        after_dot = self._query_before(token).endswith(".")
        if not after_dot and name in _REJECTED_WORDS:
            raise unsupported(f"{name} is not supported")
        if not after_dot and name == "FETCH" and not self._switches.fetch_first_allowed:
            raise unsupported("FETCH FIRST is not supported")
        if not paren or after_dot:
            return token[0]
        if name in HANDLERS:  # renamed, so that sqlglot parses it as a plain function and leaves its formats unchanged
            return f"{PREFIX}{name}{paren}"
        if name not in PARSED_FUNCTIONS and name not in _KEYWORDS and not self._names_a_cte(token):
            raise unsupported(f"function {name} is not supported")
        return token[0]

    def _query_before(self, token: re.Match[str]) -> str:
        return token.string[: token.start()].rstrip()

    def _names_a_cte(self, token: re.Match[str]) -> bool:
        return token.string.lstrip()[:4].upper() == "WITH" and token["name"].upper() != "WITH"


def parse(text: str, switches: NetSuiteSwitches) -> exp.Query:
    """Parse one SELECT, or a set operation of SELECTs.

    Raises:
        ApiError: The text is anything else, or SuiteQL does not support it.
    """
    if not _QUERY_START.match(text):
        raise unsupported("not a single SELECT")
    try:
        statements = sqlglot.parse(text, read="oracle")
    except (SqlglotError, RecursionError) as error:
        raise unsupported("syntax error") from error
    if len(statements) != 1 or not isinstance(statements[0], exp.Select | exp.SetOperation | exp.Subquery):
        raise unsupported("not a single SELECT")
    query: exp.Query = statements[0]
    if query.find(exp.With) and not switches.with_allowed:
        raise unsupported("WITH is not supported")
    if query.find(exp.SetOperation) and not switches.union_allowed:
        raise unsupported("UNION is not supported")
    if query.find(exp.Into, exp.Lock):
        raise unsupported("SELECT INTO and FOR UPDATE are not supported")
    for each in query.find_all(exp.In):
        if len(each.expressions) > MAX_IN_VALUES:
            raise unsupported(f"more than {MAX_IN_VALUES} values in IN")
    for select in query.find_all(exp.Select):
        _check_joins(select)
    return query


def _check_joins(select: exp.Select) -> None:
    """Reject ANSI joins and Oracle joins in one SELECT."""
    joins: list[exp.Join] = select.args.get("joins") or []
    ansi = [each for each in joins if each.args.get("on") or each.args.get("kind") or each.args.get("side")]
    where = select.args.get("where")
    marks = where is not None and any(each.args.get("join_mark") for each in where.find_all(exp.Column))
    if ansi and (len(ansi) < len(joins) or marks):
        raise unsupported("ANSI and Oracle joins in one query")
