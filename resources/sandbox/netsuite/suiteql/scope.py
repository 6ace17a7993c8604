"""Columns that a SELECT may name, and NetSuite's errors for others."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from resources.sandbox.netsuite.errors import QUERY_PREFIX, ApiError, unknown_name, unsupported
from resources.sandbox.netsuite.suiteql.typed import Typed, identifier
from resources.sandbox.netsuite.switches import NetSuiteSwitches


@dataclass(frozen=True)
class Source:
    """One table or subquery of a FROM clause."""

    alias: str
    table: str
    columns: Mapping[str, Typed]
    sql: str
    key: str = ""  # SQL of the key, for a table


@dataclass
class Scope:
    """The sources of one SELECT and of its outer SELECT."""

    switches: NetSuiteSwitches
    outer: "Scope | None" = None
    sources: dict[str, Source] = field(default_factory=dict)

    def add(self, source: Source) -> None:
        """Add a source."""
        if source.alias in self.sources:
            raise unsupported(f"duplicate alias {source.alias}")
        self.sources[source.alias] = source

    def column(self, name: str, table: str = "") -> Typed:
        """Return the column that a name refers to.

        Raises:
            ApiError: The name is unknown or ambiguous.
        """
        if table and table not in self.sources:
            if self.outer and self.outer.has_source(table):
                return self.outer.column(name, table)
            raise self._unknown(table, "")
        sources = [self.sources[table]] if table else list(self.sources.values())
        found = [(each, each.columns[name]) for each in sources if name in each.columns]
        if len(found) > 1:
            raise unsupported(f"column {name} is ambiguous")
        if found:
            return self.use(found[0][0], name, found[0][1])
        if not table and self.outer:
            return self.outer.column(name)
        raise self._unknown(name, sources[0].table if sources else "")

    def has_source(self, table: str) -> bool:
        """Return whether an alias is a source here or in an outer SELECT."""
        return table in self.sources or (self.outer is not None and self.outer.has_source(table))

    def use(self, source: Source, name: str, column: Typed) -> Typed:
        """Return a column as expressions write it."""
        del source, name
        return column

    def _unknown(self, name: str, table: str) -> ApiError:
        if self.switches.unknown_column_500:
            detail = "An unexpected error occurred. Error ID: mp1ah7ru5f8zv0x2bq4nk"
            return ApiError(500, "UNEXPECTED_ERROR", detail, reason=f"unknown column {name}")
        return unknown_name(self._unknown_text(name, table), self.switches.unknown_column_status)

    def _unknown_text(self, name: str, table: str) -> str:
        known = ", ".join(f"{each.alias}={each.table}" for each in self.sources.values())
        named = f"{QUERY_PREFIX}Unknown identifier '{name}'. Available identifiers are: {{{known}}}."
        if self.switches.unknown_column_text == "field":
            return f"{QUERY_PREFIX}Field '{name}' for record '{table}' was not found." if table else named
        return named if self.switches.unknown_column_text == "identifier" else self.switches.unknown_column_text


@dataclass
class NumberedScope(Scope):
    """The same columns after ROWNUM was assigned: they come from a subquery, so they have new names."""

    used: dict[str, str] = field(default_factory=dict)

    def use(self, source: Source, name: str, column: Typed) -> Typed:
        """Record the column, and return it under its name in the subquery."""
        inner = f"{source.alias}.{name}"
        self.used[inner] = column.sql
        return Typed(
            f"ns_source.{identifier(inner)}", column.kind, column.zone, column.refers, column.name, column.required
        )

    def column(self, name: str, table: str = "") -> Typed:
        """Return the column that a name refers to, ROWNUM included."""
        if name == "rownum" and not table:
            return Typed("ns_source.rownum", "int", name="rownum")
        return Scope.column(self, name, table)
