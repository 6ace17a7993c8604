"""Detect Celery tasks whose worker is gone: a lost machine cannot report that itself.

started task  ->  Heartbeat.lost(…)  ->  None, or the reason why it will never have a result
"""

import time
from dataclasses import dataclass, field
from typing import Any, Protocol

STARTED = "STARTED"
PATIENCE_S = 60.0  # a worker that is swapping or restarting responds late
RESPONSE_TIMEOUT_S = 2.0
CHECKS_PER_PATIENCE = 6


class Task(Protocol):
    """The part of Celery's AsyncResult that is used."""

    id: str
    app: Any

    @property
    def state(self) -> str:
        """STARTED from when a worker's process takes it until there is a result."""

    @property
    def info(self) -> Any:
        """The `pid` and `hostname` of a started task's process; the result of one that ended."""


@dataclass
class Heartbeat:
    """Asks workers periodically for the tasks that they started.

    Celery stores a result before the worker forgets the task. So a task without a result that its worker does not know
    will never have one.

    Args:
        patience_s: Seconds without a response after which a worker is considered gone.
    """

    patience_s: float = PATIENCE_S
    _checked_at: dict[str, float] = field(default_factory=dict)
    _silent_since: dict[str, float] = field(default_factory=dict)

    def lost(self, task: Task) -> str | None:
        """Return why a started task will have no result; None while it may."""
        now, every_s = time.monotonic(), self.patience_s / CHECKS_PER_PATIENCE
        if now - self._checked_at.get(task.id, -every_s) < every_s or task.state != STARTED:
            return None
        self._checked_at[task.id] = now
        process = task.info
        if not isinstance(process, dict):  # it ended between the two questions
            return None
        worker = str(process["hostname"])
        reply = task.app.control.inspect(destination=[worker], timeout=RESPONSE_TIMEOUT_S).query_task(task.id)
        if task.state != STARTED:  # it ended meanwhile
            return None
        if not reply:
            silent = now - self._silent_since.setdefault(task.id, now)
            return f"worker {worker} has not responded for {silent:.0f} seconds" if silent >= self.patience_s else None
        self._silent_since.pop(task.id, None)
        return None if task.id in reply.get(worker, {}) else f"worker {worker} started the task and no longer knows it"
