"""Whether a worker still knows a task that it began: a machine that vanished cannot say so itself.

started task  ->  Presence.lost(…)  ->  None, or why nobody will ever hear of it
"""

import time
from dataclasses import dataclass, field
from typing import Any, Protocol

STARTED = "STARTED"
PATIENCE_S = 60.0  # a worker that is swapping or being restarted answers later than others
ANSWER_WITHIN_S = 2.0


class Task(Protocol):
    """What is asked of Celery's AsyncResult."""

    id: str
    app: Any

    @property
    def state(self) -> str:
        """STARTED from the moment at which a worker's process takes it until there is a result."""

    @property
    def info(self) -> Any:
        """While it is started: `pid` and `hostname` of who does it."""


@dataclass
class Presence:
    """Asks workers, now and then, for the tasks that they have begun.

    Celery stores a result before the worker forgets the task. So a task that the worker does not know and that has no
    result has none coming.

    Args:
        patience_s: Seconds without an answer after which a worker is gone; six questions are put in that time.
    """

    patience_s: float = PATIENCE_S
    _asked: dict[str, float] = field(default_factory=dict)
    _silent: dict[str, float] = field(default_factory=dict)

    def lost(self, task: Task) -> str | None:
        """Why a task that was started will bring no result; None while it may.

        Args:
            task: As Celery returned it when it was sent.
        """
        now, every_s = time.monotonic(), self.patience_s / 6
        if now - self._asked.get(task.id, -every_s) < every_s or task.state != STARTED:
            return None
        self._asked[task.id] = now
        worker = str(task.info["hostname"])
        told = task.app.control.inspect(destination=[worker], timeout=ANSWER_WITHIN_S).query_task(task.id)
        if task.state != STARTED:  # it ended while we asked
            return None
        if not told:
            silent = now - self._silent.setdefault(task.id, now)
            late = silent >= self.patience_s
            return f"the worker {worker} has not answered for {silent:.0f} seconds" if late else None
        self._silent.pop(task.id, None)
        known = task.id in told.get(worker, {})
        return None if known else f"the worker {worker} began it and knows nothing of it any more"
