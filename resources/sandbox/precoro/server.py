"""Request handling of the simulated Precoro: one or more companies in one SQLite file.

request  ->  company by two headers  ->  rate limits  ->  handler by path and method  ->  call log
"""

import random
import re
import sqlite3
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from resources.clock import Clock
from resources.sandbox.precoro import responses, tables
from resources.sandbox.precoro.dependencies import change_dependencies
from resources.sandbox.precoro.errors import ApiError, invalid, not_allowed, not_found
from resources.sandbox.precoro.limits import path_and_query, rate_limited
from resources.sandbox.precoro.options import OptionWriter
from resources.sandbox.precoro.request_bodies import read_form
from resources.sandbox.precoro.switches import PrecoroSwitches
from resources.sandbox.precoro.ui_actions import UiActions
from resources.sandbox.store import Store
from resources.sandbox.switches import SwitchBoard
from resources.sandbox.transport import Request, Response, json_response

KINDS = "itemcustomfields|documentcustomfields|suppliercustomfields"
ONE_OPTION = re.compile(rf"/(?P<kind>{KINDS})/(?P<field_id>\d+)/options/(?P<option_id>\d+)")
OPTIONS = re.compile(rf"/(?P<kind>{KINDS})/(?P<field_id>\d+)/options")
DEPEND = re.compile(rf"/(?P<kind>{KINDS})/options/depend_(?P<change>add|remove)")
ONE_FIELD = re.compile(rf"/(?P<kind>{KINDS})/(?P<field_id>\d+)")
FIELDS = re.compile(rf"/(?P<kind>{KINDS})")
ENTITIES = re.compile(r"/(?P<kind>legalentities|locations|users)")
ONE_ENTITY = re.compile(r"/(?P<kind>legalentities|locations)/(?P<entity_id>\d+)")


class PrecoroSandbox(UiActions):
    """A simulated Precoro; safe for any number of threads and processes."""

    def __init__(self, path: Path, *, clock: Clock, switches: SwitchBoard, credentials: dict[str, Any]) -> None:
        """Open or create the file.

        Args:
            path: The SQLite file.
            clock: The sandbox's clock.
            switches: The sandbox folder's switches, read with each request.
            credentials: `token`, `email` and `item_custom_field_id` of the first company.
        """
        store = Store(path, tables.SCHEMA)
        super().__init__(store, clock)
        self._switches = switches
        self.credentials = credentials
        with store.write() as connection:
            tables.add_first_company(connection, credentials, clock.now())

    @property
    def switches(self) -> PrecoroSwitches:
        """The current switches."""
        return self._switches.load("precoro", PrecoroSwitches)

    def handle(self, request: Request) -> Response:
        """Respond as Precoro would; each request is one transaction."""
        switches = self.switches
        with self.store.write() as connection:
            company_id = _company_id(connection, request)
            if company_id is None:
                return json_response({"message": "Invalid credentials."}, 401)
            now = self._clock.now()
            limited = rate_limited(connection, company_id, request, now.timestamp(), switches)
            response = limited or _RequestHandler(connection, company_id, request, switches, now).response()
            connection.execute(
                "insert into calls (company_id, at, method, path, url, body, status, limited)"
                " values (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    company_id,
                    now.timestamp(),
                    request.method,
                    request.path,
                    path_and_query(request),
                    request.body.decode("utf-8", "replace"),
                    response.status,
                    int(limited is not None),
                ),
            )
            return response


def _company_id(connection: sqlite3.Connection, request: Request) -> int | None:
    """Return the company of the two headers; email addresses are compared without case."""
    token, email = request.headers.get("x-auth-token"), request.headers.get("email")
    rows = connection.execute(
        "select company_id from companies where token = ? and lower(email) = lower(?)", (token, email)
    ).fetchall()
    return int(rows[0]["company_id"]) if rows else None


class _RequestHandler:
    """Handler of one authenticated request."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        company_id: int,
        request: Request,
        switches: PrecoroSwitches,
        now: datetime,
    ) -> None:
        self._connection = connection
        self._company_id = company_id
        self._request = request
        self._switches = switches
        self._timestamp = now.astimezone(UTC).isoformat(timespec="seconds")

    def response(self) -> Response:
        """Return the response, an error response included."""
        try:
            return self._route()
        except ApiError as error:
            return error.response(self._switches.validation_status)

    def _route(self) -> Response:
        path = self._request.path.rstrip("/")
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

    def _require(self, *methods: str) -> None:
        if self._request.method not in methods:
            raise not_allowed()

    def _form(self) -> dict[str, str]:
        return read_form(self._request, json_bodies=self._switches.json_bodies)

    def _field(self, match: re.Match[str]) -> dict[str, Any]:
        rows = self._connection.execute(
            "select * from fields where company_id = ? and kind = ? and field_id = ?",
            (self._company_id, match["kind"], int(match["field_id"])),
        ).fetchall()
        if not rows:
            raise not_found("Custom field")
        return dict(rows[0])

    def _writer(self, field: dict[str, Any]) -> OptionWriter:
        return OptionWriter(self._connection, field, self._switches, self._timestamp)

    def _option_rows(self, field_id: int) -> list[sqlite3.Row]:
        statement = "select * from options where field_id = ? order by option_id"
        rows, delay_s = self._connection.execute(statement, (field_id,)).fetchall(), self._switches.listing_delay_s
        if not delay_s:
            return rows
        shown = datetime.fromisoformat(self._timestamp) - timedelta(seconds=delay_s)
        return [row for row in rows if datetime.fromisoformat(row["created_at"]) <= shown]

    def _one_option(self, match: re.Match[str]) -> Response:
        field, option_id = self._field(match), int(match["option_id"])
        self._require("PUT", "PATCH")  # no known client deletes or reads a single option
        writer = self._writer(field)
        change = writer.replace if self._request.method == "PUT" else writer.patch
        return json_response(responses.written_json(change(option_id, self._form()), self._switches))

    def _options(self, match: re.Match[str]) -> Response:
        field = self._field(match)
        if self._request.method == "POST":
            row = self._writer(field).create(self._form())
            return json_response(responses.written_json(row, self._switches), self._switches.created_status)
        self._require("GET")
        rows = self._option_rows(field["field_id"])
        if self._switches.listed_disabled == "omit":
            rows = [row for row in rows if row["enable"]]
        external_ids = {value for key, value in self._request.query if key == "external_id[]"}
        if external_ids and self._switches.external_id_filter:
            rows = [row for row in rows if row["external_id"] in external_ids]
        if self._switches.unstable_order:
            rows = random.sample(rows, len(rows))
        to_json = partial(responses.option_json, switches=self._switches)
        if self._switches.options_paged:
            return responses.page(self._request, rows, self._switches, to_json)
        return json_response({"data": [to_json(row) for row in rows]})

    def _depend(self, match: re.Match[str]) -> Response:
        self._require("PATCH")
        add = match["change"] == "add"
        change_dependencies(self._connection, self._company_id, match["kind"], self._form(), self._switches, add=add)
        return Response(200, b"", {"Content-Type": "application/json"})

    def _one_field(self, match: re.Match[str]) -> Response:
        self._require("GET")
        field = self._field(match)
        return json_response(responses.field_json(field, self._option_rows(field["field_id"]), self._switches))

    def _fields(self, match: re.Match[str]) -> Response:
        self._require("GET")
        rows = self._connection.execute(
            "select * from fields where company_id = ? and kind = ? order by field_id",
            (self._company_id, match["kind"]),
        ).fetchall()
        fields = [responses.field_json(dict(row), self._option_rows(row["field_id"]), self._switches) for row in rows]
        return responses.page(self._request, fields, self._switches)

    def _entities(self, match: re.Match[str]) -> Response:
        self._require("GET")
        rows = self._connection.execute(
            "select * from entities where company_id = ? and kind = ? order by entity_id",
            (self._company_id, match["kind"]),
        ).fetchall()
        entities = [responses.entity_json(row) for row in rows]
        if match["kind"] == "legalentities":
            return json_response({"data": entities})  # this list has no meta: precoro.md §2 [S]
        return responses.page(self._request, entities, self._switches)

    def _one_entity(self, match: re.Match[str]) -> Response:
        self._require("PATCH")
        form = self._form()
        if "externalId" not in form:
            raise invalid("externalId", "This value should not be blank.")
        rows = self._connection.execute(
            "update entities set external_id = ? where company_id = ? and kind = ? and entity_id = ? returning *",
            (form["externalId"] or None, self._company_id, match["kind"], int(match["entity_id"])),
        ).fetchall()
        if not rows:
            raise not_found("Record")
        return json_response(responses.entity_json(rows[0]))
