"""The account's records: one SQLite table with values as JSON by flat name; blank values are absent.

Times are stored as the service shows them, US Eastern without a zone; `made_at` is UTC, for the filter-set cache.
"""

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from resources.sandbox.suiteprojects.switches import SuiteProjectsSwitches

EASTERN = ZoneInfo("America/New_York")

# properties with an index; a query must use the index's own expression, or SQLite does not use the index
INDEXED = ("externalid", "name", "customerid", "recordid", "parentid", "hierarchyid", "updated")


def property_sql(name: str) -> str:
    """Return the SQL expression of a property; the name is from the data dictionary or a custom field."""
    return "id" if name == "id" else f"json_extract(data, '$.{name}')"


SCHEMA = """
create table if not exists objects (
    type text not null, id integer not null, deleted integer not null default 0, made_at real not null,
    data text not null, primary key (type, id)
);
create index if not exists objects_live on objects (type, deleted, id);
""" + ";".join(
    f"create index if not exists objects_{name} on objects (type, deleted, {property_sql(name)}, id)"
    for name in INDEXED
)


@dataclass(slots=True)
class Row:
    """One record."""

    type: str
    id: int
    values: dict[str, str]
    made_at: float
    is_deleted: bool = False


@dataclass
class Transaction:
    """The context of one request: SQLite transaction, time, switches, and the signed-in user."""

    connection: sqlite3.Connection
    now: datetime
    switches: SuiteProjectsSwitches
    user_id: int = 1
    token: str | None = None
    hidden_after: float | None = None  # records created later are hidden from reads (filter-set cache)
    definitions: dict[str, dict[str, Row]] = field(default_factory=dict)

    @property
    def timestamp(self) -> str:
        """The time as the service writes it: Eastern time without a zone."""
        return self.now.astimezone(EASTERN).strftime("%Y-%m-%d %H:%M:%S")

    def rows(self, query: str, params: Iterable[Any] = ()) -> list[Row]:
        """Return the records of an SQL query over `objects`."""
        found = self.connection.execute(f"select type, id, deleted, made_at, data from objects {query}", tuple(params))
        return [
            Row(name, key, orjson.loads(data), made_at, bool(deleted)) for name, key, deleted, made_at, data in found
        ]

    def get(self, type_name: str, id_text: str | int | None) -> Row | None:
        """Return a record by id, or None if it does not exist or is deleted."""
        text = str(id_text or "")
        if not text.isascii() or not text.isdigit() or len(text) > 18:  # noqa: PLR2004 - SQLite's integers end there
            return None
        found = self.rows("where type = ? and id = ? and deleted = 0", (type_name, int(text)))
        return found[0] if found else None

    def find(self, type_name: str, **values: str) -> list[Row]:
        """Return the records with these property values, by id."""
        collate = " collate nocase" if self.switches.text_ignores_case else ""
        tests = "".join(f" and {property_sql(name)} = ?{collate}" for name in values)
        return self.rows(f"where type = ? and deleted = 0{tests} order by id", (type_name, *values.values()))

    def insert(self, type_name: str, values: Mapping[str, str]) -> Row:
        """Add a record; ids are consecutive per type."""
        last = self.connection.execute("select max(id) from objects where type = ?", (type_name,)).fetchall()[0][0]
        stored = {**values, "created": self.timestamp, "updated": self.timestamp}
        row = Row(type_name, (last or 0) + 1, stored, self.now.timestamp())
        self.connection.execute(
            "insert into objects (type, id, made_at, data) values (?, ?, ?, ?)",
            (row.type, row.id, row.made_at, orjson.dumps(stored).decode()),
        )
        return row

    def save(self, row: Row) -> None:
        """Store a changed record."""
        self.connection.execute(
            "update objects set data = ?, deleted = ? where type = ? and id = ?",
            (orjson.dumps(row.values).decode(), int(row.is_deleted), row.type, row.id),
        )

    def remove(self, row: Row) -> None:
        """Mark a record as deleted; it stays readable with `deleted`."""
        row.values["updated"] = self.timestamp
        row.is_deleted = True
        self.save(row)

    def custom_fields(self, association: str) -> dict[str, Row]:
        """Return the custom field definitions of one record type, by property name (`xxx__c`)."""
        if association and association not in self.definitions:
            # of two fields with one name the active one counts
            rows = sorted(
                self.find("CustField", association=association), key=lambda row: row.values.get("active") == "1"
            )
            self.definitions[association] = {f"{row.values['name']}__c": row for row in rows}
        return self.definitions.get(association, {})
