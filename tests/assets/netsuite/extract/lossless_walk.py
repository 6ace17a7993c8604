"""A walk from one seed: edits, trouble and extraction runs in any order, then quiet, then the truth.

walk(seed)  ->  Walked(seed, story, problems); no problem means that nothing was lost, deleted or blanked

Three looks at the end: after an ordinary run (all that NetSuite tells of is there), after a reconciliation (every id),
after a full read (every value).
"""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from resources.errors import IntegrationError
from resources.netsuite.client import NetSuiteClient
from resources.sandbox.faults import Fault, FaultKind
from tests.assets.netsuite.extract.lossless_edits import Edits
from tests.assets.netsuite.extract.lossless_model import Judge
from tests.assets.netsuite.extract.lossless_world import HIDEABLE_COLUMNS, RECORD_TYPES, KilledError, World

MEMORY = Path("/dev/shm")  # noqa: S108 - a walk is all small commits; memory spares the disk
HIDEABLE = (
    "customer", "job", "contact", "customersubsidiaryrelationship", "customeraddressbook", "contactaddressbook",
    "deletedrecord",
)  # fmt: skip
TROUBLES = (
    "fault", "fault", "hidden", "emptied", "column", "burst", "foreign", "moving", "half", "token", "slow",
    "slow", "401",
)  # fmt: skip
PAUSES = (1, 20, 200, 900, 3600, 6 * 3600, 26 * 3600, 3 * 86400)
QUIET = {
    "hidden_tables": [],
    "emptied_tables": [],
    "hidden_columns": [],
    "burst_every": 0,
    "foreign_slots": 0,
    "edit_every": 0,
    "half_page_every": 0,
    "token_calls": 0,
    "latency_ms": 0,
    "concurrency_as_401": False,
}


@dataclass(frozen=True)
class Walked:
    """How a walk ended."""

    seed: int
    story: tuple[str, ...]
    problems: tuple[str, ...]
    runs: int
    short: bool = False

    @property
    def again(self) -> str:
        """The line that walks it once more."""
        if self.short:
            return f"MILLPOND_SEED={self.seed} python -m pytest -k lossless"
        return f"python -m tests.bench.lossless --stories --seeds 1 --first {self.seed}"

    def __str__(self) -> str:
        lines = [f"seed {self.seed}: {len(self.problems)} problems", *self.problems[:12], "", "what happened:"]
        return "\n".join([*lines, *self.story, "", f"again: {self.again}"])


def walk(seed: int, *, short: bool = False) -> Walked:
    """Walk once; a short walk has few things and steps, and the same end."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        try:
            return _Walk(World.of(seed, Path(folder), short=short), short=short).all()
        except Exception as error:
            error.add_note(f"in the walk of seed {seed}{', short' if short else ''}")
            raise


class _Walk:
    """One walk."""

    def __init__(self, world: World, *, short: bool) -> None:
        self._world = world
        self._short = short
        self._random = world.random
        self._things = world.fate.record_types
        self._judge = Judge(world)
        self._edits = Edits(world)
        self._problems: list[str] = []
        self._troubled = False
        self._deletions_hidden = False
        self._columns_hidden = False
        self._customers_emptied = False

    def all(self) -> Walked:
        """Walk to the end."""
        world = self._world
        self._edits.populate()
        world.tell(f"{world.fate}")
        if self._random.random() < 0.6:
            self._run(self._things)
        steps: tuple[Callable[[], None], ...] = (self._work, self._pause, self._trouble, self._peace, self._some_run)
        few = (2, 5) if self._short else (4, 9) if world.fate.customers > 100 else (8, 18)
        for _ in range(self._random.randrange(*few)):
            self._random.choices(steps, weights=(6, 4, 3, 2, 6))[0]()
            if self._problems:
                break
        if not self._problems:
            self._end()
        return Walked(world.fate.seed, tuple(world.story), tuple(self._problems), world.runs, self._short)

    # --- steps ---------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        for _ in range(self._random.randrange(1, 7)):
            self._world.tell(f"people: {self._edits.one()}")
            if self._random.random() < 0.3:
                self._world.clock.sleep(self._random.uniform(0, 5))

    def _pause(self) -> None:
        seconds = self._random.choice(PAUSES) * self._random.uniform(0.5, 1)
        self._world.clock.sleep(seconds)
        self._world.tell(f"{seconds:.0f} s pass")

    def _trouble(self) -> None:
        random = self._random
        kind = random.choice(TROUBLES)
        if kind == "fault":
            for _ in range(random.randrange(1, 4)):
                self._fault()
            return
        troubles: dict[str, dict[str, Any]] = {
            "hidden": {"hidden_tables": random.sample(HIDEABLE, random.randrange(1, 3))},
            "emptied": {"emptied_tables": random.sample(HIDEABLE, random.randrange(1, 3))},
            "column": {"hidden_columns": random.sample(HIDEABLE_COLUMNS, 2)},
            "burst": {"burst_every": random.choice((5, 9)), "burst_calls": random.choice((1, 3))},
            "foreign": {"foreign_slots": random.choice((2, 5)), "foreign_every_s": 600, "foreign_for_s": 200},
            "moving": {"edit_every": random.choice((1, 2, 5)), "edit_seed": random.randrange(1000)},
            "half": {"half_page_every": random.choice((3, 7)), "half_page_tells": random.choice(("count", "total"))},
            "token": {"token_calls": random.choice((2, 5))},
            # rows are saved while a reading takes its time: longer than the overlap, now and then
            "slow": {
                "latency_ms": random.choice((5_000, 60_000, 500_000)),
                "latency_clock": "sandbox",
                "edit_every": random.choice((0, 1)),
                "edit_seed": random.randrange(1000),
            },
            "401": {"foreign_slots": 5, "foreign_every_s": 600, "foreign_for_s": 200, "concurrency_as_401": True},
        }
        values = troubles[kind]
        self._hides_deletions(values)
        self._columns_hidden |= kind == "column"
        self._world.switch(**values)
        self._troubled = True
        self._world.tell(f"trouble: {values}")

    def _hides_deletions(self, values: Mapping[str, Any]) -> None:
        emptied = values.get("emptied_tables", [])
        self._deletions_hidden |= "deletedrecord" in [*values.get("hidden_tables", []), *emptied]
        self._customers_emptied |= "customer" in emptied

    def _fault(self) -> None:
        random = self._random
        fault = Fault(
            random.choice(list(FaultKind)),
            pattern=random.choice(("", "suiteql", "suiteql", "serverTime", "token")),
            skip=random.randrange(8),
            times=random.choice((1, 1, 2, 7)),
        )
        self._world.sandbox.faults.plan("netsuite", fault)
        self._troubled = True
        self._world.tell(f"trouble: {fault}")

    def _peace(self) -> None:
        self._world.sandbox.faults.clear()
        self._world.switch(**QUIET)
        self._troubled = False
        self._world.tell("peace")
        if self._random.random() < 0.1:
            zone = self._random.choice(("UTC", "Asia/Kolkata", "America/Los_Angeles", "America/Phoenix"))
            self._world.switch(session_zone=zone)
            self._world.tell(f"the integration user moves to {zone}")

    # --- runs ----------------------------------------------------------------------------------------------------

    def _some_run(self) -> None:
        """Some things or all, as an operator or a schedule would; now and then something happens in the middle."""
        random = self._random
        record_types = self._things if random.random() < 0.4 else tuple(random.sample(self._things, 1))
        mode = random.choices(("changes", "full", "reconcile"), weights=(7, 1, 2))[0]
        mishap = random.choices(("none", "killed", "killed at commit", "two at once", "edited"), (6, 1, 1, 2, 2))[0]
        self._run(record_types, mode=mode, mishap=mishap)

    def _run(self, record_types: tuple[str, ...], *, mode: str = "changes", mishap: str = "none") -> None:
        world = self._world
        world.queries, nth = 0, self._random.randrange(1, 9)
        if mishap == "killed":
            world.plan = {nth: self._die}
        elif mishap == "two at once":
            others = tuple(self._random.sample(self._things, 2))
            world.plan = {nth: lambda: self._other_run(others)}
        elif mishap == "edited":
            world.plan = {nth: self._work}
        elif mishap == "killed at commit":
            world.warehouse.before_commit = self._die
        world.tell(f"run of {', '.join(record_types)}: {mode}, {mishap} at {nth}")
        try:
            self._extract(record_types, mode)
        except KilledError:
            world.tell("  killed")
        world.plan, world.warehouse.before_commit = {}, lambda: None
        self._problems += self._judge.wronged()

    def _extract(self, record_types: tuple[str, ...], mode: str) -> None:
        try:
            with self._world.client() as client:
                for record_type in record_types:
                    self._one(record_type, mode, client)
        except IntegrationError as error:  # before the first thing: signing in
            self._failed("client", error)

    def _one(self, record_type: str, mode: str, client: NetSuiteClient) -> None:
        world = self._world
        try:
            if mode == "reconcile":
                report = world.reconcile(record_type, client)
            else:
                report = world.extract(record_type, client, full=mode == "full")
        except IntegrationError as error:
            self._failed(record_type, error)
        else:
            told = f"{report.mode}: {report.read} read, +{report.inserted} ~{report.updated} -{report.deleted}"
            world.tell(f"  run {world.runs} {record_type} {told}")

    def _failed(self, record_type: str, error: IntegrationError) -> None:
        self._world.tell(f"  {record_type} failed: {error}")
        allowed = self._troubled or "would vanish" in str(error) or "another run wrote" in str(error)
        if not allowed:
            self._problems.append(f"{record_type} failed without cause: {error}")

    def _other_run(self, record_types: tuple[str, ...]) -> None:
        """Another process runs to its end while this one waits for an answer."""
        self._world.tell(f"  meanwhile a run of {', '.join(record_types)}")
        self._extract(record_types, self._random.choice(("changes", "changes", "reconcile")))

    def _die(self) -> None:
        raise KilledError

    # --- the end -------------------------------------------------------------------------------------------------

    def _end(self) -> None:
        """Trouble ends; an ordinary run, a reconciliation, a full read: each must keep its promise."""
        world, edits = self._world, self._edits
        self._peace()
        world.clock.sleep(self._random.choice((1, 300, 4000)) + world.fate.switches["late_s"])
        if self._columns_hidden:  # which columns an account has is remembered for some hours
            world.clock.sleep(world.settings.probe_hours * 3600 + 60)
        if world.fate.late and self._random.random() < 0.5:  # late writes have a run between them and the end
            self._run(self._things)
        # an operator who knows that many records were deleted says so
        world.settings = replace(world.settings, vanish_share=1)
        self._run(self._things)
        silent = set(edits.silent)
        if self._customers_emptied:
            # a deletion is believed when the record is not shown, and here none is: one that came back under its id
            # may be taken for deleted until the next comparison of ids (NetSuite itself never gives an id again)
            silent |= {("customer", key) for key in edits.restored_ids}
        told = self._judge.differences(
            silent=silent,
            silent_deletions=edits.silent_deletions,
            hidden_deletions=self._deletions_hidden,
        )
        self._problems += [f"after the last run: {each}" for each in told]
        if self._problems:
            return
        self._run(self._things, mode="reconcile")
        told = self._judge.differences(silent=edits.silent, silent_deletions=False, hidden_deletions=False)
        self._problems += [f"after reconciliation: {each}" for each in told]
        if self._problems:
            return
        if edits.silent:
            self._run(self._things, mode="full")
            told = self._judge.differences(silent=set(), silent_deletions=False, hidden_deletions=False)
        if self._things == RECORD_TYPES:
            told += self._judge.staging()
        self._problems += [f"after a full read: {each}" for each in told]
