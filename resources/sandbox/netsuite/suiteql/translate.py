"""Translation of SuiteQL statements to SQLite, cached by text: keyset pages differ only in their parameters.

translate(text, top, switches)  ->  Statement(page_sql, count_sql, keys)
"""

from dataclasses import dataclass
from functools import lru_cache

from sqlglot import exp

from resources.sandbox.netsuite.errors import unsupported
from resources.sandbox.netsuite.store.tables import READABLE, TABLES
from resources.sandbox.netsuite.suiteql.clauses import limit_sql
from resources.sandbox.netsuite.suiteql.expressions import expression_writer
from resources.sandbox.netsuite.suiteql.parser import parse
from resources.sandbox.netsuite.suiteql.query_block import SHUFFLED, Block, order_terms, select_block
from resources.sandbox.netsuite.suiteql.scope import Scope, Source
from resources.sandbox.netsuite.suiteql.typed import Typed, as_local, identifier, quoted
from resources.sandbox.netsuite.suiteql.visible_columns import columns_of, visible_rows
from resources.sandbox.netsuite.switches import NetSuiteSwitches


@dataclass(frozen=True)
class Statement:
    """SQLite statements of one page; parameters: p0 …, now, shuffle, limit, offset."""

    page_sql: str
    count_sql: str
    keys: tuple[str, ...]


@lru_cache(maxsize=512)
def translate(text: str, top: int, switches: NetSuiteSwitches) -> Statement:
    """Translate a scanned statement.

    Raises:
        ApiError: It is not SuiteQL, or names something that this account does not have.
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
        sql = f"SELECT * FROM ({sql}) ORDER BY {SHUFFLED.format('row_number() OVER ()')}"
    rendered = ", ".join(_rendered(each, switches) for each in block.columns)
    page_sql = f"SELECT {rendered} FROM (SELECT * FROM ({sql}) LIMIT :limit OFFSET :offset)"
    return Statement(page_sql, count_sql, tuple(each.name for each in block.columns))


def _rendered(column: Typed, switches: NetSuiteSwitches) -> str:
    """Return an output value as text; a time is shortened to a date in the user's format, as in NetSuite."""
    local = as_local(column)
    if local.kind == "local":
        return f"ns_day({local.sql}, {quoted(switches.date_format)})"
    return f"CAST({column.sql} AS TEXT)" if column.kind == "int" else column.sql


class _Translation:
    """Translation of one statement."""

    def __init__(self, switches: NetSuiteSwitches) -> None:
        self._switches = switches
        self._named: dict[str, Block] = {}

    def query(self, node: exp.Expr, outer: Scope | None, *, outermost: bool = False) -> Block:
        """Translate a SELECT, a set operation, or either in parentheses."""
        if isinstance(node, exp.Subquery):
            return self.query(node.this, outer, outermost=outermost)
        named = node.args.get("with_")
        for each in named.expressions if named else []:
            self._named[each.alias.lower()] = self.query(each.this, None)
        if isinstance(node, exp.SetOperation):
            return self._set_operation(node, outer)
        if isinstance(node, exp.Select):
            return select_block(node, self._scope(node, outer), self.nested, outermost=outermost)
        raise unsupported(f"{type(node).__name__} is not a query")

    def nested(self, node: exp.Expr, outer: Scope) -> Typed:
        """Translate a SELECT within an expression."""
        block = self.query(node, outer)
        first = block.columns[0]
        return Typed(f"({block.sql})", first.kind, first.zone, first.refers)

    def _set_operation(self, node: exp.SetOperation, outer: Scope | None) -> Block:
        operators: dict[type[exp.Expr], str] = {exp.Union: "UNION", exp.Intersect: "INTERSECT", exp.Except: "EXCEPT"}
        operator = operators[type(node)] + ("" if node.args.get("distinct") else " ALL")
        left, right = self.query(node.this, outer), self.query(node.expression, outer)
        if len(left.columns) != len(right.columns):
            raise unsupported("the SELECTs have different numbers of columns")
        sql = f"SELECT * FROM ({left.sql}) {operator} SELECT * FROM ({right.sql})"
        order = node.args.get("order")
        if order:
            aliases = {each.name: each for each in left.columns}
            terms = order_terms(order, expression_writer(Scope(self._switches), self.nested), left.columns, aliases)
            sql = f"SELECT * FROM ({sql}) ORDER BY {', '.join(terms)}"
        sql += limit_sql(node)
        return Block(sql, left.columns, bool(order), f"SELECT count(*) FROM ({sql})")

    def _scope(self, node: exp.Select, outer: Scope | None) -> Scope:
        """Return the scope with the sources of a SELECT."""
        from_ = node.args.get("from_")
        if from_ is None:
            raise unsupported("SELECT without FROM")
        scope = Scope(self._switches, outer)
        for each in [from_.this, *(joined.this for joined in node.args.get("joins") or [])]:
            scope.add(self._source(each, outer))
        return scope

    def _source(self, node: exp.Expr, outer: Scope | None) -> Source:
        """Return the source of a table, a subquery or a name of WITH."""
        alias = node.alias_or_name.lower()
        if isinstance(node, exp.Table) and node.name.lower() not in self._named:
            table = node.name.lower()
            if node.args.get("db") or not isinstance(node.this, exp.Identifier):
                raise unsupported("qualified table name")
            columns = columns_of(table, alias, self._switches)
            key = f"{identifier(alias)}.{identifier(READABLE[table].key)}" if table in TABLES else ""
            rows = visible_rows(table, self._switches)
            return Source(alias, table, columns, f"{rows} AS {identifier(alias)}", key)
        if isinstance(node, exp.Table):
            return _derived(alias, self._named[node.name.lower()])
        if isinstance(node, exp.Subquery):
            return _derived(alias or "ns_sub", self.query(node.this, outer))
        raise unsupported("FROM takes tables and subqueries")


def _derived(alias: str, block: Block) -> Source:
    """Return a subquery as a source."""
    columns = {
        each.name: Typed(f"{identifier(alias)}.{each.sql}", each.kind, each.zone, each.refers, each.name)
        for each in block.columns
    }
    return Source(alias, alias, columns, f"({block.sql}) AS {identifier(alias)}")
