"""Encode one write of the engine as one command of the XML API."""

from collections.abc import Mapping

from assets.delivery.target import Action, Write
from assets.suiteprojects.record_types import ACTIVE_FIELD, KEY_FIELD, PARENT_ID, RecordKind
from resources.suiteprojects.xml import Element, address_of, command, illegal_character, object_element

Values = dict[str, str | None]


class UnsendableError(ValueError):
    """A record that cannot be encoded; the text names the field, never its contents."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


def values_of(kind: RecordKind, write: Write) -> Values:
    """Return the values to send: all of a new record, the changed ones of others; UnsendableError without a key."""
    return _created(kind, write) if write.action is Action.CREATE else _changed(kind, write)


def encode(kind: RecordKind, write: Write, values: Values, charset: str = "") -> Element:
    """Return the command for one write.

    A create is an Add that looks up the external id first, so a resend cannot create a second record. Any other write
    is a Modify by internal id.

    Args:
        kind: The type of record.
        write: The write.
        values: The result of `values_of`, converted to the service's own properties.
        charset: The account's character set if it cannot represent every character; empty for Unicode.

    Raises:
        UnsendableError: XML or the account cannot represent a value.
    """
    for name, value in values.items():
        _check_characters(name, value or "", charset)
    type_name = kind.record_type.name
    attributes = {"type": type_name, "enable_custom": "1"}
    try:
        record = object_element(type_name, values)
    except ValueError as error:
        raise UnsendableError("illegal_value", f"a field cannot be sent: {error}") from error
    if write.action is Action.CREATE:
        return command("Add", {**attributes, "lookup": KEY_FIELD}, record)
    return command("Modify", attributes, record)


def _check_characters(name: str, text: str, charset: str) -> None:
    if illegal := illegal_character(text):
        raise UnsendableError("illegal_character", f"field {name}: {illegal} cannot be sent in XML")
    try:
        text.encode(charset or "utf-8")
    except UnicodeEncodeError as error:
        lost = f"U+{ord(text[error.start]):04X}"
        reason = f"field {name}: {lost} is not in the account's character set {charset}"
        raise UnsendableError("foreign_character", reason) from error


def _created(kind: RecordKind, write: Write) -> Values:
    values: Values = {name: value for name, value in write.values.items() if value is not None and name != PARENT_ID}
    if not values.get(KEY_FIELD):
        raise UnsendableError("no_key", f"field {KEY_FIELD} is blank, so the record could not be matched later")
    if kind.parent_field and write.parent_id:
        values.setdefault(kind.parent_field, write.parent_id)
    return values


def _changed(kind: RecordKind, write: Write) -> Values:
    if not write.target_id:
        raise UnsendableError("no_target_id", f"{write.action} needs the target's own id")
    names = set(write.changed)
    if write.action is Action.ADOPT:
        names.add(KEY_FIELD)
    if kind.parent_field and PARENT_ID in names:
        names.add(kind.parent_field)
    values: Values = {name: write.values.get(name) for name in sorted(names - {PARENT_ID})}
    if kind.parent_field in values:
        values[kind.parent_field] = values[kind.parent_field] or write.parent_id
    if write.action is Action.DEACTIVATE:
        values[ACTIVE_FIELD] = "0"
    elif write.action is Action.REACTIVATE:
        values[ACTIVE_FIELD] = "1"
    return {"id": write.target_id, **values, **_rest_of_addresses(kind, values, write.values)}


def _rest_of_addresses(kind: RecordKind, changed: Values, values: Mapping[str, str | None]) -> Values:
    """Return the other known parts of each changed address: whether a partial address keeps them is not documented."""
    type_name = kind.record_type.name
    touched = {address[0] for name in changed if (address := address_of(type_name, name))}
    return {
        name: value
        for name, value in values.items()
        if value and name not in changed and (address := address_of(type_name, name)) and address[0] in touched
    }
