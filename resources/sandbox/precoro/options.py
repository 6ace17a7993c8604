"""Writes of options: create, replace and patch, with Precoro's validation rules."""

import sqlite3
from collections.abc import Callable, Mapping
from functools import partial
from html import escape
from typing import Any
from unicodedata import normalize

from resources.sandbox.precoro.errors import invalid, not_found
from resources.sandbox.precoro.request_bodies import Form, boolean, number
from resources.sandbox.precoro.switches import PrecoroSwitches
from resources.sandbox.precoro.tables import DROP_DOWN, add_option

Row = Mapping[str, Any]

NO_PARENT = "Parent option not found"
TOO_DEEP = "Maximum depth exceeded"
_FORMS: Mapping[str, Callable[[str], str]] = {
    "as_sent": str,
    "composed": partial(normalize, "NFC"),
    "entities": partial(escape, quote=False),
    "cut": lambda name: name[:20],
}
COLUMNS = ("name", "code", "enable", "external_id", "parent_id")
EMPTY = {"name": "", "code": None, "enable": 0, "external_id": None, "parent_id": None}


class OptionWriter:
    """Writes to the options of one field in one transaction."""

    def __init__(self, connection: sqlite3.Connection, field: Row, switches: PrecoroSwitches, timestamp: str) -> None:
        self._connection = connection
        self._field = field
        self._switches = switches
        self._timestamp = timestamp

    def create(self, form: Form) -> Row:
        """Create an option (POST); a repeated request creates a second one.

        Raises:
            ApiError: A value is invalid, or the field has no options.
        """
        if self._field["type_string"] != DROP_DOWN:
            raise invalid("options", "This custom field has no options.")
        if self._switches.post_external_id == "ignore":
            form = {key: value for key, value in form.items() if key != "externalId"}
        new: dict[str, Any] = EMPTY | {"enable": 1} | self._values(form)
        self._check_name(new["name"])
        level = self._level(new["parent_id"])
        if self._switches.same_name == "existing" and (existing := self._same_name(new)):
            return self._option(existing)
        option_id = add_option(self._connection, self._field["field_id"], **new, level=level, timestamp=self._timestamp)
        return self._option(option_id)

    def replace(self, option_id: int, form: Form) -> Row:
        """Replace an option (PUT): omitted values stay unchanged, or are reset if `strict_put` is on.

        Raises:
            ApiError: The option does not exist, or a value is invalid.
        """
        old = self._option(option_id)
        new = dict(EMPTY) if self._switches.strict_put else {key: old[key] for key in COLUMNS}
        new |= self._values(form, option_id)
        if not self._switches.put_can_move_parent:
            new["parent_id"] = old["parent_id"]
        return self._save(old, new)

    def patch(self, option_id: int, form: Form) -> Row:
        """Change the named values (PATCH): documented for externalId, accepts any value as the SDK assumes.

        Raises:
            ApiError: The option does not exist, or a value is invalid.
        """
        old = self._option(option_id)
        return self._save(old, {key: old[key] for key in COLUMNS} | self._values(form, option_id))

    def _same_name(self, new: Mapping[str, Any]) -> int | None:
        rows = self._connection.execute(
            "select option_id from options where field_id = ? and name = ? and parent_id is ?",
            (self._field["field_id"], new["name"], new["parent_id"]),
        ).fetchall()
        return int(rows[0]["option_id"]) if rows else None

    def _option(self, option_id: int) -> Row:
        rows = self._connection.execute(
            "select * from options where field_id = ? and option_id = ?", (self._field["field_id"], option_id)
        ).fetchall()
        if not rows:
            raise not_found("Option")
        return dict(rows[0])

    def _save(self, old: Row, new: dict[str, Any]) -> Row:
        self._check_name(new["name"])
        option_id, level = old["option_id"], self._level(new["parent_id"])
        levels = self._levels_below(option_id)
        if new["parent_id"] in levels:
            raise invalid("parent", "An option cannot be its own parent")
        if max(levels.values()) + level - old["level"] > self._switches.max_depth:
            raise invalid("parent", TOO_DEEP)
        self._connection.execute(
            "update options set name = ?, code = ?, enable = ?, external_id = ?, parent_id = ?, level = ?,"
            " updated_at = ? where option_id = ?",
            (*(new[key] for key in COLUMNS), level, self._timestamp, option_id),
        )
        disable = self._switches.disable_children and not new["enable"]
        for child in levels.keys() - {option_id}:
            self._connection.execute(
                "update options set level = level + ?, enable = case when ? then 0 else enable end where option_id = ?",
                (level - old["level"], disable, child),
            )
        return self._option(option_id)

    def _values(self, form: Form, option_id: int | None = None) -> dict[str, Any]:
        """Return the columns that the form names; unknown keys are ignored."""
        values: dict[str, Any] = {}
        if "name" in form:
            values["name"] = _FORMS[self._switches.stored_names](form["name"])
        if "code" in form:
            values["code"] = form["code"] or None
        if "enable" in form:
            values["enable"] = int(boolean(form, "enable"))
        if "externalId" in form:
            values["external_id"] = form["externalId"] or None
            self._check_external_id(values["external_id"], option_id)
        if "parent[id]" in form:
            values["parent_id"] = number(form, "parent[id]", NO_PARENT)
        return values

    def _check_name(self, name: str) -> None:
        if not name.strip():
            raise invalid("name", "This value should not be blank.")
        if len(name) > self._switches.name_limit:
            raise invalid("name", "This value is too long.")

    def _check_external_id(self, external_id: str | None, option_id: int | None) -> None:
        if not self._switches.unique_external_id or external_id is None:
            return
        rows = self._connection.execute(
            "select option_id from options where field_id = ? and external_id = ? and option_id is not ?",
            (self._field["field_id"], external_id, option_id),
        ).fetchall()
        if rows:
            raise invalid("externalId", "This value is already used.")

    def _level(self, parent_id: int | None) -> int:
        if parent_id is None:
            return 1
        rows = self._connection.execute(
            "select level, enable from options where field_id = ? and option_id = ?",
            (self._field["field_id"], parent_id),
        ).fetchall()
        if not rows or (self._switches.parent_must_be_enabled and not rows[0]["enable"]):
            raise invalid("parent", NO_PARENT)
        level = int(rows[0]["level"]) + 1
        if level > self._switches.max_depth:
            raise invalid("parent", TOO_DEEP)
        return level

    def _levels_below(self, option_id: int) -> dict[int, int]:
        """Return the levels of an option and its descendants by id."""
        rows = self._connection.execute(
            "with recursive tree(option_id, level) as ("
            " select option_id, level from options where option_id = ?"
            " union select o.option_id, o.level from options o join tree t on o.parent_id = t.option_id)"
            " select option_id, level from tree",
            (option_id,),
        ).fetchall()
        return {row["option_id"]: row["level"] for row in rows}
