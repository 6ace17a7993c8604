"""The sandbox folder that the commands of `millpond sandbox` work on, and switches typed by hand."""

import os
import sys
from pathlib import Path
from typing import Any, Literal, get_type_hints

from pydantic import TypeAdapter, ValidationError

from resources.clock import SharedClock, WallClock
from resources.sandbox.sandbox import Sandbox


def state_folder(state: Path | None) -> Path:
    """The folder asked for, or the one of the account that the environment names."""
    home, account = Path(os.environ.get("MILLPOND_HOME") or ".millpond"), os.environ.get("MILLPOND_ACCOUNT")
    return state or (home / "accounts" / account if account else home) / "sandbox"


def open_folder(state: Path | None, clock: Literal["wall", "shared"] = "shared") -> Sandbox:
    """The sandbox of a folder; with `wall` its clock follows the machine from now on."""
    sandbox = Sandbox(state_folder(state).resolve())
    if clock == "wall" and isinstance(sandbox.clock, SharedClock):
        ahead = (sandbox.clock.now() - WallClock().now()).total_seconds()
        if sandbox.clock.jumps and ahead > 60 and sandbox.netsuite.next_id("customer") > 1:  # noqa: PLR2004 - a minute
            hours = ahead / 3600
            sys.stderr.write(f"the records were made on a clock {hours:.1f} hours ahead of this machine\n")
        sandbox.clock.follow_wall()
    return sandbox


def switch_values(declared: type, settings: tuple[str, ...]) -> dict[str, Any]:
    """Read NAME=VALUE by the switches' own types.

    Raises:
        ValueError: There is no such switch, or the value does not fit it.
    """
    notifications = get_type_hints(declared)
    values: dict[str, Any] = {}
    for setting in settings:
        name, _, text = setting.partition("=")
        if name not in notifications:
            raise ValueError(f"no switch {name!r}; there are {', '.join(sorted(notifications))}")
        several = str(notifications[name]).startswith("tuple")
        try:
            given: Any = [each for each in text.split(",") if each] if several else text
            values[name] = TypeAdapter(notifications[name]).validate_python(given)
        except ValidationError as error:
            raise ValueError(f"{name} takes {notifications[name]}: {error.errors()[0]['msg']}") from error
    return values
