"""Custom fields and options as Precoro returns them, in whatever types; what is unreadable is never guessed.

bodies  ->  custom_field(), options_of(), written_option()  ->  CustomField, Option

An answer to a write is only known to have the option's `id` (precoro.md §5). A list that leaves blanks out has no
explicit null; one with nulls and without a key does not show it.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from resources.errors import ContractError
from resources.scalars import as_flag, as_text, as_whole

SYSTEM = "precoro"
DROP_DOWN = "dropdown"
_OTHER_TYPES = re.compile("text|date|number|checkbox|file|link|user")

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CustomField:
    """One field definition; `type_text` is Precoro's name of its type, empty if missing."""

    field_id: int
    name: str
    enable: bool
    type_text: str

    @property
    def takes_options(self) -> bool:
        """False if it is known to be of another type than a drop-down list; the names of types may be translated."""
        kind = re.sub("[^a-z]", "", self.type_text.lower())
        return DROP_DOWN in kind or not _OTHER_TYPES.search(kind)


@dataclass(frozen=True, slots=True)
class Option:
    """One option; `parent_id` is None at the top level, and always when `has_parent_info` is false.

    `is_whole` is false for the answer to a write without name and state; they are then those that were sent.
    """

    option_id: int
    name: str
    code: str | None
    enable: bool
    external_id: str | None
    level: int | None
    parent_id: int | None = None
    has_parent_info: bool = False
    updated_at: str | None = None
    is_whole: bool = True


def candidates(fields: Collection[CustomField], id_or_name: str) -> list[CustomField]:
    """Return the field with this id, else the fields of this name: the enabled ones, if any is enabled."""
    named = [each for each in fields if str(each.field_id) == id_or_name]
    named = named or [each for each in fields if each.name == id_or_name]
    return [each for each in named if each.enable] or named


def custom_field(record: Body) -> CustomField:
    """Return a field definition; one without a name can only be chosen by its id."""
    enable = as_flag(record.get("enable"))
    name, kind = as_text(record.get("name")) or "", record.get("typeString")
    # a write to a disabled one is rejected with its reason, and only an enabled one need be known as such
    return CustomField(record["id"], name, enable is not False, kind if isinstance(kind, str) else "")


def options_of(records: Sequence[Body], operation: str) -> list[Option]:
    """Return the options of a whole list.

    Raises:
        ContractError: The list does not show whether its options are enabled, or which external ids they have: one
            whose id is taken for a blank would be created again.
    """
    flags = [as_flag(each.get("enable")) for each in records]
    if None in flags and set(flags) != {None, True}:  # without the flag in some, and true in the others: false
        unknown = next(each["id"] for each, flag in zip(records, flags, strict=True) if flag is None)
        raise ContractError(SYSTEM, operation, f"option {unknown} without `enable`: its state is not known")
    has_nulls = any(value is None for each in records for value in each.values())
    if has_nulls and not any("externalId" in each for each in records):
        reason = "no option has `externalId`: which ones are ours is not known"
        raise ContractError(SYSTEM, operation, reason)
    shows_blanks = any(each.get("externalId", ...) in (None, "") for each in records)
    for each in records:
        if shows_blanks and "externalId" not in each:
            reason = f"option {each['id']} without `externalId`, which is blank in others: whose it is is not known"
            raise ContractError(SYSTEM, operation, reason)
        if each.get("externalId") and as_text(each["externalId"]) is None:
            kind = type(each["externalId"]).__name__
            raise ContractError(
                SYSTEM, operation, f"option {each['id']}: `externalId` is neither text nor number ({kind})"
            )
    return [_option(each, enable=bool(flag)) for each, flag in zip(records, flags, strict=True)]


def written_option(body: Any, sent: Mapping[str, str], operation: str) -> Option:
    """Return the option in the answer to a write; what it does not contain is taken from the values that were sent.

    Raises:
        ContractError: It does not identify the option.
    """
    record: Any = body if isinstance(body, dict) else {}
    record = record["data"] if isinstance(record.get("data"), dict) else record
    record_id = as_whole(record.get("id"))
    if record_id is None:
        raise ContractError(SYSTEM, operation, "an option without an id")
    flag = as_flag(record.get("enable"))
    is_whole = flag is not None and as_text(record.get("name")) is not None
    if not is_whole:
        known = {name: value for name, value in record.items() if value is not None}
        record = {"name": sent.get("name"), "code": sent.get("code"), **known}
    enable = flag if flag is not None else sent.get("enable") != "0"
    return _option({**record, "id": record_id}, enable=enable, is_whole=is_whole)


def _option(record: Body, *, enable: bool, is_whole: bool = True) -> Option:
    has_parent, parent_id = _parent(record)
    return Option(
        option_id=record["id"],
        name=as_text(record.get("name")) or "",
        code=as_text(record.get("code")),
        enable=enable,
        external_id=as_text(record.get("externalId")),
        level=as_whole(record.get("level")),
        parent_id=parent_id,
        has_parent_info=has_parent,
        updated_at=as_text(record.get("updateDate")),
        is_whole=is_whole,
    )


def _parent(record: Body) -> tuple[bool, int | None]:
    """Return whether the parent is known, and its id: an object, a number or a text; null, [] and 0 are none."""
    parent = record.get("parent", ...)
    if isinstance(parent, dict) and "id" not in parent and "data" in parent:  # nested objects may have an envelope
        parent = parent["data"]
    if parent in (None, [], {}, ""):
        return True, None
    parent_id = as_whole(parent.get("id") if isinstance(parent, dict) else parent)
    return parent_id is not None, parent_id or None
