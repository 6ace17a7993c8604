"""Transform staged records into target records, each with its disposition and reason.

rows of stg_netsuite__<source>  ->  Transform.apply()  ->  rows of mart_<workflow>, see fingerprints.py for two of them
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import polars as pl

from assets.delivery.cases import ALWAYS, Case, first_match
from assets.delivery.errors import MappingError
from assets.delivery.mart.disposition import LEVEL, disposition_cases
from assets.delivery.mart.entities import decoded
from assets.delivery.mart.hierarchy import family_columns
from assets.delivery.mart.lookup import ValueLists, with_value_lists
from assets.delivery.mart.typed_values import typed_parts
from assets.delivery.mart.unread import Unread
from assets.delivery.mart.unusable import find_unusable, without
from assets.delivery.schemas import DELIVER, INPUT_HASH, KEY, MART_COLUMNS
from assets.delivery.spec.expressions import FAILURES, TODAY, canonical, date_dependent_fields, row_expression
from assets.delivery.spec.field_mapping import Lookup
from assets.delivery.spec.record_map import RecordMap
from assets.delivery.spec.workflow_spec import WorkflowSpec


@dataclass(frozen=True)
class Transform:
    """Everything that the records of one mart have in common.

    Attributes:
        workflow: Name of the workflow, for error texts.
        spec: The workflow, its references resolved to value lists.
        unread: What is unknown of a lookup, or of a workflow that rows refer to.
        never_read: By source, the record types that were never read, by the column that comes from them.
        levels: See `levels_of`, over all sources of the workflow.
        forgotten: By source, the NetSuite ids of forgotten records.
    """

    workflow: str
    spec: WorkflowSpec
    lists: ValueLists
    unread: Mapping[Lookup | str, Unread]
    never_read: Mapping[str, Mapping[str, str]]
    levels: pl.DataFrame
    today: date
    forgotten: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def apply(self, record: RecordMap, table: pl.DataFrame) -> pl.DataFrame:
        """Transform rows of one source.

        Args:
            record: One of the workflow's record maps.
            table: Rows of its staging table: the columns it reads, the key, is_inactive and is_deleted (bool), and the
                fingerprints source_hash and INPUT_HASH.

        Returns:
            MART_COLUMNS and the workflow's target fields (str; null if blank), one row per source record. Its
            payload_hash is still the text that it is computed from.

        Raises:
            MappingError: An expression does not fit the table.
        """
        resolved = with_value_lists(record, self.lists)
        try:
            parts = [self._part(resolved, part, misfits) for part, misfits in typed_parts(table)]
        except FAILURES as error:
            # the rest of Polars' text, and its own exception, would show the values themselves
            problem = str(error).partition("\n")[0].partition(": [")[0]
            raise MappingError(f"{self._place(record)}: the mapping does not fit {record.table}: {problem}") from None
        return pl.concat(parts).select(*MART_COLUMNS, *self.spec.target_fields)

    def _part(self, record: RecordMap, table: pl.DataFrame, misfits: Collection[str]) -> pl.DataFrame:
        """Transform rows whose values have the same types; `misfits` are text although their field has a type."""
        table = decoded(table) if self.spec.html_entities == "decode" else table
        return self._held_apart(record, self._with_context(record, table), misfits)

    def _place(self, record: RecordMap) -> str:
        return f"{self.workflow}.{record.source}"

    def _with_context(self, record: RecordMap, table: pl.DataFrame) -> pl.DataFrame:
        """Add TODAY and LEVEL."""
        family = table.select(family_columns(record))
        level = family.join(self.levels, on=KEY, how="left", maintain_order="left")["level"]
        today = pl.lit(self.today, dtype=pl.Date)
        return table.with_columns(today.alias(TODAY), level.fill_null(1).cast(pl.Int32).alias(LEVEL))

    def _held_apart(self, record: RecordMap, table: pl.DataFrame, misfits: Collection[str]) -> pl.DataFrame:
        """Return the mart's columns; records with a value that an expression cannot use are quarantined."""
        try:
            return self._mapped(record, table)
        except FAILURES:
            unusable = find_unusable(record, table, misfits)
            if not unusable:
                raise
        rows = pl.int_range(table.height, eager=True)
        held = {row for numbers in unusable.values() for row in numbers}
        usable = table.filter(~rows.is_in(held))
        parts = [self._mapped(record, usable)] if usable.height else []
        for places, numbers in unusable.items():
            reduced, case = without(record, places)
            parts.append(self._mapped(reduced, table[numbers], [case]))
        return pl.concat(parts)

    def _mapped(self, record: RecordMap, table: pl.DataFrame, unusable: Sequence[Case] = ()) -> pl.DataFrame:
        """Return the mart's columns.

        Args:
            record: The record map.
            table: The rows, with context.
            unusable: The case of rows with values that the file's own record map cannot use.
        """
        place, null = self._place(record), pl.lit(None, dtype=pl.String)
        values = {row.field: canonical(row_expression(row, place, table), table) for row in record.rows}
        never_read = self.never_read.get(record.source, {})
        cases = disposition_cases(
            record, values, table, self.spec.max_level, self._unread(record), never_read, unusable, lists=self.lists,
            forgotten=self.forgotten.get(record.source, ()),
        )  # fmt: skip
        disposition = first_match(cases, Case(ALWAYS, DELIVER, None, None))
        date_dependent = date_dependent_fields(self.spec)
        sent = (name for name in self.spec.target_fields if name not in date_dependent)
        return table.select(
            *family_columns(record),
            disposition.action.alias("disposition"),
            disposition.code.alias("reason_code"),
            disposition.reason.alias("reason"),
            pl.col(LEVEL).alias("level"),
            pl.col("source_hash", INPUT_HASH),
            *(values.get(name, null).alias(name) for name in self.spec.target_fields),
        ).with_columns(_serialized(("parent_source", "parent_source_id", *sent)).alias("payload_hash"))

    def _unread(self, record: RecordMap) -> Mapping[str, Unread]:
        """Return by target field what is unknown of the lookups, or of the reference, of its row."""
        read = {row.field: [*(row.lookup.chain if row.lookup else ()), row.reference] for row in record.rows}
        found = {name: [self.unread[each] for each in names if each in self.unread] for name, names in read.items()}
        return {name: unread[0] for name, unread in found.items() if unread}


def _serialized(columns: Iterable[str]) -> pl.Expr:
    """Return one text per row that differs if any value differs."""
    return pl.struct([pl.col(name) for name in columns] or [pl.lit(None)]).struct.json_encode()
