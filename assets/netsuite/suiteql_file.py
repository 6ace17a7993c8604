"""Parse a SuiteQL file, so that columns and conditions can be added and removed.

sql/extract/<record type>.sql  ->  Query  ->  .with_columns(…) .without(…)  ->  .page(conditions) | .extent(…) | .ids(…)

Each file has one column per line, then `from`, `where … <key> > ?` and `order by <key> asc`.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from sql import Statement, statement

_PARTS = re.compile(
    r"\Aselect\n(?P<columns>.*?)\nfrom (?P<source>.*?)\nwhere (?P<where>.*?)\norder by (?P<key>\S+) asc\Z", re.DOTALL
)
_COLUMN = re.compile(r"^    (?P<expression>\S.*?),?(?:\s+--\s+(?P<comment>.*))?$")
# custentity_region if a developer named it, custentity12 if NetSuite did; cseg_brand is a custom segment
_CUSTOM = re.compile(r"(?:cust(?:entity|record|item)|cseg)[0-9_][a-z0-9_]*")


def is_custom_field(name: str) -> bool:
    """Return whether a name is the id of a custom segment, or of a custom field of an entity, custom record or item."""
    return _CUSTOM.fullmatch(name) is not None


@dataclass(frozen=True)
class SourceColumn:
    """One column of a SuiteQL file: `expression as name`."""

    name: str
    expression: str
    comment: str = ""

    @property
    def text(self) -> str:
        """The column as written in the select list."""
        return self.expression if self.expression.endswith(f".{self.name}") else f"{self.expression} as {self.name}"

    def mentions(self, identifier: str) -> bool:
        """Return whether the expression contains an identifier that NetSuite rejected."""
        bare = re.escape(identifier.lower().rpartition(".")[2])
        return re.search(rf"\b{bare}\b", self.expression.lower()) is not None


@dataclass(frozen=True)
class Query:
    """The SuiteQL of one NetSuite table."""

    statement: Statement
    columns: tuple[SourceColumn, ...]
    source: str
    where: str
    key_expression: str

    @classmethod
    def of(cls, name: str) -> "Query":
        """Read `sql/extract/<name>.sql`; ValueError if the file is not in the expected form."""
        found = statement("extract", name)
        parts = _PARTS.match(found.text)
        if parts is None:
            raise ValueError(f"sql/extract/{name}.sql: must be select, from, where, order by … asc")
        columns = tuple(_column(line) for line in parts["columns"].splitlines() if not line.strip().startswith("--"))
        return cls(found, columns, parts["source"], " ".join(parts["where"].split()), parts["key"])

    @property
    def key(self) -> str:
        """Name of the key column."""
        return self.statement.key[0]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns, in order."""
        return tuple(column.name for column in self.columns)

    @property
    def fingerprint(self) -> str:
        """Hash of the columns and their expressions."""
        listed = "\n".join(sorted(column.text for column in self.columns))
        return hashlib.blake2b(listed.encode(), digest_size=8).hexdigest()

    def with_columns(self, custom: Iterable[str]) -> "Query":
        """Add custom fields of the record's own table.

        Raises:
            ValueError: A name is not the id of a custom field; nothing else may enter the query text.
        """
        alias = self.key_expression.partition(".")[0]
        added = []
        for name in dict.fromkeys(each.lower() for each in custom):
            if not is_custom_field(name):
                raise ValueError(f"{name!r} is not the id of a custom field, such as custentity_region")
            if name not in self.names:
                added.append(SourceColumn(name, f"{alias}.{name}", "custom field as NetSuite sends it"))
        return replace(self, columns=(*self.columns, *added))

    def without(self, names: Iterable[str]) -> "Query":
        """Remove columns."""
        removed = set(names)
        return replace(self, columns=tuple(column for column in self.columns if column.name not in removed))

    def with_expression(self, name: str, expression: str) -> "Query":
        """Read one column from another expression."""
        columns = (replace(each, expression=expression) if each.name == name else each for each in self.columns)
        return replace(self, columns=tuple(columns))

    def substituted(self, pattern: re.Pattern[str], replacement: str) -> "Query":
        """Replace a pattern in every column's expression; the names stay."""
        columns = (replace(each, expression=pattern.sub(replacement, each.expression)) for each in self.columns)
        return replace(self, columns=tuple(columns))

    def page(self, conditions: Sequence[str] = ()) -> str:
        """Return the query for one page after a key; parameters: the conditions' values, then the key."""
        listed = ", ".join(column.text for column in self.columns)
        return f"select {listed} {self._rest(conditions)} order by {self.key_expression} asc"

    def ids(self, conditions: Sequence[str] = ()) -> str:
        """Return the same query for the key alone."""
        return f"select {self.key_expression} {self._rest(conditions)} order by {self.key_expression} asc"

    def extent(self, conditions: Sequence[str] = ()) -> str:
        """Return the query for the lowest key, the highest key and the number of rows after a key: lo, hi, n."""
        key = self.key_expression
        return f"select min({key}) as lo, max({key}) as hi, count(*) as n {self._rest(conditions)}"

    def count(self, name: str, conditions: Sequence[str] = ()) -> str:
        """Return the query for the number of rows after a key, under a name that has no quote: which, n."""
        return f"select '{name}' as which, count(*) as n {self._rest(conditions)}"

    def _rest(self, conditions: Sequence[str]) -> str:
        return f"from {self.source} where {' and '.join((*conditions, self.where))}"


def _column(line: str) -> SourceColumn:
    found = _COLUMN.match(line)
    if found is None:
        raise ValueError(f"not a column on a line of its own: {line!r}")
    expression, separator, name = found["expression"].rpartition(" as ")
    if not separator:
        expression, name = found["expression"], found["expression"].rpartition(".")[2]
    return SourceColumn(name, expression, found["comment"] or "")
