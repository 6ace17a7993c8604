"""The outcomes of sending a plan, and the decisions that they correct.

deliver  ->  Delivery  ->  .decisions(plan)  ->  sync_<workflow>, sync_decisions
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC

import polars as pl

from assets.delivery.diff.edits import EDITED, EDITED_OR_SENT
from assets.delivery.schemas import KEY, PARENT_MISSING, REJECTED_REASON, SourceKey
from assets.delivery.target import Action, Outcome, Verdict, Write
from resources.errors import QuotaExhaustedError

SEVERAL = "several_candidates"  # code of an outcome: sent without a response, and one of several records may be it

QUOTA_EXHAUSTED = "quota_exhausted"  # reason code of a deferred record

_CORRECTION = dict.fromkeys([*KEY, "_action", "_code", "_reason", "_target_id"], pl.String)


def deferred_reason(stop: QuotaExhaustedError, *, is_undo: bool = False) -> str:
    """Return until when the records that the day's quota stopped are deferred; no later run continues an undo."""
    until = (
        f"{stop.until.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if stop.until else f"{stop.system} accepts requests again"
    )
    then = "undo the run again then" if is_undo else "the next run sends it"
    return f"deferred until {until}: the day's quota is used up; {then}"


def stop_text(stop: Exception | None, *, is_undo: bool = False) -> str | None:
    """Return why sending stopped; for the day's quota, which is not a failure, until when the rest is deferred."""
    if isinstance(stop, QuotaExhaustedError):
        return f"{deferred_reason(stop, is_undo=is_undo)} ({stop})"
    return str(stop) if stop else None


def with_own_ids(writes: Sequence[Write], outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Return the outcomes; creates that were answered with one and the same id are not identified by it."""
    created = [
        each.target_id
        for write, each in zip(writes, outcomes, strict=True)
        if write.action is Action.CREATE and each.verdict is Verdict.CONFIRMED and each.target_id
    ]
    shared = {target_id for target_id, times in Counter(created).items() if times > 1}
    reason = "the response has the same id for several records"
    return [
        Outcome(Verdict.UNKNOWN, reason=reason)
        if write.action is Action.CREATE and each.verdict is Verdict.CONFIRMED and each.target_id in shared
        else each
        for write, each in zip(writes, outcomes, strict=True)
    ]


@dataclass
class Delivery:
    """The result of sending a plan: an outcome per record that was due, and the write of each that was sent."""

    outcomes: dict[SourceKey, Outcome] = field(default_factory=dict)
    writes: dict[SourceKey, Write] = field(default_factory=dict)
    stop: Exception | None = None  # the reason why sending stopped early
    halted: bool = False  # by its canary

    def confirmed(self) -> dict[SourceKey, Outcome]:
        """Return the outcomes that the target confirmed."""
        return {key: outcome for key, outcome in self.outcomes.items() if outcome.verdict is Verdict.CONFIRMED}

    def decisions(self, plan: pl.DataFrame) -> pl.DataFrame:
        """Return the plan's decisions, corrected by the outcomes.

        Returns:
            source, source_id, action, reason_code, reason, target_id; one row per row of the plan.
        """
        corrections = pl.DataFrame(
            [(*key, *self._correction(outcome)) for key, outcome in self.outcomes.items()],
            schema=_CORRECTION,
            orient="row",
        )
        planned = plan.select(*KEY, "action", "reason_code", "reason", "target_id")
        # an edit in the target is reported whatever the outcome of the record
        edit = pl.col("reason").str.extract(f"(; (?:{EDITED}|{EDITED_OR_SENT}: ).*)$").fill_null("")
        return planned.join(corrections, on=KEY, how="left", maintain_order="left").select(
            *KEY,
            pl.coalesce("_action", "action").alias("action"),
            pl.coalesce("_code", "reason_code").alias("reason_code"),
            pl.coalesce(pl.col("_reason") + edit, "reason").alias("reason"),
            pl.coalesce("_target_id", "target_id").alias("target_id"),
        )

    def _correction(self, outcome: Outcome) -> tuple[str | None, str | None, str | None, str | None]:
        """Return action, reason code, reason and target id that replace the planned ones; None keeps a planned one."""
        if outcome.verdict is Verdict.CONFIRMED:
            return None, None, None, outcome.target_id
        if outcome.code == PARENT_MISSING:
            return Action.BLOCKED, outcome.code, outcome.reason, None
        if outcome.verdict is Verdict.REJECTED:
            code = f"rejected_{outcome.code}" if outcome.code else "rejected"
            return Action.QUARANTINED, code, REJECTED_REASON.format(outcome.reason), outcome.target_id
        if outcome.code == SEVERAL:
            return Action.AMBIGUOUS, outcome.code, outcome.reason, None
        if outcome.verdict is Verdict.NOT_SENT and isinstance(self.stop, QuotaExhaustedError):
            return Action.DEFERRED, QUOTA_EXHAUSTED, outcome.reason, outcome.target_id
        return Action.FAILED, outcome.verdict, outcome.reason, outcome.target_id
