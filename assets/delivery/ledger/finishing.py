"""Finish creates that a killed run or a lost answer left half done: the record is there, what follows is not known.

sync_attempts with the code `unfinished`  ->  Target.finish  ->  the same attempts, finished
"""

from assets.delivery.ledger import ledger
from assets.delivery.target import UNFINISHED, Target
from resources.clock import Clock
from resources.warehouse.warehouse import Warehouse


def finish_creates(
    warehouse: Warehouse, workflow: str, target: Target, *, version: str, run_id: str, clock: Clock
) -> Exception | None:
    """Do what follows every create that is not known to be finished; call it while holding the sender's turn.

    Returns:
        Why it ended early; what is left then is for the next run.
    """
    if not target.follows_up:
        return None
    with warehouse.writer(transaction=False) as con:
        left = ledger.unfinished(con, workflow)
    for part in left.iter_slices(target.batch_size):
        batch = part.to_dicts()
        sent = target.finish([row["target_id"] for row in batch])
        moment = clock.now().replace(tzinfo=None)
        done = [
            {**row, "state": "finished", "run_id": run_id, "workflow_version": version, "code": outcome.code,
             "reason": outcome.reason, "image": None, "seen_at": moment}
            for row, outcome in zip(batch, sent.outcomes, strict=True)
            if outcome.code != UNFINISHED
        ]  # fmt: skip
        with warehouse.writer() as con:
            ledger.write_attempts(con, [[row[name] for name in ledger.ATTEMPT_SCHEMA] for row in done])
        if sent.stop:
            return sent.stop
    return None
