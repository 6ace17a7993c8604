"""Records of the service in the engine's words: canonical text, the twin's columns."""

from collections.abc import Iterable, Mapping, Sequence

import polars as pl

from assets.delivery.target import TARGET_STATE_COLUMNS, TargetField
from assets.suiteprojects.record_types import ACTIVE_FIELD, KEY_FIELD, RecordKind
from resources.errors import ContractError
from resources.suiteprojects.xml import Record, address_of

IDS = "ids"  # the data dictionary's word for a comma list of ids


def canonical(kind: RecordKind, field: TargetField, value: str | None) -> str | None:
    """A value as the engine compares it: an empty boolean is off, a date has no time, a list of ids is sorted."""
    if field.kind == "boolean":
        return "0" if value in {None, "", "0"} else "1"
    if not value:
        return None
    if field.kind == "date":
        return value[:10]
    known = kind.record_type.properties.get(field.name)
    if known and known.kind == IDS:
        return ",".join(sorted((part.strip() for part in value.split(",")), key=lambda part: (len(part), part)))
    return value


def asked_fields(kind: RecordKind, fields: Sequence[str]) -> list[str]:
    """What must be read to fill the twin's columns and these fields."""
    own = [KEY_FIELD, ACTIVE_FIELD, "updated", *([kind.parent_field] if kind.parent_field else [])]
    return list(dict.fromkeys([*own, *fields]))


def shown(
    kind: RecordKind, known: Mapping[str, TargetField], record: Record, fields: Iterable[str]
) -> dict[str, str | None]:
    """The twin's columns and these fields out of one record; `is_active` as "1" or "0" here."""
    active = canonical(kind, known[ACTIVE_FIELD], record.get(ACTIVE_FIELD))
    return {
        **{name: canonical(kind, known[name], record.get(name)) for name in fields if name in known},
        "target_id": record["id"],
        "external_id": record.get(KEY_FIELD) or None,
        "is_active": active,
        "parent_id": _parent(kind, record),
        "updated_at": record.get("updated"),
    }


def _parent(kind: RecordKind, record: Record) -> str | None:
    parent = record.get(kind.parent_field) if kind.parent_field else None
    return None if parent in {None, "", "0"} else parent


def frame(
    kind: RecordKind, known: Mapping[str, TargetField], records: Iterable[Record], fields: Sequence[str]
) -> pl.DataFrame:
    """The twin's columns and these fields, one row per record.

    Raises:
        ContractError: A record lacks a field that was asked for; blank and absent are not the same thing.
    """
    type_name = kind.record_type.name
    needed = {name for name in asked_fields(kind, fields) if address_of(type_name, name) is None}
    rows = []
    for record in records:
        if not needed <= record.keys():
            missing = ", ".join(sorted(needed - record.keys()))
            raise ContractError("suiteprojects", f"Read {type_name}", f"records came without {missing}")
        values = shown(kind, known, record, fields)
        own = [values["is_active"] == "1" if name == "is_active" else values[name] for name in TARGET_STATE_COLUMNS]
        rows.append((*own, *(values[name] for name in fields)))
    return pl.DataFrame(rows, schema={**TARGET_STATE_COLUMNS, **dict.fromkeys(fields, pl.String)}, orient="row")
