"""Precoro's stand-in from within: what people do in its screens, and what a test wants to see."""

import secrets
from typing import Any

from resources.clock import Clock
from resources.sandbox.precoro import tables
from resources.sandbox.store import Store

OPTION_COLUMNS = frozenset({"name", "code", "enable", "external_id", "parent_id", "level"})


class HandEdits:
    """Options, fields and companies without the API: no rate limit, no call log."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def _first_field(self) -> int:
        with self._store.read() as connection:
            rows = connection.execute("select min(field_id) as field_id from fields where company_id = 1").fetchall()
        return int(rows[0]["field_id"])

    def options(self, field_id: int | None = None) -> list[dict[str, Any]]:
        """The options of a field, parent_id included; by default of the first company's first field."""
        with self._store.read() as connection:
            rows = connection.execute(
                "select * from options where field_id = ? order by option_id",
                (self._first_field() if field_id is None else field_id,),
            ).fetchall()
        return [dict(row) | {"enable": bool(row["enable"])} for row in rows]

    def add_option(
        self,
        name: str,
        *,
        field_id: int | None = None,
        code: str | None = None,
        enable: bool = True,
        external_id: str | None = None,
        parent_id: int | None = None,
    ) -> int:
        """A person adds an option; returns its id."""
        with self._store.write() as connection:
            parents = connection.execute("select level from options where option_id = ?", (parent_id,)).fetchall()
            return tables.add_option(
                connection,
                self._first_field() if field_id is None else field_id,
                name=name,
                code=code,
                enable=int(enable),
                external_id=external_id,
                parent_id=parent_id,
                level=parents[0]["level"] + 1 if parents else 1,
                stamp=self._clock.now().isoformat(timespec="seconds"),
            )

    def edit_option(self, option_id: int, **values: Any) -> None:
        """A person edits an option: name, code, enable, external_id, parent_id, level."""
        unknown = values.keys() - OPTION_COLUMNS
        if unknown:
            raise ValueError(f"an option has no {sorted(unknown)}; it has {sorted(OPTION_COLUMNS)}")
        stamp = self._clock.now().isoformat(timespec="seconds")
        with self._store.write() as connection:
            for column, value in values.items():
                connection.execute(
                    f"update options set {column} = ?, updated_at = ? where option_id = ?",
                    (value, stamp, option_id),
                )

    def remove_option(self, option_id: int) -> None:
        """A person deletes an option with everything below it, which the API cannot do."""
        with self._store.write() as connection:
            children = connection.execute("select option_id from options where parent_id = ?", (option_id,)).fetchall()
            for child in children:
                self.remove_option(child["option_id"])
            connection.execute("delete from dependencies where option_id = ?", (option_id,))
            connection.execute("delete from options where option_id = ?", (option_id,))

    def dependencies(self) -> list[dict[str, Any]]:
        """What options are tied to: option_id, depend_type, entity_id."""
        with self._store.read() as connection:
            return [dict(row) for row in connection.execute("select * from dependencies").fetchall()]

    def add_field(
        self,
        name: str,
        *,
        kind: str = "itemcustomfields",
        enable: bool = True,
        type_string: str = tables.DROP_DOWN,
    ) -> int:
        """A person makes a field in the first company; returns its id."""
        with self._store.write() as connection:
            return tables.add_field(
                connection, 1, kind, name, now=self._clock.now(), enable=enable, type_string=type_string
            )

    def add_company(self, name: str) -> dict[str, Any]:
        """One more company with a token of its own; returns what a client needs to reach it."""
        token, email = secrets.token_hex(24), "integration@example.com"
        with self._store.write() as connection:
            field_id = tables.add_company(connection, name, token=token, email=email, now=self._clock.now())
        return {"token": token, "email": email, "item_custom_field_id": field_id}

    def company(self, name: str) -> dict[str, Any]:
        """What a client needs to reach the company of this name, which is made when there is none yet."""
        with self._store.write() as connection:
            rows = connection.execute(
                "select token, email, min(field_id) as field_id from companies join fields using (company_id)"
                " where companies.name = ? group by company_id",
                (name,),
            ).fetchall()
            if not rows:
                return self.add_company(name)
        return {"token": rows[0]["token"], "email": rows[0]["email"], "item_custom_field_id": rows[0]["field_id"]}

    def log(self) -> list[dict[str, Any]]:
        """Every request with known credentials: at (Unix seconds), method, path, body, status, limited."""
        with self._store.read() as connection:
            return [dict(row) for row in connection.execute("select * from calls order by call_id").fetchall()]

    def _count(self, condition: str) -> int:
        with self._store.read() as connection:
            statement = f"select count(*) as calls from calls where {condition}"
            return int(connection.execute(statement).fetchall()[0]["calls"])

    def calls_made(self) -> int:
        """Requests answered, refused ones included."""
        return self._count("1 = 1")

    def write_calls(self) -> int:
        """Writes that passed the rate limits, whatever their answer."""
        return self._count("method <> 'GET' and limited = 0")

    def refusals(self) -> int:
        """Requests answered 429."""
        return self._count("limited = 1")
