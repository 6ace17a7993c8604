"""Translation of SuiteQL conditions: comparisons, IN, BETWEEN, LIKE, EXISTS, AND, OR, NOT."""

from collections.abc import Mapping
from typing import Any

from sqlglot import exp

from resources.sandbox.netsuite.errors import unsupported
from resources.sandbox.netsuite.suiteql.typed import Typed
from resources.sandbox.netsuite.suiteql.writer import Write, Writer


def _connector(operator: str) -> Write:
    def write(writer: Writer, node: Any) -> Typed:
        return Typed(f"{writer.condition(node.left)} {operator} {writer.condition(node.right)}", "condition")

    return write


def _not(writer: Writer, node: exp.Not) -> Typed:
    inner = node.this
    if isinstance(inner, exp.Is):
        return Typed(f"{writer.sql(inner.this)} IS NOT NULL", "condition")
    return Typed(f"NOT ({writer.condition(inner)})", "condition")


def _is(writer: Writer, node: exp.Is) -> Typed:
    if not isinstance(node.expression, exp.Null):
        raise unsupported("IS takes NULL")
    return Typed(f"{writer.sql(node.this)} IS NULL", "condition")


def _comparison(sign: str) -> Write:
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
    if not node.expressions:
        raise unsupported("IN without values")
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


CONDITIONS: Mapping[type[exp.Expr], Write] = {
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
}
