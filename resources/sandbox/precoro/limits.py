"""Rate limits of Precoro: four windows for all requests, two for repeated GETs."""

import math
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from resources.sandbox.precoro.switches import PrecoroSwitches
from resources.sandbox.transport import Request, Response, json_response

TIME_FORMAT = "%Y-%m-%d %H:%M:%S UTC"


@dataclass(frozen=True)
class Limit:
    """At most `calls` in `seconds`; `name` is that of the response."""

    name: str
    calls: int
    seconds: int
    identical: bool = False


def active_limits(switches: PrecoroSwitches) -> Iterator[Limit]:
    """Yield the active limits; the names of the second, minute and route-by-hour limiters are invented."""
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


def rate_limited(
    connection: sqlite3.Connection, company_id: int, request: Request, now: float, switches: PrecoroSwitches
) -> Response | None:
    """Return the 429 for a request beyond a limit, or None."""
    until, limit = 0.0, None
    for each in active_limits(switches):
        if each.identical and request.method != "GET":
            continue  # writes are exempt: precoro.md §3 [D]
        free_at = _free_at(connection, company_id, request, now, switches, each)
        if free_at > max(now, until):
            until, limit = free_at, each
    return _too_many_requests(limit, until, now, switches) if limit else None


def _free_at(
    connection: sqlite3.Connection,
    company_id: int,
    request: Request,
    now: float,
    switches: PrecoroSwitches,
    limit: Limit,
) -> float:
    """Return the time (Unix seconds) from which a limit allows this request."""
    # one value, so that the index gives the order without sorting
    where = "company_id = ? and limited " + ("in (0, 1)" if switches.rejected_calls_count else "= 0")
    values: list[int | str] = [company_id]
    if limit.identical:
        where += f" and {switches.identical_by} = ? and method = 'GET'"
        values.append(path_and_query(request) if switches.identical_by == "url" else request.path)
    statement = f"select at from calls where {where} order by at desc limit 1 offset ?"
    rows = connection.execute(statement, [*values, limit.calls - 1]).fetchall()
    if not rows:
        return 0.0
    if switches.windows == "fixed":
        start = math.floor(now / limit.seconds) * limit.seconds
        return start + limit.seconds if rows[0]["at"] >= start else 0.0
    return float(rows[0]["at"]) + limit.seconds


def path_and_query(request: Request) -> str:
    """Return path and query, which make two requests identical."""
    return request.path + "?" + "&".join(f"{key}={value}" for key, value in request.query)


def _too_many_requests(limit: Limit, until: float, now: float, switches: PrecoroSwitches) -> Response:
    body = {
        "error": "Too many requests for this endpoint",
        "RateLimit-Type": limit.name,
        "RateLimit-Retry-After": datetime.fromtimestamp(math.ceil(until), UTC).strftime(TIME_FORMAT),
        "RateLimit-Limit": limit.calls,
    }
    headers = {"Retry-After": str(math.ceil(until - now))} if switches.retry_after_header else {}
    return json_response(body, 429, headers=headers)
