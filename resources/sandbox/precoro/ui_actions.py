"""Actions in Precoro's screens, outside the API, and state that tests read."""

import secrets
from typing import Any

from resources.clock import Clock
from resources.sandbox.precoro import tables
from resources.sandbox.store import Store

OPTION_COLUMNS = frozenset({"name", "code", "enable", "external_id", "parent_id", "level"})


class UiActions:
    """Edits of options, fields and companies without the API: no rate limit, no call log."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.store = store
        self._clock = clock

    def _default_field_id(self) -> int:
        with self.store.read() as connection:
            rows = connection.execute("select min(field_id) as field_id from fields where company_id = 1").fetchall()
        return int(rows[0]["field_id"])

    def options(self, field_id: int | None = None) -> list[dict[str, Any]]:
        """Return the options of a field, by default of the first company's first field."""
        with self.store.read() as connection:
            rows = connection.execute(
                "select * from options where field_id = ? order by option_id",
                (self._default_field_id() if field_id is None else field_id,),
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
        """Add an option; return its id."""
        with self.store.write() as connection:
            parents = connection.execute("select level from options where option_id = ?", (parent_id,)).fetchall()
            return tables.add_option(
                connection,
                self._default_field_id() if field_id is None else field_id,
                name=name,
                code=code,
                enable=int(enable),
                external_id=external_id,
                parent_id=parent_id,
                level=parents[0]["level"] + 1 if parents else 1,
                timestamp=self._clock.now().isoformat(timespec="seconds"),
            )

    def edit_option(self, option_id: int, **values: Any) -> None:
        """Change values of an option: name, code, enable, external_id, parent_id, level.

        Raises:
            ValueError: An option has no such value.
        """
        unknown = values.keys() - OPTION_COLUMNS
        if unknown:
            raise ValueError(f"an option has no {sorted(unknown)}; it has {sorted(OPTION_COLUMNS)}")
        timestamp = self._clock.now().isoformat(timespec="seconds")
        with self.store.write() as connection:
            for column, value in values.items():
                connection.execute(
                    f"update options set {column} = ?, updated_at = ? where option_id = ?",
                    (value, timestamp, option_id),
                )

    def remove_option(self, option_id: int) -> None:
        """Delete an option with everything below it, which the API cannot do."""
        with self.store.write() as connection:
            children = connection.execute("select option_id from options where parent_id = ?", (option_id,)).fetchall()
            for child in children:
                self.remove_option(child["option_id"])
            connection.execute("delete from dependencies where option_id = ?", (option_id,))
            connection.execute("delete from options where option_id = ?", (option_id,))

    def dependencies(self) -> list[dict[str, Any]]:
        """Return the options' dependencies: option_id, depend_type, entity_id."""
        with self.store.read() as connection:
            return [dict(row) for row in connection.execute("select * from dependencies").fetchall()]

    def add_field(
        self,
        name: str,
        *,
        kind: str = "itemcustomfields",
        enable: bool = True,
        type_string: str = tables.DROP_DOWN,
    ) -> int:
        """Add a field to the first company; return its id."""
        with self.store.write() as connection:
            return tables.add_field(
                connection, 1, kind, name, now=self._clock.now(), enable=enable, type_string=type_string
            )

    def add_company(self, name: str) -> dict[str, Any]:
        """Add a company with a token of its own; return its token, email and item_custom_field_id."""
        token, email = secrets.token_hex(24), "integration@example.com"
        with self.store.write() as connection:
            field_id = tables.add_company(connection, name, token=token, email=email, now=self._clock.now())
        return {"token": token, "email": email, "item_custom_field_id": field_id}

    def company(self, name: str) -> dict[str, Any]:
        """Return token, email and item_custom_field_id of a company; add it if it does not exist."""
        with self.store.write() as connection:
            rows = connection.execute(
                "select token, email, min(field_id) as field_id from companies join fields using (company_id)"
                " where companies.name = ? group by company_id",
                (name,),
            ).fetchall()
            if not rows:
                return self.add_company(name)
        return {"token": rows[0]["token"], "email": rows[0]["email"], "item_custom_field_id": rows[0]["field_id"]}

    def call_log(self) -> list[dict[str, Any]]:
        """Return all authenticated requests: at (Unix seconds), method, path, body, status, limited."""
        with self.store.read() as connection:
            return [dict(row) for row in connection.execute("select * from calls order by call_id").fetchall()]

    def _count(self, condition: str) -> int:
        with self.store.read() as connection:
            statement = f"select count(*) as calls from calls where {condition}"
            return int(connection.execute(statement).fetchall()[0]["calls"])

    def calls_made(self) -> int:
        """Return the number of requests, including rate-limited ones."""
        return self._count("true")

    def write_calls(self) -> int:
        """Return the number of writes that passed the rate limits, whatever their response."""
        return self._count("method <> 'GET' and limited = 0")

    def rate_limited_calls(self) -> int:
        """Return the number of requests answered with 429."""
        return self._count("limited = 1")
