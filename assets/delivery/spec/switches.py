"""The state of each workflow: an operator's latest override, else the workflow's file.

`millpond activate | deactivate`, and the jobs of these names  ->  <warehouse>/switches.json  ->  read by each run

The overrides are a file, not a table: sensors read them all the time, and only one process at a time can open the
warehouse.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock
from pydantic import TypeAdapter

from assets.delivery.errors import SyncError
from assets.delivery.spec.workflow import Workflow
from resources.atomic_file import write_atomically

FILE = "switches.json"
LOCK_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Override:
    """An operator's setting for one workflow; None leaves the file's."""

    active: bool | None = None
    realtime: bool | None = None
    at: str = ""
    reason: str = ""
    decided_by: str = ""


# a `"false"` in the file means no: it is not true because it is a text
_OVERRIDES = TypeAdapter(dict[str, Override])


@dataclass(frozen=True)
class State:
    """The effective state of a workflow; `description` includes when and why it was overridden."""

    active: bool
    realtime: bool
    description: str

    @property
    def receives_notifications(self) -> bool:
        """True if change notifications start runs of the workflow."""
        return self.active and self.realtime


class Switches:
    """The overrides in one warehouse's folder."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE

    def overrides(self) -> Mapping[str, Override]:
        """Return the overrides by workflow; a missing file means none; ValueError if the file is damaged."""
        try:
            text = self._path.read_text(encoding="utf-8")
        except (FileNotFoundError, NotADirectoryError):  # a folder that cannot exist fails on the first write
            return {}
        try:
            return _OVERRIDES.validate_json(text)
        except ValueError as error:
            fix = "correct it, or remove it to return every workflow to its file's settings"
            raise ValueError(f"{self._path} is not valid; {fix}") from error

    def state(self, workflow: Workflow) -> State:
        """Return the effective state of a workflow."""
        override = self.overrides().get(workflow.name, Override())
        active = workflow.spec.active if override.active is None else override.active
        realtime = workflow.spec.realtime if override.realtime is None else override.realtime
        setting = f"{'on' if active else 'off'}, real time {'on' if realtime else 'off'}"
        reason = f": {override.reason}" if override.reason else ""
        person = f" by {override.decided_by}" if override.decided_by else ""
        origin = f"since {override.at}{person}{reason}" if override.at else "as set in its file"
        return State(active, realtime, f"{setting} ({origin})")

    def require_active(self, workflow: Workflow) -> None:
        """Raise SyncError if a workflow is off: nothing of it is sent."""
        state = self.state(workflow)
        if not state.active:
            raise SyncError(f"{workflow.name} is not active: {state.description}; `millpond activate` switches it on")

    def next_override(self, name: str, *, active: bool | None = None, realtime: bool | None = None) -> Override:
        """Return what `override` would store, without time and person."""
        earlier = self.overrides().get(name, Override())
        return Override(
            earlier.active if active is None else active, earlier.realtime if realtime is None else realtime
        )

    def override(
        self,
        name: str,
        *,
        active: bool | None = None,
        realtime: bool | None = None,
        reason: str = "",
        decided_by: str = "",
    ) -> Override:
        """Store an override; a setting that is None keeps its earlier override."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(self._path.with_name(f"{FILE}.lock"), LOCK_TIMEOUT_S):
            overrides = dict(self.overrides())
            following = self.next_override(name, active=active, realtime=realtime)
            at = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
            overrides[name] = replace(following, at=at, reason=reason, decided_by=decided_by)
            write_atomically(self._path, json.dumps({each: asdict(kept) for each, kept in overrides.items()}, indent=1))
            return overrides[name]
