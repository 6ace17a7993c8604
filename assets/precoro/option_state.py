"""What one run remembers of Precoro's options: their values, levels and parents, and creates whose answer was lost."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from assets.delivery.schemas import PARENT
from assets.delivery.target import Action, Write
from assets.precoro.canonical import canonical
from resources.precoro.client import Option

Signature = tuple[str, int]


class Memory:
    """The options seen and written so far by one process."""

    def __init__(self) -> None:
        self._options: dict[str, Option] = {}
        self._parents: dict[str, str | None] = {}
        self._lost: dict[str, Write] = {}
        self._before: set[str] = set()  # what was there when the first create was lost

    def saw(self, options: Iterable[Option]) -> None:
        """A complete listing."""
        self._options = {str(option.option_id): option for option in options}
        for key, option in self._options.items():
            if option.tells_parent:
                self._parents[key] = None if option.parent_id is None else str(option.parent_id)

    def wrote(self, option: Option, parent: str | None) -> None:
        """One answer to a write, and the parent that was sent."""
        key = str(option.option_id)
        self._options[key] = option
        self._before.add(key)
        if option.external_id:
            self._lost.pop(option.external_id, None)
        if parent:
            self._parents[key] = parent

    def lost(self, write: Write) -> None:
        """A create without an answer."""
        if not self._lost:
            self._before = set(self._options)
        key = write.values.get("externalId")
        if key:
            self._lost[key] = write

    def found(self, options: Iterable[Option]) -> None:
        """Creates whose answer was lost, and which are there."""
        for option in options:
            self._lost.pop(option.external_id or "", None)

    def level_of(self, write: Write) -> int:
        """The level that a write is for: one below its parent's; 2 when the parent's is not known."""
        if write.parent_id is None:
            known = self._options.get(write.target_id or "")
            return (known.level if known else None) or 1
        parent = self._options.get(write.parent_id)
        return ((parent.level if parent else None) or 1) + 1

    def whole(self, write: Write) -> dict[str, str]:
        """The complete form of a write: a value that is absent may be reset by the service (precoro.md §5 [I]).

        A parent goes along whenever it is known; an empty one only for a record that moves to the top.
        """
        known = self._options.get(write.target_id or "")
        before = canonical(known) if known else {"enable": "1"}
        values = before | dict(write.values)
        values["enable"] = values["enable"] or before["enable"]
        if write.action is Action.DEACTIVATE:
            values["enable"] = "0"
        form = {name: values.get(name) or "" for name in ("name", "enable", "externalId")}
        if not form["externalId"] and "externalId" not in write.changed:
            form["externalId"] = write.source_id
        if write.target_id is not None or values.get("code"):
            form["code"] = values.get("code") or ""
        parent = write.parent_id or self._parents.get(write.target_id or "")
        if write.parent_id is None and PARENT in write.changed:
            parent = ""
        if parent is not None:
            form["parent[id]"] = parent
        return form

    def orphans(self, options: Sequence[Option], external_ids: Iterable[str]) -> Iterator[tuple[Option, str]]:
        """Options that can only be lost creates of ours: new since, nobody's, one of the name and level asked for."""
        waiting = {key: self._lost[key] for key in external_ids if key in self._lost}
        asked = Counter(self._signature(write) for write in self._lost.values())
        fresh = [
            option for option in options if option.external_id is None and str(option.option_id) not in self._before
        ]
        offered = Counter((option.name, option.level or 1) for option in fresh)
        for key, write in waiting.items():
            signature = self._signature(write)
            if asked[signature] != 1 or offered[signature] != 1:
                continue  # two of a kind: never guessed
            for option in fresh:
                if (option.name, option.level or 1) == signature:
                    yield option, key

    def _signature(self, write: Write) -> Signature:
        return write.values.get("name") or "", self.level_of(write)
