"""Anomalies around one response: latency, missing rows, a record saved between two queries.

All are deterministic: a delay depends on the request and a seed, the others on the number of earlier requests.
"""

import hashlib
import re
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from random import Random

import orjson

from resources.clock import Clock, WallClock
from resources.sandbox.netsuite.pages import COLLECTION_TYPE
from resources.sandbox.netsuite.store.tables import TABLES
from resources.sandbox.netsuite.switches import NetSuiteSwitches
from resources.sandbox.transport import Request, Response, json_response

_FROM = re.compile(rb"\bfrom\s+(\w+)", re.IGNORECASE)
# queried table -> table of the saved row: an address book entry has no timestamp of its own
_SAVED_TABLES = {f"{of}addressbook": f"{of}addressbookentityaddress" for of in ("customer", "contact")}
_EDITED_COLUMNS = ("comments", "addr3", "externalid")


def delay(request: Request, switches: NetSuiteSwitches, clock: Clock) -> None:
    """Delay the response as the switches specify."""
    seconds = switches.latency_ms / 1000
    if switches.latency_mean_ms:
        seed = f"{switches.latency_seed}:{request.url}:{hashlib.sha256(request.body).hexdigest()}"
        seconds += Random(seed).expovariate(1000 / switches.latency_mean_ms)
    if seconds:
        (WallClock() if switches.latency_clock == "wall" else clock).sleep(seconds)


def is_due(every: int, count: int) -> bool:
    """Return whether the request after `count` others is the last one of `every`."""
    return bool(every) and count % every == every - 1


def half_page(response: Response, switches: NetSuiteSwitches) -> Response:
    """Drop half of a page's rows; its count or its total still report the whole page."""
    page = orjson.loads(response.body)
    half = page["items"][: len(page["items"]) // 2]
    changed = {"items": half, "hasMore": False}
    if switches.half_page_reports == "total":
        changed["count"] = len(half)
    return json_response({**page, **changed}, media_type=COLLECTION_TYPE)


def damaged(response: Response, switches: NetSuiteSwitches) -> Response:
    """Return the response with bytes that no JSON should contain."""
    body = response.body.replace(b"<bad>", bytes.fromhex(switches.bad_text)) if switches.bad_text else response.body
    return replace(response, body=b"\xef\xbb\xbf" + body if switches.byte_order_mark else body)


def save_one_row(request: Request, seed: str, connection: sqlite3.Connection, update: Callable[..., None]) -> None:
    """Save a random row of the table that a query has just read, as another user would."""
    found = _FROM.search(request.body)
    name = found[1].decode().lower() if found else ""
    name = _SAVED_TABLES.get(name, name)
    if name not in TABLES or "lastmodifieddate" not in TABLES[name].columns:
        return
    table, random = TABLES[name], Random(seed)
    count = connection.execute(f'select count(*) from "{name}"').fetchone()[0]
    if not count:
        return
    row = connection.execute(
        f'select "{table.key}" from "{name}" order by "{table.key}" limit 1 offset ?', (random.randrange(count),)
    ).fetchone()
    edited = next((each for each in _EDITED_COLUMNS if each in table.columns), "")
    update(name, row[0], **({edited: f"saved {seed}"} if edited else {}))
