"""Named switches for everything that the fact sheets leave open, and for trouble on purpose.

Each stand-in declares a frozen dataclass of switches; every field carries what it means and which fact it stands
for. Values that differ from the default are kept in `switches.json` in the sandbox's folder, so that every process
follows them.
"""

import json
from dataclasses import Field, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar

Declared = TypeVar("Declared")


def switch(default: Any, meaning: str, source: str) -> Any:
    """Declare one switch.

    Args:
        default: The stated default.
        meaning: What the switch does, one sentence.
        source: The fact sheet's section and mark, such as "netsuite.md §1.5 [U]".
    """
    return field(default=default, metadata={"meaning": meaning, "source": source})


@dataclass(frozen=True)
class Described:
    """One switch as a person reads it."""

    name: str
    default: Any
    value: Any
    meaning: str
    source: str


class SwitchBoard:
    """The switches of one sandbox folder."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[float, dict[str, dict[str, Any]]] | None = None
        self._loaded: dict[type[Any], tuple[dict[str, Any] | None, Any]] = {}

    def _kept(self) -> dict[str, dict[str, Any]]:
        try:
            stamp = self._path.stat().st_mtime_ns
        except FileNotFoundError:
            return {}
        if self._seen is None or self._seen[0] != stamp:
            self._seen = (stamp, json.loads(self._path.read_text()))
        return self._seen[1]

    def load(self, system: str, declared: type[Declared]) -> Declared:
        """The switches of one system as they are now."""
        kept = self._kept().get(system)
        loaded = self._loaded.get(declared)
        if loaded is None or loaded[0] is not kept:
            loaded = self._loaded[declared] = kept, declared(**(kept or {}))
        switches: Declared = loaded[1]
        return switches

    def set(self, system: str, declared: type[Any], **values: Any) -> None:
        """Change some switches of one system.

        Raises:
            ValueError: No switch has that name; the message lists those that exist.
        """
        known: dict[str, Field[Any]] = {each.name: each for each in fields(declared)}
        unknown = values.keys() - known.keys()
        if unknown:
            raise ValueError(f"no switch {sorted(unknown)} in {system}; there are {sorted(known)}")
        kept = {name: dict(each) for name, each in self._kept().items()}
        kept.setdefault(system, {}).update(values)
        replace(declared(), **kept[system])
        partial = self._path.with_suffix(".tmp")
        partial.write_text(json.dumps(kept, indent=1, sort_keys=True))
        partial.replace(self._path)
        self._seen = None

    def describe(self, system: str, declared: type[Any]) -> list[Described]:
        """Every switch of one system with its meaning, default and present value."""
        now = self.load(system, declared)
        return [
            Described(
                each.name, each.default, getattr(now, each.name), each.metadata["meaning"], each.metadata["source"]
            )
            for each in fields(declared)
        ]
