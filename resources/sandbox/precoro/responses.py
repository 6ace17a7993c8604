"""Response bodies of Precoro: options, fields, entities, pages."""

import math
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from resources.sandbox.precoro.errors import invalid
from resources.sandbox.precoro.switches import PrecoroSwitches
from resources.sandbox.precoro.tables import TYPES
from resources.sandbox.transport import Request, Response, json_response

Row = Mapping[str, Any] | sqlite3.Row

PAGE_SIZES = (10, 20, 50, 100, 200)


def option_json(row: Row, switches: PrecoroSwitches) -> dict[str, Any]:
    """Return one option; that `label` is code and name is inferred."""
    content = {
        "id": row["option_id"],
        "name": row["name"],
        "code": row["code"],
        "label": f"{row['code']} {row['name']}" if row["code"] else row["name"],
        "level": row["level"],
        "enable": bool(row["enable"]),
        "externalId": row["external_id"],
    }
    if switches.parent_in_responses:
        content["parent"] = {"id": row["parent_id"]} if row["parent_id"] else []  # null objects may be []
    return _in_dialect(content, switches)


def written_json(row: Row, switches: PrecoroSwitches) -> dict[str, Any]:
    """Return the answer to a write of an option."""
    content = option_json(row, switches)
    return content if switches.write_answer == "whole" else {"id": content["id"]}


def _in_dialect(content: dict[str, Any], switches: PrecoroSwitches) -> dict[str, Any]:
    """Return the content in the types that the switches select."""
    if switches.null_values == "absent":
        content = {name: value for name, value in content.items() if value is not None}
    if switches.value_types == "digits":
        return {name: int(value) if isinstance(value, bool) else value for name, value in content.items()}
    if switches.value_types == "text":
        return {name: str(value).lower() if isinstance(value, bool | int) else value for name, value in content.items()}
    return content


def field_json(row: Row, options: Iterable[Row], switches: PrecoroSwitches) -> dict[str, Any]:
    """Return one field definition with its options."""
    nested = [
        option_json(option, switches) for option in options if option["enable"] or switches.nested_disabled == "include"
    ]
    content = {
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
    return _in_dialect(content, switches)


def entity_json(row: sqlite3.Row) -> dict[str, Any]:
    """Return the main values of one legal entity, location or user."""
    if row["kind"] == "users":
        return {"id": row["entity_id"], "email": row["name"], "firstname": "Integration", "lastname": "User"}
    content = {"id": row["entity_id"], "name": row["name"], "externalId": row["external_id"]}
    extra = {"uniqueCode": row["code"], "enable": True} if row["kind"] == "locations" else {"fullName": row["name"]}
    return content | extra | {"createDate": row["created_at"]}


def page(
    request: Request,
    records: Sequence[Any],
    switches: PrecoroSwitches,
    to_json: Callable[[Any], dict[str, Any]] = dict,
) -> Response:
    """Return one page of a list, with the paging keys that the switch selects."""
    query = dict(request.query)
    per_page = _per_page(query.get("per_page"), switches)
    pages = max(1, math.ceil(len(records) / per_page))
    number = _page_number(query.get("page", "1"), pages)
    data = [to_json(record) for record in records[(number - 1) * per_page : number * per_page]]
    paging: dict[str, Any] = {"count": len(data), "per_page": per_page}
    if switches.pagination != "new":
        paging |= {"total": len(records), "current_page": number, "total_pages": pages, "links": {}}
    if switches.pagination != "old":
        paging["has_next_page"] = number < pages
    return json_response({"data": data, "meta": {"pagination": _in_dialect(paging, switches)}})


def _per_page(text: str | None, switches: PrecoroSwitches) -> int:
    if text is None:
        return switches.default_per_page
    if text.isdigit() and int(text) in PAGE_SIZES:
        return int(text)
    if switches.invalid_per_page == "reject" or not text.isdigit():
        raise invalid("per_page", "This value is not valid.")
    return min(PAGE_SIZES, key=lambda size: abs(size - int(text)))


def _page_number(text: str, pages: int) -> int:
    if text == "last":
        return pages
    if not text.isdigit() or int(text) < 1:
        raise invalid("page", "This value is not valid.")
    return int(text)
