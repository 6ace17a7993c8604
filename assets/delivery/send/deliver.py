"""Send what a plan says, once: intent, send, outcome, and a read-back where the answer was lost.

plan  ->  waves (parents first; switching off: children first)  ->  batches  ->  Target.send  ->  ledger

For each batch the intents are committed before anything is sent and the outcomes after, so a process killed at any
point leaves a ledger that says what may have happened; the next run reads the target before it decides.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import polars as pl

from assets.delivery.ledger import ledger
from assets.delivery.ledger.normalization import HARMLESS, differences
from assets.delivery.ledger.plans import Seal
from assets.delivery.schemas import KEY, PARENT, REFUSED
from assets.delivery.send.batches import Key, Step, batches, below, known_ids, plan_steps
from assets.delivery.target import UNFINISHED, Action, Outcome, Target, Verdict, Write
from resources.clock import Clock
from resources.errors import ContractError, IntegrationError
from resources.failpoints import reach
from resources.warehouse.warehouse import Warehouse

Progress = Callable[[int, int], None]


@dataclass
class Delivery:
    """What came of a plan; `ends` has one outcome per step that was tried."""

    ends: dict[Key, Outcome] = field(default_factory=dict)
    writes: dict[Key, Write] = field(default_factory=dict)
    stop: Exception | None = None
    halted: bool = False  # a canary stopped it

    def final(self, plan: pl.DataFrame) -> pl.DataFrame:
        """The plan's decisions, corrected by what the target answered: one row per source record."""
        ends = pl.DataFrame(
            [(*key, *_final(outcome)) for key, outcome in self.ends.items()],
            schema=dict.fromkeys([*KEY, "_action", "_code", "_reason", "_target_id"], pl.String),
            orient="row",
        )
        return (
            plan.select(*KEY, "action", "reason_code", "reason", "target_id")
            .join(ends, on=KEY, how="left", maintain_order="left")
            .with_columns(
                pl.coalesce("_action", "action").alias("action"),
                pl.coalesce("_code", "reason_code").alias("reason_code"),
                pl.coalesce("_reason", "reason").alias("reason"),
                pl.coalesce("_target_id", "target_id").alias("target_id"),
            )
            .drop("_action", "_code", "_reason", "_target_id")
        )


def _final(outcome: Outcome) -> tuple[str | None, str | None, str | None, str | None]:
    """Action, code, reason, target id that replace the planned ones."""
    if outcome.verdict is Verdict.CONFIRMED:
        return None, None, None, outcome.target_id
    if outcome.code.startswith("stale_"):
        return Action.SKIPPED.value, outcome.code, outcome.reason, outcome.target_id
    if outcome.code == "parent_missing":
        return Action.BLOCKED.value, outcome.code, outcome.reason, None
    if outcome.verdict is Verdict.REJECTED:
        code = f"rejected_{outcome.code}" if outcome.code else "rejected"
        return Action.QUARANTINED.value, code, REFUSED.format(outcome.reason), outcome.target_id
    return Action.FAILED.value, outcome.verdict.value, outcome.reason, outcome.target_id


@dataclass(frozen=True)
class Sending:
    """Whose plan is sent by whom: what the ledger says beside each attempt.

    `canary` are the sizes of the first batches, which are read back and compared before more is sent; empty for none.
    """

    workflow: str
    version: str
    run_id: str
    seal: Seal = field(default_factory=Seal)
    canary: Sequence[int] = ()
    few: bool = False  # what was restored is looked at again by the next run of all: that may take a whole listing


def deliver(
    warehouse: Warehouse,
    target: Target,
    plan: pl.DataFrame,
    sending: Sending,
    *,
    clock: Clock,
    progress: Progress | None = None,
    known: Mapping[Key, str] | None = None,
) -> Delivery:
    """Send every row of the plan that writes.

    Args:
        warehouse: The warehouse; its ledger is written batch by batch.
        target: Where to send.
        plan: `decide.PLAN_COLUMNS`.
        sending: Workflow, version and run, for the ledger; how carefully to begin.
        clock: Time.
        progress: Told after each batch how many of how many steps are done.
        known: Target ids of records that may be parents and are not in the plan.

    Returns:
        The outcome of every step; `stop` is set when the target said that nothing more should be sent now.
    """
    steps = plan_steps(plan)
    run = _Run(warehouse, target, sending, clock, ids={**(known or {}), **known_ids(plan, plan)})
    done = 0
    for number, batch in enumerate(batches(steps, target.batch_size, sending.canary)):
        run.send(batch)
        if number < len(sending.canary):
            run.verify(batch)
        done += len(batch)
        if progress:
            progress(done, len(steps))
    run.flush()
    reach("answers_kept")
    if not run.delivery.stop and not sending.few:
        with suppress(IntegrationError):  # what could not be seen now is restored and looked at again by the next run
            run.look_again(step for step in steps if step.restores)
    return run.delivery


class _Run:
    """The sending of one plan: which target ids are known by now, and what the ledger must still be told."""

    def __init__(
        self,
        warehouse: Warehouse,
        target: Target,
        sending: Sending,
        clock: Clock,
        ids: dict[Key, str],
    ) -> None:
        self._warehouse = warehouse
        self._target = target
        self._sending = sending
        self._clock = clock
        self._ids = ids
        self._pending: list[tuple[object, ...]] = []
        self.delivery = Delivery()

    def send(self, batch: Sequence[Step]) -> None:
        """Send one batch, or say of each step why it was not sent."""
        if self.delivery.stop:
            reason = f"not sent: the run stopped before it ({self.delivery.stop})"
            self._end([(step, Outcome(Verdict.NOT_SENT, reason=reason)) for step in batch], log=False)
            return
        ready, orphans = self._with_parents(batch)
        self._end([(step, _ORPHAN) for step in orphans], log=False)
        if not ready:
            return
        self._intend(step for step, _ in ready)
        outcomes = self._deliver([write for _, write in ready])
        reach("answers_read")
        self._remember(ready)
        settled = self._settle(ready, outcomes)
        self._end([(step, outcome) for (step, _), outcome in zip(ready, settled, strict=True)])

    def verify(self, batch: Sequence[Step]) -> None:
        """Read a canary back: what is missing or otherwise than it was sent stops the run."""
        if self.delivery.stop:
            return
        try:
            shown = self.look_again(batch)
        except IntegrationError as error:
            self.delivery.stop = error
            return
        wrong: Counter[str] = Counter()
        for write, row in shown:
            if row is None:
                wrong["missing"] += 1
                continue
            kinds = differences(write.values, row, write.changed & row.keys())
            wrong.update(name for name, kind in kinds.items() if kind not in HARMLESS)
        if wrong:
            told = ", ".join(f"{name} ({count} of {len(shown)})" for name, count in sorted(wrong.items()))
            reason = (
                f"the first {len(shown)} records do not show what was sent: {told}; nothing more is sent before the"
                " mapping is mended, or somebody accepts it by releasing the next plan"
            )
            self.delivery.halted = True
            self.delivery.stop = ContractError(self._target.system, "canary", reason)

    def look_again(self, steps: Iterable[Step]) -> list[tuple[Write, dict[str, Any] | None]]:
        """Read back what was confirmed; what the target shows counts as its answer, which may only repeat our values.

        Returns:
            Each write and the target's record, None when it is missing.

        Raises:
            IntegrationError: It cannot be read.
        """
        key_field, writes, ends = self._target.key_field, self.delivery.writes, self.delivery.ends
        # an undo may take the key away
        sent = [step for step in steps if self._confirmed(step) and writes[step.key].values.get(key_field)]
        if not sent:
            return []
        rows = self._read_back([writes[step.key] for step in sent]).iter_rows(named=True)
        back, shown = {row["external_id"]: row for row in rows}, []
        for step in sent:
            row = back.get(writes[step.key].values[key_field])
            if row is not None:
                ends[step.key] = replace(ends[step.key], echo={**(ends[step.key].echo or {}), **row})
            shown.append((writes[step.key], row))
        return shown

    def _confirmed(self, step: Step) -> bool:
        end = self.delivery.ends.get(step.key)
        return end is not None and end.verdict is Verdict.CONFIRMED

    def _with_parents(self, batch: Iterable[Step]) -> tuple[list[tuple[Step, Write]], list[Step]]:
        ready, orphans = [], []
        for step in batch:
            parent_id = self._ids.get(step.parent) if step.parent else None
            # what is switched off needs no parent; what is new or lives does
            if step.parent and parent_id is None and step.action is not Action.DEACTIVATE:
                orphans.append(step)
                continue
            if PARENT in step.changed:  # the plan may not know yet what becomes the parent
                step = replace(step, image=below(step.image, parent_id))  # noqa: PLW2901 - the same step, completed
            source, source_id = step.key
            write = Write(source, source_id, step.action, step.target_id, step.values, step.changed, parent_id)
            ready.append((step, write))
        return ready, orphans

    def _deliver(self, writes: Sequence[Write]) -> list[Outcome]:
        try:
            sent = self._target.send(writes)
        except IntegrationError as error:
            # the adapter answers for its records one by one; what still comes here concerns them all
            self.delivery.stop = error
            return [Outcome(Verdict.UNKNOWN, reason=str(error)) for _ in writes]
        self.delivery.stop = sent.stop
        return list(sent.outcomes)

    def _settle(self, ready: Sequence[tuple[Step, Write]], outcomes: list[Outcome]) -> list[Outcome]:
        """Read the target back for every lost answer; what never arrived is sent once more."""
        lost = [index for index, outcome in enumerate(outcomes) if outcome.verdict is Verdict.UNKNOWN]
        if not lost or self.delivery.stop:
            return outcomes
        unknown = [(index, outcomes[index]) for index in lost]
        try:
            back = self._read_back([ready[index][1] for index in lost])
        except IntegrationError as error:
            self.delivery.stop = error
            return outcomes
        absent = [index for index in lost if not self._found(ready[index][1], outcomes, index, back)]
        if absent:
            again = self._deliver([ready[index][1] for index in absent])
            for index, outcome in zip(absent, again, strict=True):
                outcomes[index] = outcome
        ended = [(index, was) for index, was in unknown if outcomes[index].verdict is not Verdict.UNKNOWN]
        self._log([(ready[index][0], was) for index, was in ended])
        return outcomes

    def _read_back(self, writes: Sequence[Write]) -> pl.DataFrame:
        keys = {write.values.get(self._target.key_field): write.target_id for write in writes}
        fields = sorted({name for write in writes for name in write.values})
        back = self._target.find([key for key in keys if key], fields)
        if self._target.lists_all:
            return back
        # what was switched off may be there and not be listed
        shown = set(back["external_id"])
        hidden = {target_id: key for key, target_id in keys.items() if key and target_id and key not in shown}
        return pl.concat([back, self._target.ask(hidden, fields)[0]]) if hidden else back

    def _found(self, write: Write, outcomes: list[Outcome], index: int, back: pl.DataFrame) -> bool:
        """Whether the write shows in what the target has now; the outcome is then a confirmation.

        A create has arrived when its key has: the target may spell a value otherwise, and a second one is worse.
        """
        key = write.values.get(self._target.key_field)
        for row in back.filter(pl.col("external_id") == key).iter_rows(named=True):
            arrived = write.action is Action.CREATE
            if PARENT in write.changed and row["parent_id"] != write.parent_id:
                return False  # a target that does not tell parents leaves it open; the same once more does no harm
            if arrived or all(row.get(name) == write.values.get(name) for name in write.changed if name in row):
                outcomes[index] = Outcome(
                    Verdict.CONFIRMED,
                    row["target_id"],
                    code=UNFINISHED if arrived and self._target.follows_up else "",
                    reason="confirmed by reading the target back",
                    echo=row,
                )
                return True
        return False

    def _remember(self, ready: Sequence[tuple[Step, Write]]) -> None:
        self.delivery.writes |= {step.key: write for step, write in ready}

    def _end(self, ends: Sequence[tuple[Step, Outcome]], *, log: bool = True) -> None:
        for step, outcome in ends:
            known = replace(outcome, target_id=outcome.target_id or step.target_id)
            self.delivery.ends[step.key] = known
            if known.verdict is Verdict.CONFIRMED and known.target_id:
                self._ids[step.key] = known.target_id
        if log:
            self._log(ends)

    def _log(self, ends: Sequence[tuple[Step, Outcome]]) -> None:
        self._pending += [self._attempt(step, outcome.verdict.value, outcome) for step, outcome in ends]

    def _intend(self, steps: Iterable[Step]) -> None:
        """Commit the intents of this batch, and the outcomes of the one before with them."""
        self._pending += [self._attempt(step, "intent", Outcome(Verdict.UNKNOWN)) for step in steps]
        reach("intents_begin")
        self.flush()
        reach("intents_kept")

    def _attempt(self, step: Step, state: str, outcome: Outcome) -> tuple[object, ...]:
        sending, (source, source_id) = self._sending, step.key
        moment: datetime = self._clock.now().replace(tzinfo=None)
        return (
            step.attempt_id, state, sending.run_id, sending.workflow, source, source_id, step.action.value,
            outcome.target_id or step.target_id, step.payload_hash, sending.version, step.request_hash, outcome.code,
            outcome.reason, sending.seal.hide(step.image) if state == "intent" else None, moment,
        )  # fmt: skip

    def flush(self) -> None:
        """Commit what the ledger must still be told."""
        if not self._pending:
            return
        with self._warehouse.writer() as con:
            ledger.write_attempts(con, self._pending)
        self._pending = []


_ORPHAN = Outcome(Verdict.NOT_SENT, code="parent_missing", reason="the parent was not delivered")
