"""The heartbeat of Celery's tasks, without workers; `tests/scale` has these."""

from dataclasses import dataclass
from typing import Any

from orchestration.scale.celery_heartbeat import STARTED, Heartbeat


@dataclass
class EndedMeanwhile:
    """A task that ends after its state was read: Celery then has its result where the worker's process was."""

    id: str = "task"
    app: Any = None
    state: str = STARTED
    info: Any = ("an event",)


def test_a_task_that_ends_while_it_is_asked_is_not_lost() -> None:
    """It ended the whole run with a TypeError."""
    assert Heartbeat().lost(EndedMeanwhile()) is None
    assert Heartbeat().lost(EndedMeanwhile(info=["an event"])) is None
