"""The SuiteQL endpoint: POST /services/rest/query/v1/suiteql?limit=&offset=.

Each page is a new execution of its statement, so pages shift when rows change (netsuite.md §1.1, §1.2, §1.4).
"""

import random
import re
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from resources.sandbox.netsuite.errors import ApiError, unsupported
from resources.sandbox.netsuite.pages import Page, collection
from resources.sandbox.netsuite.store.tables import TABLES
from resources.sandbox.netsuite.store.values import utc_text
from resources.sandbox.netsuite.suiteql.parser import scan
from resources.sandbox.netsuite.suiteql.sqlite_functions import as_text
from resources.sandbox.netsuite.suiteql.translate import Statement, translate
from resources.sandbox.netsuite.switches import NetSuiteSwitches
from resources.sandbox.store import Store
from resources.sandbox.transport import Request, Response

KEY_AND_LINKS = 2  # properties of a row of which only the key was selected
_FROM = re.compile(r"\bfrom\s+(\w+)", re.IGNORECASE)


@dataclass(frozen=True)
class Rows:
    """The rows of one page, and the number of rows of the whole result."""

    items: list[dict[str, Any]]
    total: int


def handle_query(request: Request, store: Store, now: datetime, switches: NetSuiteSwitches) -> Response:
    """Handle one SuiteQL request.

    Raises:
        ApiError: The request or its statement is wrong.
    """
    if request.method != "POST":
        detail = f"The method {request.method} is not allowed here."
        raise ApiError(405, "METHOD_NOT_ALLOWED", detail, headers={"Allow": "POST"})
    preferences = request.headers.get("prefer", "").replace(" ", "").lower().split(",")
    if switches.prefer_required and "transient" not in preferences:
        raise ApiError(400, "INVALID_REQUEST", switches.prefer_text, location={"o:errorHeader": "Prefer"})
    page = Page.of(request)
    page.check_caps(switches.row_cap, switches.page_cap)
    query, binds = _statement(request.body)
    rows = run(query, binds, page, store=store, now=now, switches=switches)
    _require_no_failing_row(query, rows, switches)
    return collection(request, page, rows.items, rows.total)


def _require_no_failing_row(query: str, rows: Rows, switches: NetSuiteSwitches) -> None:
    """Fail if the page has a row that cannot be computed; a column of keys alone can.

    Raises:
        ApiError: It has one.
    """
    read = _FROM.search(query)
    for table, _, key in (each.rpartition(".") for each in switches.failing_rows):
        if (
            read
            and read[1].lower() == table
            and any(item.get(TABLES[table].key) == key and len(item) > KEY_AND_LINKS for item in rows.items)
        ):
            raise ApiError(500, "UNEXPECTED_ERROR", "An unexpected error occurred. Error ID: row1")


def _statement(body: bytes) -> tuple[str, list[Any]]:
    """Return the statement and its bind values."""
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ApiError(400, "INVALID_CONTENT", "Invalid content in the request body.") from error
    query = content.get("q") if isinstance(content, dict) else None
    binds = content.get("params", []) if isinstance(content, dict) else None
    if not isinstance(query, str) or not query.strip():
        raise ApiError(400, "INVALID_CONTENT", "The request body must contain the property 'q'.")
    if not isinstance(binds, list) or not all(isinstance(each, str | int | float | None) for each in binds):
        raise ApiError(400, "INVALID_CONTENT", "The property 'params' must be a list of values.")
    return query, binds


def run(query: str, binds: list[Any], page: Page, *, store: Store, now: datetime, switches: NetSuiteSwitches) -> Rows:
    """Execute one page.

    Raises:
        ApiError: The statement is not SuiteQL, or a value does not fit its format.
    """
    scanned = scan(query, binds, switches)
    statement = translate(scanned.text, scanned.top, switches)
    # another order for each page: a client that pages without ORDER BY gets duplicates and gaps, as in NetSuite
    shuffle = random.Random(f"{switches.shuffle_seed}:{page.offset}").randrange(100_000, 900_000)
    parameters = {
        **scanned.parameters,
        "now": utc_text(now),
        "shuffle": shuffle,
        "limit": page.limit,
        "offset": page.offset,
    }
    try:
        with store.read() as connection:
            return _execute(connection, statement, parameters, page, null_as_text=switches.null_as_text)
    except (sqlite3.Error, OverflowError) as error:
        raise unsupported(f"the statement does not run: {error}") from error


def _execute(
    connection: sqlite3.Connection,
    statement: Statement,
    parameters: Mapping[str, Any],
    page: Page,
    *,
    null_as_text: bool,
) -> Rows:
    cursor = connection.cursor()
    cursor.row_factory = None
    rows = cursor.execute(statement.page_sql, parameters).fetchall()
    items = [_item(statement.keys, row) for row in rows]
    if null_as_text:
        items = [{**dict.fromkeys(statement.keys, ""), **item} for item in items]
    if len(rows) < page.limit and (rows or not page.offset):
        return Rows(items, page.offset + len(rows))
    return Rows(items, cursor.execute(statement.count_sql, parameters).fetchone()[0])


def _item(keys: tuple[str, ...], row: tuple[Any, ...]) -> dict[str, Any]:
    """Return one row as NetSuite sends it: all values are strings, nulls are omitted."""
    item: dict[str, Any] = {"links": []}
    for key, value in zip(keys, row, strict=True):
        if value is not None:
            item[key] = value if value.__class__ is str else as_text(value)
    return item
