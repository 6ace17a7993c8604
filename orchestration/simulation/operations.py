"""Operations between nights: real-time updates, a backup that is put back, another binding, and compaction.

.saved_records(day)  ->  .run_in_real_time()  ->  .work(day): compact, rebind, put a backup back  ->  .end_day(day)

Real time is simulated of workflows that have it, in a storm of all; the others in a storm only. Each day's operations
depend on the seed and the day.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import Any

from assets.delivery.ledger.rebind import forget_account
from assets.delivery.ledger.restores import record_restore
from assets.delivery.realtime.sync_records import RealtimeResult, sync_records
from assets.delivery.spec.workflow import Workflow
from assets.result_texts import counted
from assets.target_registry import TARGETS
from assets.warehouse.refresh import refresh_records
from orchestration.realtime.sync_pending import parent_columns
from orchestration.simulation import ledger
from orchestration.simulation.chain import compact, leave_behind
from orchestration.simulation.events import Actor, Journal, Record
from orchestration.simulation.night import EXPECTED, context_of, sent
from orchestration.simulation.options import Faults
from orchestration.simulation.verdicts import Verdicts
from orchestration.simulation.world import World
from resources.warehouse.bindings import unbind

KEEP_DAYS = 3  # of history, at a compaction
MOST_RECORDS = 6  # in one real-time run


@dataclass(frozen=True)
class Habits:
    """Probabilities per day."""

    real_time: float
    restore: float = 0
    rebind: float = 0
    compaction: float = 0


HABITS = {
    Faults.NONE: Habits(real_time=0.7),
    Faults.WEATHER: Habits(real_time=0.7),
    Faults.STORM: Habits(real_time=0.6, restore=0.15, rebind=0.08, compaction=0.2),
}


class Operations:
    """The operations of one simulation."""

    def __init__(self, world: World, journal: Journal, verdicts: Verdicts) -> None:
        self._world, self._journal, self._verdicts = world, journal, verdicts
        self._habits = HABITS[world.options.faults]
        self._backup_at: datetime | None = None

    @property
    def realtime_workflows(self) -> list[Workflow]:
        """The workflows whose records are delivered when they are saved, each after those that it needs."""
        storm = self._world.options.faults is Faults.STORM
        return [each for each in self._world.workflows if storm or each.spec.realtime]

    def saved_records(self, day: int) -> list[Record]:
        """Return the records of the day's edits that notifications come of; none on some days."""
        random = self._random("real time", day)
        edited = [
            record
            for event in self._journal.events
            if event.day == day and event.actor is Actor.NETSUITE
            for record in event.records
        ]
        if random.random() >= self._habits.real_time or not self.realtime_workflows:
            return []
        return list(dict.fromkeys(edited))[:MOST_RECORDS]

    def run_in_real_time(self, run_id: str, records: Sequence[Record]) -> str:
        """Deliver saved records; return the text of an error that no run should end with."""
        world, ends = self._world, list[str]()
        try:
            with world.warehouse.kept_open(), world.clients() as clients:
                workflows = self.realtime_workflows
                columns = parent_columns(workflows, {each.name: each for each in world.workflows})
                keys = refresh_records(
                    world.warehouse, clients["netsuite"], dict.fromkeys(records, False), columns, world.extraction,
                    run_id=run_id,
                )  # fmt: skip
                for workflow in workflows:
                    client = clients[workflow.spec.connection_name]
                    context = context_of(world, workflow, client, run_id)
                    read = partial(TARGETS[workflow.spec.target].records, client)
                    found = sync_records(context, keys, read_system=read, base_url=client.base_url)
                    ends.append(f"{workflow.name}: {_end(found)}")
        except EXPECTED as error:
            ends.append(f"{type(error).__name__}: {error}")
        except Exception as error:  # noqa: BLE001 - what it is belongs into the verdict
            return f"{type(error).__name__}: {error}"
        self._note(Actor.RUN, f"real time, {counted(len(records), 'records')}: {'; '.join(ends)}", records)
        return ""

    def work(self, day: int) -> None:
        """Compact, rebind, or put yesterday's backup back, as the day has it."""
        happenings: list[tuple[str, float, Callable[[int], None]]] = [
            ("compaction", self._habits.compaction, self._compact),
            ("rebind", self._habits.rebind, self._rebind),
            ("restore", self._habits.restore, self._restore),
        ]
        for name, share, happen in happenings:
            if self._random(name, day).random() < share:
                happen(day)

    def end_day(self, day: int) -> None:
        """Back up the warehouse, if the next day puts it back."""
        self._backup_at = None
        if self._random("restore", day + 1).random() < self._habits.restore:
            self._world.back_up()
            self._backup_at = self._world.now

    def _compact(self, day: int) -> None:  # noqa: ARG002 - as the other operations
        world = self._world
        deleted = sum(compact(world, KEEP_DAYS).values())
        self._note(Actor.OPERATOR, f"compacted: {counted(deleted, 'rows')} of old history deleted")

    def _rebind(self, day: int) -> None:
        world = self._world
        workflow = self._random("rebind of", day).choice(world.workflows)
        with world.warehouse.writer() as con:
            unbind(con, workflow.name)
            links = forget_account(con, workflow, world.now, f"rebind {day}", "an operator")
        self._note(Actor.OPERATOR, f"{workflow.name}: bound anew, {counted(links, 'links')} forgotten")
        self._expect_void([workflow.name])

    def _restore(self, day: int) -> None:
        """Put the backup of the night before back, as `millpond restore` does: what was done since is not known."""
        if self._backup_at is None:
            return
        world, backup_at = self._world, self._backup_at
        world.put_back()
        leave_behind(world, f"restore-{day}")
        with world.warehouse.writer() as con:
            record_restore(con, f"restore {day}", world.now, backup_at, "")
        hours = (world.now - backup_at) / timedelta(hours=1)
        self._note(Actor.OPERATOR, f"a backup of the warehouse was put back, {hours:.0f} hours old")
        self._expect_void([each.name for each in world.workflows])

    def _expect_void(self, workflows: Sequence[str]) -> None:
        """Check that the certificates went back."""
        for name, through in ledger.newest_claims(self._world.warehouse).items():
            if name in workflows and through is not None:
                text = f"day {self._journal.day}: {name} is verified through {through} by what is no longer known"
                self._verdicts.broken("certificates", text)
        self._verdicts.hold("certificates", went_back=len(workflows))

    def _random(self, what: str, day: int) -> Random:
        return Random(f"{self._world.options.seed} {what} {day}")

    def _note(self, actor: Actor, text: str, records: Sequence[Record] = ()) -> None:
        self._journal.add(self._world.now, actor, text, records)


def _end(found: RealtimeResult) -> Any:
    return sent(found.synced) if found.synced else found.reason
