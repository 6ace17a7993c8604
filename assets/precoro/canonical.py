"""Precoro options as frames of the engine: canonical text, target state columns, mappable fields."""

from collections.abc import Iterable, Mapping, Sequence

import polars as pl

from assets.delivery.target import TARGET_STATE_COLUMNS, TOP, TargetField
from resources.precoro.records import Option

FIELDS: Mapping[str, TargetField] = {
    each.name: each
    for each in (
        # NetSuite's longest project name; Precoro's own limit is not documented: precoro.md §5
        TargetField("name", "Name that people select in Precoro.", max_length=256, required=True),
        TargetField("code", "A second text beside the name, such as a project's number."),
        TargetField("enable", "Whether the option can be selected.", kind="boolean"),
        TargetField("externalId", "Our key in Precoro: the NetSuite internal id."),
    )
}


def canonical(option: Option) -> dict[str, str | None]:
    """Return the mappable fields of one option as canonical text."""
    return {
        "name": option.name or None,
        "code": option.code,
        "enable": "1" if option.enable else "0",
        "externalId": option.external_id,
    }


def frame(options: Iterable[Option], fields: Sequence[str]) -> pl.DataFrame:
    """Return one row per option: TARGET_STATE_COLUMNS and these fields (String); ValueError if one does not exist."""
    unknown = set(fields) - FIELDS.keys()
    if unknown:
        raise ValueError(f"an option has no field {sorted(unknown)}; it has {sorted(FIELDS)}")
    rows = []
    for option in options:
        values = canonical(option)
        own = (str(option.option_id), option.external_id, option.enable, _place(option, None), option.updated_at)
        rows.append((*own, *(values[name] for name in fields)))
    schema = TARGET_STATE_COLUMNS | dict.fromkeys(fields, pl.String)
    return pl.DataFrame(rows, schema=schema, orient="row")


def echo(option: Option, sent_parent: str | None) -> dict[str, str | None]:
    """Return one option as the response has it; the parent is the one sent if the response has none."""
    values = canonical(option)
    return {
        "target_id": str(option.option_id),
        "external_id": option.external_id,
        "is_active": values["enable"],
        "parent_id": _place(option, sent_parent),
        "updated_at": option.updated_at,
        **values,
    }


def _place(option: Option, otherwise: str | None) -> str | None:
    """Return the parent's id, or that it has none; if the response does not say, what is known otherwise."""
    if not option.has_parent_info:
        return otherwise
    return TOP if option.parent_id is None else str(option.parent_id)
