"""The SQL that a person may write: one value from the columns of one record, and nothing else.

text  ->  check()  ->  a text that Polars may parse, or a MappingError

Polars opens files and addresses while it parses a subquery. So the text is first split into words here, and then read
by sqlglot, which evaluates nothing; only listed kinds of nodes and listed functions pass.
"""

import re
from functools import lru_cache

import polars as pl
from sqlglot import exp, parse_one
from sqlglot.dialects.postgres import Postgres
from sqlglot.errors import SqlglotError
from sqlglot.parsers.postgres import PostgresParser

from assets.delivery.errors import MappingError

MAX_LENGTH = 30_000  # characters; longer lists belong into a table and a lookup
MAX_NESTING = 24  # brackets in brackets; Polars' parser needs twice the time for each level once it gives up, at 50
MAX_PADDING = 10_000  # characters; Polars makes them for each record
MAX_DIGITS = 38  # of a decimal; beyond, Polars panics
MAX_CHAIN = 100  # operators or `when`s in a row: Polars' time grows with the square of their number
MAX_STEPS = 2 * MAX_LENGTH  # of sqlglot, which reads what may be a type, such as `date(date(…`, twice at each level
MAX_PARTS = 20_000  # of Polars' expression, which repeats operands, as `nullif(nullif(…` at each level
MAX_DEPTH = 200  # of Polars' expression, in which each column of `in (…)` is a level

# Texts end where both parsers see their end: no comments, no prefixes such as e'…', no other quotes.
_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n]+)
      | (?P<text>'(?:[^'\0]|'')*'(?!['\w]))
      | (?P<name>"(?:[^"\0]|"")+"(?!["\w]))
      | (?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?(?![\w'"]))
      | (?P<word>[A-Za-z_][A-Za-z0-9_]*(?![\w'"$]))
      | (?P<sign><=>|!~\*|!~|~\*|::|\|\||<>|!=|<=|>=|\^@|-(?!-)|/(?![*/])|[+*%=<>(),.\[\]~])""",
    re.VERBOSE,
)
_SUBQUERY = frozenset({"select", "with", "values", "table", "exists"})
_CLOCK = frozenset({
    "current_date", "current_time", "current_timestamp", "localtime", "localtimestamp", "now", "today",
})  # fmt: skip

_SYNTAX = (
    exp.Column, exp.Identifier, exp.Literal, exp.Boolean, exp.Null, exp.Paren, exp.Var, exp.DataType, exp.DataTypeParam,
    exp.Case, exp.If, exp.Cast, exp.TryCast, exp.Interval, exp.Extract, exp.Array, exp.Bracket, exp.Any,
    exp.And, exp.Or, exp.Not, exp.Is, exp.In, exp.Between, exp.Like, exp.ILike, exp.RegexpLike, exp.RegexpILike,
    exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ,
    exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod, exp.IntDiv, exp.Neg, exp.DPipe,
)  # fmt: skip
_FUNCTIONS = (
    exp.Coalesce, exp.Nullif, exp.Greatest, exp.Least,
    exp.Concat, exp.ConcatWs, exp.Upper, exp.Lower, exp.Initcap, exp.Trim, exp.Pad, exp.Left, exp.Right, exp.Substring,
    exp.Replace, exp.RegexpReplace, exp.Reverse, exp.SplitPart, exp.StartsWith, exp.EndsWith, exp.StrPosition,
    exp.Length, exp.BitLength, exp.Normalize, exp.StringToArray, exp.ArrayToString, exp.ArraySize, exp.ArrayContains,
    exp.ArrayReverse, exp.ArraySum,
    exp.Abs, exp.Ceil, exp.Floor, exp.Round, exp.Trunc, exp.Sign, exp.Sqrt, exp.Cbrt, exp.Exp, exp.Ln, exp.Log, exp.Pow,
    exp.Pi, exp.Degrees, exp.Radians, exp.Sin, exp.Cos, exp.Tan, exp.Cot, exp.Asin, exp.Acos, exp.Atan, exp.Atan2,
    exp.Date, exp.Time, exp.Timestamp, exp.Datetime, exp.Year, exp.Month, exp.Day, exp.Quarter, exp.DayOfWeek,
)  # fmt: skip
_UNPARSED = frozenset({  # functions of Polars that sqlglot has no class for
    "array_get", "array_lower", "array_mean", "array_unique", "array_upper", "bit_count", "bit_not",
    "log1p", "octet_length", "strftime", "strptime",
    "acosd", "asind", "atan2d", "atand", "cosd", "cotd", "sind", "tand",
})  # fmt: skip
_OVER_RECORDS = (exp.AggFunc, exp.Window, exp.Filter, exp.WithinGroup, exp.Unnest, exp.Explode, exp.Star)


class _Bounded(Postgres):
    """PostgreSQL's grammar, given up after MAX_STEPS."""

    class Parser(PostgresParser):
        steps = 0

        def _advance(self, times: int = 1) -> None:
            self.steps += 1
            if self.steps > MAX_STEPS:
                raise MappingError(_TOO_DEEP)
            super()._advance(times)


@lru_cache(maxsize=4096)
def check(text: str) -> None:
    """Check that an expression has one value per record, from the columns of that record.

    Raises:
        MappingError: It is not SQL, is too long or too deep, or uses anything that is not listed here.
    """
    if len(text) > MAX_LENGTH:
        raise MappingError(f"longer than {MAX_LENGTH} characters; put long lists into a table and use `lookup`")
    _check_words(text)
    try:
        tree = parse_one(text, dialect=_Bounded, into=exp.Condition)
    except SqlglotError as error:
        raise MappingError(f"not an SQL expression: {_problem(error)}") from None
    except RecursionError:
        raise MappingError(_TOO_DEEP) from None
    _check_tree(tree)


def check_size(expression: pl.Expr) -> None:
    """Check that Polars can evaluate what it made of an expression, by its parts as Polars repeats them.

    Raises:
        MappingError: It is too deep.
    """
    seen, open_parts = 0, [(expression, 1)]
    while open_parts:
        part, depth = open_parts.pop()
        seen += 1
        if seen > MAX_PARTS or depth > MAX_DEPTH:
            raise MappingError(_TOO_DEEP)
        open_parts += [(each, depth + 1) for each in part.meta.pop()]


_TOO_DEEP = (
    f"too deep: at most {MAX_NESTING} levels of brackets and functions (six of those that are evaluated several times,"
    f" such as `nullif`, `between` and `list[…]`), and {MAX_CHAIN} operators or columns of `in (…)` in a row, are"
    " supported; use `in (…)` of texts, `values` or `lookup`"
)


def _check_words(text: str) -> None:
    """Refuse what the two parsers could read differently, and every word that begins a subquery."""
    if text.count("[") > MAX_CHAIN:  # sqlglot's time grows with the square of their number
        raise MappingError(_TOO_DEEP)
    position, before = 0, ""
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None:
            raise MappingError(
                f"cannot read from `{text[position : position + 20]}` on; quote texts as 'it''s' and other names as"
                ' "name", and put comments outside'
            )
        position = token.end()
        word = token[0].lower()
        if token.lastgroup == "word" and (word in _SUBQUERY or (word == "from" and before in {"", "("})):
            raise MappingError("subqueries are not supported; use the table's own columns")
        if token.lastgroup == "word" and word in _CLOCK:
            raise MappingError("the value depends on the clock; use _today, the date of the run")
        if token.lastgroup != "space":
            before = word


def _check_tree(tree: exp.Expr) -> None:
    """Refuse every node that is not listed, and trees that are too deep for Polars."""
    open_nodes: list[tuple[exp.Expr, int, int]] = [(tree, 0, 0)]
    while open_nodes:
        node, nesting, chain = open_nodes.pop()
        _check_node(node)
        if nesting > MAX_NESTING or chain + len(node.args.get("ifs") or ()) > MAX_CHAIN:
            raise MappingError(_TOO_DEEP)
        for child in node.iter_expressions():
            is_operand = isinstance(node, exp.Binary) and child is node.this
            is_leaf = isinstance(child, exp.Identifier | exp.Literal | exp.DataType)
            open_nodes.append((child, nesting + (not is_operand and not is_leaf), chain + (not is_leaf)))


def _check_node(node: exp.Expr) -> None:
    if isinstance(node, _OVER_RECORDS):
        raise MappingError("each record must have one value, which depends on its own columns only")
    if isinstance(node, exp.Anonymous):
        if node.name.lower() not in _UNPARSED:
            raise MappingError(f"no function `{node.name}`; docs/workflows/sql.md lists the functions")
    elif isinstance(node, exp.Column) and node.table:
        raise MappingError(f"name the column alone, without `{node.table}.`")
    elif isinstance(node, exp.Column) and node.name.startswith(("^", "*")):
        raise MappingError(f"`{node.name}` would be a pattern of names; name one column")
    elif isinstance(node, exp.Pad) and not _is_number(node.args.get("expression"), MAX_PADDING):
        raise MappingError(f"pad to a number of characters, at most {MAX_PADDING:,}")
    elif isinstance(node, exp.DataType) and not _has_digits(node):
        raise MappingError(f"a decimal has 1 to {MAX_DIGITS} digits, and at most as many after the point")
    elif type(node) not in {*_SYNTAX, *_FUNCTIONS}:
        name = node.sql_name().lower() if isinstance(node, exp.Func) else type(node).__name__
        raise MappingError(f"`{name}` is not supported; docs/workflows/sql.md lists the functions")


def _is_number(node: object, most: int) -> bool:
    """Return whether it is a whole number from 0 to the largest allowed."""
    return isinstance(node, exp.Literal) and not node.is_string and node.name.isdecimal() and int(node.name[:9]) <= most


def _has_digits(node: exp.DataType) -> bool:
    """Return whether a type is not a decimal, or is one of a size that Polars has."""
    if node.this not in exp.DataType.NUMERIC_TYPES or not node.expressions:
        return True
    given = [each.this for each in node.expressions if isinstance(each, exp.DataTypeParam)]
    if len(given) != len(node.expressions) or not all(_is_number(each, MAX_DIGITS) for each in given):
        return False
    digits = [int(each.name) for each in given]
    return digits[0] >= 1 and digits[-1] <= digits[0]


def _problem(error: SqlglotError) -> str:
    found = getattr(error, "errors", None) or [{}]
    text = found[0].get("description") or "it cannot be parsed"
    near = found[0].get("highlight")
    return f"{text.rstrip('.')}, near `{near[:20]}`" if near else text
