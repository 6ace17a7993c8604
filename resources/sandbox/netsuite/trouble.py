"""Trouble around one answer: how long it takes, rows that are missing from it, rows that somebody saves after it.

Nothing here is drawn from chance: a wait follows from the call and a seed, the rest from how many calls came before.
"""

import hashlib
import re
import sqlite3
from collections.abc import Callable
from random import Random

import orjson

from resources.clock import Clock, WallClock
from resources.sandbox.netsuite.render import COLLECTION_TYPE
from resources.sandbox.netsuite.store.tables import TABLES
from resources.sandbox.netsuite.switches import NetSuiteSwitches
from resources.sandbox.transport import Answer, Call, json_answer

_FROM = re.compile(rb"\bfrom\s+(\w+)", re.IGNORECASE)
# the table whose row is saved when this one is read: an address book's entry has no time stamp of its own
_SAVED = {f"{of}addressbook": f"{of}addressbookentityaddress" for of in ("customer", "contact")}
_NOTED_IN = ("comments", "addr3", "externalid")


def linger(call: Call, switches: NetSuiteSwitches, clock: Clock) -> None:
    """Take as long as an answer takes."""
    seconds = switches.latency_ms / 1000
    if switches.latency_mean_ms:
        seed = f"{switches.latency_seed}:{call.url}:{hashlib.sha256(call.body).hexdigest()}"
        seconds += Random(seed).expovariate(1000 / switches.latency_mean_ms)
    if seconds:
        (WallClock() if switches.latency_clock == "wall" else clock).sleep(seconds)


def is_due(every: int, count: int) -> bool:
    """Whether the call after `count` others is the last one of `every`."""
    return bool(every) and count % every == every - 1


def halved(answer: Answer, switches: NetSuiteSwitches) -> Answer:
    """A page of rows with half of them, and what it still says of the whole."""
    page = orjson.loads(answer.body)
    half = page["items"][: len(page["items"]) // 2]
    told = {"items": half, "hasMore": False}
    if switches.half_page_tells == "total":
        told["count"] = len(half)
    return json_answer({**page, **told}, media_type=COLLECTION_TYPE)


def save_one(
    call: Call, seed: str, connection: sqlite3.Connection, update: Callable[..., None]
) -> tuple[str, int] | None:
    """Somebody saves a row of the table that a query has just read; which one, or None when there is none."""
    found = _FROM.search(call.body)
    name = found[1].decode().lower() if found else ""
    name = _SAVED.get(name, name)
    if name not in TABLES or "lastmodifieddate" not in TABLES[name].columns:
        return None
    table, random = TABLES[name], Random(seed)
    count = connection.execute(f'select count(*) from "{name}"').fetchone()[0]
    if not count:
        return None
    row = connection.execute(
        f'select "{table.key}" from "{name}" order by "{table.key}" limit 1 offset ?', (random.randrange(count),)
    ).fetchone()
    noted = next((each for each in _NOTED_IN if each in table.columns), "")
    update(name, row[0], **({noted: f"saved {seed}"} if noted else {}))
    return name, row[0]
