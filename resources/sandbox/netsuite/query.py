"""The SuiteQL endpoint: POST /services/rest/query/v1/suiteql?limit=&offset=.

Each page is a fresh execution of its statement, so pages move when rows do (netsuite.md §1.1, §1.2, §1.4).
"""

import random
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from resources.sandbox.netsuite.refusal import Refusal, unsupported
from resources.sandbox.netsuite.render import Page, collection
from resources.sandbox.netsuite.store.values import utc_text
from resources.sandbox.netsuite.suiteql.functions import shown
from resources.sandbox.netsuite.suiteql.statement import scan
from resources.sandbox.netsuite.suiteql.translate import Statement, compiled
from resources.sandbox.netsuite.switches import NetSuiteSwitches
from resources.sandbox.store import Store
from resources.sandbox.transport import Answer, Call


@dataclass(frozen=True)
class Rows:
    """One executed page."""

    items: list[dict[str, Any]]
    total: int


def answer_query(call: Call, store: Store, now: datetime, switches: NetSuiteSwitches) -> Answer:
    """Answer one SuiteQL call.

    Raises:
        Refusal: The call or its statement is wrong.
    """
    if call.method != "POST":
        raise Refusal(
            405, "METHOD_NOT_ALLOWED", f"The method {call.method} is not allowed here.", headers={"Allow": "POST"}
        )
    if switches.prefer_required and "transient" not in call.headers.get("prefer", "").replace(" ", "").lower().split(
        ","
    ):
        raise Refusal(400, "INVALID_REQUEST", switches.prefer_text, place={"o:errorHeader": "Prefer"})
    page = Page.of(call)
    page.check_reach(switches.row_cap, switches.page_cap)
    query, binds = _statement(call.body)
    rows = run(query, binds, page, store=store, now=now, switches=switches)
    return collection(call, page, rows.items, rows.total)


def _statement(body: bytes) -> tuple[str, list[Any]]:
    """The statement and its binds."""
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refusal(400, "INVALID_CONTENT", "Invalid content in the request body.") from error
    query = content.get("q") if isinstance(content, dict) else None
    binds = content.get("params", []) if isinstance(content, dict) else None
    if not isinstance(query, str) or not query.strip():
        raise Refusal(400, "INVALID_CONTENT", "The request body must contain the property 'q'.")
    if not isinstance(binds, list) or not all(isinstance(each, str | int | float | None) for each in binds):
        raise Refusal(400, "INVALID_CONTENT", "The property 'params' must be a list of values.")
    return query, binds


def run(query: str, binds: list[Any], page: Page, *, store: Store, now: datetime, switches: NetSuiteSwitches) -> Rows:
    """Execute one page.

    Raises:
        Refusal: The statement is not SuiteQL, or a value does not fit its format.
    """
    scanned = scan(query, binds, switches)
    statement = compiled(scanned.text, scanned.top, switches)
    # another order for each page: a client that pages without ORDER BY meets doubles and gaps, as in NetSuite
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
            return _executed(connection, statement, parameters, page)
    except (sqlite3.Error, OverflowError) as error:
        raise unsupported(f"the statement does not run: {error}") from error


def _executed(connection: sqlite3.Connection, statement: Statement, parameters: Mapping[str, Any], page: Page) -> Rows:
    cursor = connection.cursor()
    cursor.row_factory = None
    rows = cursor.execute(statement.page_sql, parameters).fetchall()
    items = [_item(statement.keys, row) for row in rows]
    if len(rows) < page.limit and (rows or not page.offset):
        return Rows(items, page.offset + len(rows))
    return Rows(items, cursor.execute(statement.count_sql, parameters).fetchone()[0])


def _item(keys: tuple[str, ...], row: tuple[Any, ...]) -> dict[str, Any]:
    """One row as NetSuite sends it: texts only, nothing for null."""
    item: dict[str, Any] = {"links": []}
    for key, value in zip(keys, row, strict=True):
        if value is not None:
            item[key] = value if value.__class__ is str else shown(value)
    return item
