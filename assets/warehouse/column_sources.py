"""The columns of a query's result that depend on columns of the tables that it reads.

SQL  ->  DuckDB's own parser (json_serialize_sql)  ->  per selected column, the names in its expression  ->  closure

Names are not resolved to tables: a name that two tables share counts for both, so no dependent column is left out.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import duckdb
import orjson


def derived_columns(con: duckdb.DuckDBPyConnection, query: str, names: Collection[str]) -> set[str]:
    """Return these names, and those of every column, also of parts of the query, that is computed from them."""
    dependents: dict[str, set[str]] = defaultdict(set)
    for name, used in _uses(con, query):
        dependents[used].add(name)
    return _closure(dependents, names)


def columns_behind(con: duckdb.DuckDBPyConnection, query: str) -> dict[str, set[str]]:
    """Return, for each column of the query and its parts, the names from which it is computed, itself included."""
    origins: dict[str, set[str]] = defaultdict(set)
    for name, used in _uses(con, query):
        origins[name].add(used)
    return {name: _closure(origins, [name]) for name in list(origins)}


def _uses(con: duckdb.DuckDBPyConnection, query: str) -> Iterator[tuple[str, str]]:
    """Yield each selected column with each name in its expression."""
    text = con.execute("select json_serialize_sql(?::varchar)", [query]).fetchall()[0][0]
    for node in _dictionaries(orjson.loads(text)):
        for name, expression in _selected(node):
            yield from ((name, used) for used in _names_in(expression))


def _closure(following: Mapping[str, set[str]], names: Collection[str]) -> set[str]:
    found, waiting = set(names), list(names)
    while waiting:
        new = following.get(waiting.pop(), set()) - found
        found |= new
        waiting += new
    return found


def _selected(node: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield name and expression of each column that a select computes or renames."""
    for each in node.get("select_list", ()):
        columns = each.get("column_names") or [""]
        name = each.get("alias") or columns[-1]
        if name:
            yield name, each
        for renamed in each.get("rename_list") or ():
            yield renamed["value"], {"column_names": [renamed["key"]["column"]]}


def _names_in(expression: Any) -> Iterator[str]:
    for node in _dictionaries(expression):
        if node.get("column_names"):
            yield node["column_names"][-1]


def _dictionaries(node: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(node, dict):
        yield node
        node = list(node.values())
    for each in node if isinstance(node, list) else ():
        yield from _dictionaries(each)
