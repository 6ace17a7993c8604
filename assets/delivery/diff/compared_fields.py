"""The fields of existing records that a workflow owns, and their comparison in DuckDB.

workflow  ->  unowned_fields(), kept_when_blank(), ComparedFields  ->  SQL: a hash per row, and when two rows are equal
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from assets.delivery.spec.expressions import date_dependent_fields
from assets.delivery.spec.workflow_spec import WorkflowSpec
from resources.warehouse.tables import literal, quoted


def unowned_fields(spec: WorkflowSpec) -> dict[str, list[str]]:
    """Return the fields that are written on creation only, or that a source does not map, with those sources."""
    unowned: dict[str, list[str]] = {}
    for record in spec.records:
        always = {row.field for row in record.rows if row.on == "always"}
        for name in spec.target_fields:
            if name not in always:
                unowned.setdefault(name, []).append(record.source)
    return unowned


def kept_when_blank(spec: WorkflowSpec) -> dict[str, list[str]]:
    """Return the fields that keep the target's value while ours is blank, with those sources."""
    kept: dict[str, list[str]] = {}
    for record in spec.records:
        for row in record.rows:
            if row.on_blank == "keep" and row.on == "always":
                kept.setdefault(row.field, []).append(record.source)
    return kept


@dataclass(frozen=True)
class ComparedFields:
    """The fields that are compared.

    Attributes:
        hashed: By source, the fields that go into its hash.
        nullable: Fields that are compared one by one, because a blank value of ours equals any, with their sources.
    """

    hashed: Mapping[str, tuple[str, ...]]
    nullable: Mapping[str, Sequence[str]]

    @classmethod
    def of(cls, spec: WorkflowSpec, columns: Collection[str]) -> "ComparedFields":
        """Return the fields that a workflow owns in existing records, without dates that move with the calendar."""
        moving, unowned = date_dependent_fields(spec), unowned_fields(spec)
        fields = [name for name in spec.target_fields if name in columns and name not in moving]
        nullable = {name: sources for name, sources in kept_when_blank(spec).items() if name in fields}
        hashed = {
            record.source: tuple(
                name for name in fields if record.source not in (*unowned.get(name, ()), *nullable.get(name, ()))
            )
            for record in spec.records
        }
        return cls(hashed, nullable)

    @property
    def desired_columns(self) -> str:
        """Columns of the desired side: the hash of the record's source, and the nullable fields."""
        return self._columns([(by_source({source: _hash(names) for source, names in self.hashed.items()}), "row_hash")])

    @property
    def actual_columns(self) -> str:
        """Columns of the actual side: a hash for each set of fields, and the nullable fields."""
        return self._columns([(_hash(names), f"row_hash_{number}") for number, names in enumerate(self._sets)])

    @property
    def equal(self) -> str:
        """The condition, over the tables `desired` and `actual`, that a record shows what it should."""
        return by_source({source: self._equal(source, names) for source, names in self.hashed.items()})

    @property
    def _sets(self) -> list[tuple[str, ...]]:
        return [*dict.fromkeys(self.hashed.values())]

    def _columns(self, hashes: Sequence[tuple[str, str]]) -> str:
        nullable = [(quoted(name), quoted(_nullable(name))) for name in self.nullable]
        return ", ".join(f"{expression} as {name}" for expression, name in [*hashes, *nullable])

    def _equal(self, source: str, names: tuple[str, ...]) -> str:
        nullable = [quoted(_nullable(name)) for name, sources in self.nullable.items() if source in sources]
        each = [f"(desired.{name} is null or desired.{name} is not distinct from actual.{name})" for name in nullable]
        return " and ".join([f"desired.row_hash = actual.row_hash_{self._sets.index(names)}", *each])


def by_source(texts: Mapping[str, str]) -> str:
    """Return an SQL expression that differs by source; null for a source that the workflow does not have."""
    cases = " ".join(f"when {literal(source)} then {text}" for source, text in texts.items())
    return f"case source {cases} end"


def _hash(names: Sequence[str]) -> str:
    return f"hash({', '.join(map(quoted, names))})" if names else "0::ubigint"


def _nullable(name: str) -> str:
    return f"nullable {name}"
