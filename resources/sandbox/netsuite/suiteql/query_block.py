"""One SELECT to SQLite: output columns, conditions, grouping, order, ROWNUM."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlglot import exp

from resources.sandbox.netsuite.errors import unsupported
from resources.sandbox.netsuite.suiteql.clauses import (
    assigns_rownum,
    has_aggregate,
    has_implicit_direction,
    has_rownum,
    has_window,
    limit_sql,
    own_columns,
)
from resources.sandbox.netsuite.suiteql.expressions import expression_writer, ordering
from resources.sandbox.netsuite.suiteql.joins import join
from resources.sandbox.netsuite.suiteql.scope import NumberedScope, Scope
from resources.sandbox.netsuite.suiteql.typed import Typed, identifier
from resources.sandbox.netsuite.suiteql.writer import Nested, Writer

# rows are shuffled by a multiplication modulo a prime; `:shuffle` differs from page to page
SHUFFLED = "({} * :shuffle) % 1000003"


@dataclass(frozen=True)
class Block:
    """A translated SELECT or set of SELECTs, before paging.

    Attributes:
        sql: SQLite statement with the columns c0, c1 …
        columns: The columns; `name` is the output name, `sql` is c0, c1 …
        ordered: Whether an ORDER BY is effective.
        count_sql: SQLite statement that counts all rows.
    """

    sql: str
    columns: tuple[Typed, ...]
    ordered: bool
    count_sql: str


@dataclass(frozen=True)
class _Output:
    """One output column: its SuiteQL expression and the translation."""

    typed: Typed
    node: exp.Expr


def select_block(select: exp.Select, scope: Scope, nested: Nested, *, outermost: bool) -> Block:
    """Translate a SELECT whose sources are in the scope.

    Raises:
        ApiError: The SELECT is not valid SuiteQL.
    """
    joined = join(select, scope, expression_writer(scope, nested))
    if not assigns_rownum(select):
        return _written(select, scope, nested, joined.sql, joined.rest, outermost=outermost)
    # ROWNUM is assigned before ORDER BY, to rows that meet the other conditions
    numbered = NumberedScope(scope.switches, scope.outer, scope.sources)
    passing = where_sql(expression_writer(scope, nested), [each for each in joined.rest if not has_rownum(each)])
    rest = [each for each in joined.rest if has_rownum(each)]
    block = _written(select, numbered, nested, "ns_source", rest, outermost=False)
    inner = ", ".join(
        [*(f"{sql} AS {identifier(name)}" for name, sql in numbered.used.items()), "row_number() OVER () AS rownum"]
    )
    source = f"WITH ns_source AS (SELECT {inner} FROM {joined.sql}{passing}) "
    return replace(block, sql=source + block.sql, count_sql=source + block.count_sql)


def _written(
    select: exp.Select, scope: Scope, nested: Nested, source: str, conditions: Sequence[exp.Expr], *, outermost: bool
) -> Block:
    writer = expression_writer(scope, nested)
    outputs = list(_outputs(select, writer))
    distinct: exp.Distinct | None = select.args.get("distinct")
    if not outputs or (distinct and distinct.args.get("on")):
        raise unsupported("SELECT without columns, or DISTINCT ON")
    body = f" FROM {source}{where_sql(writer, conditions)}{_grouped(select, outputs, writer)}"
    whole = bool(distinct) or bool(select.args.get("group")) or has_aggregate(select) or has_window(select)
    listed = ", ".join(f"{each.typed.sql} AS c{number}" for number, each in enumerate(outputs))
    limit = limit_sql(select)
    sql = f"SELECT {'DISTINCT ' if distinct else ''}{listed}{body}"
    count_sql = f"SELECT count(*) FROM ({sql}{limit})" if whole or limit else f"SELECT count(*){body}"
    terms = _order(select, writer, outputs)
    if terms and outermost and not whole and scope.switches.shuffle_unordered:
        terms += _tie_breaker(scope, terms)
    order = f" ORDER BY {', '.join(terms)}" if terms else ""
    return Block(sql + order + limit, _named(outputs), bool(terms), count_sql)


def where_sql(writer: Writer, conditions: Sequence[exp.Expr]) -> str:
    """Return a WHERE clause of conditions joined by AND."""
    written = " AND ".join(f"({writer.condition(each)})" for each in conditions)
    return f" WHERE {written}" if written else ""


def _outputs(select: exp.Select, writer: Writer) -> Iterator[_Output]:
    """Yield the output columns; a star stands for all columns of its table."""
    for each in select.expressions:
        if isinstance(each, exp.Star) or (isinstance(each, exp.Column) and isinstance(each.this, exp.Star)):
            yield from _starred(each.table.lower() if isinstance(each, exp.Column) else "", writer)
        else:
            node = each.this if isinstance(each, exp.Alias) else each
            typed = writer.value(node)
            name = each.alias.lower() if isinstance(each, exp.Alias) else typed.name
            yield _Output(replace(typed, name=name), node)


def _starred(alias: str, writer: Writer) -> Iterator[_Output]:
    if alias and alias not in writer.scope.sources:
        writer.scope.column("*", alias)
    for source in writer.scope.sources.values():
        if alias in {"", source.alias}:
            for name in source.columns:
                yield _Output(writer.scope.column(name, source.alias), exp.column(name, source.alias))


def _named(outputs: Sequence[_Output]) -> tuple[Typed, ...]:
    """Return the output columns as c0, c1 and so on; columns without a name are called expr1, expr2."""
    columns, unnamed = [], 0
    for number, each in enumerate(outputs):
        unnamed += not each.typed.name
        name = each.typed.name or f"expr{unnamed}"
        columns.append(replace(each.typed, sql=f"c{number}", name=name, required=False))
    return tuple(columns)


def _grouped(select: exp.Select, outputs: Sequence[_Output], writer: Writer) -> str:
    """Return GROUP BY and HAVING.

    Raises:
        ApiError: An output column is neither grouped nor aggregated; GROUP BY names a position.
    """
    group, having = select.args.get("group"), select.args.get("having")
    if group and any(isinstance(each, exp.Literal) for each in group.expressions):
        raise unsupported("GROUP BY a position")
    terms = [writer.sql(each) for each in group.expressions] if group else []
    if terms or has_aggregate(select):
        for each in outputs:
            _check_grouped(each, terms, writer)
    by = f" GROUP BY {', '.join(terms)}" if terms else ""
    return by + (f" HAVING {writer.condition(having.this)}" if having else "")


def _check_grouped(output: _Output, terms: Sequence[str], writer: Writer) -> None:
    if output.typed.sql in terms:
        return
    for column in own_columns(output.node):
        if not column.find_ancestor(exp.AggFunc) and writer.sql(column) not in terms:
            raise unsupported(f"{column.name} is not in GROUP BY")


def _order(select: exp.Select, writer: Writer, outputs: Sequence[_Output]) -> list[str]:
    order = select.args.get("order")
    if not order or (writer.switches.order_needs_asc and has_implicit_direction(order)):
        return []
    aliases = {each.typed.name: each.typed for each in outputs if each.typed.name}
    return order_terms(order, writer, [each.typed for each in outputs], aliases)


def order_terms(order: exp.Order, writer: Writer, outputs: Sequence[Typed], aliases: Mapping[str, Typed]) -> list[str]:
    """Return the terms of an ORDER BY: positions, output names, expressions.

    Raises:
        ApiError: A position or name does not exist.
    """
    terms = []
    for each in order.expressions:
        node = each.this
        name = node.name.lower() if isinstance(node, exp.Column) and not node.table else ""
        if isinstance(node, exp.Literal) and not node.is_string:
            index = int(str(node.this)) - 1
            if not 0 <= index < len(outputs):
                raise unsupported(f"ORDER BY {index + 1}: no such column")
            value = outputs[index]
        else:
            value = aliases.get(name) or writer.write(node)
        terms.append(ordering(value, each))
    return terms


def _tie_breaker(scope: Scope, terms: Sequence[str]) -> list[str]:
    """Return a random order for rows that the ORDER BY does not distinguish."""
    key = next(iter(scope.sources.values())).key
    is_ordered = any(term.removesuffix(" DESC") == key for term in terms)
    return [] if not key or is_ordered else [SHUFFLED.format(key)]
