"""Precoro's options in the engine's words: canonical text, the twin's columns, the mappable fields."""

from collections.abc import Iterable, Mapping, Sequence

import polars as pl

from assets.delivery.target import TARGET_STATE_COLUMNS, TargetField
from resources.precoro.client import Option

FIELDS: Mapping[str, TargetField] = {
    each.name: each
    for each in (
        # NetSuite's longest project name; Precoro's own limit is not documented: precoro.md §5
        TargetField("name", "What people pick in Precoro.", max_length=256, required=True),
        TargetField("code", "A second text beside the name; the place for a project's number."),
        TargetField("enable", "Whether the option can be picked.", kind="boolean"),
        TargetField("externalId", "Our key in Precoro: the NetSuite internal id."),
    )
}


def canonical(option: Option) -> dict[str, str | None]:
    """The mappable fields of one option as canonical text."""
    return {
        "name": option.name or None,
        "code": option.code,
        "enable": "1" if option.enable else "0",
        "externalId": option.external_id,
    }


def frame(options: Iterable[Option], fields: Sequence[str]) -> pl.DataFrame:
    """The twin's columns and the asked fields, one row per option.

    Raises:
        ValueError: An asked field does not exist.
    """
    unknown = set(fields) - FIELDS.keys()
    if unknown:
        raise ValueError(f"an option has no field {sorted(unknown)}; it has {sorted(FIELDS)}")
    rows = []
    for option in options:
        values = canonical(option)
        parent = None if option.parent_id is None else str(option.parent_id)
        own = (str(option.option_id), option.external_id, option.enable, parent, option.updated_at)
        rows.append((*own, *(values[name] for name in fields)))
    schema = TARGET_STATE_COLUMNS | dict.fromkeys(fields, pl.String)
    return pl.DataFrame(rows, schema=schema, orient="row")


def echo(option: Option, sent_parent: str | None) -> dict[str, str | None]:
    """One option as the service answered it; the parent as sent, when the service does not tell it."""
    told = None if option.parent_id is None else str(option.parent_id)
    values = canonical(option)
    return {
        "target_id": str(option.option_id),
        "external_id": option.external_id,
        "is_active": values["enable"],
        "parent_id": told if option.tells_parent else sent_parent,
        "updated_at": option.updated_at,
        **values,
    }
