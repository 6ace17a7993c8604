"""Translation of FROM clauses: ANSI joins unchanged, Oracle's comma and (+) as SQLite joins."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import exp

from resources.sandbox.netsuite.errors import unsupported
from resources.sandbox.netsuite.suiteql.clauses import conjuncts
from resources.sandbox.netsuite.suiteql.scope import Scope
from resources.sandbox.netsuite.suiteql.writer import Writer


@dataclass(frozen=True)
class Joined:
    """A FROM clause, and the WHERE conditions that are not part of its joins."""

    sql: str
    rest: list[exp.Expr]


def join(select: exp.Select, scope: Scope, writer: Writer) -> Joined:
    """Translate the FROM clause of a SELECT whose sources are in the scope."""
    where = select.args.get("where")
    conditions = list(conjuncts(where.this if where else None))
    joins: Sequence[exp.Join] = select.args.get("joins") or []
    if any(each.args.get("on") or each.args.get("kind") or each.args.get("side") for each in joins):
        return Joined(_ansi(joins, scope, writer), conditions)
    return _oracle(scope, writer, conditions)


def _ansi(joins: Sequence[exp.Join], scope: Scope, writer: Writer) -> str:
    first, *others = scope.sources.values()
    parts = [first.sql]
    for source, each in zip(others, joins, strict=True):
        if each.args.get("using") or each.args.get("method"):
            raise unsupported("JOIN with USING or NATURAL")
        side = str(each.args.get("side") or "")
        on = each.args.get("on")
        condition = f" ON {writer.condition(on)}" if on else ""
        parts.append(f"{side} JOIN {source.sql}{condition}".strip())
    return " ".join(parts)


def _oracle(scope: Scope, writer: Writer, conditions: list[exp.Expr]) -> Joined:
    """Translate `a.id = b.a(+)` to a LEFT JOIN of b, after the tables that its conditions name."""
    outer: dict[str, list[exp.Expr]] = {}
    rest = []
    for each in conditions:
        marked = {column.table.lower() for column in each.find_all(exp.Column) if column.args.get("join_mark")}
        if len(marked) > 1:
            raise unsupported("(+) on two tables in one condition")
        if marked:
            outer.setdefault(marked.pop(), []).append(each)
        else:
            rest.append(each)
    placed = [alias for alias in scope.sources if alias not in outer]
    parts = [" JOIN ".join(scope.sources[alias].sql for alias in placed)]
    while outer:
        alias = _next_placeable(outer, placed)
        condition = " AND ".join(f"({writer.condition(each)})" for each in outer.pop(alias))
        parts.append(f"LEFT JOIN {scope.sources[alias].sql} ON {condition}")
        placed.append(alias)
    return Joined(" ".join(parts), rest)


def _next_placeable(outer: dict[str, list[exp.Expr]], placed: list[str]) -> str:
    for alias, conditions in outer.items():
        named = {column.table.lower() for each in conditions for column in each.find_all(exp.Column)}
        if named - {alias, ""} <= set(placed):
            return alias
    raise unsupported("cycle of (+) joins")
