"""People who edit NetSuite and the targets during a day.

People(world, targets, journal).work(day)  ->  edits at working hours, the clock at their end

Each choice depends on the seed, the day and NetSuite's ids only, so that the same people do the same with other
workflow files, as far as the records exist.
"""

import hashlib
from collections.abc import Callable, Iterable
from datetime import timedelta
from random import Random

from assets.delivery.spec.workflow import Workflow
from orchestration.simulation.events import SOURCES, Actor, Journal
from orchestration.simulation.options import Faults
from orchestration.simulation.targets import NODE, TargetRecord, Targets
from orchestration.simulation.world import World
from resources.sandbox.simulation.edits import Edits
from resources.sandbox.simulation.pick_records import NoCandidateError, Records

BEGINS, ENDS = timedelta(hours=2), timedelta(hours=12)  # after 06:00, when a day begins
MOST_EDITS, MOST_TARGET_EDITS = 7, 3
SILENT_SHARE, MASS_SHARE, MASS = 0.15, 0.06, 20
HAND_MADE = "Made in the target"


class People:
    """The people of one simulation."""

    def __init__(self, world: World, targets: Targets, journal: Journal) -> None:
        self._world, self._targets, self._journal = world, targets, journal
        self._places = list({(each.spec.connection_name, each.spec.target): each for each in world.workflows}.values())
        self.hand_made = set[str]()  # uids of the records that people added

    def work(self, day: int) -> None:
        """Make the edits of one day."""
        began, random = self._world.now, Random(f"{self._world.options.seed} people {day}")
        kinds = [*random.choices(Edits.KINDS, k=random.randint(2, MOST_EDITS))]
        count = random.randint(0, MOST_TARGET_EDITS)
        moments = sorted(began + BEGINS + (ENDS - BEGINS) * random.random() for _ in range(len(kinds) + count))
        turns: list[Callable[[Edits], Records] | None] = [*kinds, *[None] * count]
        random.shuffle(turns)
        edits = Edits(self._world.sandbox, Random(f"{self._world.options.seed} edits {day}"))
        for number, (moment, kind) in enumerate(zip(moments, turns, strict=True)):
            self._world.advance_to(moment)
            if kind is not None:
                self._edit_netsuite(edits, kind)
            else:
                self._edit_target(Random(f"{self._world.options.seed} target {day} {number}"))
        if random.random() < SILENT_SHARE:
            self._change_silently(Random(f"{self._world.options.seed} silent {day}"))
        if self._world.options.faults is Faults.STORM and random.random() < MASS_SHARE:
            self._change_many(Random(f"{self._world.options.seed} mass {day}"))
        self._world.advance_to(began + ENDS)

    # --- NetSuite -------------------------------------------------------------------------------------------------

    def _edit_netsuite(self, edits: Edits, kind: Callable[[Edits], Records]) -> None:
        try:
            records = kind(edits)
        except NoCandidateError:
            return
        name = kind.__name__.replace("_", " ")
        self._note(Actor.NETSUITE, name, records)

    def _change_silently(self, random: Random) -> None:
        """Change a customer without a date of change, as a script or an import may do."""
        rows = self._world.sandbox.netsuite.rows("customer")
        row = random.choice(rows)
        change = random.choice([{"phone": f"+46 {random.randrange(10**7)}"}, {"altname": f"Silent {row['id']}"}])
        self._world.sandbox.netsuite.update("customer", int(row["id"]), moves_date=False, **change)
        self._note(Actor.NETSUITE, f"{next(iter(change))} changed without a date", [("customer", int(row["id"]))])

    def _change_many(self, random: Random) -> None:
        """Deactivate or reactivate many customers at once, as a clean-up does."""
        active = random.random() < 0.5  # noqa: PLR2004 - either
        rows = [row for row in self._world.sandbox.netsuite.rows("customer") if bool(row["isinactive"]) is not active]
        chosen = random.sample(rows, min(MASS, len(rows)))
        for row in chosen:
            self._world.sandbox.netsuite.update("customer", int(row["id"]), isinactive=active)
        self._note(
            Actor.NETSUITE, f"{len(chosen)} customers {'inactivated' if active else 'reactivated'} at once",
            [("customer", int(row["id"])) for row in chosen],
        )  # fmt: skip

    def _note(self, actor: Actor, text: str, records: Records) -> None:
        known = [(SOURCES[table], str(number)) for table, number in records if table in SOURCES]
        self._journal.add(self._world.now, actor, text, dict.fromkeys(known))

    # --- the targets ----------------------------------------------------------------------------------------------

    def _edit_target(self, random: Random) -> None:
        workflow = self._places[random.randrange(len(self._places))]
        kinds = ["rename", "rename", "deactivate", "remove", "add", "edit added"]
        kinds += ["clear key"] if self._world.options.faults is Faults.STORM else []
        kind, salt = random.choice(kinds), str(random.random())
        if workflow.spec.target == NODE:
            kind = "rename"
        records = self._targets.records(workflow)
        if kind == "add":
            self._add(workflow, f"{HAND_MADE} {int(random.random() * 10**6)}")
            return
        added = kind == "edit added"
        record = _chosen((each for each in records.values() if self._is_candidate(each, added=added)), salt)
        if record is None:
            return
        if kind in {"rename", "edit added"}:
            self._targets.edit(record, name=f"{record.name or ''} (edited)"[:60])
        elif kind == "remove":
            self._targets.remove(record)
        else:
            self._targets.edit(record, deactivate=kind == "deactivate", clear_key=kind == "clear key")
        self._log(workflow, kind, record)

    def _is_candidate(self, record: TargetRecord, *, added: bool) -> bool:
        return record.uid in self.hand_made if added else bool(record.key)

    def _add(self, workflow: Workflow, name: str) -> None:
        before = self._targets.all()
        self._targets.add(workflow, name)
        self.hand_made |= self._targets.all().keys() - before.keys()
        self._journal.add(self._world.now, Actor.TARGET, f"{workflow.spec.system}: {name}")

    def _log(self, workflow: Workflow, kind: str, record: TargetRecord) -> None:
        source = workflow.spec.records[0].source
        text = f"{workflow.spec.system}: {kind} {record.uid.partition(' ')[2]}"
        records = [(each.source, record.key) for each in workflow.spec.records] if record.key else []
        self._journal.add(self._world.now, Actor.TARGET, text, [(str(a), str(b)) for a, b in records if a == source])


def _chosen(records: Iterable[TargetRecord], salt: str) -> TargetRecord | None:
    """Return one of some records; with a few more or fewer of them it is most probably the same one."""
    return min(
        records, key=lambda each: hashlib.sha256(f"{salt} {each.key or each.name}".encode()).digest(), default=None
    )
