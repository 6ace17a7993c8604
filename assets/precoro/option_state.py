"""The options that one process has seen and written."""

from datetime import datetime

from assets.delivery.ledger.unkeyed import plain_name
from assets.delivery.schemas import PARENT
from assets.delivery.target import Action, Write
from assets.precoro.canonical import canonical
from resources.precoro.records import Option


class OptionState:
    """Values, levels and parents of options."""

    def __init__(self) -> None:
        self.listing: tuple[datetime, list[Option]] | None = None  # the last one, unless something was sent since
        self._options: dict[str, Option] = {}
        self._parents: dict[str, str | None] = {}

    def record_listing(self, read_at: datetime, options: list[Option]) -> None:
        """Record a complete listing."""
        self.listing = (read_at, options)
        self._options = {str(option.option_id): option for option in options}
        for option in options:
            self._record_parent(option)

    def record_write(self, option: Option, parent: str | None) -> None:
        """Record the response to a write, and the parent that was sent: blank for the top level, None for none."""
        self._options[str(option.option_id)] = option
        self._record_parent(option, parent)

    def _record_parent(self, option: Option, sent: str | None = None) -> None:
        if option.has_parent_info:
            self._parents[str(option.option_id)] = None if option.parent_id is None else str(option.parent_id)
        elif sent is not None:
            self._parents[str(option.option_id)] = sent or None

    def existing(self, created: Option, external_id: str | None, write: Write) -> str:
        """Return why the answer to a create is an option that was there before; blank if it is new, or has our key.

        Whether a service makes a second option of the same name is unknown (precoro.md §5); no answer takes
        over an option of another record, which only the ledger knows if no listing shows it, or one that people made.
        """
        before = self._options.get(str(created.option_id))
        keys = {each.external_id for each in (before, created) if each is not None and each.is_whole}
        has_other_key = before is not None and before.external_id not in {None, external_id}
        is_others = has_other_key or write.are_others(str(created.option_id))
        is_new = before is None and keys <= {None}
        if not is_others and (is_new or external_id in keys):
            return ""
        return f"Precoro returned option {created.option_id}, which existed before, instead of a new one of this name"

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
        parent = self._parent_of(write)
        if parent is not None:
            form["parent[id]"] = parent
        return form

    def _parent_of(self, write: Write) -> str | None:
        """Return the parent's id to send, blank for the top level; None: no parent is sent."""
        if PARENT in write.changed:
            return write.parent_id or ""
        return self._parents.get(write.target_id or "", write.parent_id)

    def could_be(self, option: Option, write: Write) -> bool:
        """Return whether a create may have made this option: it has its name and, if that is shown, its place."""
        if option.external_id is not None or plain_name(option.name) != plain_name(write.values.get("name")):
            return False
        if option.has_parent_info:
            return write.parent_id == (None if option.parent_id is None else str(option.parent_id))
        parent = self._options.get(write.parent_id or "")
        above = 0 if write.parent_id is None else parent.level if parent else None
        return option.level is None or above is None or option.level == above + 1
