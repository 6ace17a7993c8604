"""The folder of `millpond sandbox …`, switches as text, and the settings of clients."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Any, Final, Literal, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter, ValidationError

from assets.result_texts import did_you_mean
from orchestration.cli.start import write_line
from orchestration.configuration.settings import MillpondSettings
from resources.atomic_file import write_atomically
from resources.clock import SharedClock, WallClock
from resources.sandbox.sandbox import SYSTEMS, Sandbox

# names of the served connection details that are no settings: NetSuite's token-based sign-in is the other one
NO_SETTINGS = frozenset({"access_token", "item_custom_field_id"})
LISTS: Final = frozenset({tuple, Sequence})
FORMS: Final[Mapping[Any, str]] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    tuple: "values separated by commas",
    Sequence: "values separated by commas",
    Mapping: 'JSON, such as {"Customer.name": 50}',
    type(None): "none",
}


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


def write_env_file(path: Path, details: Mapping[str, Any]) -> None:
    """Write the settings with which live mode connects to the served systems.

    Args:
        path: The file, such as .env in another folder; only its owner reads it.
        details: The connection details that `serve` announces.

    Raises:
        FileExistsError: There is such a file; it may have the settings of a real account.
    """
    if path.exists():
        raise FileExistsError(f"{path} exists and stays as it is; name another file, or remove it")
    named = {f"{name}_{key}".upper(): value for name in SYSTEMS for key, value in details[name].items()}
    lines = [f"{name}={value}" for name, value in named.items() if name.partition("_")[2].lower() not in NO_SETTINGS]
    write_atomically(path, "\n".join(["MILLPOND_MODE=live", *lines, ""]), mode=0o600)


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
            raise ValueError(f"no switch {name!r}; {did_you_mean(name, types)}known are {', '.join(sorted(types))}")
        try:
            values[name] = _switch_value(types[name], text)
        except ValidationError as error:
            raise ValueError(f"{name} takes {form_of(types[name])}: {error.errors()[0]['msg']}") from error
    return values


def _switch_value(declared: Any, text: str) -> Any:
    """Parse one value: `none` where there may be none, lists by commas, mappings as JSON."""
    kinds = _kinds(declared)
    if type(None) in kinds and text.casefold() == "none":
        return None
    given: Any = [each for each in text.split(",") if each] if kinds & LISTS else text
    adapter = TypeAdapter(declared)
    return adapter.validate_json(text) if Mapping in kinds else adapter.validate_python(given)


def form_of(declared: Any) -> str:
    """Describe the values that a switch takes."""
    if get_origin(declared) is Literal:
        return " or ".join(map(str, get_args(declared)))
    kinds = _kinds(declared)
    return " or ".join(text for kind, text in FORMS.items() if kind in kinds)


def _kinds(declared: Any) -> set[Any]:
    """Return the types of a union, each without its parameters."""
    members = get_args(declared) if get_origin(declared) is UnionType else (declared,)
    return {get_origin(each) or each for each in members}
