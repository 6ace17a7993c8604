"""Simulated days in NetSuite, and manual edits in the targets.

simulate_day(sandbox, seed=1)  ->  about 1 % of the customers change, the clock advances by a day  ->  DayReport
manual_edits(sandbox, seed=1)  ->  a few edits in SuiteProjects Pro and Precoro                   ->  [Event, …]
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from resources.clock import SharedClock
from resources.sandbox.sandbox import Sandbox
from resources.sandbox.simulation.edits import Edits
from resources.sandbox.simulation.pick_records import NoCandidateError, Records

SHARE = 0.01
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Event:
    """One edit: its kind, its time, and the changed records (table, id), the main one first."""

    kind: str
    at: datetime
    records: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class DayReport:
    """The events of one day.

    Attributes:
        began: Start of the day.
        ended: End of the day on the sandbox's clock.
        events: The edits in chronological order.
        impossible: Kinds of edits without a suitable record, as in a very small sandbox.
    """

    began: datetime
    ended: datetime
    events: tuple[Event, ...]
    impossible: tuple[str, ...]

    @property
    def kinds(self) -> Counter[str]:
        """The number of events of each kind."""
        return Counter(event.kind for event in self.events)

    def ids(self, table: str) -> set[int]:
        """Return the ids of the changed records of a table."""
        return {number for event in self.events for name, number in event.records if name == table}


def simulate_day(sandbox: Sandbox, seed: int = 1) -> DayReport:
    """Simulate one day: every kind of edit once, then random kinds until 1 % of the customers are changed.

    On a clock that jumps, the edits spread over 24 hours and the clock advances by a day; on a clock that follows
    the machine, all edits happen now, because no record may be dated in the future.
    """
    random = Random(f"day {seed}")
    began = sandbox.clock.now()
    edits = Edits(sandbox, random)
    plan = _plan(random, len(sandbox.netsuite.rows("customer")))
    moments = sorted(began + DAY * random.random() for _ in plan)
    events, impossible = [], set()
    for kind, moment in zip(plan, moments, strict=True):
        _advance_to(sandbox, moment)
        try:
            records = kind(edits)
        except NoCandidateError:
            impossible.add(kind.__name__)
            continue
        events.append(Event(kind.__name__, sandbox.clock.now(), tuple(records)))
    _advance_to(sandbox, began + DAY)
    return DayReport(began, sandbox.clock.now(), tuple(events), tuple(sorted(impossible)))


def _plan(random: Random, customers: int) -> list[Callable[[Edits], Records]]:
    """Return the kinds of edits in random order, each at least once."""
    plan: list[Callable[[Edits], Records]] = list(Edits.KINDS)
    plan += random.choices(Edits.KINDS, k=max(0, round(customers * SHARE) - len(plan)))
    random.shuffle(plan)
    return plan


def _advance_to(sandbox: Sandbox, moment: datetime) -> None:
    clock = sandbox.clock
    if isinstance(clock, SharedClock) and clock.jumps:
        clock.advance_to(moment)


def manual_edits(sandbox: Sandbox, seed: int = 1) -> list[Event]:
    """Edit synced records in the targets: names in SuiteProjects Pro, a name and a status in Precoro.

    An empty target stays empty.
    """
    random = Random(f"hand edits {seed}")  # part of the seed: another text gives other edits
    events: list[Event] = []

    def add(kind: str, record_type: str, number: int) -> None:
        events.append(Event(kind, sandbox.clock.now(), ((record_type, number),)))

    for record_type in ("Customer", "Project"):
        rows = [row for row in sandbox.suiteprojects.rows(record_type) if row.get("externalid")]
        for row in random.sample(rows, min(1, len(rows))):
            sandbox.suiteprojects.modify(record_type, int(row["id"]), name=f"{row['name']} (edited)")
            add("renamed", f"suiteprojects.{record_type}", int(row["id"]))
    options = [option for option in sandbox.precoro.options() if option["external_id"] and option["enable"]]
    for option, kind in zip(random.sample(options, min(2, len(options))), ("renamed", "disabled"), strict=False):
        number = option["option_id"]
        changes = {"name": f"{option['name']} (edited)"} if kind == "renamed" else {"enable": False}
        sandbox.precoro.edit_option(number, **changes)
        add(kind, "precoro.option", number)
    return events
