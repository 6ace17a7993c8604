"""Records of the service as the engine sees them: canonical text and the columns of the target state."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import polars as pl

from assets.delivery.target import TARGET_STATE_COLUMNS, TOP, TargetField
from assets.suiteprojects.record_types import ACTIVE_FIELD, KEY_FIELD, RecordKind
from resources.errors import ContractError
from resources.scalars import FALSE_WORDS
from resources.suiteprojects.xml import Record, address_of

OFF = FALSE_WORDS | {""}
IDS = "ids"  # a comma-separated list of ids, in the data dictionary


def canonical(kind: RecordKind, field: TargetField, value: str | None) -> str | None:
    """Return a value as the engine compares it: a blank boolean is off, a date has no time, a list of ids is sorted."""
    if field.kind == "boolean":
        return "0" if (value or "").strip().lower() in OFF else "1"
    if not value:
        return None
    if field.kind == "date":
        return value[:10]
    known = kind.record_type.properties.get(field.name)
    if known and known.kind == IDS:
        return join_ids(value.split(",")) or None
    return value


def join_ids(ids: Iterable[str]) -> str:
    """Return ids as a list in numeric order."""
    known = {each.strip() for each in ids} - {"", "0"}
    return ",".join(sorted(known, key=lambda each: (len(each), each)))


def requested_fields(kind: RecordKind, fields: Sequence[str]) -> list[str]:
    """Return the properties to read for these fields and the columns of the target state."""
    own = [KEY_FIELD, ACTIVE_FIELD, "updated", *([kind.parent_field] if kind.parent_field else [])]
    return list(dict.fromkeys([*own, *fields]))


def state_row(
    kind: RecordKind, known: Mapping[str, TargetField], record: Record, fields: Iterable[str]
) -> dict[str, str | None]:
    """Return these fields and the columns of the target state of one record; `is_active` is "1" or "0"."""
    parent = record.get(kind.parent_field) if kind.parent_field else None
    return {
        **{name: canonical(kind, known[name], record.get(name)) for name in fields if name in known},
        "target_id": record["id"],
        "external_id": record.get(KEY_FIELD) or None,
        "is_active": canonical(kind, known[ACTIVE_FIELD], record.get(ACTIVE_FIELD)),
        "parent_id": TOP if parent in {"", "0"} else parent,
        "updated_at": record.get("updated"),
    }


def frame(
    kind: RecordKind,
    known: Mapping[str, TargetField],
    records: Iterable[Record],
    fields: Sequence[str],
    leaves_out_blanks: Callable[[], bool],
) -> pl.DataFrame:
    """Return one row per record: TARGET_STATE_COLUMNS and these fields (String).

    Args:
        kind: The type of record.
        known: Its fields.
        records: Its records, with the engine's fields.
        fields: The fields to return.
        leaves_out_blanks: Returns whether a property that a record lacks is blank.

    Raises:
        ContractError: Records lack a requested field, which is not the same as a blank.
    """
    type_name = kind.record_type.name
    needed = {name for name in requested_fields(kind, fields) if address_of(type_name, name) is None}
    rows, missing = [], set[str]()
    for record in records:
        missing |= needed - record.keys()
        values = state_row(kind, known, record, fields)
        if kind.parent_field and kind.parent_field not in record:  # blank, unless this raises below
            values["parent_id"] = TOP
        own = [values["is_active"] == "1" if name == "is_active" else values[name] for name in TARGET_STATE_COLUMNS]
        rows.append((*own, *(values[name] for name in fields)))
    if missing and not leaves_out_blanks():
        reason = f"records without {', '.join(sorted(missing))}, which may not be visible to this user"
        raise ContractError("suiteprojects", f"Read {type_name}", reason)
    return pl.DataFrame(rows, schema={**TARGET_STATE_COLUMNS, **dict.fromkeys(fields, pl.String)}, orient="row")
