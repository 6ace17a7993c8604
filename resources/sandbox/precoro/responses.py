"""What Precoro's answers look like: options, fields, pages."""

import math
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from resources.sandbox.precoro.refusal import invalid
from resources.sandbox.precoro.switches import PrecoroSwitches
from resources.sandbox.precoro.tables import TYPES
from resources.sandbox.transport import Answer, Call, json_answer

Row = Mapping[str, Any] | sqlite3.Row

PAGE_SIZES = (10, 20, 50, 100, 200)


def option_shape(row: Row, switches: PrecoroSwitches) -> dict[str, Any]:
    """One option; `label` is name with code, which is inferred."""
    shape = {
        "id": row["option_id"],
        "name": row["name"],
        "code": row["code"],
        "label": f"{row['code']} {row['name']}" if row["code"] else row["name"],
        "level": row["level"],
        "enable": bool(row["enable"]),
        "externalId": row["external_id"],
    }
    if switches.parent_in_answers:
        shape["parent"] = {"id": row["parent_id"]} if row["parent_id"] else []  # null objects may come as []
    return shape


def field_shape(row: Row, options: Iterable[Row], switches: PrecoroSwitches) -> dict[str, Any]:
    """One field definition with its options nested."""
    nested = [
        option_shape(option, switches)
        for option in options
        if option["enable"] or switches.nested_disabled == "include"
    ]
    return {
        "id": row["field_id"],
        "createDate": row["created_at"],
        "updateDate": row["updated_at"],
        "name": row["name"],
        "description": row["description"],
        "required": bool(row["required"]),
        "enable": bool(row["enable"]),
        "type": TYPES[row["type_string"]],
        "typeString": row["type_string"],
        "position": row["position"],
        "options": {"data": nested},
    }


def entity_shape(row: sqlite3.Row) -> dict[str, Any]:
    """One legal entity, location or user, as far as anybody needs it here."""
    if row["kind"] == "users":
        return {"id": row["entity_id"], "email": row["name"], "firstname": "Integration", "lastname": "User"}
    shape = {"id": row["entity_id"], "name": row["name"], "externalId": row["external_id"]}
    extra = {"uniqueCode": row["code"], "enable": True} if row["kind"] == "locations" else {"fullName": row["name"]}
    return shape | extra | {"createDate": row["created_at"]}


def page(
    call: Call,
    records: Sequence[Any],
    switches: PrecoroSwitches,
    shape: Callable[[Any], dict[str, Any]] = dict,
) -> Answer:
    """One page of a list, with the paging keys of the chosen dialect; only what is shown is shaped."""
    query = dict(call.query)
    per_page = _per_page(query.get("per_page"), switches)
    pages = max(1, math.ceil(len(records) / per_page))
    number = _page_number(query.get("page", "1"), pages)
    shown = [shape(record) for record in records[(number - 1) * per_page : number * per_page]]
    old = {"total": len(records), "current_page": number, "total_pages": pages, "links": {}}
    new = {"has_next_page": number < pages}
    paging: dict[str, Any] = {"count": len(shown), "per_page": per_page}
    if switches.pagination != "new":
        paging |= old
    if switches.pagination != "old":
        paging |= new
    return json_answer({"data": shown, "meta": {"pagination": paging}})


def _per_page(text: str | None, switches: PrecoroSwitches) -> int:
    if text is None:
        return switches.default_per_page
    if text.isdigit() and int(text) in PAGE_SIZES:
        return int(text)
    if switches.odd_per_page == "refuse" or not text.isdigit():
        raise invalid("per_page", "This value is not valid.")
    return min(PAGE_SIZES, key=lambda size: abs(size - int(text)))


def _page_number(text: str, pages: int) -> int:
    if text == "last":
        return pages
    if not text.isdigit() or int(text) < 1:
        raise invalid("page", "This value is not valid.")
    return int(text)
