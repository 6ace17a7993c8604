"""One simulation: days on which people work, nights in which everything runs, and a quiet end with the final checks.

Simulation(options, folder).run()  ->  Result(events, verdicts, counts, records)

Each night: truth observed past every fault  ->  weather  ->  run, perhaps to a death  ->  targets, ledger and
certificates compared  ->  usual weather
"""

from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

from assets.result_texts import counted
from orchestration.simulation import ledger
from orchestration.simulation.calls import Calls, busiest_day
from orchestration.simulation.certificate_truth import check_certificates
from orchestration.simulation.chain import check_chain, seal
from orchestration.simulation.events import SOURCES, Actor, Journal
from orchestration.simulation.final_checks import check_claims, check_ledger, check_reasons, check_targets
from orchestration.simulation.ledger import Attempt
from orchestration.simulation.night import COMPLETED, Night
from orchestration.simulation.operations import Operations
from orchestration.simulation.options import Options
from orchestration.simulation.people import People
from orchestration.simulation.processes import approve, run
from orchestration.simulation.result import Result
from orchestration.simulation.targets import Targets
from orchestration.simulation.truth import Truth
from orchestration.simulation.verdicts import Verdicts
from orchestration.simulation.watch import Watch
from orchestration.simulation.weather import Weather
from orchestration.simulation.world import VERIFY_DAYS, World, usable_workflows

DAY, NIGHT = timedelta(days=1), timedelta(hours=16)  # a day begins at 06:00, its night at 22:00
APPROVED_SHARE = 0.7
QUIET_NIGHTS = VERIFY_DAYS + 2  # as many as it takes to read every value again, and one that writes nothing
MOST_QUIET_NIGHTS = QUIET_NIGHTS + 4
HELD = frozenset({"quarantined", "blocked", "ambiguous", "failed", "deferred"})


class Simulation:
    """The simulation of one installation."""

    def __init__(self, options: Options, folder: Path) -> None:
        """Prepare the stand-ins.

        Raises:
            WorkflowsError: The workflow files cannot be used.
        """
        self.options = options
        self.world = World(folder, options, usable_workflows(options.workflows, options.only))
        self.targets, self.truth = Targets(self.world), Truth(self.world)
        self.journal, self.verdicts = Journal(), Verdicts()
        self.people = People(self.world, self.targets, self.journal)
        self.weather = Weather(self.world, self.journal)
        self.operations = Operations(self.world, self.journal, self.verdicts)
        self.watch = Watch(self.world, self.targets, self.truth, self.verdicts)
        self.result = Result(options)
        self._calls: Counter[str] = Counter()

    def run(self) -> Result:
        """Simulate every day, then the quiet end."""
        self.world.fill()
        began = self.world.now
        for day in range(1, self.options.days + 1):
            self.journal.day = day
            self.world.advance_to(began + DAY * (day - 1))
            self.people.work(day)
            self._deliver_in_real_time(day)
            self.operations.work(day)
            if Random(f"{self.options.seed} operator {day}").random() < APPROVED_SHARE:
                self._approve(day)
            self.world.advance_to(began + DAY * (day - 1) + NIGHT)
            with self.weather.lifted():
                self.truth.observe()
            self.weather.before(day)
            self._night(f"night {day:04}")
            self.weather.after()
            self.operations.end_day(day)
        self._end_quietly(began)
        return self._finished()

    # --- runs -----------------------------------------------------------------------------------------------------

    def _night(self, run_id: str) -> Night:
        """Run everything once, and compare."""
        when = f"day {self.journal.day}"
        before = self.watch.begin()
        night = run(self.world, run_id, self.weather.death)
        seal(self.world)
        attempts = self.watch.end(before, when, quotas_end=bool(self.weather.ended_quotas))
        hidden = self.weather.unseen
        check_certificates(self.world, self.truth, self.verdicts, run_id, before.records, when, hidden)
        if night.unexpected:
            self.verdicts.broken("runs", f"{when}: {night.unexpected}")
        else:
            self.verdicts.hold("runs")
        self._count(before.calls, attempts)
        self._note(night, attempts)
        self.result.nights += 1
        return night

    def _deliver_in_real_time(self, day: int) -> None:
        """Deliver what people saved in NetSuite, as change notifications do between two nights."""
        records = self.operations.saved_records(day)
        if not records:
            return
        with self.weather.lifted():
            self.truth.observe()
        before, when = self.watch.begin(), f"day {day}, real time"
        unexpected = self.operations.run_in_real_time(f"real time {day:04}", records)
        attempts = self.watch.end(before, when, quotas_end=False)
        self._count(before.calls, attempts)
        if unexpected:
            self.verdicts.broken("runs", f"{when}: {unexpected}")

    def _approve(self, day: int) -> None:
        """Send what waits for approval, as an operator who looked at it."""
        for number, (workflow, plan_id, note) in enumerate(ledger.waiting_plans(self.world.warehouse)):
            before = self.watch.begin()
            run_id = f"approval {day:04} {number}"
            end = approve(self.world, run_id, workflow, plan_id)
            attempts = self.watch.end(before, f"day {day}, approval", quotas_end=False)
            self._count(before.calls, attempts)
            text = f"{workflow}: plan approved ({note.split(':')[0]}): {end}"
            self.journal.add(self.world.now, Actor.OPERATOR, text, _records(attempts))

    def _count(self, before: Calls, attempts: list[Attempt]) -> None:
        self._calls.update((Calls.so_far(self.world) - before).by_system)
        self.result.done.update(
            (each.workflow, each.action) for each in attempts if each.state in {"confirmed", "found"}
        )

    def _note(self, night: Night, attempts: list[Attempt]) -> None:
        now = self.world.now
        for table, reason in night.source.items():
            self.journal.add(now, Actor.RUN, f"NetSuite's {table}: {_short(reason)}")
        if night.died:
            self.journal.add(now, Actor.RUN, "the process died")
        for name, end in night.ends.items():
            self.journal.add(now, Actor.RUN, f"{name}: {_short(str(end))}")
        self._note_held(night.run_id)
        for state in dict.fromkeys((each.workflow, each.action, each.state) for each in attempts):
            if state[2] != "intent":
                records = _records([each for each in attempts if (each.workflow, each.action, each.state) == state])
                text = f"{state[0]}: {state[1]} {state[2]}, {counted(len(records), 'records')}"
                self.journal.add(now, Actor.RUN, text, records)

    def _note_held(self, run_id: str) -> None:
        """Note what a run holds back that was not held back before, or for another reason."""
        held: dict[str, list[tuple[str, str]]] = {}
        for workflow, source, source_id, action, code, from_run in ledger.decisions_of(self.world.warehouse):
            if from_run == run_id and action in HELD:
                held.setdefault(f"{workflow}: {action}, {code}", []).append((source, source_id))
        for text, records in held.items():
            self.journal.add(self.world.now, Actor.RUN, f"{text}, {counted(len(records), 'records')}", records)

    # --- the quiet end --------------------------------------------------------------------------------------------

    def _end_quietly(self, began: datetime) -> None:
        """Let runs follow each other without people and faults until nothing is left to write; then check."""
        self.weather.clear_up()
        first = self.options.days + 1
        self.world.advance_to(began + DAY * self.options.days)
        ended_at = self.world.now
        self.truth.observe()
        for number in range(MOST_QUIET_NIGHTS):
            day = self.journal.day = first + number
            self.world.advance_to(began + DAY * (day - 1))
            self._approve(day)
            self.world.advance_to(began + DAY * (day - 1) + NIGHT)
            night = self._night(f"night {day:04}")
            if number + 1 >= QUIET_NIGHTS and _is_quiet(night):
                break
        if not _is_quiet(night):
            self.verdicts.broken("quiet", "; ".join(f"{name}: {end}" for name, end in night.ends.items()))
        else:
            self.verdicts.hold("quiet", len(night.ends))
        records = self.targets.all()
        check_targets(self.world, self.truth, self.verdicts, records)
        check_ledger(self.world, self.verdicts)
        check_chain(self.world, self.verdicts)
        check_reasons(self.world, self.verdicts)
        check_claims(self.world, self.verdicts, ended_at)

    def _finished(self) -> Result:
        result = self.result
        result.events, result.verdicts = self.journal.events, self.verdicts.all()
        result.held.update(
            (row[0], row[3], row[4]) for row in ledger.open_decisions(self.world.warehouse) if row[3] in HELD
        )
        result.calls, result.busiest = dict(self._calls), busiest_day(self.world)
        result.records, result.not_derived = self.targets.all(), self.truth.not_derived
        result.claims = ledger.newest_claims(self.world.warehouse)
        result.names = self._names()
        result.selected = self.truth.selected()
        result.source_records = len(result.names)
        return result

    def _names(self) -> dict[str, str]:
        """Return the names of NetSuite's records at the end."""
        netsuite = self.world.sandbox.netsuite
        return {
            f"{source} {row['id']}": str(row.get("altname") or row.get("companyname") or row.get("entityid") or "")
            for table, source in SOURCES.items()
            for row in netsuite.rows(table)
        }


def _is_quiet(night: Night) -> bool:
    ends = night.ends.values()
    return not night.source and all(each.kind == COMPLETED and not each.writes for each in ends)


def _records(attempts: list[Attempt]) -> list[tuple[str, str]]:
    return list(dict.fromkeys((each.source, each.source_id) for each in attempts))


def _short(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:199]}…"  # noqa: PLR2004 - a line of the replay
