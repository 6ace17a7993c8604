"""Send a plan once: intent, send, outcome; after a lost response, look in the target before sending again.

plan  ->  steps (parents first, deactivations children first)  ->  batches  ->  Target.send  ->  sync_attempts

Intents are committed before their batch is sent and outcomes after it, so a process that dies at any point leaves a
ledger of what may have happened; the next run reads the target before it decides.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

import polars as pl

from assets.delivery.errors import InterruptedDeliveryError
from assets.delivery.ledger.attempts import Attempt, AttemptState, owner_of, write_attempts
from assets.delivery.ledger.owners import Owners
from assets.delivery.ledger.undo_holds import begin_undo_holds
from assets.delivery.ledger.unkeyed import LostCreate, Possible, format_existing, match_unkeyed, read_unkeyed
from assets.delivery.run_context import RunContext
from assets.delivery.schemas import KEY, PARENT, PARENT_MISSING, SourceKey, keys_frame
from assets.delivery.send.batches import Step, batches, plan_steps, with_parent
from assets.delivery.send.not_taken import judge_kept
from assets.delivery.send.outcomes import SEVERAL, Delivery, deferred_reason, with_own_ids
from assets.delivery.send.read_back import confirmation_of, mismatches, read_back
from assets.delivery.send.unexplained import judge_unexplained
from assets.delivery.target import UNFINISHED, Action, Outcome, Target, Verdict, Write
from resources.errors import ContractError, IntegrationError, QuotaExhaustedError, TransientError
from resources.failpoints import reach

Progress = Callable[[int, int], None]

LOST_ALONE = 3  # records in a row without a response, each sent for itself: it is the service then
_ORPHAN = Outcome(Verdict.NOT_SENT, code=PARENT_MISSING, reason="the parent was not delivered")


def deliver(
    run: RunContext,
    plan: pl.DataFrame,
    version: str,
    *,
    parents: Mapping[SourceKey, str],
    canary: Sequence[int] = (),
    unkeyed: frozenset[str] | None = None,
    holds: pl.DataFrame | None = None,
    verify_restored: bool = True,
    progress: Progress | None = None,
) -> Delivery:
    """Send every row of a plan that writes.

    Args:
        run: The run; its ledger is written batch by batch.
        plan: PLAN_COLUMNS.
        version: Fingerprint of the workflow file that made the plan.
        parents: Target ids of possible parents that exist.
        canary: Sizes of the first batches, which are read back and compared before more is sent.
        unkeyed: The records without our key that the target has now; None: those of the stored target state.
        holds: Rows of sync_undo_holds that begin with the intents of an undo.
        verify_restored: Whether restored values are read back, which may take a whole listing.
        progress: Called after each batch with the steps done and the steps in all.

    Returns:
        The outcome of every step; `stop` is set if the target accepts nothing more for now.
    """
    steps = plan_steps(plan)
    sender = _Sender(run, version, dict(parents), *_existing(run, steps, unkeyed), holds)
    try:
        _send_all(sender, steps, canary, progress)
    except BaseException as error:
        if not isinstance(error, Exception):  # an interrupt keeps the outcomes that are known
            sender.flush()
        raise
    sender.flush()
    reach("answers_kept")
    if verify_restored and not sender.delivery.stop:
        with suppress(IntegrationError):  # the next run restores and verifies them again
            sender.read_confirmed(step for step in steps if step.restores)
        sender.flush()
    return sender.delivery


def _send_all(sender: "_Sender", steps: Sequence[Step], canary: Sequence[int], progress: Progress | None) -> None:
    """Send the steps batch by batch, and verify the canary's."""
    done = 0
    in_order = batches(steps, sender.target.batch_size, canary, name_field=sender.target.name_field)
    for number, batch in enumerate(in_order):
        sender.send(batch)
        if number < len(canary):
            sender.verify(batch)
        done += len(batch)
        if progress:
            progress(done, len(steps))


def _existing(run: RunContext, steps: Sequence[Step], unkeyed: frozenset[str] | None) -> tuple[frozenset[str], Owners]:
    """Return the records without our key that the target has before anything is created, and whose the others are."""
    if not any(step.action is Action.CREATE for step in steps):
        return frozenset(), Owners()
    with run.warehouse.writer(transaction=False) as con:
        owners = Owners.read(con, run.workflow)
        if not run.target.name_field:
            return frozenset(), owners
        return read_unkeyed(con, run.workflow.target_state) if unkeyed is None else unkeyed, owners


class _Sender:
    """The sending of one plan: the known target ids, and the attempts that are not in the ledger yet."""

    def __init__(
        self, run: RunContext, version: str, ids: dict[SourceKey, str], existing: frozenset[str], owners: Owners,
        holds: pl.DataFrame | None,
    ) -> None:  # fmt: skip
        self._run = run
        self.target = run.target
        self._version = version
        self._ids = ids
        self._existing = existing
        self._owners = owners
        self._holds = holds
        self._lost_alone = 0
        self._is_existing_kept = not run.target.name_field
        self._pending: list[Attempt] = []
        self.delivery = Delivery()

    def send(self, batch: Sequence[Step]) -> None:
        """Send one batch; steps that cannot be sent get an outcome that gives the reason."""
        if self.delivery.stop:
            reason = f"not sent: the run stopped first ({self.delivery.stop})"
            self._close([(step, self._deferred(Outcome(Verdict.NOT_SENT, reason=reason))) for step in batch])
            return
        ready, orphans = self._with_parents(batch)
        self._close([(step, _ORPHAN) for step in orphans])
        if not ready:
            return
        self._intend(ready)
        outcomes = with_own_ids([write for _, write in ready], self._send([write for _, write in ready]))
        reach("answers_read")
        self.delivery.writes |= {step.key: write for step, write in ready}
        outcomes = self._resolve_unknown(ready, outcomes)
        outcomes = judge_unexplained(self._run, [step.key for step, _ in ready], outcomes)
        outcomes = [judge_kept(*sent, outcome) for sent, outcome in zip(ready, outcomes, strict=True)]
        outcomes = [self._deferred(each) for each in outcomes]
        self._log(self._close([(step, outcome) for (step, _), outcome in zip(ready, outcomes, strict=True)]))
        if isinstance(self.delivery.stop, InterruptedDeliveryError):
            self.flush()
            raise self.delivery.stop.cause

    def _deferred(self, outcome: Outcome) -> Outcome:
        """Return an outcome that says until when a record is deferred, if the day's quota stopped it."""
        stop = self.delivery.stop
        if outcome.verdict is Verdict.NOT_SENT and isinstance(stop, QuotaExhaustedError):
            return replace(outcome, reason=deferred_reason(stop, is_undo=self._holds is not None))
        return outcome

    def verify(self, batch: Sequence[Step]) -> None:
        """Read a canary batch back; a record that is missing or differs stops the run."""
        if self.delivery.stop:
            return
        # a second call that is lost says nothing about the mapping, unless none arrives
        whole = [step for step in batch if self.delivery.outcomes[step.key].code != UNFINISHED]
        try:
            pairs = self.read_confirmed(whole or batch)
        except IntegrationError as error:
            self.delivery.stop = error
            return
        wrong = mismatches(pairs)
        if wrong:
            reason = (
                f"the first {len(pairs)} records do not show what was sent: {wrong}; fix the mapping, or accept the"
                " difference by applying the next plan; nothing more is sent until then"
            )
            self.delivery.halted = True
            self.delivery.stop = ContractError(self.target.system, "canary", reason)

    def read_confirmed(self, steps: Iterable[Step]) -> list[tuple[Write, dict[str, Any] | None]]:
        """Read confirmed records back, and take them as the response: the first one may only repeat our values.

        Returns:
            Each write with the target's record, None if it is missing.

        Raises:
            IntegrationError: They cannot be read.
        """
        key_field, confirmed = self.target.key_field, self.delivery.confirmed()
        sent = {step.key: step for step in steps if step.key in confirmed}
        writes = {key: self.delivery.writes[key] for key in sent}
        writes = {key: write for key, write in writes.items() if write.values.get(key_field)}  # an undo may clear it
        if not writes:
            return []
        self._settle(writes.values())
        rows = read_back(self.target, list(writes.values())).iter_rows(named=True)
        found, pairs = {row["external_id"]: row for row in rows}, []
        for key, write in writes.items():
            row = found.get(write.values[key_field])
            if row is not None:
                shown = replace(confirmed[key], echo={**(confirmed[key].echo or {}), **row})
                self.delivery.outcomes[key] = outcome = judge_kept(sent[key], write, shown)
                if outcome.verdict is not Verdict.CONFIRMED:
                    self._log([(sent[key], outcome)])
            pairs.append((write, row))
        return pairs

    def _with_parents(self, batch: Iterable[Step]) -> tuple[list[tuple[Step, Write]], list[Step]]:
        ready, orphans = [], []
        for step in batch:
            parent_id = self._ids.get(step.parent) if step.parent else None
            if step.below and PARENT not in step.changed:
                parent_id = step.below
            if step.parent and parent_id is None and step.action is not Action.DEACTIVATE:
                orphans.append(step)
                continue
            if PARENT in step.changed:  # the plan may not have known the id of a new parent
                step = replace(step, image=with_parent(step.image, parent_id))  # noqa: PLW2901 - the same step, completed
            others = partial(self._owners.are_others, step.key)
            write = Write(*step.key, step.action, step.target_id, step.values, step.changed, parent_id, others)
            ready.append((step, write))
        return ready, orphans

    def _send(self, writes: Sequence[Write]) -> list[Outcome]:
        try:
            sent = self.target.send(writes)
        except IntegrationError as error:
            # a target reports errors of single records as outcomes; an exception concerns the whole batch
            self.delivery.stop = error
            return [Outcome(Verdict.UNKNOWN, reason=str(error)) for _ in writes]
        self.delivery.stop = sent.stop
        return list(sent.outcomes)

    def _resolve_unknown(self, ready: Sequence[tuple[Step, Write]], outcomes: list[Outcome]) -> list[Outcome]:
        """Look up every write whose response was lost; one that did not arrive is sent once more."""
        unknown = {place: each for place, each in enumerate(outcomes) if each.verdict is Verdict.UNKNOWN}
        if not unknown or self.delivery.stop:
            return outcomes
        resolved = self._look_up_or_send({place: ready[place][1] for place in unknown})
        outcomes = [resolved.get(place) or outcome for place, outcome in enumerate(outcomes)]
        ended = [place for place in unknown if outcomes[place].verdict is not Verdict.UNKNOWN]
        self._log([(ready[place][0], unknown[place]) for place in ended])
        return outcomes

    def _look_up_or_send(self, writes: Mapping[int, Write]) -> dict[int, Outcome]:
        """Look up writes whose response was lost, and send those again that did not arrive.

        If the response to all of them is lost again, each half is sent for itself: one record on which the service
        fails must not cost the others of its request their responses every night.
        """
        if self.delivery.stop:
            return {}
        try:
            self._settle(writes.values())
            found = read_back(self.target, list(writes.values()))
        except IntegrationError as error:
            self.delivery.stop = error
            return {}
        known = {place: confirmation_of(write, found, self.target) for place, write in writes.items()}
        confirmed = {place: outcome for place, outcome in known.items() if outcome}
        sent = dict(self._send_again({place: write for place, write in writes.items() if place not in confirmed}))
        lost = [place for place, each in sent.items() if each.verdict is Verdict.UNKNOWN and not each.code]
        if self.target.one_request and sent and not self.delivery.stop:
            self._lost_alone = self._lost_alone + (len(lost) == 1) if len(lost) == len(sent) else 0
            if self._lost_alone == LOST_ALONE:
                reason = f"{LOST_ALONE} responses in a row were lost"
                self.delivery.stop = TransientError(self.target.system, "send records", reason)
            elif len(lost) == len(sent) > 1:
                middle = len(lost) // 2
                for half in lost[:middle], lost[middle:]:
                    sent |= self._look_up_or_send({place: writes[place] for place in half})
        return {**confirmed, **sent}

    def _settle(self, writes: Iterable[Write]) -> None:
        """Wait until a read shows what was created."""
        if any(write.action is Action.CREATE for write in writes):
            self._run.clock.sleep(self.target.settle_s)

    def _send_again(self, writes: Mapping[int, Write]) -> Mapping[int, Outcome]:
        """Send writes that did not arrive; a create that arrived without our key gets it, unless several may be it."""
        creates = {place: write for place, write in writes.items() if write.action is Action.CREATE}
        lost, taken = [LostCreate(write, self._existing) for write in creates.values()], {*self._ids.values()}
        try:
            # a service that keeps a name in another form leaves a record that only time and place show to be ours
            possible = dict(zip(creates, match_unkeyed(self.target, lost, taken, edited=True), strict=True))
        except IntegrationError as error:
            self.delivery.stop = error
            return {}
        unclear = {place: each for place, each in possible.items() if each.target_ids and not each.is_certain}
        due = {
            place: _with_key(write, self.target, possible[place]) if place in possible else write
            for place, write in writes.items()
            if place not in unclear
        }
        sent = dict(zip(due, self._send(list(due.values())) if due else [], strict=True))
        if self.target.creates_in_two_calls:  # an update that gives the key leaves the create's second call to be made
            arrived = {place for place in creates if possible[place].is_certain}
            sent |= {place: _unfinished(sent[place]) for place in sent.keys() & arrived}
        return sent | {place: Outcome(Verdict.UNKNOWN, None, SEVERAL, each.reason) for place, each in unclear.items()}

    def _existing_ids(self, write: Write) -> str | None:
        """Return the records without our key that existed before, for the first create that is sent."""
        if self._is_existing_kept or write.action is not Action.CREATE:
            return None
        self._is_existing_kept = True
        return format_existing(self._existing)

    def _close(self, ends: Sequence[tuple[Step, Outcome]]) -> Sequence[tuple[Step, Outcome]]:
        """Store the outcomes of steps, with the target ids that are known."""
        for step, outcome in ends:
            known = replace(outcome, target_id=outcome.target_id or step.target_id)
            self.delivery.outcomes[step.key] = known
            if known.verdict is Verdict.CONFIRMED and known.target_id:
                self._ids[step.key] = known.target_id
        return ends

    def _log(self, ends: Sequence[tuple[Step, Outcome]]) -> None:
        self._pending += [self._attempt(step, AttemptState(outcome.verdict), outcome) for step, outcome in ends]

    def _intend(self, ready: Iterable[tuple[Step, Write]]) -> None:
        """Commit the intents of this batch together with the outcomes of the previous one."""
        self._pending += [
            self._attempt(step, AttemptState.INTENT, Outcome(Verdict.UNKNOWN))._replace(
                parent_target_id=write.parent_id,
                existing_ids=self._existing_ids(write),
                emptied=step.emptied,
                replaced=step.replaced,
            )
            for step, write in ready
        ]
        reach("intents_begin")
        self.flush()
        reach("intents_kept")

    def _attempt(self, step: Step, state: AttemptState, outcome: Outcome) -> Attempt:
        attempt = Attempt(
            attempt_id=step.attempt_id,
            state=state,
            run_id=self._run.run_id,
            workflow=self._run.workflow.name,
            source=step.key.source,
            source_id=step.key.source_id,
            action=step.action,
            target_id=outcome.target_id or step.target_id,
            payload_hash=step.payload_hash,
            workflow_version=self._version,
            request_hash=step.request_hash,
            code=outcome.code,
            reason=outcome.reason,
            image=None,
            seen_at=self._run.now,
        )
        if state is not AttemptState.INTENT:
            return attempt
        return attempt._replace(image=self._run.cipher.encrypt(step.image, of=owner_of(attempt._asdict())))

    def flush(self) -> None:
        """Commit the pending attempts."""
        if not self._pending:
            return
        with self._run.warehouse.writer() as con:
            write_attempts(con, self._pending)
            if self._holds is not None:
                intents = [SourceKey(a.source, a.source_id) for a in self._pending if a.state == AttemptState.INTENT]
                begin_undo_holds(con, self._holds.join(keys_frame(intents), on=KEY, how="semi"))
        self._pending = []


def _unfinished(outcome: Outcome) -> Outcome:
    """Return the outcome of a create that arrived without its second call."""
    is_open = outcome.verdict is Verdict.CONFIRMED and not outcome.code
    return replace(outcome, code=UNFINISHED) if is_open else outcome


def _with_key(write: Write, target: Target, possible: Possible) -> Write:
    """Return the update that gives our key to the record that a create made; without such a record the create."""
    if not possible.target_ids:
        return write
    changed = frozenset({target.key_field})
    return replace(write, action=Action.UPDATE, target_id=possible.target_ids[0], changed=changed)
