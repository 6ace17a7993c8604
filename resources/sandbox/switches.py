"""Named switches for behavior that the fact sheets leave open, and for failures on purpose.

Each simulated system declares a frozen dataclass; each field has its meaning and the fact that it is based on.
Values that differ from the default are stored in `switches.json` in the sandbox folder, for all processes.
"""

import json
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from pydantic import TypeAdapter

from resources.atomic_file import write_atomically

Declared = TypeVar("Declared")


def switch(default: Any, meaning: str, source: str) -> Any:
    """Declare one switch.

    Args:
        default: The default value.
        meaning: The effect of the switch in one sentence.
        source: The fact sheet's section and mark, such as "netsuite.md §1.5 [U]".
    """
    return field(default=default, metadata={"meaning": meaning, "source": source})


@dataclass(frozen=True)
class SwitchInfo:
    """One switch with its documentation and current value."""

    name: str
    default: Any
    value: Any
    meaning: str
    source: str


class SwitchBoard:
    """The switches of one sandbox folder."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read: tuple[float, dict[str, dict[str, Any]]] | None = None
        self._loaded: dict[type[Any], tuple[dict[str, Any] | None, Any]] = {}

    def _stored(self) -> dict[str, dict[str, Any]]:
        """Return the file's content, read again only after it changed."""
        try:
            modified_at = self._path.stat().st_mtime_ns
        except FileNotFoundError:
            return {}
        if self._read is None or self._read[0] != modified_at:
            self._read = (modified_at, json.loads(self._path.read_text()))
        return self._read[1]

    def load(self, system: str, declared: type[Declared]) -> Declared:
        """Return the current switches of one system."""
        stored = self._stored().get(system)
        loaded = self._loaded.get(declared)
        if loaded is None or loaded[0] is not stored:
            loaded = self._loaded[declared] = stored, declared(**(stored or {}))
        switches: Declared = loaded[1]
        return switches

    def set(self, system: str, declared: type[Any], **values: Any) -> None:
        """Change some switches of one system.

        Raises:
            ValueError: No switch has that name, or a value has another type.
        """
        types = get_type_hints(declared)
        unknown = values.keys() - types.keys()
        if unknown:
            raise ValueError(f"no switch {sorted(unknown)} in {system}; known switches: {sorted(types)}")
        for name, value in values.items():
            TypeAdapter(types[name]).validate_python(value)
        stored = {name: dict(each) for name, each in self._stored().items()}
        stored.setdefault(system, {}).update(values)
        replace(declared(), **stored[system])
        write_atomically(self._path, json.dumps(stored, indent=1, sort_keys=True), durable=False)
        self._read = None

    def describe(self, system: str, declared: type[Any]) -> list[SwitchInfo]:
        """Return every switch of one system with its meaning, default and current value."""
        current = self.load(system, declared)
        return [
            SwitchInfo(
                each.name, each.default, getattr(current, each.name), each.metadata["meaning"], each.metadata["source"]
            )
            for each in fields(declared)
        ]
