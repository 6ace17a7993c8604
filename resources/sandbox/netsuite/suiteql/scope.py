"""Which columns a statement may name, and NetSuite's words for those it may not."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from resources.sandbox.netsuite.refusal import QUERY_PREFIX, Refusal, bad_query, unsupported
from resources.sandbox.netsuite.suiteql.typed import Typed, identifier
from resources.sandbox.netsuite.switches import NetSuiteSwitches


@dataclass(frozen=True)
class Source:
    """One table or sub-select of a FROM clause."""

    alias: str
    table: str
    columns: Mapping[str, Typed]
    sql: str
    key: str = ""  # SQL of the key, for a real table


@dataclass
class Scope:
    """The sources of one SELECT, and those of the SELECT around it."""

    switches: NetSuiteSwitches
    outer: "Scope | None" = None
    sources: dict[str, Source] = field(default_factory=dict)

    def add(self, source: Source) -> None:
        """Take in one more source."""
        if source.alias in self.sources:
            raise unsupported(f"alias {source.alias} twice")
        self.sources[source.alias] = source

    def column(self, name: str, table: str = "") -> Typed:
        """The column that a name means here.

        Raises:
            Refusal: None, or more than one.
        """
        if table and table not in self.sources:
            if self.outer and self.outer.knows(table):
                return self.outer.column(name, table)
            raise self._unknown(table, "")
        holders = [self.sources[table]] if table else list(self.sources.values())
        found = [(each, each.columns[name]) for each in holders if name in each.columns]
        if len(found) > 1:
            raise unsupported(f"column {name} is ambiguous")
        if found:
            return self.taken(found[0][0], name, found[0][1])
        if not table and self.outer:
            return self.outer.column(name)
        raise self._unknown(name, holders[0].table if holders else "")

    def knows(self, table: str) -> bool:
        """Whether an alias is a source here or further out."""
        return table in self.sources or (self.outer is not None and self.outer.knows(table))

    def taken(self, source: Source, name: str, column: Typed) -> Typed:
        """A column as expressions write it."""
        del source, name
        return column

    def _unknown(self, name: str, table: str) -> Refusal:
        if self.switches.unknown_column_500:
            detail = "An unexpected error occurred. Error ID: mp1ah7ru5f8zv0x2bq4nk"
            return Refusal(500, "UNEXPECTED_ERROR", detail, reason=f"unknown column {name}")
        if self.switches.unknown_column_text == "field" and table:
            detail = f"{QUERY_PREFIX}Field '{name}' for record '{table}' was not found."
            return Refusal(400, "INVALID_PARAMETER", detail, place={"o:errorQueryParam": "q"})
        known = ", ".join(f"{each.alias}={each.table}" for each in self.sources.values())
        return bad_query(f"Unknown identifier '{name}'. Available identifiers are: {{{known}}}.")


@dataclass
class NumberedScope(Scope):
    """The same columns after ROWNUM was given out: they come through a sub-select, so they have new names."""

    used: dict[str, str] = field(default_factory=dict)

    def taken(self, source: Source, name: str, column: Typed) -> Typed:
        """Note the column, and name it as the sub-select does."""
        passed = f"{source.alias}.{name}"
        self.used[passed] = column.sql
        return Typed(
            f"ns_source.{identifier(passed)}", column.kind, column.zone, column.refers, column.name, column.required
        )

    def column(self, name: str, table: str = "") -> Typed:
        """ROWNUM is a column here."""
        if name == "rownum" and not table:
            return Typed("ns_source.rownum", "int", name="rownum")
        return Scope.column(self, name, table)
