"""`/rest/v1`: lists of customers, contacts and projects; customers can only be read."""

import re
from typing import Any
from urllib.parse import urlencode

from resources.sandbox.suiteprojects.access import Access
from resources.sandbox.suiteprojects.reading import refresh_cache
from resources.sandbox.suiteprojects.records import Row, Work
from resources.sandbox.transport import Answer, Call, json_answer
from resources.suiteprojects.dictionary import CONTACT, CUSTOMER, PROJECT, RecordType

RESOURCES = {"customers": CUSTOMER, "contacts": CONTACT, "projects": PROJECT}
MAX_LIMIT = 1000
DEFAULT_LIMIT = 100
# REST's own spelling where it is not the XML name in camel case
_SPELLED = {
    "code": "accountingCode",
    "active": "isActive",
    "externalid": "externalId",
    "customerid": "customerId",
    "cost_centerid": "costCenterId",
    "bus_typeid": "businessTypeId",
    "company_sizeid": "companySizeId",
    "addr_addr1": "address1",
    "addr_addr2": "address2",
    "addr_addr3": "address3",
    "addr_addr4": "address4",
    "addr_first": "firstName",
    "addr_last": "lastName",
}
_HIDDEN = {"picklist_label", "hierarchy_node_ids"}


def spelled(name: str) -> str:
    """A property's REST name."""
    if name in _SPELLED:
        return _SPELLED[name]
    plain = name.removeprefix("addr_")
    return re.sub(r"_(\w)", lambda match: match[1].upper(), re.sub(r"id$", "Id", plain) if plain != "id" else plain)


def answer_rest(work: Work, access: Access, call: Call) -> Answer:
    """The answer to one REST request."""
    scheme, _, token = call.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        return _message(400, "invalid request", {"WWW-Authenticate": 'Bearer error="invalid_request"'})
    signed = access.by_token(token)
    if signed.status:
        return _message(401, "unauthorized", {"WWW-Authenticate": 'Bearer error="insufficient_scope"'})
    if access.over_quota():
        return _message(429, "request limit reached")
    access.log(call.path, call.method, 0)
    work.token, work.hidden_after = token, signed.hidden_after
    return _route(work, call, [part for part in call.path.removeprefix("/rest/v1").split("/") if part])


def _route(work: Work, call: Call, parts: list[str]) -> Answer:
    if parts == ["session", "cache", "refresh"] and call.method == "POST":
        refresh_cache(work)
        return json_answer({"message": "success"})
    if not parts or parts[0] not in RESOURCES or len(parts) > 2:  # noqa: PLR2004 a list or one of it
        return _message(404, "not found")
    if call.method == "OPTIONS":
        return Answer(200, headers={"Allow": "GET, OPTIONS"})
    if call.method != "GET":  # the service can write contacts and projects through REST; this stand-in reads only
        return _message(405, "method not allowed", {"Allow": "GET, OPTIONS"})
    return _get(work, call, RESOURCES[parts[0]], parts[1:])


def _message(status: int, text: str, headers: dict[str, str] | None = None) -> Answer:
    return json_answer({"message": text}, status, headers=headers)


def _get(work: Work, call: Call, record_type: RecordType, ids: list[str]) -> Answer:
    asked = dict(call.query)
    names = {spelled(name): name for name in record_type.flat if name not in _HIDDEN and _is_shown(name)}
    fields = [each for each in asked.get("fields", "").split(",") if each] or list(names)
    if not set(fields) <= names.keys():
        return _message(400, "unknown field")
    shown = {field: names[field] for field in fields}
    if ids:
        row = work.get(record_type.name, ids[0])
        if row is None:
            return _message(404, "not found")
        return json_answer({"message": "success", "data": _object(row, record_type, shown)})
    limit, offset = asked.get("limit", str(DEFAULT_LIMIT)), asked.get("offset", "0")
    if not limit.isdigit() or not 1 <= int(limit) <= MAX_LIMIT:
        return _message(400, "limit must be between 1 and 1000")
    if not offset.isdigit() or int(offset) % int(limit):
        return _message(400, "offset must be a multiple of limit")
    return json_answer(_page(work, call, record_type, shown, int(limit), int(offset)))


def _is_shown(name: str) -> bool:
    return not name.startswith(("billing_addr_", "contact_addr_"))


def _page(
    work: Work, call: Call, record_type: RecordType, shown: dict[str, str], limit: int, offset: int
) -> dict[str, Any]:
    hidden = work.hidden_after if work.hidden_after is not None else 1e12
    found = work.con.execute(
        "select count(*) from objects where type = ? and deleted = 0 and made_at <= ?", (record_type.name, hidden)
    ).fetchall()
    total = int(found[0][0])
    rows = work.rows(
        "where type = ? and deleted = 0 and made_at <= ? order by id limit ? offset ?",
        (record_type.name, hidden, limit, offset),
    )
    pages = -(-total // limit)
    offsets = {"self": offset, "first": 0, "last": max(0, pages - 1) * limit}
    if offset:
        offsets["prev"] = offset - limit
    if offset + limit < total:
        offsets["next"] = offset + limit
    base = call.url.split("?")[0]
    kept = [(name, value) for name, value in call.query if name not in {"limit", "offset"}]
    links = [
        {"rel": rel, "href": f"{base}?{urlencode([*kept, ('limit', limit), ('offset', at)])}"}
        for rel, at in offsets.items()
    ]
    meta = {"rowsPerPage": limit, "totalPages": pages, "totalRows": total, "links": links}
    return {"message": "success", "data": [_object(row, record_type, shown) for row in rows], "meta": meta}


def _object(row: Row, record_type: RecordType, shown: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for field, name in shown.items():
        value = row.values.get(name)
        kind = record_type.flat[name].kind
        if name == "id":
            found[field] = row.id
        elif kind == "boolean":
            found[field] = value == "1"
        elif record_type.flat[name].refers and value and value.isdigit():
            found[field] = int(value)
        else:
            found[field] = value
    return found
