"""A day in NetSuite, and people editing in the targets.

day(sandbox, seed=1)         ->  about 1 % of the customers change, the clock goes forward by a day  ->  DayReport
hand_edits(sandbox, seed=1)  ->  what somebody did in SuiteProjects Pro and Precoro meanwhile        ->  [Event, …]
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from resources.clock import SharedClock
from resources.sandbox.sandbox import Sandbox
from resources.sandbox.simulation.edits import Edits
from resources.sandbox.simulation.pick_records import NobodyFitsError, Records

SHARE = 0.01
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Event:
    """One thing that somebody did: what, when, and to which records (table, id), the chief one first."""

    kind: str
    at: datetime
    records: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class DayReport:
    """What happened in a day.

    Attributes:
        began: When the day began.
        ended: When it ended: the clock's time now.
        events: In the order in which they happened.
        impossible: Kinds that no record was fit for, as in a very small sandbox.
    """

    began: datetime
    ended: datetime
    events: tuple[Event, ...]
    impossible: tuple[str, ...]

    @property
    def kinds(self) -> Counter[str]:
        """How often each kind happened."""
        return Counter(event.kind for event in self.events)

    def ids(self, table: str) -> set[int]:
        """Every record of a table that something happened to."""
        return {number for event in self.events for name, number in event.records if name == table}


def day(sandbox: Sandbox, seed: int = 1) -> DayReport:
    """Play one day: every kind of edit once, and more of them until 1 % of the customers are touched.

    On a clock that jumps the edits spread over 24 hours and the clock ends a day later; on a clock that follows
    the machine they all happen now, for nothing may be dated in the future.
    """
    random = Random(f"day {seed}")
    began = sandbox.clock.now()
    edits = Edits(sandbox, random)
    plan = _plan(random, len(sandbox.netsuite.rows("customer")))
    moments = sorted(began + DAY * random.random() for _ in plan)
    events, impossible = [], set()
    for kind, moment in zip(plan, moments, strict=True):
        _wait_until(sandbox, moment)
        try:
            records = kind(edits)
        except NobodyFitsError:
            impossible.add(kind.__name__)
            continue
        events.append(Event(kind.__name__, sandbox.clock.now(), tuple(records)))
    _wait_until(sandbox, began + DAY)
    return DayReport(began, sandbox.clock.now(), tuple(events), tuple(sorted(impossible)))


def _plan(random: Random, customers: int) -> list[Callable[[Edits], Records]]:
    """Kinds of edits in the order of the day; each at least once."""
    plan: list[Callable[[Edits], Records]] = list(Edits.KINDS)
    plan += random.choices(Edits.KINDS, k=max(0, round(customers * SHARE) - len(plan)))
    random.shuffle(plan)
    return plan


def _wait_until(sandbox: Sandbox, moment: datetime) -> None:
    clock = sandbox.clock
    if isinstance(clock, SharedClock) and clock.jumps:
        clock.advance_to(moment)


def hand_edits(sandbox: Sandbox, seed: int = 1) -> list[Event]:
    """People change what was delivered: a name in SuiteProjects Pro, a name and a switch in Precoro.

    Only what is there can be edited: nothing happens in an empty target.
    """
    random = Random(f"hand edits {seed}")
    events: list[Event] = []

    def done(kind: str, record_type: str, number: int) -> None:
        events.append(Event(kind, sandbox.clock.now(), ((record_type, number),)))

    for record_type in ("Customer", "Project"):
        rows = [row for row in sandbox.suiteprojects.rows(record_type) if row.get("externalid")]
        for row in random.sample(rows, min(1, len(rows))):
            sandbox.suiteprojects.modify(record_type, int(row["id"]), name=f"{row['name']} (edited)")
            done("renamed", f"suiteprojects.{record_type}", int(row["id"]))
    options = [option for option in sandbox.precoro.options() if option["external_id"] and option["enable"]]
    for option, kind in zip(random.sample(options, min(2, len(options))), ("renamed", "disabled"), strict=False):
        number = option["option_id"]
        changes = {"name": f"{option['name']} (edited)"} if kind == "renamed" else {"enable": False}
        sandbox.precoro.edit_option(number, **changes)
        done(kind, "precoro.option", number)
    return events
