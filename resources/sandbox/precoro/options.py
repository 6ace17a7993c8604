"""Writing options: create, replace, patch, and the rules that Precoro holds them to."""

import re
import sqlite3
from collections.abc import Mapping
from typing import Any

from resources.sandbox.precoro.refusal import invalid, not_found
from resources.sandbox.precoro.request_bodies import Form, boolean, number
from resources.sandbox.precoro.switches import PrecoroSwitches
from resources.sandbox.precoro.tables import DROP_DOWN, add_option

Row = Mapping[str, Any]

NO_PARENT = "Parent option not found"


def option_row(connection: sqlite3.Connection, field_id: int, option_id: int) -> Row:
    """One option of a field, or 404."""
    rows = connection.execute(
        "select * from options where field_id = ? and option_id = ?", (field_id, option_id)
    ).fetchall()
    if not rows:
        raise not_found("Option")
    return dict(rows[0])


def create(connection: sqlite3.Connection, field: Row, form: Form, switches: PrecoroSwitches, stamp: str) -> Row:
    """POST: a new option, one by one; sent twice it is there twice."""
    if field["type_string"] != DROP_DOWN:
        raise invalid("options", "This custom field has no options.")
    field_id = field["field_id"]
    if switches.post_external_id == "ignore":
        form = {key: value for key, value in form.items() if key != "externalId"}
    new: dict[str, Any] = {"name": "", "code": None, "enable": 1, "external_id": None, "parent_id": None}
    new |= _values(connection, field_id, None, form, switches)
    _check_name(new["name"], switches)
    level = _level(connection, field_id, new["parent_id"], switches)
    option_id = add_option(connection, field_id, **new, level=level, stamp=stamp)
    return option_row(connection, field_id, option_id)


def replace(
    connection: sqlite3.Connection,
    field: Row,
    option_id: int,
    form: Form,
    switches: PrecoroSwitches,
    stamp: str,
) -> Row:
    """PUT: what is named changes; the rest stays, or is reset when `strict_put` is on."""
    field_id = field["field_id"]
    old = option_row(connection, field_id, option_id)
    new = {key: old[key] for key in ("name", "code", "enable", "external_id", "parent_id")}
    if switches.strict_put:
        new = {"name": "", "code": None, "enable": 0, "external_id": None, "parent_id": None}
    new |= _values(connection, field_id, option_id, form, switches)
    if not switches.put_can_move_parent:
        new["parent_id"] = old["parent_id"]
    _check_name(new["name"], switches)
    return _save(connection, old, new, switches, stamp)


def patch(
    connection: sqlite3.Connection,
    field: Row,
    option_id: int,
    form: Form,
    switches: PrecoroSwitches,
    stamp: str,
) -> Row:
    """PATCH: documented for externalId; takes any field, as the SDK assumes."""
    old = option_row(connection, field["field_id"], option_id)
    new = {key: old[key] for key in ("name", "code", "enable", "external_id", "parent_id")}
    new |= _values(connection, field["field_id"], option_id, form, switches)
    _check_name(new["name"], switches)
    return _save(connection, old, new, switches, stamp)


def _save(
    connection: sqlite3.Connection,
    old: Row,
    new: dict[str, Any],
    switches: PrecoroSwitches,
    stamp: str,
) -> Row:
    field_id, option_id = old["field_id"], old["option_id"]
    level = _level(connection, field_id, new["parent_id"], switches)
    below = _below(connection, option_id)
    if new["parent_id"] in below:
        raise invalid("parent", "An option cannot be its own parent")
    if below and max(below.values()) + level - old["level"] > switches.max_depth:
        raise invalid("parent", "Maximum depth exceeded")
    connection.execute(
        "update options set name = ?, code = ?, enable = ?, external_id = ?, parent_id = ?, level = ?,"
        " updated_at = ? where option_id = ?",
        (
            *(new[key] for key in ("name", "code", "enable", "external_id", "parent_id")),
            level,
            stamp,
            option_id,
        ),
    )
    for child in below.keys() - {option_id}:
        off = switches.disable_children and not new["enable"]
        connection.execute(
            "update options set level = level + ?, enable = case when ? then 0 else enable end where option_id = ?",
            (level - old["level"], off, child),
        )
    return option_row(connection, field_id, option_id)


def _values(
    connection: sqlite3.Connection,
    field_id: int,
    option_id: int | None,
    form: Form,
    switches: PrecoroSwitches,
) -> dict[str, Any]:
    """The columns that the form names; unknown keys are ignored."""
    values: dict[str, Any] = {}
    if "name" in form:
        values["name"] = form["name"]
    if "code" in form:
        values["code"] = form["code"] or None
    if "enable" in form:
        values["enable"] = int(boolean(form, "enable"))
    if "externalId" in form:
        values["external_id"] = form["externalId"] or None
        _check_external_id(connection, field_id, option_id, values["external_id"], switches)
    if "parent[id]" in form:
        values["parent_id"] = number(form, "parent[id]", NO_PARENT)
    return values


def _check_name(name: str, switches: PrecoroSwitches) -> None:
    if not name.strip():
        raise invalid("name", "This value should not be blank.")
    if len(name) > switches.name_limit:
        raise invalid("name", "This value is too long.")


def _check_external_id(
    connection: sqlite3.Connection,
    field_id: int,
    option_id: int | None,
    external_id: str | None,
    switches: PrecoroSwitches,
) -> None:
    if not switches.unique_external_id or external_id is None:
        return
    rows = connection.execute(
        "select option_id from options where field_id = ? and external_id = ? and option_id is not ?",
        (field_id, external_id, option_id),
    ).fetchall()
    if rows:
        raise invalid("externalId", "This value is already used.")


def _level(connection: sqlite3.Connection, field_id: int, parent_id: int | None, switches: PrecoroSwitches) -> int:
    if parent_id is None:
        return 1
    rows = connection.execute(
        "select level, enable from options where field_id = ? and option_id = ?", (field_id, parent_id)
    ).fetchall()
    if not rows or (switches.parent_must_be_enabled and not rows[0]["enable"]):
        raise invalid("parent", NO_PARENT)
    level = int(rows[0]["level"]) + 1
    if level > switches.max_depth:
        raise invalid("parent", "Maximum depth exceeded")
    return level


def _below(connection: sqlite3.Connection, option_id: int) -> dict[int, int]:
    """The option and everything under it, with levels."""
    rows = connection.execute(
        "with recursive tree(option_id, level) as ("
        " select option_id, level from options where option_id = ?"
        " union select o.option_id, o.level from options o join tree t on o.parent_id = t.option_id)"
        " select option_id, level from tree",
        (option_id,),
    ).fetchall()
    return {row["option_id"]: row["level"] for row in rows}


def depend(
    connection: sqlite3.Connection, company_id: int, kind: str, form: Form, switches: PrecoroSwitches, *, add: bool
) -> None:
    """Tie an option to other records: hotglue's parameter names (production) or the SDK's."""
    singular = {
        "itemcustomfields": "item_custom_field_option_id",
        "documentcustomfields": "document_custom_field_option_id",
    }
    key = next((name for name in (singular.get(kind, ""), "option_id") if name in form), None)
    option_id = number(form, key, "Option not found") if key else None
    found = connection.execute(
        "select 1 from options join fields using (field_id) where option_id = ? and company_id = ? and kind = ?",
        (option_id, company_id, kind),
    ).fetchall()
    if not found:
        raise invalid("option", "Option not found")
    depend_type = number({"depend_type": "0"} | form, "depend_type", "This value is not valid.") or 0
    entities = re.findall(r"\d+", form.get("entity_ids", form.get("depends_on_id", "")))
    if not entities:
        raise invalid("entity_ids", "This value should not be blank.")
    there = connection.execute(
        "select entity_id from dependencies where option_id = ? and depend_type = ?", (option_id, depend_type)
    ).fetchall()
    if add and switches.depend_add_twice == "refuse" and {row["entity_id"] for row in there} & set(entities):
        raise invalid("entity_ids", "This value is already used.")
    statement = (
        "insert or ignore into dependencies values (?, ?, ?)"
        if add
        else "delete from dependencies where option_id = ? and depend_type = ? and entity_id = ?"
    )
    connection.executemany(statement, [(option_id, depend_type, entity) for entity in entities])
