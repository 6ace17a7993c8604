"""SuiteQL text: what is refused before it runs, and what makes two texts the same statement.

text  ->  scan (numbers after a comparison become parameters)  ->  parse (sqlglot, Oracle)  ->  check

A keyset client sends the same statement with another number a thousand times; lifting that number out lets the
translation be kept. Source: netsuite.md §1.3.
"""

import re
from dataclasses import dataclass
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from resources.sandbox.netsuite.refusal import unsupported
from resources.sandbox.netsuite.switches import NetSuiteSwitches

PREFIX = "ns_"
MOST_IN_VALUES = 1000


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# read as plain functions, so that Oracle's formats reach the translation untouched
FUNCTIONS = _words(
    """
    ABS ADD_MONTHS CEIL COALESCE CONCAT DECODE FLOOR FROM_TZ GREATEST INSTR LAST_DAY LEAST LENGTH LOWER LPAD
    LTRIM MOD MONTHS_BETWEEN NULLIF NVL NVL2 ORA_HASH REGEXP_INSTR REGEXP_REPLACE REGEXP_SUBSTR REPLACE ROUND RPAD
    RTRIM SIGN SUBSTR SYS_EXTRACT_UTC TO_CHAR TO_CLOB TO_DATE TO_NUMBER TO_TIMESTAMP TO_TIMESTAMP_TZ TRANSLATE TRUNC
    TZ_OFFSET UPPER
    """
)
LEFT_TO_THE_PARSER = _words(
    "AVG COUNT MAX MEDIAN MIN SUM RANK DENSE_RANK ROW_NUMBER TRIM CAST EXTRACT DF CF CONSOLIDATE HIERARCHY"
    " RELATIVE_RANGES"
)
# words that may stand before a parenthesis without being a function
_WORDS = _words(
    "IN AND OR NOT EXISTS FROM SELECT WHERE ON JOIN AS BY OVER HAVING UNION ALL ANY SOME WHEN THEN ELSE BETWEEN LIKE"
    " INTERSECT MINUS CASE DISTINCT PARTITION ORDER GROUP USING FIRST NEXT"
    " VARCHAR VARCHAR2 CHAR NUMBER"
)
_REFUSED_WORDS = frozenset({"LIMIT", "OFFSET", "ILIKE"})

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
_BEGINS = re.compile(r"\s*\(*\s*(?:SELECT|WITH)\b", re.IGNORECASE)
_TOP = re.compile(r"^\s*SELECT\s+TOP\s+(\d+)\s", re.IGNORECASE)


@dataclass(frozen=True)
class Scanned:
    """A statement whose numbers are parameters; `text` is what translations are kept by."""

    text: str
    parameters: dict[str, Any]
    top: int = 0


def scan(query: str, binds: list[Any], switches: NetSuiteSwitches) -> Scanned:
    """Refuse what is not SuiteQL by its words, name the parameters.

    Raises:
        Refusal: The statement uses something that SuiteQL does not have.
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
        """The text that takes the token's place."""
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
        if not after_dot and name in _REFUSED_WORDS:
            raise unsupported(f"{name} is not supported")
        if not after_dot and name == "FETCH" and not self._switches.fetch_first_allowed:
            raise unsupported("FETCH FIRST is not supported")
        if not paren or after_dot:
            return token[0]
        if name in FUNCTIONS:
            return f"{PREFIX}{name}{paren}"
        if name not in LEFT_TO_THE_PARSER and name not in _WORDS and not self._names_a_cte(token):
            raise unsupported(f"function {name} is not supported")
        return token[0]

    def _query_before(self, token: re.Match[str]) -> str:
        return token.string[: token.start()].rstrip()

    def _names_a_cte(self, token: re.Match[str]) -> bool:
        return token.string.lstrip()[:4].upper() == "WITH" and token["name"].upper() != "WITH"


def parse(text: str, switches: NetSuiteSwitches) -> exp.Query:
    """One SELECT, or SELECTs joined by UNION and the like.

    Raises:
        Refusal: Anything else, or a statement that SuiteQL does not support.
    """
    if not _BEGINS.match(text):
        raise unsupported("only one SELECT is a query")
    try:
        statements = sqlglot.parse(text, read="oracle")
    except (SqlglotError, RecursionError) as error:
        raise unsupported("the statement cannot be read") from error
    if len(statements) != 1 or not isinstance(statements[0], exp.Select | exp.SetOperation | exp.Subquery):
        raise unsupported("only one SELECT is a query")
    query: exp.Query = statements[0]
    if query.find(exp.With) and not switches.with_allowed:
        raise unsupported("WITH is not supported")
    if query.find(exp.SetOperation) and not switches.union_allowed:
        raise unsupported("UNION is not supported")
    if query.find(exp.Into, exp.Lock):
        raise unsupported("a query only reads")
    for each in query.find_all(exp.In):
        if len(each.expressions) > MOST_IN_VALUES:
            raise unsupported(f"more than {MOST_IN_VALUES} values in IN")
    for select in query.find_all(exp.Select):
        _check_joins(select)
    return query


def _check_joins(select: exp.Select) -> None:
    """ANSI joins and Oracle joins do not go together."""
    joins: list[exp.Join] = select.args.get("joins") or []
    ansi = [each for each in joins if each.args.get("on") or each.args.get("kind") or each.args.get("side")]
    where = select.args.get("where")
    marks = where is not None and any(each.args.get("join_mark") for each in where.find_all(exp.Column))
    if ansi and (len(ansi) < len(joins) or marks):
        raise unsupported("ANSI and Oracle joins in one query")
