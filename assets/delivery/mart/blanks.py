"""Blank values in columns that NetSuite never leaves blank: they were not shown, so they are unknown.

columns that a record map reads, staging table  ->  unshown()  ->  the disposition `block`, with the column as reason

A role may lack the permission for a field, or for the records from which a value is taken, from the first day on. Such
a blank must decide nothing, least of all that a record is active, a company, or at the top level.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from types import MappingProxyType

import polars as pl

from assets.delivery.cases import Case
from assets.delivery.schemas import BLOCK

IS_INACTIVE = "is_inactive"
NEVER_BLANK = (IS_INACTIVE, "is_person", "is_elimination", "modified_at")
# columns with a value of another record, and the column with that record's id
TAKEN_FROM: Mapping[str, str] = MappingProxyType(
    {"currency_code": "currency_id", "status_name": "status_id", "parent_project_id": "unshown_parent_id"}
)
ADDRESS = ("address_line1", "address_line2", "address_line3", "city", "state", "zip", "country_code")
# prefix of an address's columns, and the columns with the keys of the addresses that it may be
ADDRESSES: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        "": ("billing_address_id", "shipping_address_id"),
        "billing_": ("billing_address_id",),
        "shipping_": ("shipping_address_id",),
    }
)
PARENT, PATH, NAMES = "parent_id", "full_name", ("name", "item_number")
_GIVE_ACCESS = "give NetSuite's role access to"


def unread_tables(tables: Mapping[str, str]) -> Iterator[Case]:
    """Yield the cases of records with a blank that comes from a table that was never read: columns with that table."""
    for name, table in tables.items():
        yield Case(pl.col(name).is_null(), BLOCK, "not_read", f"{name}: NetSuite's {table} was never read")


def unshown(names: Collection[str], columns: Collection[str]) -> Iterator[Case]:
    """Yield the cases of records whose values in some columns of the staging table (`names`) were not shown."""
    for name in NEVER_BLANK:
        if name in names and name in columns:
            text = f"NetSuite shows no {name} of the record, which it never leaves blank: {_GIVE_ACCESS} the field"
            yield Case(pl.col(name).is_null(), BLOCK, "not_read", text)
    for name, key in TAKEN_FROM.items():
        if name in names and key in columns:
            text = f"{name}: NetSuite does not show the record that {key} names: {_GIVE_ACCESS} it"
            yield Case(pl.col(name).is_null() & pl.col(key).is_not_null(), BLOCK, "not_read", text)
    for prefix, keys in ADDRESSES.items():
        address = [f"{prefix}{name}" for name in ADDRESS]
        if {*address} & {*names} and {*address, *keys} <= {*columns}:
            text = f"NetSuite does not show the address of {keys[0]}: {_GIVE_ACCESS} it"
            named = pl.any_horizontal(pl.col(key).is_not_null() for key in keys)
            blank = pl.all_horizontal(pl.col(name).is_null() for name in address)
            yield Case(blank & named, BLOCK, "not_read", text)
    if PARENT in names and PATH in columns:
        own = pl.coalesce(*(pl.col(name) for name in NAMES if name in columns))
        text = f"NetSuite shows no {PARENT} of the record, but a {PATH} below another one: {_GIVE_ACCESS} the field"
        yield Case(pl.col(PARENT).is_null() & (pl.col(PATH) != own), BLOCK, "not_read", text)
