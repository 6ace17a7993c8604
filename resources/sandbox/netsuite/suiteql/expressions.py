"""Translation of SuiteQL values: names, literals, arithmetic, CASE, calls, aggregates, windows."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlglot import exp

from resources.sandbox.netsuite.errors import unsupported
from resources.sandbox.netsuite.suiteql.conditions import CONDITIONS
from resources.sandbox.netsuite.suiteql.oracle_functions import concatenated, current_time, display_value, function_call
from resources.sandbox.netsuite.suiteql.parser import PREFIX
from resources.sandbox.netsuite.suiteql.scope import Scope
from resources.sandbox.netsuite.suiteql.typed import NULL, TIMES, Typed, as_local, quoted, unified
from resources.sandbox.netsuite.suiteql.writer import Nested, Write, Writer


def expression_writer(scope: Scope, nested: Nested) -> Writer:
    """Return a writer for the expressions of one SELECT."""
    return Writer(scope, nested, {**CONDITIONS, **_VALUES})


def _column(writer: Writer, node: exp.Column) -> Typed:
    name = node.name.lower()
    if not node.table and name in {"sysdate", "current_date", "current_timestamp", "localtimestamp"}:
        return current_time(name.upper(), writer.switches)
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


def _subquery(writer: Writer, node: exp.Subquery) -> Typed:
    return writer.nested(node, writer.scope)


def _arithmetic(sign: str) -> Write:
    """Write arithmetic of numbers, and of a time and days."""

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
        " = ".join(writer.pair(node.this, each.this)) if node.this else writer.condition(each.this) for each in branches
    ]
    cases = " ".join(f"WHEN {when} THEN {then}" for when, then in zip(conditions, results, strict=False))
    return replace(kind, sql=f"CASE {cases} ELSE {results[-1]} END")


def _anonymous(writer: Writer, node: exp.Anonymous) -> Typed:
    name = str(node.this)
    if not name.startswith(PREFIX):
        raise unsupported(f"function {name} is not supported")
    return function_call(
        name.removeprefix(PREFIX).upper(), [writer.write(each) for each in node.expressions], writer.switches
    )


def _dot(writer: Writer, node: exp.Dot) -> Typed:
    """Write BUILTIN.DF and BUILTIN.CF."""
    function = node.expression
    if node.this.name.upper() != "BUILTIN" or not isinstance(function, exp.Anonymous) or not function.expressions:
        raise unsupported("only BUILTIN.DF and BUILTIN.CF are simulated")
    value = writer.write(function.expressions[0])
    name = str(function.this).upper()
    if name == "DF":
        return display_value(value)
    if name == "CF":
        return value
    raise unsupported(f"BUILTIN.{name} is not simulated")


def _aggregate(function: str) -> Write:
    def write(writer: Writer, node: Any) -> Typed:
        distinct = "DISTINCT " if isinstance(node.this, exp.Distinct) else ""
        if distinct and len(node.this.expressions) != 1:
            raise unsupported("DISTINCT takes one value")
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
    function = _RANKS.get(type(node.this))
    value = Typed(function, "int") if function else writer.write(node.this)
    by = ", ".join(writer.sql(each) for each in node.args.get("partition_by") or [])
    order: exp.Order | None = node.args.get("order")
    sorting = ", ".join(ordering(writer.write(each.this), each) for each in order.expressions) if order else ""
    parts = [f"PARTITION BY {by}" if by else "", f"ORDER BY {sorting}" if sorting else ""]
    return replace(value, sql=f"{value.sql} OVER ({' '.join(filter(None, parts))})", name="")


def ordering(value: Typed, node: exp.Ordered) -> str:
    """Return one term of an ORDER BY; in Oracle null is greater than any value."""
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
    return current_time(name, writer.switches)


_VALUES: Mapping[type[exp.Expr], Write] = {
    exp.Column: _column,
    exp.Literal: _literal,
    exp.Placeholder: _placeholder,
    exp.Null: _null,
    exp.Paren: _paren,
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
