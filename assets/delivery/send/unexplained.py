"""Records that the target rejects without a reason: retried by the next run, then quarantined.

An "unknown error" may be temporary, and the record may have been written, so the outcome counts as unknown at first:
the target is read back, the write is sent once more, and once more by the next run.
"""

from collections.abc import Sequence
from dataclasses import replace

from assets.delivery.ledger.attempts import rejected_unexplained
from assets.delivery.run_context import RunContext
from assets.delivery.schemas import SourceKey
from assets.delivery.target import UNEXPLAINED, Outcome, Verdict


def judge_unexplained(run: RunContext, keys: Sequence[SourceKey], outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Return the outcomes; one without a reason in two runs is a rejection."""
    unexplained = {
        key
        for key, each in zip(keys, outcomes, strict=True)
        if each.verdict is Verdict.UNKNOWN and each.code == UNEXPLAINED
    }
    if not unexplained:
        return list(outcomes)
    with run.warehouse.writer(transaction=False) as con:
        final = unexplained & rejected_unexplained(con, run.workflow.name, run.run_id)
    return [
        replace(each, verdict=Verdict.REJECTED, reason=f"{each.reason}, in two runs") if key in final else each
        for key, each in zip(keys, outcomes, strict=True)
    ]
