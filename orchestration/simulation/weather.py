"""The weather of each night: lost and cut answers, errors, ends of quotas, lost permissions, clocks, process deaths.

Weather(world, journal).before(night)  ->  planned in the stand-ins  ->  .after(): answers and quotas as usual
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from random import Random

from assets.result_texts import counted
from orchestration.simulation.events import SOURCES, Actor, Journal, Record
from orchestration.simulation.options import Faults
from orchestration.simulation.world import World
from resources import failpoints
from resources.sandbox.faults import OUTAGES, Fault
from resources.sandbox.netsuite.switches import NetSuiteSwitches
from resources.sandbox.precoro.switches import PrecoroSwitches
from resources.sandbox.suiteprojects.switches import SuiteProjectsSwitches

DAY_S = 86_400
PRECORO_A_DAY, SUITEPROJECTS_A_DAY = 3000, 100_000
HIDEABLE_COLUMNS = ("customer.phone", "customeraddressbookentityaddress.city", "customer.url", "job.startdate")


@dataclass(frozen=True)
class Climate:
    """Probabilities per night."""

    fault: float
    faults: int
    death: float
    quota: float
    permission: float
    clock: float


CLIMATES = {
    Faults.NONE: Climate(0, 0, 0, 0, 0, 0),
    Faults.WEATHER: Climate(fault=0.4, faults=2, death=0.1, quota=0.06, permission=0.06, clock=0.02),
    Faults.STORM: Climate(fault=0.85, faults=4, death=0.4, quota=0.25, permission=0.25, clock=0.1),
}


@dataclass(frozen=True)
class Death:
    """A process that dies when it passes a point for the `skip + 1`-th time."""

    failpoint: str
    skip: int


class Weather:
    """The faults of one simulation."""

    def __init__(self, world: World, journal: Journal) -> None:
        self._world, self._journal = world, journal
        self._climate = CLIMATES[world.options.faults]
        self.hidden_records: tuple[str, ...] = ()
        self.hidden_columns: tuple[str, ...] = ()
        self.death: Death | None = None
        self.ended_quotas = set[str]()

    def before(self, night: int) -> None:
        """Plan the faults of one night."""
        random, climate = Random(f"{self._world.options.seed} weather {night}"), self._climate
        if random.random() < climate.permission:
            self._change_permissions(random)
        if random.random() < climate.fault:
            for _ in range(random.randint(1, climate.faults)):
                self._plan_fault(random)
        if random.random() < climate.quota:
            self._end_quota(random)
        if random.random() < climate.clock:
            self._world.clock.offset = timedelta(days=random.choice([-400, -1, 1, 30]))
            self._note(f"the machine's clock is off by {self._world.clock.offset.days} days")
        self.death = None
        if random.random() < climate.death:
            self.death = Death(random.choice(list(failpoints.FAILPOINTS)), random.choice([0, 0, 1, 2, 5, 9, 20]))
            self._note(f"the process dies at {self.death.failpoint}, passed before: {self.death.skip}")

    def after(self) -> None:
        """End what lasts for one night."""
        self.death = None
        self._world.sandbox.faults.clear()
        self._world.clock.offset = timedelta()
        self._set_quotas()

    def clear_up(self) -> None:
        """End everything."""
        self.after()
        if self.hidden_records or self.hidden_columns:
            self._hide((), ())
            self._note("the role sees everything again")

    @property
    def unseen(self) -> set[Record]:
        """The records that the role does not see."""
        hidden = (each.split(".") for each in self.hidden_records)
        return {(SOURCES[table], number) for table, number in hidden}

    @contextmanager
    def lifted(self) -> Iterator[None]:
        """Show everything in the block: for the truth."""
        records, columns = self.hidden_records, self.hidden_columns
        if not (records or columns):
            yield
            return
        self._hide((), ())
        try:
            yield
        finally:
            self._hide(records, columns)

    # --- kinds of weather -----------------------------------------------------------------------------------------

    def _plan_fault(self, random: Random) -> None:
        systems = ["netsuite", *sorted({each.spec.system for each in self._world.workflows})]
        system, kind = random.choice(systems), random.choice(OUTAGES)
        fault = Fault(kind, skip=random.choice([0, 1, 2, 5, 10, 25]), times=random.choice([1, 1, 2, 5]))
        self._world.sandbox.faults.plan(system, fault)
        self._note(f"{system}: {counted(fault.times, 'answers')} {kind.value} after {counted(fault.skip, 'calls')}")

    def _end_quota(self, random: Random) -> None:
        calls = random.randint(0, 30)
        system = random.choice(sorted({each.spec.system for each in self._world.workflows}))
        self._set_quotas(**{system: calls})
        self._note(f"{system}: calls left today: {calls}")

    def _set_quotas(self, precoro: int | None = None, suiteprojects: int | None = None) -> None:
        sandbox, since = self._world.sandbox, self._world.sandbox.clock.now().timestamp() - DAY_S
        wanted = {"precoro": precoro, "suiteprojects": suiteprojects}
        if not self.ended_quotas and all(each is None for each in wanted.values()):
            return
        self.ended_quotas = {name for name, calls in wanted.items() if calls is not None}
        made = sum(each["at"] > since and not each["limited"] for each in sandbox.precoro.call_log())
        most = PRECORO_A_DAY if precoro is None else max(1, min(PRECORO_A_DAY, made + precoro))
        sandbox.switches.set("precoro", PrecoroSwitches, calls_per_day=most)
        made = sum(each["at"] > since for each in sandbox.suiteprojects.call_log())
        most = SUITEPROJECTS_A_DAY if suiteprojects is None else made + suiteprojects
        sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, requests_per_day=most)

    def _change_permissions(self, random: Random) -> None:
        """Take something away from the role, or give everything back."""
        kind = random.choice(["records", "records", "column", "everything"])
        if kind == "everything":
            if self.hidden_records or self.hidden_columns:
                self._hide((), ())
                self._note("the role sees everything again")
            return
        if kind == "column":
            column = random.choice(HIDEABLE_COLUMNS)
            self._hide(self.hidden_records, (column,))
            self._note(f"the role no longer sees {column}")
            return
        table = random.choice(["customer", "customer", "job", "contact"])
        rows = [int(row["id"]) for row in self._world.sandbox.netsuite.rows(table)]
        chosen = sorted(random.sample(rows, min(random.randint(1, 3), len(rows))))
        names = (f"{table}.{number}" for number in chosen)
        self._hide(tuple(sorted({*self.hidden_records, *names})), self.hidden_columns)
        listed = ", ".join(map(str, chosen))
        self._note(
            f"the role no longer sees {SOURCES[table]} {listed}", [(SOURCES[table], str(each)) for each in chosen]
        )

    def _hide(self, records: tuple[str, ...], columns: tuple[str, ...]) -> None:
        self.hidden_records, self.hidden_columns = records, columns
        self._world.sandbox.switches.set(
            "netsuite", NetSuiteSwitches, hidden_records=list(records), hidden_columns=list(columns)
        )

    def _note(self, text: str, records: list[tuple[str, str]] | None = None) -> None:
        self._journal.add(self._world.now, Actor.WEATHER, text, records or ())
