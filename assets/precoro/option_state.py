"""The options that one process has seen and written, and the creates whose response was lost."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from assets.delivery.schemas import PARENT
from assets.delivery.target import Action, Write
from assets.precoro.canonical import canonical
from resources.precoro.client import Option

Signature = tuple[str, int]  # name and level


class OptionState:
    """Values, levels and parents of options."""

    def __init__(self) -> None:
        self.listing: tuple[datetime, list[Option]] | None = None  # the last one, unless something was sent since
        self._options: dict[str, Option] = {}
        self._parents: dict[str, str | None] = {}
        self._lost_creates: dict[str, Write] = {}
        self._existing: set[str] = set()  # ids that existed when the first create was lost

    def record_listing(self, read_at: datetime, options: list[Option]) -> None:
        """Record a complete listing."""
        self.listing = (read_at, options)
        self._options = {str(option.option_id): option for option in options}
        for key, option in self._options.items():
            if option.has_parent_info:
                self._parents[key] = None if option.parent_id is None else str(option.parent_id)

    def record_write(self, option: Option, parent: str | None) -> None:
        """Record the response to a write, and the parent that was sent."""
        key = str(option.option_id)
        self._options[key] = option
        self._existing.add(key)
        if option.external_id:
            self._lost_creates.pop(option.external_id, None)
        if parent:
            self._parents[key] = parent

    def record_lost_create(self, write: Write) -> None:
        """Record a create without a response."""
        if not self._lost_creates:
            self._existing = set(self._options)
        key = write.values.get("externalId")
        if key:
            self._lost_creates[key] = write

    def record_found(self, options: Iterable[Option]) -> None:
        """Record options that exist; creates of theirs are no longer lost."""
        for option in options:
            self._lost_creates.pop(option.external_id or "", None)

    def level_of(self, write: Write) -> int:
        """Return the level of the option: one below its parent, which counts as level 1 if unknown."""
        if write.parent_id is None:
            known = self._options.get(write.target_id or "")
            return (known.level if known else None) or 1
        parent = self._options.get(write.parent_id)
        return ((parent.level if parent else None) or 1) + 1

    def complete_form(self, write: Write) -> dict[str, str]:
        """Return every value of the option, because the service may reset absent ones (precoro.md §5 [I]).

        A known parent is always included; an empty one only if the option moves to the top level.
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

    def match_lost_creates(
        self, options: Sequence[Option], external_ids: Iterable[str]
    ) -> Iterator[tuple[Option, str]]:
        """Yield options that must be lost creates of ours, with their external ids.

        Such an option is new, has no external id, and is the only one of its name and level, as is the create.
        """
        missing = {key: self._lost_creates[key] for key in external_ids if key in self._lost_creates}
        lost = Counter(self._signature(write) for write in self._lost_creates.values())
        new = [
            option for option in options if option.external_id is None and str(option.option_id) not in self._existing
        ]
        found = Counter((option.name, option.level or 1) for option in new)
        for key, write in missing.items():
            signature = self._signature(write)
            if lost[signature] == found[signature] == 1:
                yield next(option for option in new if (option.name, option.level or 1) == signature), key

    def _signature(self, write: Write) -> Signature:
        return write.values.get("name") or "", self.level_of(write)
