"""The folder of `millpond sandbox …`, and switches as text."""

import sys
from pathlib import Path
from typing import Any, Literal, get_type_hints

from pydantic import TypeAdapter, ValidationError

from orchestration.cli.start import write_line
from orchestration.configuration.settings import MillpondSettings
from resources.clock import SharedClock, WallClock
from resources.sandbox.sandbox import Sandbox


def state_folder(state: Path | None) -> Path:
    """Return the given folder, or that of the account which the environment selects."""
    return state or MillpondSettings().account_home / "sandbox"


def open_folder(state: Path | None, clock: Literal["wall", "shared"] = "shared") -> Sandbox:
    """Open the sandbox of a folder; with `wall` its clock follows the machine's from now on."""
    sandbox = Sandbox(state_folder(state).resolve())
    write_line(f"sandbox: stand-ins in {sandbox.folder}")
    if clock == "wall" and isinstance(sandbox.clock, SharedClock):
        ahead = (sandbox.clock.now() - WallClock().now()).total_seconds()
        if sandbox.clock.jumps and ahead > 60 and sandbox.netsuite.next_id("customer") > 1:  # noqa: PLR2004 - a minute
            sys.stderr.write(f"the records are dated up to {ahead / 3600:.1f} hours ahead of this machine's clock\n")
        sandbox.clock.follow_wall()
    return sandbox


def switch_values(declared: type, settings: tuple[str, ...]) -> dict[str, Any]:
    """Parse NAME=VALUE by the types of a system's switches.

    Raises:
        ValueError: There is no such switch, or the value does not fit its type.
    """
    types = get_type_hints(declared)
    values: dict[str, Any] = {}
    for setting in settings:
        name, _, text = setting.partition("=")
        if name not in types:
            raise ValueError(f"no switch {name!r}; known are {', '.join(sorted(types))}")
        is_list = str(types[name]).startswith("tuple")
        try:
            given: Any = [each for each in text.split(",") if each] if is_list else text
            values[name] = TypeAdapter(types[name]).validate_python(given)
        except ValidationError as error:
            raise ValueError(f"{name} takes {types[name]}: {error.errors()[0]['msg']}") from error
    return values
