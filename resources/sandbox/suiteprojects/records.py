"""The account's objects: one SQLite table, values as JSON under their flat names, absent when blank.

Times are kept as the service shows them, US Eastern without a zone; `made_at` is UTC, for the filter-set cache.
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

# the properties that are looked up often; the expression is the index's own, or SQLite would not use it
INDEXED = ("externalid", "name", "customerid", "recordid", "parentid", "hierarchyid", "updated")


def property_sql(name: str) -> str:
    """The SQL expression of a property; the name comes from the data dictionary or from a custom field."""
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


class RefusedError(Exception):
    """A command is refused with this status; `inside` is what its block holds beside."""

    def __init__(self, status: int, inside: str = "") -> None:
        super().__init__(status)
        self.status = status
        self.inside = inside


@dataclass(slots=True)
class Row:
    """One object."""

    type: str
    id: int
    values: dict[str, str]
    made_at: float
    is_deleted: bool = False


@dataclass
class Work:
    """What one request works with: the transaction, the moment, the account's switches, who asks."""

    con: sqlite3.Connection
    now: datetime
    switches: SuiteProjectsSwitches
    user_id: int = 1
    token: str | None = None
    hidden_after: float | None = None  # objects made later are hidden from reads (filter-set cache)
    definitions: dict[str, dict[str, Row]] = field(default_factory=dict)

    @property
    def stamp(self) -> str:
        """The moment as the service writes it: Eastern time, no zone."""
        return self.now.astimezone(EASTERN).strftime("%Y-%m-%d %H:%M:%S")

    def rows(self, query: str, params: Iterable[Any] = ()) -> list[Row]:
        """Objects by an SQL query over `objects`."""
        found = self.con.execute(f"select type, id, deleted, made_at, data from objects {query}", tuple(params))
        return [Row(name, key, orjson.loads(data), made_at, bool(gone)) for name, key, gone, made_at, data in found]

    def get(self, type_name: str, id_text: str | int | None) -> Row | None:
        """One live object by id."""
        text = str(id_text or "")
        if not text.isascii() or not text.isdigit() or len(text) > 18:  # noqa: PLR2004 SQLite's integers end there
            return None
        found = self.rows("where type = ? and id = ? and deleted = 0", (type_name, int(text)))
        return found[0] if found else None

    def find(self, type_name: str, **wanted: str) -> list[Row]:
        """Live objects whose properties have these values, by id."""
        collate = " collate nocase" if self.switches.text_ignores_case else ""
        tests = "".join(f" and {property_sql(name)} = ?{collate}" for name in wanted)
        return self.rows(f"where type = ? and deleted = 0{tests} order by id", (type_name, *wanted.values()))

    def insert(self, type_name: str, values: Mapping[str, str]) -> Row:
        """Keep a new object; ids count up per type."""
        last = self.con.execute("select max(id) from objects where type = ?", (type_name,)).fetchall()[0][0]
        kept = {**values, "created": self.stamp, "updated": self.stamp}
        row = Row(type_name, (last or 0) + 1, kept, self.now.timestamp())
        self.con.execute(
            "insert into objects (type, id, made_at, data) values (?, ?, ?, ?)",
            (row.type, row.id, row.made_at, orjson.dumps(kept).decode()),
        )
        return row

    def save(self, row: Row) -> None:
        """Write an object's values back."""
        self.con.execute(
            "update objects set data = ?, deleted = ? where type = ? and id = ?",
            (orjson.dumps(row.values).decode(), int(row.is_deleted), row.type, row.id),
        )

    def remove(self, row: Row) -> None:
        """Mark an object deleted; it stays readable with `deleted`."""
        row.values["updated"] = self.stamp
        row.is_deleted = True
        self.save(row)

    def custom_fields(self, association: str) -> dict[str, Row]:
        """The custom field definitions of one type, by property name (`xxx__c`)."""
        if association and association not in self.definitions:
            rows = self.find("CustField", association=association)
            self.definitions[association] = {f"{row.values['name']}__c": row for row in rows}
        return self.definitions.get(association, {})
