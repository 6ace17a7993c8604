"""The tables that people's decisions are read from, compared with the events that recorded them.

sync_plans, sync_manual_links, sync_ignored, switches.json; the last event about each  ->  Difference
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb

from assets.delivery.ledger.events import Event, Happened, as_json
from assets.delivery.spec.switches import Override

_LAST = """
select workflow, subject, arg_max(event, position) as event, arg_max(coalesce(decided_by, ''), position) as by,
    arg_max(details, position) as details
from sync_events
where list_contains({events}, event) and position > coalesce((
    select max(position) from sync_events as other
    where other.workflow = sync_events.workflow and other.event = 'rebound' and {is_reset}
), -1)
group by workflow, subject
"""
_COMPARED = """
select coalesce(mirror.workflow, known.workflow) as workflow, coalesce(mirror.subject, known.subject) as subject,
    mirror.by, mirror.details, known.event, known.by, known.details
from ({mirror}) as mirror full join ({last}) as known using (workflow, subject)
where mirror.workflow is null or known.workflow is null or mirror.by <> known.by
    or ({detailed} and mirror.details <> known.details)
"""
_RECORD = "coalesce(source, '') || ' ' || coalesce(source_id, '')"


@dataclass(frozen=True)
class Mirror:
    """A table, the events that set and end its rows, and the details that both have, as JSON."""

    table: str
    rows: str
    sets: tuple[Happened, ...]
    ends: tuple[Happened, ...] = ()
    is_reset: bool = False
    has_details: bool = True


MIRRORS = (
    Mirror(
        "sync_plans",
        "select workflow, plan_id as subject, coalesce(decided_by, '') as by,"
        " json_object('state', state)::varchar as details from sync_plans"
        " where decided_by is not null or plan_id in"
        " (select subject from sync_events where event in ('approved', 'rejected'))",
        (Happened.APPROVED, Happened.REJECTED),
        has_details=False,
    ),
    Mirror(
        "sync_plans",
        "select workflow, plan_id as subject, coalesce(requested_by, '') as by, '' as details from sync_plans"
        " where requested_by is not null or plan_id in (select subject from sync_events where event = 'undo_planned')",
        (Happened.UNDO_PLANNED,),
        has_details=False,
    ),
    Mirror(
        "sync_manual_links",
        f"select workflow, {_RECORD} as subject, coalesce(decided_by, '') as by,"
        " json_object('target_id', target_id)::varchar as details from sync_manual_links",
        (Happened.LINKED,),
        (Happened.UNLINKED,),
        is_reset=True,
    ),
    Mirror(
        "sync_ignored",
        f"select workflow, {_RECORD} as subject, coalesce(decided_by, '') as by, json_object('action', action,"
        " 'reason_code', reason_code, 'until_on', until_on::varchar)::varchar as details from sync_ignored",
        (Happened.IGNORED,),
        (Happened.COUNTED_AGAIN,),
        is_reset=True,
    ),
)


@dataclass(frozen=True)
class Difference:
    """A decision that a table has otherwise than its last event.

    Attributes:
        table: The table, or the file of switches.
        is_pending: The table has what was before the event: the decision was recorded, and not carried out.
    """

    table: str
    workflow: str
    subject: str
    by: str | None
    details: str | None
    recorded_by: str | None
    event: str | None
    is_pending: bool = False

    @property
    def text(self) -> str:
        """The difference in words."""
        what = f"{self.table}: {' '.join(filter(None, (self.workflow, self.subject)))}"
        if self.event is None:
            return f"{what} is there, and no recorded decision set it"
        recorded = f"the last recorded decision is {self.event} by {self.recorded_by or 'no person'}"
        return f"{what} is not there, and {recorded}" if self.by is None else f"{what} was changed: {recorded}"


def differences(con: duckdb.DuckDBPyConnection, switches: Mapping[str, Override] | None) -> list[Difference]:
    """Return where the tables differ from the events; without `switches` those are not compared."""
    found = [each for mirror in MIRRORS for each in _differences(con, mirror)]
    return [*found, *(_switch_differences(con, switches) if switches is not None else ())]


def _differences(con: duckdb.DuckDBPyConnection, mirror: Mirror) -> Iterator[Difference]:
    last = _last(mirror.sets + mirror.ends, is_reset=mirror.is_reset)
    query = _COMPARED.format(mirror=mirror.rows, last=last, detailed=str(mirror.has_details).lower())
    gone = {each.value for each in mirror.ends}
    for workflow, subject, by, details, event, recorded_by, _ in con.execute(query).fetchall():
        if by is None and (event in gone or not mirror.ends):
            continue  # ended by a decision, or a plan that was pruned
        yield Difference(mirror.table, workflow, subject, by, details, recorded_by, event)


def _last(events: tuple[Happened, ...], *, is_reset: bool) -> str:
    return _LAST.format(events=[each.value for each in events], is_reset=str(is_reset).lower())


def switch_details(override: Override) -> dict[str, Any]:
    """Return the details of the event about a switch."""
    return {"active": override.active, "realtime": override.realtime}


def _switch_differences(con: duckdb.DuckDBPyConnection, switches: Mapping[str, Override]) -> Iterator[Difference]:
    query = (
        "select workflow, coalesce(decided_by, ''), details from sync_events where event = 'switched' order by position"
    )
    recorded: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    for workflow, by, details in con.execute(query).fetchall():
        recorded.setdefault(workflow, []).append((by, json.loads(details)))
    for name in sorted({*recorded, *switches}):
        events = recorded.get(name, [])
        given = switches.get(name)
        now = (given.decided_by, switch_details(given)) if given else None
        if events and now == events[-1]:
            continue
        before = events[-2] if len(events) > 1 else None
        text = None if now is None else as_json(now[1])
        yield Difference(
            "switches.json", name, "", now[0] if now else None, text, events[-1][0] if events else None,
            "switched" if events else None, is_pending=bool(events) and now == before,
        )  # fmt: skip


def missing_events(
    con: duckdb.DuckDBPyConnection, moment: datetime, switches: Mapping[str, Override]
) -> Iterator[Event]:
    """Yield an event for each decision that was made before the chain began, as the tables have it now."""
    for mirror in MIRRORS:
        for each in _differences(con, mirror):
            if each.by is not None:
                yield _found(mirror.sets[0], each, moment)
    for each in _switch_differences(con, switches):
        if each.by is not None:
            yield _found(Happened.SWITCHED, each, moment)


def _found(event: Happened, found: Difference, moment: datetime) -> Event:
    details = json.loads(found.details) if found.details else {}
    event = Happened.REJECTED if details.get("state") == Happened.REJECTED.value else event
    return Event(
        event=event, at=moment, workflow=found.workflow, subject=found.subject, by=found.by or "", details=details
    )
