"""A random walk from one seed: edits, disturbances and extraction runs in any order, then a comparison with the truth.

walk(seed)  ->  WalkResult(seed, log, problems); without problems, nothing was lost, deleted or cleared

Three comparisons at the end: after an ordinary run (everything that NetSuite reports), after a reconciliation (every
id), after as many nights as it takes to read every value again. Before these nights every walk makes changes that
nothing reports, to records that no run reads for another reason.
"""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from orchestration.simulation.crashable_warehouse import KilledError
from resources.errors import IntegrationError
from resources.netsuite.client import NetSuiteClient
from resources.sandbox.faults import OUTAGES, Fault
from tests.assets.netsuite.extract.lossless_account import (
    HIDEABLE_COLUMNS,
    RECORD_TYPES,
    VERIFY_DAYS,
    SimulatedAccount,
)
from tests.assets.netsuite.extract.lossless_edits import Edits
from tests.assets.netsuite.extract.lossless_model import Model

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - a walk is many small commits, which are faster in memory
HIDEABLE = (
    "customer", "job", "contact", "customersubsidiaryrelationship", "customeraddressbook", "contactaddressbook",
    "deletedrecord",
)  # fmt: skip
DISTURBANCES = (
    "fault", "fault", "hidden", "emptied", "column", "burst", "occupied", "edited", "half", "token", "slow",
    "slow", "401",
)  # fmt: skip
DAY_S = 86_400
PAUSES = (1, 20, 200, 900, 3600, 6 * 3600, 26 * 3600, 3 * 86400)
UNDISTURBED = {
    "hidden_tables": [],
    "empty_tables": [],
    "hidden_columns": [],
    "burst_every": 0,
    "occupied_slots": 0,
    "edit_every": 0,
    "half_page_every": 0,
    "token_calls": 0,
    "latency_ms": 0,
    "concurrency_as_401": False,
}


@dataclass(frozen=True)
class WalkResult:
    """The result of a walk."""

    seed: int
    log: tuple[str, ...]
    problems: tuple[str, ...]
    runs: int
    short: bool = False

    @property
    def replay(self) -> str:
        """The command that repeats the walk."""
        if self.short:
            return f"MILLPOND_SEED={self.seed} python -m pytest -k lossless"
        return f"python -m tests.bench.lossless --logs --seeds 1 --first {self.seed}"

    def __str__(self) -> str:
        lines = [f"seed {self.seed}: {len(self.problems)} problems", *self.problems[:12], "", "log:"]
        return "\n".join([*lines, *self.log, "", f"replay: {self.replay}"])


def walk(seed: int, *, short: bool = False) -> WalkResult:
    """Walk once; a short walk has few record types and steps, and the same comparisons."""
    with tempfile.TemporaryDirectory(dir=SHARED_MEMORY if SHARED_MEMORY.is_dir() else None) as folder:
        try:
            return _Walk(SimulatedAccount.of(seed, Path(folder), short=short), short=short).run()
        except Exception as error:
            error.add_note(f"in the walk of seed {seed}{', short' if short else ''}")
            raise


class _Walk:
    """One walk."""

    def __init__(self, account: SimulatedAccount, *, short: bool) -> None:
        self._account = account
        self._short = short
        self._random = account.random
        self._record_types = account.scenario.record_types
        self._model = Model(account)
        self._edits = Edits(account)
        self._problems: list[str] = []
        self._is_disturbed = False
        self._deletions_hidden = False
        self._columns_hidden = False
        self._customers_emptied = False

    def run(self) -> WalkResult:
        """Walk to the end."""
        account = self._account
        self._edits.populate()
        account.record(f"{account.scenario}")
        if self._random.random() < 0.6:
            self._extract_all(self._record_types)
        steps: tuple[Callable[[], None], ...] = (
            self._edit, self._wait, self._disturb, self._end_disturbance, self._extract_some,
        )  # fmt: skip
        bounds = (2, 5) if self._short else (4, 9) if account.scenario.customers > 100 else (8, 18)
        for _ in range(self._random.randrange(*bounds)):
            self._random.choices(steps, weights=(6, 4, 3, 2, 6))[0]()
            if self._problems:
                break
        if not self._problems:
            self._compare()
        return WalkResult(account.scenario.seed, tuple(account.log), tuple(self._problems), account.runs, self._short)

    # --- steps ---------------------------------------------------------------------------------------------------

    def _edit(self) -> None:
        for _ in range(self._random.randrange(1, 7)):
            self._account.record(f"edit: {self._edits.one()}")
            if self._random.random() < 0.3:
                self._account.clock.sleep(self._random.uniform(0, 5))

    def _wait(self) -> None:
        seconds = self._random.choice(PAUSES) * self._random.uniform(0.5, 1)
        self._account.clock.sleep(seconds)
        self._account.record(f"{seconds:.0f} s pass")

    def _disturb(self) -> None:
        random = self._random
        kind = random.choice(DISTURBANCES)
        if kind == "fault":
            for _ in range(random.randrange(1, 4)):
                self._plan_fault()
            return
        disturbances: dict[str, dict[str, Any]] = {
            "hidden": {"hidden_tables": random.sample(HIDEABLE, random.randrange(1, 3))},
            "emptied": {"empty_tables": random.sample(HIDEABLE, random.randrange(1, 3))},
            "column": {"hidden_columns": random.sample(HIDEABLE_COLUMNS, 2)},
            "burst": {"burst_every": random.choice((5, 9)), "burst_calls": random.choice((1, 3))},
            "occupied": {"occupied_slots": random.choice((2, 5)), "occupied_every_s": 600, "occupied_for_s": 200},
            "edited": {"edit_every": random.choice((1, 2, 5)), "edit_seed": random.randrange(1000)},
            "half": {"half_page_every": random.choice((3, 7)), "half_page_reports": random.choice(("count", "total"))},
            "token": {"token_calls": random.choice((2, 5))},
            # rows are saved during a slow read, which may take longer than the overlap
            "slow": {
                "latency_ms": random.choice((5_000, 60_000, 500_000)),
                "latency_clock": "sandbox",
                "edit_every": random.choice((0, 1)),
                "edit_seed": random.randrange(1000),
            },
            "401": {"occupied_slots": 5, "occupied_every_s": 600, "occupied_for_s": 200, "concurrency_as_401": True},
        }
        values = disturbances[kind]
        self._note_hidden(values)
        self._columns_hidden |= kind == "column"
        self._account.switch(**values)
        self._is_disturbed = True
        self._account.record(f"disturbance: {values}")

    def _note_hidden(self, values: Mapping[str, Any]) -> None:
        emptied = values.get("empty_tables", [])
        self._deletions_hidden |= "deletedrecord" in [*values.get("hidden_tables", []), *emptied]
        self._customers_emptied |= "customer" in emptied

    def _plan_fault(self) -> None:
        random = self._random
        fault = Fault(
            random.choice(OUTAGES),
            pattern=random.choice(("", "suiteql", "suiteql", "serverTime", "token")),
            skip=random.randrange(8),
            times=random.choice((1, 1, 2, 7)),
        )
        self._account.sandbox.faults.plan("netsuite", fault)
        self._is_disturbed = True
        self._account.record(f"disturbance: {fault}")

    def _end_disturbance(self) -> None:
        self._account.sandbox.faults.clear()
        self._account.switch(**UNDISTURBED)
        self._is_disturbed = False
        self._account.record("disturbances end")
        if self._random.random() < 0.1:
            zone = self._random.choice(("UTC", "Asia/Kolkata", "America/Los_Angeles", "America/Phoenix"))
            self._account.switch(session_zone=zone)
            self._account.record(f"the integration user's zone becomes {zone}")

    # --- runs ----------------------------------------------------------------------------------------------------

    def _extract_some(self) -> None:
        """Run an extraction of one or all record types, as an operator or a schedule would, perhaps interrupted."""
        random = self._random
        record_types = self._record_types if random.random() < 0.4 else tuple(random.sample(self._record_types, 1))
        mode = random.choices(("changes", "full", "reconcile"), weights=(7, 1, 2))[0]
        event = random.choices(("none", "killed", "killed at commit", "second run", "edited"), (6, 1, 1, 2, 2))[0]
        self._extract_all(record_types, mode=mode, event=event)

    def _extract_all(self, record_types: tuple[str, ...], *, mode: str = "changes", event: str = "none") -> None:
        account = self._account
        account.queries, nth = 0, self._random.randrange(1, 9)
        if event == "killed":
            account.hooks = {nth: self._kill}
        elif event == "second run":
            others = tuple(self._random.sample(self._record_types, 2))
            account.hooks = {nth: lambda: self._second_run(others)}
        elif event == "edited":
            account.hooks = {nth: self._edit}
        elif event == "killed at commit":
            account.warehouse.before_commit = self._kill
        account.record(f"run of {', '.join(record_types)}: {mode}, {event} at {nth}")
        try:
            self._extract(record_types, mode)
        except KilledError:
            account.record("  killed")
        account.hooks, account.warehouse.before_commit = {}, lambda: None
        self._problems += self._model.wrong_values()

    def _extract(self, record_types: tuple[str, ...], mode: str) -> None:
        try:
            with self._account.client() as client:
                for record_type in record_types:
                    self._extract_one(record_type, mode, client)
        except IntegrationError as error:  # at sign-in, before the first record type
            self._handle("client", error)

    def _extract_one(self, record_type: str, mode: str, client: NetSuiteClient) -> None:
        account = self._account
        try:
            report = account.extract(record_type, client, full=mode == "full", reconcile=mode == "reconcile")
        except IntegrationError as error:
            self._handle(record_type, error)
        else:
            counts = f"{report.mode}: {report.read} read, +{report.inserted} ~{report.updated} -{report.deleted}"
            account.record(f"  run {account.runs} {record_type} {counts}")

    def _handle(self, record_type: str, error: IntegrationError) -> None:
        self._account.record(f"  {record_type} failed: {error}")
        is_expected = self._is_disturbed or "would vanish" in str(error) or "another run wrote" in str(error)
        if not is_expected:
            self._problems.append(f"{record_type} failed without cause: {error}")

    def _second_run(self, record_types: tuple[str, ...]) -> None:
        """Run another process from start to end during a call of this one."""
        self._account.record(f"  second run of {', '.join(record_types)}")
        self._extract(record_types, self._random.choice(("changes", "changes", "reconcile")))

    def _kill(self) -> None:
        raise KilledError

    # --- comparison ----------------------------------------------------------------------------------------------

    def _compare(self) -> None:
        """End all disturbances; then an ordinary run, a reconciliation and some nights must each find their share."""
        account, edits = self._account, self._edits
        self._end_disturbance()
        account.clock.sleep(self._random.choice((1, 300, 4000)) + account.scenario.switches["late_s"])
        if self._columns_hidden:  # the account's columns are cached for some hours
            account.clock.sleep(account.settings.capability_hours * 3600 + 60)
        if account.scenario.has_late_writes and self._random.random() < 0.5:  # another run before the last one
            self._extract_all(self._record_types)
        # as an operator does who knows that many records were deleted
        account.settings = replace(account.settings, vanish_share=1)
        self._extract_all(self._record_types)
        unstamped = set(edits.unstamped)
        # what a merge moves is read again once the loser is known to be deleted; its sub-customers one run later
        later = {each for each in edits.moved if each[0] == "customer"}
        unstamped |= edits.moved if self._deletions_hidden or self._customers_emptied else later
        if self._customers_emptied:
            # a deletion is confirmed if NetSuite does not show the record, and an empty table shows none: a customer
            # restored under its id may count as deleted until the next reconciliation (NetSuite never reuses an id)
            unstamped |= {("customer", key) for key in edits.restored_ids}
        found = self._model.differences(
            unstamped=unstamped,
            unreported_deletions=edits.unreported_deletions,
            hidden_deletions=self._deletions_hidden,
        )
        self._problems += [f"after the last run: {each}" for each in found]
        if self._problems:
            return
        account.clock.sleep(2 * DAY_S)  # what exists leaves the time that the next runs read twice
        account.record(f"edit: {edits.customer_created()} created")
        account.clock.sleep(account.scenario.switches["late_s"])
        self._extract_all(self._record_types, mode="reconcile")
        found = self._model.differences(unstamped=edits.unstamped | later)
        self._problems += [f"after reconciliation: {each}" for each in found]
        if self._problems:
            return
        self._change_unreported()
        for _ in range(VERIFY_DAYS):
            account.clock.sleep(DAY_S)
            self._extract_all(self._record_types)
        found = self._model.differences()
        if self._record_types == RECORD_TYPES:
            found += self._model.staging_differences()
        self._problems += [f"after the nights: {each}" for each in found]

    def _change_unreported(self) -> None:
        """Change what neither a date nor a note reports, and records while the role does not see them."""
        account, edits, random = self._account, self._edits, self._random
        account.switch(merge_moves_dates=False)
        account.record(f"edit: {edits.customer_changed_silently()} changed silently")
        for _ in range(random.randrange(3)):
            account.record(f"edit: {edits.changed_silently()} changed silently")
        if random.random() < 0.4:
            account.record(f"edit: merged {edits.merged()}")
        if random.random() < 0.3:
            lost = edits.some_records()
            self._model.hidden.update(lost)
            account.switch(hidden_records=[f"{table}.{key}" for table, key in lost])
            account.record(f"the role loses {lost}")
            for table, key in lost:
                edits.edited_unseen(table, key)
            account.clock.sleep(DAY_S)
            self._extract_all(self._record_types)
            account.switch(hidden_records=[])
            account.record("the role sees them again")
