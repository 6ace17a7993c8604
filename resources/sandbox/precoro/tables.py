"""Tables of the simulated Precoro, and the data of a new file."""

import sqlite3
from collections.abc import Mapping
from datetime import datetime
from typing import Any

DROP_DOWN = "Drop-down list"
TYPES = {DROP_DOWN: 0, "Text": 1, "Date": 2}  # the integers are invented: precoro.md §5 [U]

SCHEMA = """
create table if not exists companies (
    company_id integer primary key, name text not null, token text not null unique, email text not null
);
create table if not exists fields (
    field_id integer primary key autoincrement, company_id integer not null references companies,
    kind text not null, name text not null, description text, required integer not null default 0,
    enable integer not null default 1, type_string text not null, position integer not null default 1,
    created_at text not null, updated_at text not null
);
create table if not exists options (
    option_id integer primary key autoincrement, field_id integer not null references fields,
    name text not null, code text, enable integer not null default 1, external_id text,
    parent_id integer references options, level integer not null,
    created_at text not null, updated_at text not null
);
create index if not exists options_by_field on options (field_id, option_id);
create index if not exists options_by_parent on options (parent_id);
create index if not exists options_by_external_id on options (field_id, external_id);
create table if not exists dependencies (
    option_id integer not null, depend_type integer not null, entity_id text not null,
    unique (option_id, depend_type, entity_id)
);
create table if not exists entities (
    entity_id integer primary key autoincrement, company_id integer not null references companies,
    kind text not null, name text not null, code text, external_id text, created_at text not null
);
create table if not exists calls (
    call_id integer primary key, company_id integer not null, at real not null, method text not null,
    path text not null, url text not null, body text not null, status integer not null,
    limited integer not null
);
create index if not exists calls_by_time on calls (company_id, limited, at);
create index if not exists calls_by_url on calls (company_id, limited, url, at);
create index if not exists calls_by_path on calls (company_id, limited, path, at)
"""

FIELD_NAME = "Customers/Projects"
MANUAL_OPTIONS = (("Internal", 1), ("Overheads", 1), ("Purchases before 2024", 0))
COST_TYPES = (("Materials", 1), ("Services", 1), ("Travel", 1))


def add_first_company(connection: sqlite3.Connection, credentials: Mapping[str, Any], now: datetime) -> None:
    """Add the first company to a new file, with its fields and some manually created options."""
    if connection.execute("select 1 from companies").fetchall():
        return
    add_company(
        connection,
        "Millpond Ltd",
        token=credentials["token"],
        email=credentials["email"],
        now=now,
        field_id=int(credentials["item_custom_field_id"]),
        first_option_id=53001,
    )


def add_company(
    connection: sqlite3.Connection,
    name: str,
    *,
    token: str,
    email: str,
    now: datetime,
    field_id: int | None = None,
    first_option_id: int | None = None,
) -> int:
    """Add a company as it is before the first sync; return its field of customers and projects."""
    company_id = _insert(connection, "companies", name=name, token=token, email=email)
    field_id = add_field(connection, company_id, "itemcustomfields", FIELD_NAME, now=now, field_id=field_id)
    cost_type_id = add_field(connection, company_id, "itemcustomfields", "Cost type", now=now)
    add_field(connection, company_id, "documentcustomfields", "Region", now=now)
    add_field(connection, company_id, "suppliercustomfields", "Rating", now=now)
    timestamp = now.isoformat()
    for number, (option, enable) in enumerate(MANUAL_OPTIONS):
        option_id = first_option_id + number if first_option_id else None
        add_option(connection, field_id, name=option, enable=enable, timestamp=timestamp, option_id=option_id)
    for option, enable in COST_TYPES:
        add_option(connection, cost_type_id, name=option, enable=enable, timestamp=timestamp)
    for kind, entity in (("legalentities", name), ("locations", "Head office"), ("users", email)):
        _insert(connection, "entities", company_id=company_id, kind=kind, name=entity, created_at=timestamp)
    return field_id


def add_field(
    connection: sqlite3.Connection,
    company_id: int,
    kind: str,
    name: str,
    *,
    now: datetime,
    field_id: int | None = None,
    enable: bool = True,
    type_string: str = DROP_DOWN,
) -> int:
    """Add a field definition; return its id."""
    timestamp = now.isoformat()
    return _insert(
        connection,
        "fields",
        field_id=field_id,
        company_id=company_id,
        kind=kind,
        name=name,
        enable=int(enable),
        type_string=type_string,
        created_at=timestamp,
        updated_at=timestamp,
    )


def add_option(connection: sqlite3.Connection, field_id: int, *, timestamp: str, **values: Any) -> int:
    """Add an option with these columns, by default enabled and at the top level; return its id."""
    columns = {"enable": 1, "level": 1} | values
    return _insert(connection, "options", field_id=field_id, **columns, created_at=timestamp, updated_at=timestamp)


def _insert(connection: sqlite3.Connection, table: str, **values: Any) -> int:
    columns, marks = ", ".join(values), ", ".join("?" * len(values))
    statement = f"insert into {table} ({columns}) values ({marks})"
    return int(connection.execute(statement, tuple(values.values())).lastrowid or 0)
