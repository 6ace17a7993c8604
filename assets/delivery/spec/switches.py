"""Which workflows are switched on just now: what a person said last, else what the workflow's file says.

`millpond activate | deactivate`, job switch_workflow  ->  <warehouse>/switches.json  ->  read when a run decides

A file of its own and not a table: it is looked at by sensors every moment, and the warehouse lets in one process at a time.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from assets.delivery.plan.planner import Workflow
from resources.locks import file_lock

FILE = "switches.json"
LOCK_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Said:
    """What a person said of one workflow; None: nothing, so its file holds."""

    active: bool | None = None
    realtime: bool | None = None
    at: str = ""
    why: str = ""


@dataclass(frozen=True)
class State:
    """Whether a workflow is on, whether change notifications start it, and who says so."""

    active: bool
    realtime: bool
    told: str

    @property
    def hears_notifications(self) -> bool:
        """Whether a saved record is brought to its target at once."""
        return self.active and self.realtime


class Switches:
    """What people said, in one warehouse's folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / FILE

    def said(self) -> Mapping[str, Said]:
        """By workflow; without the file nobody said anything.

        Raises:
            ValueError: The file is there and is not what was written.
        """
        try:
            text = self._path.read_text(encoding="utf-8")
        except (FileNotFoundError, NotADirectoryError):  # where there is no folder, the first writer says so
            return {}
        try:
            return {name: Said(**each) for name, each in json.loads(text).items()}
        except (AttributeError, TypeError, ValueError) as error:
            mend = "mend it, or remove it: then each workflow's file holds"
            raise ValueError(f"{self._path} is not what `millpond activate` wrote; {mend}") from error

    def state(self, workflow: Workflow) -> State:
        """How it is now."""
        said = self.said().get(workflow.name, Said())
        active = workflow.spec.active if said.active is None else said.active
        realtime = workflow.spec.realtime if said.realtime is None else said.realtime
        words = f"{'on' if active else 'off'}, real time {'on' if realtime else 'off'}"
        who = f"since {said.at}{f': {said.why}' if said.why else ''}" if said.at else "as its file says"
        return State(active, realtime, f"{words} ({who})")

    def say(
        self, name: str, *, active: bool | None = None, realtime: bool | None = None, why: str = "",
        now: datetime | None = None,
    ) -> Said:  # fmt: skip
        """Remember what a person says; what is left out stays as it was said before."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with file_lock(self._folder / f"{FILE}.lock", LOCK_TIMEOUT_S):
            known = dict(self.said())
            before = known.get(name, Said())
            known[name] = Said(
                before.active if active is None else active,
                before.realtime if realtime is None else realtime,
                f"{(now or datetime.now(UTC)):%Y-%m-%d %H:%M} UTC",
                why,
            )
            partial = self._folder / f".{FILE}.{os.getpid()}.tmp"
            partial.write_text(json.dumps({each: asdict(said) for each, said in known.items()}, indent=1))
            partial.replace(self._path)
            return known[name]
