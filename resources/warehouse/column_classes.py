"""The class of each staging column: personal, business or technical.

name of a column  ->  class_of()  ->  what analysts see (masking.py), what is forgotten, how long values are kept

Custom fields can hold anything, so they are personal, unless MILLPOND_COLUMN_CLASSES says otherwise:
`custentity_region=business` for one column, `custentity=business` for all whose names begin with it.
"""

from collections.abc import Mapping
from typing import Final, Literal, cast, get_args

ColumnClass = Literal["personal", "business", "technical"]
CLASSES: Final = get_args(ColumnClass)

# of people, or free text; street and telephone of a company as well: those of a small one are a person's
PERSONAL = frozenset({
    "salutation", "first_name", "middle_name", "last_name", "email", "phone", "mobile_phone", "fax", "url",
    "comments", "title", "record_name", "address_line1", "address_line2", "address_line3", "zip",
    "shipping_address_line1", "shipping_address_line2", "shipping_address_line3", "shipping_zip",
    "billing_address_line1", "billing_address_line2", "billing_address_line3", "billing_zip",
})  # fmt: skip
NAMES = frozenset({"company_name", "alt_name", "entity_number", "external_id"})  # personal if the record is a person
# personal beside a person's name, and shown once it is hidden
PLACES = frozenset({"city", "state", "billing_city", "billing_state", "shipping_city", "shipping_state"})
CUSTOM = ("custentity", "custrecord", "custitem")  # custom fields can hold anything
MAX_DAYS = 36_500
_TECHNICAL_ENDS = ("_id", "_ids", "_at", "_hash", "_position")
_TECHNICAL_STARTS = ("is_", "has_", "_", "valid_", "from_", "to_")

_chosen: dict[str, ColumnClass] = {}


def parse_classes(text: str) -> dict[str, ColumnClass]:
    """Return the classes that a setting gives to columns, or to the beginnings of their names.

    Raises:
        ValueError: A part is not of the form name=class.
    """
    found: dict[str, ColumnClass] = {}
    for part in filter(None, map(str.strip, text.split(","))):
        name, _, given = (each.strip() for each in part.partition("="))
        if not name or given not in CLASSES:
            raise ValueError(f"{part}: not of the form column=class, where the class is {', '.join(CLASSES)}")
        found[name] = cast("ColumnClass", given)
    return found


def parse_days(text: str, default: int) -> dict[ColumnClass, int]:
    """Return the days for which values of each class are kept, 0 forever; a class that is not named has the default.

    Raises:
        ValueError: A part is not of the form class=days.
    """
    found: dict[ColumnClass, int] = dict.fromkeys(CLASSES, default)
    for part in filter(None, map(str.strip, text.split(","))):
        name, _, days = (each.strip() for each in part.partition("="))
        if name not in CLASSES or not days.isdecimal() or int(days) > MAX_DAYS:
            raise ValueError(f"{part}: not of the form class=days, where the class is {', '.join(CLASSES)}")
        found[cast("ColumnClass", name)] = int(days)
    return found


def choose_classes(classes: Mapping[str, ColumnClass]) -> None:
    """Use these classes in this process, beside those of the lists above."""
    _chosen.clear()
    _chosen.update(classes)


def class_of(column: str, *, is_person: bool = True) -> ColumnClass:
    """Return the class of a staging column; `is_person`: of a record that may be a person."""
    begins = [name for name in _chosen if column.startswith(name)]
    if begins:
        return _chosen[max(begins, key=len)]
    if column in PERSONAL or column.startswith(CUSTOM) or (is_person and column in NAMES):
        return "personal"
    if column.endswith(_TECHNICAL_ENDS) or column.startswith(_TECHNICAL_STARTS):
        return "technical"
    return "business"


def is_forgotten(column: str, *, is_person: bool) -> bool:
    """Return whether a column is emptied when its record is forgotten; a person's places go with the name."""
    if class_of(column, is_person=is_person) == "personal":
        return True
    return is_person and column in PLACES and column not in _chosen
