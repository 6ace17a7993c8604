"""Precoro's stand-in: the REST API of one or more companies over one SQLite file.

answer(call)  ->  who asks (two headers)  ->  rate limits  ->  route  ->  call log  ->  Answer
"""

import re
import sqlite3
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from resources.clock import Clock
from resources.sandbox.precoro import limits, options, responses, tables
from resources.sandbox.precoro.refusal import Refused, invalid, not_allowed, not_found
from resources.sandbox.precoro.request_bodies import read_form
from resources.sandbox.precoro.switches import PrecoroSwitches
from resources.sandbox.precoro.ui_actions import HandEdits
from resources.sandbox.store import Store
from resources.sandbox.switches import SwitchBoard
from resources.sandbox.transport import Answer, Call, json_answer

KINDS = "itemcustomfields|documentcustomfields|suppliercustomfields"
ONE_OPTION = re.compile(rf"/(?P<kind>{KINDS})/(?P<field_id>\d+)/options/(?P<option_id>\d+)")
OPTIONS = re.compile(rf"/(?P<kind>{KINDS})/(?P<field_id>\d+)/options")
DEPEND = re.compile(rf"/(?P<kind>{KINDS})/options/depend_(?P<what>add|remove)")
ONE_FIELD = re.compile(rf"/(?P<kind>{KINDS})/(?P<field_id>\d+)")
FIELDS = re.compile(rf"/(?P<kind>{KINDS})")
ENTITIES = re.compile(r"/(?P<kind>legalentities|locations|users)")
ONE_ENTITY = re.compile(r"/(?P<kind>legalentities|locations)/(?P<entity_id>\d+)")


class PrecoroSandbox(HandEdits):
    """Precoro's REST API over one SQLite file."""

    def __init__(self, path: Path, *, clock: Clock, switches: SwitchBoard, credentials: dict[str, Any]) -> None:
        """Open or create the file.

        Args:
            path: The SQLite file.
            clock: The sandbox's time.
            switches: The folder's switches, read with every request.
            credentials: `token`, `email` and `item_custom_field_id` of the first company.
        """
        store = Store(path, tables.SCHEMA)
        super().__init__(store, clock)
        self._switches = switches
        self.credentials = credentials
        with store.write() as connection:
            tables.start(connection, credentials, clock.now())

    @property
    def switches(self) -> PrecoroSwitches:
        """The switches as they are now."""
        return self._switches.load("precoro", PrecoroSwitches)

    def answer(self, call: Call) -> Answer:
        """Do what Precoro would do with this request."""
        switches = self.switches
        with self._store.write() as connection:
            company_id = _company(connection, call)
            if company_id is None:
                return json_answer({"message": "Invalid credentials."}, 401)
            now = self._clock.now().timestamp()
            refused = limits.refuse(connection, company_id, call, now, switches)
            answer = refused or self._routed(connection, company_id, call, switches)
            connection.execute(
                "insert into calls (company_id, at, method, path, url, body, status, limited)"
                " values (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    company_id,
                    now,
                    call.method,
                    call.path,
                    limits.address(call),
                    call.body.decode("utf-8", "replace"),
                    answer.status,
                    int(refused is not None),
                ),
            )
            return answer

    def _routed(self, connection: sqlite3.Connection, company_id: int, call: Call, switches: PrecoroSwitches) -> Answer:
        request = _Request(connection, company_id, call, switches, self._clock.now())
        try:
            return request.routed()
        except Refused as refused:
            return refused.answer(switches.refused_status)


def _company(connection: sqlite3.Connection, call: Call) -> int | None:
    """Who asks: both headers, on every request; addresses are compared without case."""
    token, email = call.headers.get("x-auth-token"), call.headers.get("email")
    rows = connection.execute(
        "select company_id from companies where token = ? and lower(email) = lower(?)", (token, email)
    ).fetchall()
    return int(rows[0]["company_id"]) if rows else None


class _Request:
    """One admitted request."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        company_id: int,
        call: Call,
        switches: PrecoroSwitches,
        now: datetime,
    ) -> None:
        self._connection = connection
        self._company_id = company_id
        self._call = call
        self._switches = switches
        self._stamp = now.astimezone(UTC).isoformat(timespec="seconds")

    def routed(self) -> Answer:
        """Find the handler by path, then by verb."""
        path = self._call.path.rstrip("/")
        handlers = (
            (ONE_OPTION, self._one_option),
            (OPTIONS, self._options),
            (DEPEND, self._depend),
            (ONE_FIELD, self._one_field),
            (FIELDS, self._fields),
            (ONE_ENTITY, self._one_entity),
            (ENTITIES, self._entities),
        )
        for pattern, handler in handlers:
            match = pattern.fullmatch(path)
            if match:
                return handler(match)
        raise not_found("Route")

    def _form(self) -> dict[str, str]:
        return read_form(self._call, json_bodies=self._switches.json_bodies)

    def _field(self, match: re.Match[str]) -> dict[str, Any]:
        rows = self._connection.execute(
            "select * from fields where company_id = ? and kind = ? and field_id = ?",
            (self._company_id, match["kind"], int(match["field_id"])),
        ).fetchall()
        if not rows:
            raise not_found("Custom field")
        return dict(rows[0])

    def _option_rows(self, field_id: int) -> list[sqlite3.Row]:
        statement = "select * from options where field_id = ? order by option_id"
        return self._connection.execute(statement, (field_id,)).fetchall()

    def _one_option(self, match: re.Match[str]) -> Answer:
        field, option_id = self._field(match), int(match["option_id"])
        if self._call.method not in {"PUT", "PATCH"}:
            raise not_allowed()  # no client has ever been seen to delete or to read one option
        change = options.replace if self._call.method == "PUT" else options.patch
        row = change(self._connection, field, option_id, self._form(), self._switches, self._stamp)
        return json_answer(responses.option_shape(row, self._switches))

    def _options(self, match: re.Match[str]) -> Answer:
        field = self._field(match)
        if self._call.method == "POST":
            row = options.create(self._connection, field, self._form(), self._switches, self._stamp)
            return json_answer(responses.option_shape(row, self._switches), self._switches.created_status)
        if self._call.method != "GET":
            raise not_allowed()
        rows = self._option_rows(field["field_id"])
        if self._switches.listed_disabled == "omit":
            rows = [row for row in rows if row["enable"]]
        asked = {value for key, value in self._call.query if key == "external_id[]"}
        if asked and self._switches.external_id_filter:
            rows = [row for row in rows if row["external_id"] in asked]
        shape = partial(responses.option_shape, switches=self._switches)
        if self._switches.options_paged:
            return responses.page(self._call, rows, self._switches, shape)
        return json_answer({"data": [shape(row) for row in rows]})

    def _depend(self, match: re.Match[str]) -> Answer:
        if self._call.method != "PATCH":
            raise not_allowed()
        options.depend(
            self._connection, self._company_id, match["kind"], self._form(), self._switches, add=match["what"] == "add"
        )
        return Answer(200, b"", {"Content-Type": "application/json"})

    def _one_field(self, match: re.Match[str]) -> Answer:
        if self._call.method != "GET":
            raise not_allowed()
        field = self._field(match)
        return json_answer(responses.field_shape(field, self._option_rows(field["field_id"]), self._switches))

    def _fields(self, match: re.Match[str]) -> Answer:
        if self._call.method != "GET":
            raise not_allowed()
        rows = self._connection.execute(
            "select * from fields where company_id = ? and kind = ? order by field_id",
            (self._company_id, match["kind"]),
        ).fetchall()
        shown = [responses.field_shape(dict(row), self._option_rows(row["field_id"]), self._switches) for row in rows]
        return responses.page(self._call, shown, self._switches)

    def _entities(self, match: re.Match[str]) -> Answer:
        if self._call.method != "GET":
            raise not_allowed()
        rows = self._connection.execute(
            "select * from entities where company_id = ? and kind = ? order by entity_id",
            (self._company_id, match["kind"]),
        ).fetchall()
        shown = [responses.entity_shape(row) for row in rows]
        if match["kind"] == "legalentities":
            return json_answer({"data": shown})  # this list has no meta: precoro.md §2 [S]
        return responses.page(self._call, shown, self._switches)

    def _one_entity(self, match: re.Match[str]) -> Answer:
        if self._call.method != "PATCH":
            raise not_allowed()
        form = self._form()
        if "externalId" not in form:
            raise invalid("externalId", "This value should not be blank.")
        entity_id = int(match["entity_id"])
        self._connection.execute(
            "update entities set external_id = ? where company_id = ? and kind = ? and entity_id = ?",
            (form["externalId"] or None, self._company_id, match["kind"], entity_id),
        )
        rows = self._connection.execute(
            "select * from entities where company_id = ? and kind = ? and entity_id = ?",
            (self._company_id, match["kind"], entity_id),
        ).fetchall()
        if not rows:
            raise not_found("Record")
        return json_answer(responses.entity_shape(rows[0]))
