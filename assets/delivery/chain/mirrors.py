"""The tables that people's decisions are read from, compared with the events that recorded them.

sync_plans, sync_manual_links, sync_ignored, sync_shadow_periods, sync_import_selection, switches.json;
the last event about each  ->  Difference
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import duckdb

from assets.delivery.ledger.events import Event, Happened, as_json, details_of
from assets.delivery.spec.switches import Override
from resources.warehouse.forgotten import TEXT

# a row that someone damaged is named by its entry in the chain, and is no error here
_EVENTS = """(
    select * replace (
        coalesce(workflow, '') as workflow, case when json_valid(details) then details else '{}' end as details
    ) from sync_events
)"""
_LAST = """
select workflow, {subject} as subject, arg_max(event, position) as event,
    arg_max(coalesce(decided_by, ''), position) as by, arg_max(details, position) as details,
    arg_max(decided_at, position) as at, {note} as note
from {rows} as event_row
where list_contains({events}, event) and position > coalesce((
    select max(position) from sync_events as other
    where other.workflow = event_row.workflow and other.event = 'rebound' and {is_reset}
), -1)
group by all
"""
_COMPARED = """
select coalesce(mirror.workflow, known.workflow) as workflow, coalesce(mirror.subject, known.subject) as subject,
    mirror.by, mirror.details, known.event, known.by, {at} as at, {note} as note
from ({mirror}) as mirror full join ({last}) as known using (workflow, subject)
where mirror.workflow is null or known.workflow is null or mirror.by <> known.by
    or ({detailed} and mirror.details <> known.details) or ({timed} and {at} is distinct from known.at)
    or {note} <> known.note
"""
_RECORD = "coalesce(source, '') || ' ' || coalesce(source_id, '')"


@dataclass(frozen=True)
class Mirror:
    """A table, the events that set and end its rows, and the details that both have, as JSON.

    Attributes:
        subject: SQL for the row that an event is about.
        at: Column of the decision's time; blank: not compared.
        has_note: Whether the person's reason is compared.
        is_pruned: Rows disappear with retention.
    """

    table: str
    rows: str
    sets: tuple[Happened, ...]
    ends: tuple[Happened, ...] = ()
    is_reset: bool = False
    has_details: bool = True
    subject: str = "subject"
    at: str = ""
    has_note: bool = False
    is_pruned: bool = False
    events: str = _EVENTS


_SELECTED = f"""(
    select workflow, position, event, decided_by, decided_at, source || ' ' || source_id as subject,
        json_object('by', details->>'by', 'run', details->>'run')::varchar as details
    from (
        select *, unnest(from_json(details->'records'->source, '["VARCHAR"]')) as source_id from (
            select *, unnest(json_keys(details->'records')) as source from {_EVENTS}
            where event in ('selected', 'deselected')
        )
    )
)"""
_PERIOD = "details->>'period'"
_PERIODS = (
    "select workflow, number::varchar as subject, coalesce({by}, '') as by, {details} as details, {at} from {table}"
)


def _periods(by: str, at: str, details: str) -> str:
    """Return the rows of one kind of decision about the shadow mode."""
    table = f"sync_shadow_periods where {by} is not null or {at} is not null"
    return _PERIODS.format(by=by, at=at, details=f"json_object({details})::varchar", table=table)


MIRRORS = (
    Mirror(
        "sync_plans",
        "select workflow, plan_id as subject, coalesce(decided_by, '') as by,"
        " json_object('state', state)::varchar as details from sync_plans"
        " where decided_by is not null or plan_id in"
        " (select subject from sync_events where event in ('approved', 'rejected'))",
        (Happened.APPROVED, Happened.REJECTED),
        has_details=False,
        is_pruned=True,
    ),
    Mirror(
        "sync_plans",
        "select workflow, plan_id as subject, coalesce(requested_by, '') as by, '' as details from sync_plans"
        " where requested_by is not null or plan_id in (select subject from sync_events where event = 'undo_planned')",
        (Happened.UNDO_PLANNED,),
        has_details=False,
        is_pruned=True,
    ),
    Mirror(
        "sync_manual_links",
        f"select workflow, {_RECORD} as subject, coalesce(decided_by, '') as by,"
        " json_object('target_id', target_id)::varchar as details, decided_at, note from sync_manual_links",
        (Happened.LINKED,),
        (Happened.UNLINKED,),
        is_reset=True,
        at="decided_at",
        has_note=True,
    ),
    Mirror(
        "sync_ignored",
        f"select workflow, {_RECORD} as subject, coalesce(decided_by, '') as by, json_object('action', action,"
        " 'reason_code', reason_code, 'until_on', until_on::varchar)::varchar as details, decided_at, note"
        " from sync_ignored",
        (Happened.IGNORED,),
        (Happened.COUNTED_AGAIN,),
        is_reset=True,
        at="decided_at",
        has_note=True,
    ),
    Mirror(
        "sync_shadow_periods",
        _periods("started_by", "started_at", "'beside', incumbent, 'interval_s', declared_s, 'period', number"),
        (Happened.SHADOW_STARTED,),
        subject=_PERIOD,
        at="started_at",
    ),
    Mirror(
        "sync_shadow_periods",
        _periods("stopped_by", "stopped_at", "'period', number"),
        (Happened.SHADOW_STOPPED,),
        subject=_PERIOD,
        at="stopped_at",
    ),
    Mirror(
        "sync_shadow_periods",
        _periods("off_by", "off_at", "'beside', incumbent, 'period', number"),
        (Happened.CONFIRMED_OFF,),
        subject=_PERIOD,
        at="off_at",
    ),
    Mirror(
        "sync_import_selection",
        f"select workflow, {_RECORD} as subject, '' as by, json_object('by', selected_by, 'run', run_id)::varchar"
        " as details, selected_at from sync_import_selection",
        (Happened.SELECTED,),
        (Happened.DESELECTED,),
        at="selected_at",
        events=_SELECTED,
    ),
)


@dataclass(frozen=True)
class Difference:
    """A decision that differs between a table and its last event.

    Attributes:
        table: The table, or the file of switches.
        at: When it was decided, as the table has it, if that is compared.
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
    at: datetime | None = None
    note: str = ""

    @property
    def state(self) -> str:
        """The row as it is now, for the fingerprint of the finding."""
        return f"{self.by} {self.at} {self.details}{f' {self.note}' if self.note else ''}"

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
    query = _COMPARED.format(
        mirror=mirror.rows, last=_last(mirror), detailed=str(mirror.has_details).lower(),
        timed=str(bool(mirror.at)).lower(), at=f"mirror.{mirror.at}" if mirror.at else "null",
        note="coalesce(mirror.note, '')" if mirror.has_note else "''",
    )  # fmt: skip
    gone = {each.value for each in mirror.ends}
    for workflow, subject, by, details, event, recorded_by, at, note in con.execute(query).fetchall():
        if by is None and (event in gone or mirror.is_pruned):
            continue  # ended by a decision, or pruned
        yield Difference(mirror.table, workflow, subject, by, details, recorded_by, event, at=at, note=note)


def _last(mirror: Mirror) -> str:
    events = [each.value for each in mirror.sets + mirror.ends]
    reset = str(mirror.is_reset).lower()
    note = "arg_max(coalesce(note, ''), position)" if mirror.has_note else "''"
    return _LAST.format(events=events, is_reset=reset, subject=mirror.subject, rows=mirror.events, note=note)


def switch_details(override: Override) -> dict[str, Any]:
    """Return the details of the event about a switch."""
    return {"active": override.active, "realtime": override.realtime}


def _switch_differences(con: duckdb.DuckDBPyConnection, switches: Mapping[str, Override]) -> Iterator[Difference]:
    query = (
        f"select workflow, coalesce(decided_by, ''), details, coalesce(note, '') from {_EVENTS}"
        " where event = 'switched' order by position"
    )
    recorded: dict[str, list[_Switched]] = {}
    for workflow, by, details, note in con.execute(query).fetchall():
        recorded.setdefault(workflow, []).append(_Switched(by, details_of(details), note))
    for name in sorted({*recorded, *switches}):
        events = recorded.get(name, [])
        given = switches.get(name)
        now = _Switched(given.decided_by, switch_details(given), given.reason) if given else None
        if events and events[-1].is_kept_as(now):
            continue
        before = events[-2] if len(events) > 1 else None
        yield Difference(
            "switches.json", name, "", now.by if now else None, None if now is None else as_json(now.details or {}),
            events[-1].by if events else None, "switched" if events else None,
            is_pending=bool(events) and (before.is_kept_as(now) if before else now is None),
            note=now.reason if now else "",
        )  # fmt: skip


class _Switched(NamedTuple):
    """A switch: person, details, reason."""

    by: str
    details: dict[str, Any]
    reason: str

    def is_kept_as(self, kept: "_Switched | None") -> bool:
        """Return whether the file has what this event recorded; a forgotten reason is in the file only."""
        return kept is not None and kept in (self, self._replace(reason=kept.reason) if self.reason == TEXT else self)


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
    details = details_of(found.details)
    if event is Happened.SELECTED:
        source, _, source_id = found.subject.partition(" ")
        details["records"] = {source: [source_id]}
    event = Happened.REJECTED if details.get("state") == Happened.REJECTED.value else event
    return Event(
        event=event,
        at=found.at or moment,
        workflow=found.workflow,
        subject=found.subject,
        by=found.by or "",
        details=details,
        note=found.note,
    )
