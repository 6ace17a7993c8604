"""Decide which source records are delivered, and give every other one a reason.

record map, mapped values, staging table  ->  disposition_cases()  ->  disposition, reason code and reason by record
"""

from collections.abc import Iterator, Mapping, Sequence

import polars as pl

from assets.delivery.cases import Case
from assets.delivery.mart.blanks import IS_INACTIVE, unread_tables, unshown
from assets.delivery.mart.hierarchy import CYCLE
from assets.delivery.mart.lookup import ValueLists
from assets.delivery.mart.not_finite import ADVICE, is_not_finite
from assets.delivery.mart.unread import Unread
from assets.delivery.schemas import BLOCK, HOLD, MISSING, QUARANTINE, RETIRE, SKIP
from assets.delivery.spec.expressions import canonical, parse, source_columns, source_expression, value_list
from assets.delivery.spec.field_mapping import FieldRow
from assets.delivery.spec.policies import Select
from assets.delivery.spec.record_map import RecordMap
from assets.delivery.spec.sources import key_column

CHECKED = ("T", "true")  # a checked box in NetSuite's text, and in a boolean column that was cast to text
DISPOSITIONS = {"deactivate": RETIRE, "report": SKIP, "hold": HOLD}
SHOWN = 60  # characters of a value in a reason
LEVEL = "_level"  # a column that every source has during the transformation: the record's depth in the hierarchy


def disposition_cases(
    record: RecordMap,
    mapped: Mapping[str, pl.Expr],
    table: pl.DataFrame,
    max_level: int | None,
    unread: Mapping[str, Unread],
    never_read: Mapping[str, str],
    unusable: Sequence[Case] = (),
    *,
    lists: ValueLists,
    forgotten: Sequence[str] = (),
) -> list[Case]:
    """Return the cases in which a record is not delivered, in order of precedence.

    Args:
        record: The record map, its lookups and references resolved to value lists.
        mapped: The value of each target field, over the columns of the table.
        table: The staging table, with LEVEL.
        max_level: The target's deepest level.
        unread: What is unknown of the lookup or reference of a target field.
        never_read: The record types that were never read, by the column of the staging table that comes from them.
        unusable: The case of records with a value that an expression cannot use.
        lists: The value list of each lookup.
        forgotten: NetSuite ids of the records whose personal values were erased: nothing is known of them to send.
    """
    deciding = _deciding(record)
    return [
        *_forgotten(record, forgotten),
        *_retired(record),
        *unshown(deciding, table.columns),
        *unread_tables({name: each for name, each in never_read.items() if name in deciding}),
        *_out_of_scope(record, table.columns),
        *_missing(record, table.columns),
        *unusable,
        *unshown(source_columns(record, ""), table.columns),
        *unread_tables(never_read),
        *(unread[row.field].case(row.field, _given(row, table)) for row in record.rows if row.field in unread),
        *(case for row in record.rows for case in _invalid(row, mapped[row.field], table, lists)),
        *_misplaced(record, max_level),
    ]


def _forgotten(record: RecordMap, source_ids: Sequence[str]) -> Iterator[Case]:
    if source_ids:
        text = "its personal values were erased (`millpond forget`); delete the record in the target as well"
        key = pl.col(key_column(record.source)).cast(pl.String)
        yield Case(key.is_in(list(source_ids)), HOLD, "forgotten", text)


def _retired(record: RecordMap) -> Iterator[Case]:
    lifecycle = record.lifecycle
    yield Case(pl.col("is_deleted"), DISPOSITIONS[lifecycle.deleted], "deleted", "deleted in NetSuite")
    yield Case(pl.col("is_inactive"), DISPOSITIONS[lifecycle.inactive], "inactive", "inactive in NetSuite")


def _deciding(record: RecordMap) -> set[str]:
    """Return the columns that decide whether the record takes part."""
    where = record.select.where
    return {IS_INACTIVE, *(parse(where).meta.root_names() if where else ())}


def _missing(record: RecordMap, columns: Sequence[str]) -> Iterator[Case]:
    """Yield the case of a record that is only absent; what its last values say decides before."""
    if "is_missing" in columns:
        text = (
            "NetSuite no longer shows the record, but has no deletion note of it: give the role access to it again; or,"
            " if it was deleted, deactivate it in the target, or set lifecycle.missing in the workflow file"
        )
        yield Case(pl.col("is_missing"), DISPOSITIONS[record.lifecycle.missing], MISSING, text)


def _out_of_scope(record: RecordMap, columns: Sequence[str]) -> Iterator[Case]:
    disposition, select = DISPOSITIONS[record.lifecycle.out_of_scope], record.select
    for stage, choice in (select.stages or {}).items():
        if choice == "skip":
            text = f"{stage}s are not part of this workflow"
            yield Case(pl.col("stage") == stage, disposition, f"stage_{stage}", text)
    if select.subsidiary:
        if record.lifecycle.out_of_scope == "deactivate" and "missing_subsidiary_ids" in columns:
            text = (
                f"NetSuite no longer shows that the record belongs to subsidiary {select.subsidiary}, which may be the"
                " role's access; or, if it does not belong to it, deactivate it in the target"
            )
            gone = pl.col("missing_subsidiary_ids").list.contains(select.subsidiary)
            outside = _is_not(_in_subsidiary(record.source, select))
            yield Case(outside & gone, DISPOSITIONS[record.lifecycle.missing], MISSING, text)
        text = "NetSuite shows no subsidiary of the record: give its role access to the customer's subsidiaries"
        unknown = _is_not(_in_subsidiary(record.source, select)) & pl.col("subsidiary_id").is_null()
        yield Case(unknown, BLOCK, "not_read", text)
        text = f"does not belong to subsidiary {select.subsidiary}"
        yield Case(_is_not(_in_subsidiary(record.source, select)), disposition, "out_of_subsidiary", text)
    if select.require_flag:
        flag = pl.col(select.require_flag).cast(pl.String)
        if disposition == RETIRE:
            text = (
                f"{select.require_flag} is blank, not unchecked, so the role may have lost access to it: give it"
                " access; or uncheck it in NetSuite, deactivate the record in the target, or set lifecycle.missing"
            )
            blank = flag.str.strip_chars().fill_null("") == ""
            yield Case(blank, DISPOSITIONS[record.lifecycle.missing], "flag_blank", text)
        checked = flag.is_in(CHECKED)
        yield Case(_is_not(checked), disposition, "flag_not_set", f"{select.require_flag} is not checked")
    if record.source == "customers" and "stage" in source_columns(record, ""):
        text = "neither the stage nor the type of the status says whether this is a lead, a prospect or a customer"
        yield Case(pl.col("stage").is_null(), QUARANTINE, "stage_unknown", text)
    if select.where:
        met = parse(select.where, f"{record.source}.where")
        if disposition == RETIRE:
            text = (
                f"a blank leaves open whether it meets the condition {select.where}; the role may have lost access to"
                " the field: give it access; or fill the value in, deactivate the record in the target, or set"
                " lifecycle.missing"
            )
            yield Case(met.is_null(), DISPOSITIONS[record.lifecycle.missing], "condition_blank", text)
        yield Case(_is_not(met), disposition, "filtered_out", f"does not meet the condition: {select.where}")


def _in_subsidiary(source: str, select: Select) -> pl.Expr:
    primary = pl.col("subsidiary_id") == select.subsidiary
    if source == "customers" and select.subsidiary_scope == "any":
        return primary.fill_null(value=False) | pl.col("subsidiary_ids").list.contains(select.subsidiary)
    return primary


def _is_not(condition: pl.Expr) -> pl.Expr:
    """Negate a condition; null counts as false, as in an SQL `where`."""
    return ~condition.fill_null(value=False)


def _given(row: FieldRow, table: pl.DataFrame) -> pl.Expr:
    """Return the row's value before its value list."""
    return canonical(source_expression(row), table)


def _invalid(row: FieldRow, value: pl.Expr, table: pl.DataFrame, lists: ValueLists) -> Iterator[Case]:
    if (infinite := is_not_finite(source_expression(row), value, table)) is not None:
        yield Case(infinite, QUARANTINE, "not_a_number", f"{row.field}: {ADVICE}")
    if row.values is not None and row.on_unmapped == "error":
        yield from _unmapped(row, _given(row, table), lists)
    if row.required or row.locked:
        yield Case(value.is_null(), QUARANTINE, "required_blank", f"{row.field} is required but blank")
    if row.max_length:
        text = f"{row.field} is longer than {row.max_length} characters"
        yield Case(value.str.len_chars() > row.max_length, QUARANTINE, "too_long", text)


def _unmapped(row: FieldRow, given: pl.Expr, lists: ValueLists) -> Iterator[Case]:
    """Yield the case of a value that the row's value list, or one of its lookups, lacks; the reason names it."""
    if not row.lookup:
        text = f"{row.reference} has not delivered record {{}}" if row.reference else "{} is not in the value list"
        yield _lacking(row.field, given, row.values or {}, "value_not_in_list", text)
        return
    for each in row.lookup.chain:
        known = lists[each]
        yield _lacking(row.field, given, known, "not_looked_up", f"{each.own} has no value for {{}}, or several")
        given = given.replace_strict(value_list(known), default=None, return_dtype=pl.String)


def _lacking(field: str, value: pl.Expr, known: Mapping[str, str], code: str, text: str) -> Case:
    """Return the case of a value that is not known; {} in the text stands for it."""
    before, _, after = f"{field}: {text}".partition("{}")
    reason = pl.concat_str(pl.lit(f"{before}'"), value.str.slice(0, SHOWN), pl.lit(f"'{after}"))
    return Case(value.is_not_null() & ~value.is_in(list(value_list(known))), QUARANTINE, code, reason)


def _misplaced(record: RecordMap, max_level: int | None) -> Iterator[Case]:
    if record.parent_required:
        orphan = pl.all_horizontal(pl.col(column).is_null() for column in (record.parent or {}).values())
        yield Case(orphan, QUARANTINE, "no_parent", "has no parent record in NetSuite")
    level = pl.col(LEVEL)
    yield Case(level == CYCLE, QUARANTINE, "parent_ring", "cycle in the parent hierarchy")
    if max_level is not None:
        text = pl.format("level {} is deeper than the target's maximum of {}", level, pl.lit(max_level))
        yield Case(level > max_level, QUARANTINE, "too_deep", text)
