"""The events of a simulation, in their order: what people, weather and runs did, to which records.

Journal.add(Actor.NETSUITE, "renamed", ("customers", "1001"))  ->  Event(day 3, 10:42)
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

# NetSuite's tables and the sources that workflow files name
SOURCES = {"customer": "customers", "job": "projects", "contact": "contacts"}
Record = tuple[str, str]  # source, NetSuite id


class Actor(StrEnum):
    """The origin of an event."""

    NETSUITE = "NetSuite"
    TARGET = "target"
    WEATHER = "weather"
    RUN = "run"
    OPERATOR = "operator"


@dataclass(frozen=True)
class Event:
    """One event; `records` are the NetSuite records that it is about."""

    day: int
    at: datetime
    actor: Actor
    text: str
    records: tuple[Record, ...] = ()


@dataclass
class Journal:
    """All events so far."""

    day: int = 0
    events: list[Event] = field(default_factory=list)

    def add(self, at: datetime, actor: Actor, text: str, records: Iterable[Record] = ()) -> None:
        """Add an event of the current day."""
        self.events.append(Event(self.day, at, actor, text, tuple(records)))
