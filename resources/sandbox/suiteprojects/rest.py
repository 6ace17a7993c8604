"""`/rest/v1`: lists of customers, contacts and projects, read only."""

import re
from typing import Any
from urllib.parse import urlencode

from resources.sandbox.suiteprojects.access import Access
from resources.sandbox.suiteprojects.read_command import refresh_cache
from resources.sandbox.suiteprojects.records import Row, Transaction
from resources.sandbox.transport import Request, Response, json_response
from resources.suiteprojects.dictionary import CONTACT, CUSTOMER, PROJECT
from resources.suiteprojects.properties import RecordType

RESOURCES = {"customers": CUSTOMER, "contacts": CONTACT, "projects": PROJECT}
MAX_LIMIT = 1000
DEFAULT_LIMIT = 100
# REST names other than the XML name in camel case
_NAMES = {
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
_ABSENT = ("billing_addr_", "contact_addr_")


def rest_name(name: str) -> str:
    """Return a property's REST name."""
    if name in _NAMES:
        return _NAMES[name]
    plain = name.removeprefix("addr_")
    return re.sub(r"_(\w)", lambda match: match[1].upper(), re.sub(r"id$", "Id", plain) if plain != "id" else plain)


def handle_rest(tx: Transaction, access: Access, request: Request) -> Response:
    """Return the response to one REST request."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        return _message(400, "invalid request", {"WWW-Authenticate": 'Bearer error="invalid_request"'})
    sign_in = access.by_token(token)
    if sign_in.status:
        return _message(401, "unauthorized", {"WWW-Authenticate": 'Bearer error="insufficient_scope"'})
    if access.over_quota():
        return _message(429, "request limit reached")
    access.log(request.path, request.method, 0)
    tx.token, tx.hidden_after = token, sign_in.hidden_after
    return _route(tx, request, [part for part in request.path.removeprefix("/rest/v1").split("/") if part])


def _route(tx: Transaction, request: Request, parts: list[str]) -> Response:
    if parts == ["session", "cache", "refresh"] and request.method == "POST":
        refresh_cache(tx)
        return json_response({"message": "success"})
    if not parts or parts[0] not in RESOURCES or len(parts) > 2:  # noqa: PLR2004 - a list or one record of it
        return _message(404, "not found")
    if request.method == "OPTIONS":
        return Response(200, headers={"Allow": "GET, OPTIONS"})
    if request.method != "GET":  # the service can write contacts and projects as well
        return _message(405, "method not allowed", {"Allow": "GET, OPTIONS"})
    return _get(tx, request, RESOURCES[parts[0]], parts[1:])


def _message(status: int, text: str, headers: dict[str, str] | None = None) -> Response:
    return json_response({"message": text}, status, headers=headers)


def _get(tx: Transaction, request: Request, record_type: RecordType, ids: list[str]) -> Response:
    query = dict(request.query)
    names = {rest_name(name): name for name in record_type.flat if name not in _HIDDEN and not name.startswith(_ABSENT)}
    fields = [each for each in query.get("fields", "").split(",") if each] or list(names)
    if not set(fields) <= names.keys():
        return _message(400, "unknown field")
    returned = {field: names[field] for field in fields}
    if ids:
        row = tx.get(record_type.name, ids[0])
        if row is None:
            return _message(404, "not found")
        return json_response({"message": "success", "data": _object(row, record_type, returned)})
    limit, offset = query.get("limit", str(DEFAULT_LIMIT)), query.get("offset", "0")
    if not limit.isdigit() or not 1 <= int(limit) <= MAX_LIMIT:
        return _message(400, "limit must be between 1 and 1000")
    if not offset.isdigit() or int(offset) % int(limit):
        return _message(400, "offset must be a multiple of limit")
    return json_response(_page(tx, request, record_type, returned, int(limit), int(offset)))


def _page(
    tx: Transaction, request: Request, record_type: RecordType, returned: dict[str, str], limit: int, offset: int
) -> dict[str, Any]:
    hidden = tx.hidden_after if tx.hidden_after is not None else 1e12
    counted = tx.connection.execute(
        "select count(*) from objects where type = ? and deleted = 0 and made_at <= ?", (record_type.name, hidden)
    ).fetchall()
    total = int(counted[0][0])
    rows = tx.rows(
        "where type = ? and deleted = 0 and made_at <= ? order by id limit ? offset ?",
        (record_type.name, hidden, limit, offset),
    )
    pages = -(-total // limit)
    offsets = {"self": offset, "first": 0, "last": max(0, pages - 1) * limit}
    if offset:
        offsets["prev"] = offset - limit
    if offset + limit < total:
        offsets["next"] = offset + limit
    base = request.url.split("?")[0]
    others = [(name, value) for name, value in request.query if name not in {"limit", "offset"}]
    links = [
        {"rel": rel, "href": f"{base}?{urlencode([*others, ('limit', limit), ('offset', at)])}"}
        for rel, at in offsets.items()
    ]
    meta = {"rowsPerPage": limit, "totalPages": pages, "totalRows": total, "links": links}
    return {"message": "success", "data": [_object(row, record_type, returned) for row in rows], "meta": meta}


def _object(row: Row, record_type: RecordType, returned: dict[str, str]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for field, name in returned.items():
        value = row.values.get(name)
        kind = record_type.flat[name].kind
        if name == "id":
            content[field] = row.id
        elif kind == "boolean":
            content[field] = value == "1"
        elif record_type.flat[name].refers and value and value.isdigit():
            content[field] = int(value)
        else:
            content[field] = value
    return content
