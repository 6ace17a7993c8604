"""Shape source records into target records, and say of each one why it is or is not to be delivered.

stg_netsuite__<source> (frame)  ->  shape()  ->  mart_<workflow> (frame, one row per source record)
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from functools import reduce

import duckdb
import polars as pl

from assets.delivery.mart.hierarchy import CIRCLE, levels_of
from assets.delivery.schemas import KEY
from assets.delivery.spec.expressions import (
    TICKED,
    TODAY,
    MappingError,
    _value_list,
    as_list,
    as_text,
    dated,
    key_column,
    parse,
    resolved,
    row_expression,
    source_columns,
)
from assets.delivery.spec.field_mapping import LookUp
from assets.delivery.spec.policies import Select
from assets.delivery.spec.workflow_spec import RecordMap, WorkflowSpec
from resources.warehouse.tables import Arrow

# Columns that every mart has before the target's own fields.
MART_COLUMNS: dict[str, pl.DataType | type[pl.DataType]] = {
    "source": pl.String,
    "source_id": pl.String,
    "disposition": pl.String,
    "reason_code": pl.String,
    "reason": pl.String,
    "parent_source": pl.String,
    "parent_source_id": pl.String,
    "level": pl.Int32,
    "source_hash": pl.String,
    "payload_hash": pl.String,
}
MART_COMMENTS = {
    "source": "Staging table that the record comes from, without its prefix.",
    "source_id": "NetSuite internal id.",
    "disposition": "deliver, retire (switch off if it is there), skip or quarantine.",
    "reason_code": "Why, as a code; null when the record is simply delivered.",
    "reason": "Why, in words.",
    "parent_source": "Source of the parent record.",
    "parent_source_id": "NetSuite internal id of the parent record.",
    "level": "Depth in the tree of this workflow; 1 has no parent, 0 goes round in a circle.",
    "source_hash": "Fingerprint of the source columns that the mapping reads.",
    "payload_hash": "Fingerprint of the values to be sent.",
}
DELIVER, RETIRE, SKIP, QUARANTINE = "deliver", "retire", "skip", "quarantine"
A_FEW = 10  # so many records without any value in a check box: it is not seen, rather than never ticked
HASH_VERSION = "2"  # of the fingerprint below; a new one makes every record differ once

Because = tuple[pl.Expr, str, str, str]  # condition, disposition, reason code, reason


def shape(
    spec: WorkflowSpec,
    workflow: str,
    tables: Mapping[str, pl.DataFrame],
    *,
    looked_up: Mapping[LookUp, pl.DataFrame] | None = None,
    today: date | None = None,
) -> pl.DataFrame:
    """Every record of every source of one workflow, target-shaped, with its disposition.

    Args:
        spec: The workflow.
        workflow: Its name, for error texts.
        tables: Staging tables by name; each has its key column, is_inactive and is_deleted (bool).
        looked_up: For each look-up of the workflow the table's columns `by` and `return`.
        today: The day of the run.

    Returns:
        MART_COLUMNS, then the workflow's target fields (str, null for blank); one row per source record.

    Raises:
        MappingError: A column does not exist or an expression does not fit the table.
    """
    lists = {lookup: as_list(frame, lookup.several) for lookup, frame in (looked_up or {}).items()}
    for record in spec.records:
        table = tables[record.table]
        flag = record.select.require_flag
        check_columns(record, f"{workflow}.{record.source}", table.columns)
        check_flag(record, f"{workflow}.{record.source}", table.height, table[flag].count() if flag else 0)
    family = [family_of(record, tables[record.table]) for record in spec.records]
    levels = levels_of(pl.concat(family))
    with duckdb.connect() as con:
        return pl.concat(
            shape_records(spec, resolved(record, lists), workflow, tables[record.table], levels, con, today)
            for record in spec.records
        )


def check_columns(record: RecordMap, where: str, columns: Sequence[str]) -> None:
    """Compare what the record map reads with what the staging table has.

    Raises:
        MappingError: A column does not exist.
    """
    missing = sorted(set(source_columns(record, where)) - set(columns) - {TODAY})
    if missing:
        raise MappingError(
            f"{where}: {record.table} has no column {', '.join(missing)}; correct the workflow file, or add the"
            f" custom field to the extraction. There are: {', '.join(sorted(columns))}"
        )


def check_flag(record: RecordMap, where: str, records: int, filled: int) -> None:
    """Notice a check box that NetSuite does not show; `filled` records have a value in it.

    Raises:
        MappingError: None has.
    """
    flag = record.select.require_flag
    if flag and records >= A_FEW and not filled:
        raise MappingError(
            f"{where}: no record at all has a value in {flag}, so none would take part; correct require_flag in the"
            " workflow file, or let NetSuite's role see the field"
        )


def family_of(record: RecordMap, table: pl.DataFrame) -> pl.DataFrame:
    """Every record of a staging table with its parent: FAMILY_SCHEMA."""
    return table.select(pl.lit(record.source).alias("source"), _key(record), *_parent(record))


def shape_records(
    spec: WorkflowSpec,
    record: RecordMap,
    workflow: str,
    table: pl.DataFrame,
    levels: pl.DataFrame,
    con: duckdb.DuckDBPyConnection,
    today: date | None = None,
) -> pl.DataFrame:
    """The records of one source, or some of them, as `shape` says.

    Args:
        spec: The workflow.
        record: One of its record maps, its look-ups resolved.
        workflow: Its name, for error texts.
        table: Rows of the staging table.
        levels: As `levels_of` counts them for all sources together.
        con: Any connection; it makes the fingerprints.
        today: The day of the run.

    Raises:
        MappingError: An expression does not fit the table.
    """
    day = pl.lit(today, dtype=pl.Date).alias(TODAY)
    shaped = _mapped(record, f"{workflow}.{record.source}", table.with_columns(day), spec.columns)
    moving = dated(spec)
    lasting = [name for name in spec.columns if name not in moving]
    payload = _fingerprint([pl.col(name) for name in ("parent_source", "parent_source_id", *lasting)])
    mart = _hashed(shaped.with_columns(payload.alias("payload_hash")), con)
    mart = mart.join(levels, on=KEY, how="left", maintain_order="left").with_columns(pl.col("level").fill_null(1))
    mart = _quarantined(mart, pl.col("level") == CIRCLE, "parent_ring", pl.lit("its parents go round in a circle"))
    if spec.max_level is not None:
        deep = pl.format(
            "level {} is deeper than the {} that the target takes", pl.col("level"), pl.lit(spec.max_level)
        )
        mart = _quarantined(mart, pl.col("level") > spec.max_level, "too_deep", deep)
    return mart.select(*MART_COLUMNS, *spec.columns)


def _quarantined(mart: pl.DataFrame, condition: pl.Expr, code: str, reason: pl.Expr) -> pl.DataFrame:
    hit = condition & pl.col("disposition").eq(DELIVER)
    return mart.with_columns(
        pl.when(hit).then(pl.lit(QUARANTINE)).otherwise(pl.col("disposition")).alias("disposition"),
        pl.when(hit).then(pl.lit(code)).otherwise(pl.col("reason_code")).alias("reason_code"),
        pl.when(hit).then(reason).otherwise(pl.col("reason")).alias("reason"),
    )


def _mapped(record: RecordMap, where: str, table: pl.DataFrame, columns: list[str]) -> pl.DataFrame:
    reads = source_columns(record, where)
    try:
        mapped = {row.field: _canonical(row_expression(row, where, table), table) for row in record.rows}
        return table.select(
            pl.lit(record.source).alias("source"),
            _key(record),
            *_parent(record),
            *_verdict(record, mapped, table),
            _fingerprint([pl.col(name) for name in reads if name != TODAY]).alias("source_hash"),
            *(mapped.get(name, pl.lit(None, dtype=pl.String)).alias(name) for name in columns),
        )
    except pl.exceptions.PolarsError as error:
        # the rest of Polars' text, and its own exception, would show the values themselves
        problem = str(error).partition("\n")[0].partition(": [")[0]
        raise MappingError(f"{where}: the mapping does not fit {record.table}: {problem}") from None


def _key(record: RecordMap) -> pl.Expr:
    return pl.col(key_column(record.source)).cast(pl.String).alias("source_id")


def _canonical(expression: pl.Expr, table: pl.DataFrame) -> pl.Expr:
    """Text as targets compare it: booleans as 1 and 0, blank as null."""
    text = as_text(expression, table)
    return pl.when(text.str.strip_chars() == "").then(None).otherwise(text)


def _parent(record: RecordMap) -> list[pl.Expr]:
    none = pl.lit(None, dtype=pl.String)
    choices = [(source, pl.col(column).cast(pl.String)) for source, column in (record.parent or {}).items()]
    source = reduce(
        lambda rest, choice: pl.when(choice[1].is_not_null()).then(pl.lit(choice[0])).otherwise(rest),
        reversed(choices),
        none,
    )
    key = pl.coalesce([choice for _, choice in choices]) if choices else none
    return [source.alias("parent_source"), key.alias("parent_source_id")]


def _verdict(record: RecordMap, mapped: Mapping[str, pl.Expr], table: pl.DataFrame) -> list[pl.Expr]:
    """The first reason that applies decides; without any the record is delivered."""
    reasons = [*_gone(record), *_out_of_scope(record), *_invalid(record, mapped, table)]

    def pick(position: int, default: str | None) -> pl.Expr:
        start = pl.lit(default, dtype=pl.String)
        return reduce(
            lambda rest, because: (
                pl.when(because[0].fill_null(value=False)).then(pl.lit(because[position])).otherwise(rest)
            ),
            reversed(reasons),
            start,
        )

    return [
        pick(1, DELIVER).alias("disposition"),
        pick(2, None).alias("reason_code"),
        pick(3, None).alias("reason"),
    ]


def _gone(record: RecordMap) -> Iterable[Because]:
    off = {"deactivate": RETIRE, "report": SKIP}
    yield pl.col("is_deleted"), off[record.lifecycle.deleted], "deleted", "deleted in NetSuite"
    yield pl.col("is_inactive"), off[record.lifecycle.inactive], "inactive", "inactive in NetSuite"


def _out_of_scope(record: RecordMap) -> Iterable[Because]:
    off = {"deactivate": RETIRE, "report": SKIP}[record.lifecycle.out_of_scope]
    select: Select = record.select
    for stage, choice in (select.stages or {}).items():
        if choice == "skip":
            yield pl.col("stage") == stage, off, f"stage_{stage}", f"{stage}s are not part of this workflow"
    if select.subsidiary:
        member = pl.col("subsidiary_id") == select.subsidiary
        if record.source == "customers" and select.membership == "any":
            member = member.fill_null(value=False) | pl.col("subsidiary_ids").list.contains(select.subsidiary)
        outside = ~member.fill_null(value=False)
        yield outside, off, "out_of_subsidiary", f"does not belong to subsidiary {select.subsidiary}"
    if select.require_flag:
        ticked = pl.col(select.require_flag).cast(pl.String).is_in(TICKED)
        unticked = ~ticked.fill_null(value=False)
        yield unticked, off, "flag_not_set", f"{select.require_flag} is not ticked"
    if select.where:
        failed = ~parse(select.where, f"{record.source}.where").fill_null(value=False)
        yield failed, off, "filtered_out", f"does not meet: {select.where}"


def _invalid(record: RecordMap, mapped: Mapping[str, pl.Expr], table: pl.DataFrame) -> Iterable[Because]:
    for row in record.rows:
        value = mapped[row.field]
        if row.values is not None and row.otherwise == "error":
            given = _canonical(row_expression(row.model_copy(update={"values": None}), record.source), table)
            unmatched = given.is_not_null() & ~given.is_in(list(_value_list(row.values)))
            code, told = "value_not_in_list", "the value list does not name the source value"
            if row.lookup:
                code, told = "not_looked_up", f"{row.lookup.told} finds nothing for the source value, or several"
            elif row.links:
                told = f"{row.links} has not delivered it"
            yield unmatched, QUARANTINE, code, f"{row.field}: {told}"
        if row.required or row.locked:
            yield (
                value.is_null(),
                QUARANTINE,
                "required_blank",
                f"{row.field} is blank and the target needs it",
            )
        if row.max_length:
            long = value.str.len_chars() > row.max_length
            yield long, QUARANTINE, "too_long", f"{row.field} is longer than {row.max_length} characters"
    if record.parent_required:
        orphan = pl.all_horizontal(pl.col(column).is_null() for column in (record.parent or {}).values())
        yield orphan, QUARANTINE, "no_parent", "has no parent record in NetSuite"


def _fingerprint(columns: list[pl.Expr]) -> pl.Expr:
    """One text per row that differs when any value differs; hashed in `_hashed`."""
    return pl.struct(columns or [pl.lit(None)]).struct.json_encode()


def _hashed(shaped: pl.DataFrame, con: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    names = ("source_hash", "payload_hash")
    _texts = Arrow(shaped.select(names))  # DuckDB finds it by its name
    digests = ", ".join(f"'{HASH_VERSION}:' || left(md5({name}), 16) as {name}" for name in names)
    return shaped.with_columns(pl.DataFrame(Arrow(con.sql(f"select {digests} from _texts"))))
