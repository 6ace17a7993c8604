"""SuiteQL statements to SQLite statements; kept by text, for keyset pages differ only in their parameters.

compiled(text, switches)  ->  Statement(page_sql, count_sql, keys)
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from sqlglot import exp

from resources.sandbox.netsuite.catalogue import columns_of
from resources.sandbox.netsuite.expressions import Writer, ordering
from resources.sandbox.netsuite.joins import join
from resources.sandbox.netsuite.refusal import unsupported
from resources.sandbox.netsuite.scope import NumberedScope, Scope, Source
from resources.sandbox.netsuite.suiteql import parse
from resources.sandbox.netsuite.switches import NetSuiteSwitches
from resources.sandbox.netsuite.tables import READABLE, TABLES
from resources.sandbox.netsuite.typed import Typed, as_local, identifier, quoted

# rows are strewn by a multiplication modulo a prime; `:shuffle` differs from page to page
STREWN = "({} * :shuffle) % 1000003"


@dataclass(frozen=True)
class Block:
    """A translated SELECT or set of SELECTs, before paging."""

    sql: str
    columns: tuple[Typed, ...]  # `name` is the output name, `sql` is c0, c1 …
    ordered: bool
    count_sql: str


@dataclass(frozen=True)
class Statement:
    """What runs for one page; parameters: p0 …, now, shuffle, limit, offset."""

    page_sql: str
    count_sql: str
    keys: tuple[str, ...]


@lru_cache(maxsize=512)
def compiled(text: str, top: int, switches: NetSuiteSwitches) -> Statement:
    """Translate a scanned statement.

    Raises:
        Refusal: It is not SuiteQL, or names something that this account has not.
    """
    query = parse(text, switches)
    try:
        block = _Translation(switches).query(query, None, outermost=True)
    except RecursionError as error:
        raise unsupported("nested too deeply") from error
    return _paged(block, top, switches)


def _paged(block: Block, top: int, switches: NetSuiteSwitches) -> Statement:
    sql, count_sql = block.sql, block.count_sql
    if top:
        sql = f"SELECT * FROM ({sql}) LIMIT {top}"
        count_sql = f"SELECT min(count(*), {top}) FROM ({block.sql})"
    if switches.shuffle_unordered and not block.ordered:
        sql = f"SELECT * FROM ({sql}) ORDER BY {STREWN.format('row_number() OVER ()')}"
    rendered = ", ".join(_rendered(each, switches) for each in block.columns)
    page_sql = f"SELECT {rendered} FROM (SELECT * FROM ({sql}) LIMIT :limit OFFSET :offset)"
    return Statement(page_sql, count_sql, tuple(each.name for each in block.columns))


def _rendered(column: Typed, switches: NetSuiteSwitches) -> str:
    """One output value as text: a bare time loses its hours and follows the user's date preference."""
    local = as_local(column)
    if local.kind == "local":
        return f"ns_day({local.sql}, {quoted(switches.date_format)})"
    return f"CAST({column.sql} AS TEXT)" if column.kind == "int" else column.sql


class _Translation:
    """Translates the queries of one statement."""

    def __init__(self, switches: NetSuiteSwitches) -> None:
        self._switches = switches
        self._named: dict[str, Block] = {}

    def query(self, node: exp.Expression, outer: Scope | None, *, outermost: bool = False) -> Block:
        """A SELECT, a set operation, or either in parentheses."""
        if isinstance(node, exp.Subquery):
            return self.query(node.this, outer, outermost=outermost)
        named = node.args.get("with_")
        if named:
            for each in named.expressions:
                self._named[each.alias.lower()] = self.query(each.this, None)
        if isinstance(node, exp.SetOperation):
            return self._set_operation(node, outer)
        if isinstance(node, exp.Select):
            return self._select(node, outer, outermost=outermost)
        raise unsupported(f"{type(node).__name__} is no query")

    def nested(self, node: exp.Expression, outer: Scope) -> Typed:
        """A SELECT within an expression."""
        block = self.query(node, outer)
        first = block.columns[0]
        return Typed(f"({block.sql})", first.kind, first.zone, first.refers)

    def _set_operation(self, node: exp.SetOperation, outer: Scope | None) -> Block:
        word = {exp.Union: "UNION", exp.Intersect: "INTERSECT", exp.Except: "EXCEPT"}[type(node)]
        word += " ALL" if not node.args.get("distinct") else ""
        left, right = self.query(node.this, outer), self.query(node.expression, outer)
        if len(left.columns) != len(right.columns):
            raise unsupported("the SELECTs have different numbers of columns")
        sql = f"SELECT * FROM ({left.sql}) {word} SELECT * FROM ({right.sql})"
        order = node.args.get("order")
        if order:
            scope = Scope(self._switches)
            scope.add(Source("", "", {each.name: each for each in left.columns}, ""))
            terms = self._terms(order, Writer(scope, self.nested), left.columns)
            sql = f"SELECT * FROM ({sql}) ORDER BY {', '.join(terms)}"
        sql += _limit(node)
        return Block(sql, left.columns, bool(order), f"SELECT count(*) FROM ({sql})")

    def _select(self, node: exp.Select, outer: Scope | None, *, outermost: bool) -> Block:
        scope = self._scope(node, outer)
        writer = Writer(scope, self.nested)
        joined = join(node, scope, writer)
        source, where = joined.sql, joined.rest
        numbered = None
        if _mentions_rownum(node):
            numbered = NumberedScope(self._switches, outer, scope.sources)
            writer, kept = Writer(numbered, self.nested), [each for each in where if not _has_rownum(each)]
            inner_where = _where(Writer(scope, self.nested), kept)
            where = [each for each in where if _has_rownum(each)]
        projections = list(self._projections(node, writer))
        condition = _where(writer, where)
        group = node.args.get("group")
        grouping = [writer.sql(self._pointed(each, projections)) for each in group.expressions] if group else []
        _check_grouping(node, projections, grouping, writer)
        tail = f" GROUP BY {', '.join(grouping)}" if grouping else ""
        having = node.args.get("having")
        tail += f" HAVING {writer.sql(having.this)}" if having else ""
        columns = _output(projections)
        order = node.args.get("order")
        aliases = {each.name: typed for each, (typed, _) in zip(columns, projections, strict=True)}
        terms = self._terms(order, writer, tuple(typed for typed, _ in projections), aliases) if order else []
        ordered = bool(terms) and not (self._switches.order_needs_asc and _is_unclear(order))
        distinct = node.args.get("distinct")
        whole = bool(grouping or having or distinct) or bool(node.find(exp.AggFunc, exp.Window))
        if ordered and outermost and not whole and self._switches.shuffle_unordered:
            terms += _tie_breaker(scope, terms) if numbered is None else []
        if numbered is not None:
            passed = [f"{sql} AS {identifier(name)}" for name, sql in numbered.used.items()]
            inner = ", ".join([*passed, 'row_number() OVER () AS "rownum"'])
            source = f'(SELECT {inner} FROM {source}{inner_where}) AS "ns_numbered"'
        listed = ", ".join(f"{typed.sql} AS c{number}" for number, (typed, _) in enumerate(projections))
        body = f" FROM {source}{condition}{tail}"
        sql = f"SELECT {'DISTINCT ' if distinct else ''}{listed}{body}"
        limit = _limit(node)
        count_sql = f"SELECT count(*) FROM ({sql}{limit})" if whole or limit else f"SELECT count(*){body}"
        sql += f" ORDER BY {', '.join(terms)}" if ordered else ""
        return Block(sql + limit, columns, ordered, count_sql)

    def _scope(self, node: exp.Select, outer: Scope | None) -> Scope:
        from_ = node.args.get("from_")
        if from_ is None:
            raise unsupported("SELECT without FROM")
        scope = Scope(self._switches, outer)
        for each in [from_.this, *(joined.this for joined in node.args.get("joins") or [])]:
            scope.add(self._source(each, outer))
        return scope

    def _source(self, node: exp.Expression, outer: Scope | None) -> Source:
        """A table, a sub-select or a name given by WITH."""
        alias = node.alias_or_name.lower()
        if isinstance(node, exp.Table) and node.name.lower() not in self._named:
            table = node.name.lower()
            if node.args.get("db") or not isinstance(node.this, exp.Identifier):
                raise unsupported("a table has a plain name")
            columns = columns_of(table, alias, self._switches)
            key = f"{identifier(alias)}.{identifier(READABLE[table].key)}" if table in TABLES else ""
            return Source(alias, table, columns, f"{identifier(table)} AS {identifier(alias)}", key)
        if isinstance(node, exp.Table):
            block = self._named[node.name.lower()]
        elif isinstance(node, exp.Subquery):
            block = self.query(node.this, outer)
        else:
            raise unsupported("FROM takes tables and SELECTs")
        alias = alias or "ns_sub"
        columns = {
            each.name: Typed(f"{identifier(alias)}.{each.sql}", each.kind, each.zone, each.refers, each.name)
            for each in block.columns
        }
        return Source(alias, alias, columns, f"({block.sql}) AS {identifier(alias)}")

    def _projections(self, node: exp.Select, writer: Writer) -> Iterator[tuple[Typed, exp.Expression]]:
        """The output columns; a star is all columns of its table."""
        for each in node.expressions:
            star = isinstance(each, exp.Star) or (isinstance(each, exp.Column) and isinstance(each.this, exp.Star))
            if not star:
                plain = each.this if isinstance(each, exp.Alias) else each
                typed = writer.write(plain)
                name = each.alias.lower() if isinstance(each, exp.Alias) else typed.name
                yield Typed(typed.sql, typed.kind, typed.zone, typed.refers, name, typed.required), plain
                continue
            wanted = each.table.lower() if isinstance(each, exp.Column) else ""
            for source in writer.scope.sources.values():
                if wanted in {"", source.alias}:
                    for name in source.columns:
                        yield writer.scope.column(name, source.alias), exp.column(name, source.alias)

    def _terms(
        self, order: exp.Order, writer: Writer, outputs: tuple[Typed, ...], aliases: dict[str, Typed] | None = None
    ) -> list[str]:
        """ORDER BY: a position, an output name, or an expression."""
        terms = []
        for each in order.expressions:
            node = each.this
            name = node.name.lower() if isinstance(node, exp.Column) and not node.table else ""
            if isinstance(node, exp.Literal) and not node.is_string:
                place = int(node.this) - 1
                if not 0 <= place < len(outputs):
                    raise unsupported(f"ORDER BY {place + 1}: no such column")
                value = outputs[place]
            else:
                value = (aliases or {}).get(name) or writer.write(node)
            terms.append(ordering(value, each))
        return terms

    def _pointed(self, node: exp.Expression, projections: list[tuple[Typed, exp.Expression]]) -> exp.Expression:
        """GROUP BY takes expressions, not positions."""
        if isinstance(node, exp.Literal) and projections:
            raise unsupported("GROUP BY a position")
        return node


def _output(projections: list[tuple[Typed, exp.Expression]]) -> tuple[Typed, ...]:
    """Output columns c0, c1 …; one without a name is called expr1, expr2 …"""
    columns, unnamed = [], 0
    for number, (typed, _) in enumerate(projections):
        unnamed += not typed.name
        name = typed.name or f"expr{unnamed}"
        columns.append(Typed(f"c{number}", typed.kind, typed.zone, typed.refers, name))
    return tuple(columns)


def _where(writer: Writer, conditions: list[exp.Expression]) -> str:
    written = " AND ".join(f"({writer.sql(each)})" for each in conditions)
    return f" WHERE {written}" if written else ""


def _limit(node: exp.Expression) -> str:
    limit = node.args.get("limit")
    if node.args.get("offset"):
        raise unsupported("OFFSET is not supported")
    if limit is None:
        return ""
    count = limit.args.get("count") if isinstance(limit, exp.Fetch) else None
    if not isinstance(count, exp.Literal) or count.is_string:
        raise unsupported("FETCH FIRST takes a number")
    return f" LIMIT {int(count.this)}"


def _own_columns(node: exp.Expression) -> Iterator[exp.Column]:
    """Columns of a SELECT's own clauses, not those of a SELECT within."""
    for each in node.walk(prune=lambda inner: inner is not node and isinstance(inner, exp.Query)):
        if isinstance(each, exp.Column):
            yield each


def _has_rownum(node: exp.Expression) -> bool:
    return any(each.name.lower() == "rownum" and not each.table for each in _own_columns(node))


def _mentions_rownum(node: exp.Select) -> bool:
    clauses = [*node.expressions, node.args.get("where"), node.args.get("order")]
    return any(_has_rownum(each) for each in clauses if each is not None)


def _is_unclear(order: exp.Order) -> bool:
    """No ASC and no DESC at some term."""
    return any(each.args.get("desc") is None for each in order.expressions)


def _tie_breaker(scope: Scope, terms: list[str]) -> list[str]:
    """Rows that the ORDER BY does not tell apart come in any order."""
    key = next(iter(scope.sources.values())).key
    decided = any(term.removesuffix(" DESC") == key for term in terms)
    return [] if not key or decided else [STREWN.format(key)]


def _check_grouping(
    node: exp.Select, projections: list[tuple[Typed, exp.Expression]], grouping: list[str], writer: Writer
) -> None:
    """Oracle: "not a GROUP BY expression"."""
    aggregated = any(each.find(exp.AggFunc) and not each.find(exp.Window) for each in node.expressions)
    if not grouping and not aggregated:
        return
    for typed, plain in projections:
        if typed.sql in grouping:
            continue
        for column in _own_columns(plain):
            if not column.find_ancestor(exp.AggFunc) and writer.sql(column) not in grouping:
                raise unsupported(f"{column.name} is not in GROUP BY")
