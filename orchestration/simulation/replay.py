"""The replay of a simulation as plain data, and as one self-contained page.

Result  ->  document(): the same bytes for the same options  ->  page(): days, events, time lines of records
"""

import math
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from orchestration.simulation.calls import QUOTAS
from orchestration.simulation.events import Actor, Event
from orchestration.simulation.result import Result
from resources.redaction import redact

HERE = Path(__file__).parent
HEIGHT = 64  # of a day's column in the chart
BANDS = (Actor.NETSUITE, Actor.TARGET, Actor.WEATHER, Actor.RUN)


def document(result: Result) -> dict[str, Any]:
    """Return what happened, without anything that differs between two runs of the same options."""
    return {
        "line": result.options.line,
        "seed": result.options.seed,
        "faults": str(result.options.faults),
        "days": result.options.days,
        "nights": result.nights,
        "violations": result.violations,
        "records": result.source_records,
        "selected": dict(sorted(result.selected.items())),
        "verdicts": [
            {
                "name": each.name,
                "text": each.text,
                "checked": each.checked,
                "broken": each.broken,
                "examples": list(each.examples),
                "evidence": dict(sorted(each.evidence.items())),
            }
            for each in result.verdicts
        ],
        "done": [
            {"workflow": workflow, "action": action, "records": count}
            for (workflow, action), count in sorted(result.done.items())
        ],
        "held_back": [
            {"workflow": workflow, "action": action, "reason_code": code, "records": count}
            for (workflow, action, code), count in sorted(result.held.items())
        ],
        "calls": [
            {"system": system, "calls": count, "busiest_day": result.busiest.get(system), "quota": QUOTAS.get(system)}
            for system, count in sorted(result.calls.items())
        ],
        "certificates": {
            name: None if moment is None else f"{moment:%Y-%m-%d %H:%M:%S}"
            for name, moment in sorted(result.claims.items())
        },
        "not_compared": {name: dict(sorted(fields.items())) for name, fields in sorted(result.not_derived.items())},
        "events": [_event(each) for each in result.events],
        "names": dict(sorted(result.names.items())),
    }


def _event(event: Event) -> dict[str, Any]:
    return {
        "day": event.day,
        "at": f"{event.at:%Y-%m-%d %H:%M}",
        "actor": str(event.actor),
        "text": event.text,
        "records": [" ".join(each) for each in event.records],
    }


def page(found: Mapping[str, Any]) -> str:
    """Return one page without scripts and secrets that loads nothing."""
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    style = (HERE / "replay.css").read_text(encoding="utf-8")
    shown = environment.get_template("replay.html.jinja").render(
        found=found, style=style, days=_days(found["events"]), lines=_lines(found), height=HEIGHT, actors=list(Actor)
    )
    return redact(shown)


def _days(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the events by day, with the heights of a day's column in the chart."""
    by_day: defaultdict[int, list[dict[str, Any]]] = defaultdict(list)
    for each in events:
        by_day[each["day"]].append(each)
    weights = {day: Counter({actor: _weight(found, actor) for actor in BANDS}) for day, found in by_day.items()}
    most = max((each.total() for each in weights.values()), default=0) or 1
    return [
        {"day": day, "events": found, "bands": _bands(weights[day], most), "counts": weights[day]}
        for day, found in sorted(by_day.items())
    ]


def _weight(events: list[dict[str, Any]], actor: Actor) -> int:
    """Return how much happened: events, and of runs the square root of the records that they wrote."""
    own = [each for each in events if each["actor"] == actor]
    if actor is not Actor.RUN:
        return len(own)
    return round(math.sqrt(sum(len(each["records"]) for each in own)))


def _bands(weights: Counter[Actor], most: int) -> list[dict[str, Any]]:
    bands, top = [], float(HEIGHT)
    for actor in BANDS:
        height = round(weights[actor] / most * HEIGHT, 1)
        top = round(top - height, 1)
        bands.append({"actor": actor.value, "y": top, "height": height})
    return bands


def _lines(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the time line of each record that anything happened to, by NetSuite id."""
    lines: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for event in found["events"]:
        for record in event["records"]:
            lines[record].append(event)
    ordered = sorted(lines, key=lambda each: (each.split(" ")[0], len(each), each))
    return [{"record": each, "name": found["names"].get(each, ""), "events": lines[each]} for each in ordered]
