"""Precoro's rate limits: four windows for every request, two for the same GET again."""

import math
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from resources.sandbox.precoro.switches import PrecoroSwitches
from resources.sandbox.transport import Answer, Call, json_answer

STAMP = "%Y-%m-%d %H:%M:%S UTC"


@dataclass(frozen=True)
class Limit:
    """At most `calls` in `seconds`; `kind` is what the answer calls it."""

    kind: str
    calls: int
    seconds: int
    identical: bool = False


def limits(switches: PrecoroSwitches) -> Iterator[Limit]:
    """The limits in force; the names of the second, minute and route-by-hour limiters are invented."""
    if switches.limit_per_second:
        yield Limit("Second limiter", switches.calls_per_second, 1)
    if switches.limit_per_minute:
        yield Limit("Minute limiter", switches.calls_per_minute, 60)
    if switches.limit_per_hour:
        yield Limit("Hourly limiter", switches.calls_per_hour, 3600)
    if switches.limit_per_day:
        yield Limit("Daily limiter", switches.calls_per_day, 86400)
    if switches.limit_identical:
        yield Limit("Route based limiter by minute", 1, 60, identical=True)
        yield Limit("Route based limiter by hour", 30, 3600, identical=True)


def refuse(
    connection: sqlite3.Connection, company_id: int, call: Call, now: float, switches: PrecoroSwitches
) -> Answer | None:
    """The 429 that this call meets, or None."""
    until, limit = 0.0, None
    for each in limits(switches):
        if each.identical and call.method != "GET":
            continue  # writes are exempt: precoro.md §3 [D]
        free_at = _free_at(connection, company_id, call, now, switches, each)
        if free_at > max(now, until):
            until, limit = free_at, each
    return _too_many(limit, until, now, switches) if limit else None


def _free_at(
    connection: sqlite3.Connection,
    company_id: int,
    call: Call,
    now: float,
    switches: PrecoroSwitches,
    limit: Limit,
) -> float:
    # one value, so that the index gives the order and nothing is sorted
    where = "company_id = ? and limited " + ("in (0, 1)" if switches.refused_calls_count else "= 0")
    values: list[int] = [company_id]
    texts: list[str] = []
    if limit.identical:
        where += f" and {switches.identical_by} = ? and method = 'GET'"
        texts = [address(call) if switches.identical_by == "url" else call.path]
    statement = f"select at from calls where {where} order by at desc limit 1 offset ?"
    rows = connection.execute(statement, [*values, *texts, limit.calls - 1]).fetchall()
    if not rows:
        return 0.0
    if switches.windows == "fixed":
        begin = math.floor(now / limit.seconds) * limit.seconds
        return begin + limit.seconds if rows[0]["at"] >= begin else 0.0
    return float(rows[0]["at"]) + limit.seconds


def address(call: Call) -> str:
    """What makes two calls the same: path and query."""
    return call.path + "?" + "&".join(f"{key}={value}" for key, value in call.query)


def _too_many(limit: Limit, until: float, now: float, switches: PrecoroSwitches) -> Answer:
    body = {
        "error": "Too many requests for this endpoint",
        "RateLimit-Type": limit.kind,
        "RateLimit-Retry-After": datetime.fromtimestamp(math.ceil(until), UTC).strftime(STAMP),
        "RateLimit-Limit": limit.calls,
    }
    headers = {"Retry-After": str(math.ceil(until - now))} if switches.retry_after_header else {}
    return json_answer(body, 429, headers=headers)
