"""SuiteQL expressions to SQLite: one small function for each kind of node, nothing else passes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlglot import exp

from resources.sandbox.netsuite.oracle_functions import called, concatenated, display_value, now_as
from resources.sandbox.netsuite.refusal import unsupported
from resources.sandbox.netsuite.scope import Scope
from resources.sandbox.netsuite.suiteql import PREFIX
from resources.sandbox.netsuite.switches import NetSuiteSwitches
from resources.sandbox.netsuite.typed import NULL, TIMES, Typed, as_local, comparable, quoted, unified

# translates a nested SELECT: its SQL and the type of its first column
Nested = Callable[[exp.Expr, Scope], Typed]


@dataclass(frozen=True)
class Writer:
    """Writes the expressions of one SELECT."""

    scope: Scope
    nested: Nested

    @property
    def switches(self) -> NetSuiteSwitches:
        """How this account behaves."""
        return self.scope.switches

    def write(self, node: exp.Expr) -> Typed:
        """One expression.

        Raises:
            Refusal: SuiteQL does not support it, or it names something unknown.
        """
        writer = _WRITERS.get(type(node))
        if not writer:
            raise unsupported(f"{type(node).__name__} is not supported")
        return writer(self, node)

    def sql(self, node: exp.Expr) -> str:
        """One expression, as text."""
        return self.write(node).sql

    def pair(self, first: exp.Expr, second: exp.Expr) -> tuple[str, str]:
        """Both sides of a comparison."""
        return comparable(self.write(first), self.write(second), self.switches.ambiguous_hour)


def _column(writer: Writer, node: exp.Column) -> Typed:
    name = node.name.lower()
    if not node.table and name in {"sysdate", "current_date", "current_timestamp", "localtimestamp"}:
        return now_as(name.upper(), writer.switches)
    return writer.scope.column(name, node.table.lower())


def _literal(_: Writer, node: exp.Literal) -> Typed:
    if not node.is_string:
        return Typed(str(node.this), "int" if str(node.this).isdigit() else "number")
    return Typed(quoted(node.this), "text") if node.this else NULL


def _placeholder(_: Writer, node: exp.Placeholder) -> Typed:
    return Typed(f":{node.this}", "bind")


def _null(_: Writer, __: exp.Null) -> Typed:
    return NULL


def _paren(writer: Writer, node: exp.Paren) -> Typed:
    inner = writer.write(node.this)
    return replace(inner, sql=f"({inner.sql})")


def _connector(word: str) -> Callable[[Writer, Any], Typed]:
    def write(writer: Writer, node: Any) -> Typed:
        return Typed(f"{writer.sql(node.left)} {word} {writer.sql(node.right)}", "condition")

    return write


def _not(writer: Writer, node: exp.Not) -> Typed:
    inner = node.this
    if isinstance(inner, exp.Is):
        return Typed(f"{writer.sql(inner.this)} IS NOT NULL", "condition")
    return Typed(f"NOT ({writer.sql(inner)})", "condition")


def _is(writer: Writer, node: exp.Is) -> Typed:
    if not isinstance(node.expression, exp.Null):
        raise unsupported("IS takes NULL")
    return Typed(f"{writer.sql(node.this)} IS NULL", "condition")


def _comparison(sign: str) -> Callable[[Writer, Any], Typed]:
    def write(writer: Writer, node: Any) -> Typed:
        left, right = writer.pair(node.left, node.right)
        return Typed(f"{left} {sign} {right}", "condition")

    return write


def _between(writer: Writer, node: exp.Between) -> Typed:
    value, low = writer.pair(node.this, node.args["low"])
    again, high = writer.pair(node.this, node.args["high"])
    upper = "<" if writer.switches.between_half_open else "<="
    return Typed(f"({value} >= {low} AND {again} {upper} {high})", "condition")


def _in(writer: Writer, node: exp.In) -> Typed:
    query = node.args.get("query")
    if query:
        return Typed(f"{writer.sql(node.this)} IN {writer.nested(query, writer.scope).sql}", "condition")
    if node.args.get("unnest") or node.args.get("field"):
        raise unsupported("IN takes values or a SELECT")
    if isinstance(node.this, exp.Tuple):
        rows = ", ".join(writer.sql(each) for each in node.expressions)
        return Typed(f"{writer.sql(node.this)} IN (VALUES {rows})", "condition")
    pairs = [writer.pair(node.this, each) for each in node.expressions]
    return Typed(f"{pairs[0][0]} IN ({', '.join(value for _, value in pairs)})", "condition")


def _tuple(writer: Writer, node: exp.Tuple) -> Typed:
    return Typed(f"({', '.join(writer.sql(each) for each in node.expressions)})", "condition")


def _like(writer: Writer, node: exp.Like) -> Typed:
    return Typed(f"{writer.sql(node.this)} LIKE {writer.sql(node.expression)}", "condition")


def _escape(writer: Writer, node: exp.Escape) -> Typed:
    return Typed(f"{writer.sql(node.this)} ESCAPE {writer.sql(node.expression)}", "condition")


def _exists(writer: Writer, node: exp.Exists) -> Typed:
    return Typed(f"EXISTS {writer.nested(node.this, writer.scope).sql}", "condition")


def _subquery(writer: Writer, node: exp.Subquery) -> Typed:
    return writer.nested(node, writer.scope)


def _arithmetic(sign: str) -> Callable[[Writer, Any], Typed]:
    """Numbers, and days added to a time."""

    def write(writer: Writer, node: Any) -> Typed:
        left, right = writer.write(node.left), writer.write(node.right)
        if left.kind in TIMES and right.kind in TIMES and sign == "-":
            return Typed(f"(julianday({as_local(left).sql}) - julianday({as_local(right).sql}))", "number")
        if left.kind in TIMES and sign in "+-":
            return replace(left, sql=f"datetime({left.sql}, ({sign}1 * ({right.sql})) || ' days')", name="")
        if {left.kind, right.kind} & TIMES:
            raise unsupported("arithmetic with dates")
        kind = "int" if left.kind == right.kind == "int" and sign != "/" else "number"
        divisor = "CAST({} AS REAL)" if sign == "/" else "{}"
        return Typed(f"({divisor.format(left.sql)} {sign} {right.sql})", "int" if kind == "int" else "number")

    return write


def _neg(writer: Writer, node: exp.Neg) -> Typed:
    inner = writer.write(node.this)
    return Typed(f"(-{inner.sql})", inner.kind)


def _dpipe(writer: Writer, node: exp.DPipe) -> Typed:
    return concatenated([writer.write(node.left), writer.write(node.right)])


def _case(writer: Writer, node: exp.Case) -> Typed:
    branches: list[exp.If] = node.args["ifs"]
    default = node.args.get("default")
    results, kind = unified(
        [writer.write(each.args["true"]) for each in branches] + [writer.write(default) if default else NULL]
    )
    conditions = [
        " = ".join(writer.pair(node.this, each.this)) if node.this else writer.sql(each.this) for each in branches
    ]
    cases = " ".join(f"WHEN {when} THEN {then}" for when, then in zip(conditions, results, strict=False))
    return replace(kind, sql=f"CASE {cases} ELSE {results[-1]} END")


def _anonymous(writer: Writer, node: exp.Anonymous) -> Typed:
    name = str(node.this)
    if not name.startswith(PREFIX):
        raise unsupported(f"function {name} is not supported")
    return called(name.removeprefix(PREFIX).upper(), [writer.write(each) for each in node.expressions], writer.switches)


def _dot(writer: Writer, node: exp.Dot) -> Typed:
    """BUILTIN.DF and BUILTIN.CF."""
    function = node.expression
    if node.this.name.upper() != "BUILTIN" or not isinstance(function, exp.Anonymous) or not function.expressions:
        raise unsupported("only BUILTIN.DF and BUILTIN.CF are known here")
    value = writer.write(function.expressions[0])
    name = str(function.this).upper()
    if name == "DF":
        return display_value(value)
    if name == "CF":
        return value
    raise unsupported(f"BUILTIN.{name} is not known here")


def _aggregate(function: str) -> Callable[[Writer, Any], Typed]:
    def write(writer: Writer, node: Any) -> Typed:
        distinct = "DISTINCT " if isinstance(node.this, exp.Distinct) else ""
        argument = node.this.expressions[0] if distinct else node.this
        if isinstance(argument, exp.Star):
            return Typed("count(*)", "int")
        value = writer.write(argument)
        sql = f"{function}({distinct}{value.sql})"
        if function in {"min", "max"}:
            return replace(value, sql=sql, name="", required=False)
        return Typed(sql, "int" if function == "count" else "number")

    return write


_RANKS: Mapping[type[exp.Expr], str] = {
    exp.Rank: "rank()",
    exp.DenseRank: "dense_rank()",
    exp.RowNumber: "row_number()",
}


def _window(writer: Writer, node: exp.Window) -> Typed:
    ranks: dict[type[exp.Expr], str] = {
        exp.Rank: "rank()",
        exp.DenseRank: "dense_rank()",
        exp.RowNumber: "row_number()",
    }
    function = ranks.get(type(node.this))
    value = Typed(function, "int") if function else writer.write(node.this)
    by = ", ".join(writer.sql(each) for each in node.args.get("partition_by") or [])
    order: exp.Order | None = node.args.get("order")
    sorting = ", ".join(ordering(writer.write(each.this), each) for each in order.expressions) if order else ""
    parts = [f"PARTITION BY {by}" if by else "", f"ORDER BY {sorting}" if sorting else ""]
    return replace(value, sql=f"{value.sql} OVER ({' '.join(filter(None, parts))})", name="")


def ordering(value: Typed, node: exp.Ordered) -> str:
    """One term of an ORDER BY; to Oracle null is larger than everything."""
    descending = bool(node.args.get("desc"))
    nulls = "" if value.required else (" NULLS FIRST" if node.args.get("nulls_first") else " NULLS LAST")
    return f"{value.sql}{' DESC' if descending else ''}{nulls}"


def _cast(writer: Writer, node: exp.Cast) -> Typed:
    value = as_local(writer.write(node.this))
    target = node.to.this
    if target in exp.DataType.TEXT_TYPES:
        return Typed(f"CAST({value.sql} AS TEXT)", "text")
    if target in exp.DataType.NUMERIC_TYPES:
        return Typed(f"CAST({value.sql} AS NUMERIC)", "number")
    if value.kind == "local":
        return value
    raise unsupported("a date is written with TO_DATE or TO_TIMESTAMP")


def _extract(writer: Writer, node: exp.Extract) -> Typed:
    parts = {"YEAR": "%Y", "MONTH": "%m", "DAY": "%d", "HOUR": "%H", "MINUTE": "%M", "SECOND": "%S"}
    form = parts.get(node.name.upper())
    if not form:
        raise unsupported(f"EXTRACT({node.name})")
    return Typed(f"CAST(strftime('{form}', {as_local(writer.write(node.expression)).sql}) AS INTEGER)", "int")


def _trim(writer: Writer, node: exp.Trim) -> Typed:
    name = {"LEADING": "ltrim", "TRAILING": "rtrim"}.get(str(node.args.get("position") or "").upper(), "trim")
    characters = f", {writer.sql(node.expression)}" if node.args.get("expression") else ""
    return Typed(f"nullif({name}({writer.sql(node.this)}{characters}), '')", "text")


def _now(writer: Writer, node: exp.Expr) -> Typed:
    names: dict[type[exp.Expr], str] = {exp.CurrentDate: "CURRENT_DATE", exp.Localtimestamp: "LOCALTIMESTAMP"}
    name = "SYSDATE" if node.args.get("sysdate") else names.get(type(node), "CURRENT_TIMESTAMP")
    return now_as(name, writer.switches)


_WRITERS: Mapping[type[exp.Expr], Callable[[Writer, Any], Typed]] = {
    exp.Column: _column,
    exp.Literal: _literal,
    exp.Placeholder: _placeholder,
    exp.Null: _null,
    exp.Paren: _paren,
    exp.And: _connector("AND"),
    exp.Or: _connector("OR"),
    exp.Not: _not,
    exp.Is: _is,
    exp.EQ: _comparison("="),
    exp.NEQ: _comparison("<>"),
    exp.GT: _comparison(">"),
    exp.GTE: _comparison(">="),
    exp.LT: _comparison("<"),
    exp.LTE: _comparison("<="),
    exp.Between: _between,
    exp.In: _in,
    exp.Tuple: _tuple,
    exp.Like: _like,
    exp.Escape: _escape,
    exp.Exists: _exists,
    exp.Subquery: _subquery,
    exp.Add: _arithmetic("+"),
    exp.Sub: _arithmetic("-"),
    exp.Mul: _arithmetic("*"),
    exp.Div: _arithmetic("/"),
    exp.Neg: _neg,
    exp.DPipe: _dpipe,
    exp.Case: _case,
    exp.Anonymous: _anonymous,
    exp.Dot: _dot,
    exp.Count: _aggregate("count"),
    exp.Sum: _aggregate("sum"),
    exp.Avg: _aggregate("avg"),
    exp.Min: _aggregate("min"),
    exp.Max: _aggregate("max"),
    exp.Median: _aggregate("ns_median"),
    exp.Window: _window,
    exp.Cast: _cast,
    exp.Extract: _extract,
    exp.Trim: _trim,
    exp.CurrentDate: _now,
    exp.CurrentTimestamp: _now,
    exp.Localtimestamp: _now,
}
