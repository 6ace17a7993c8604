"""The REST record API, read only: collections of ids, single records, the address book (netsuite.md §2).

The simulated NetSuite serves SuiteQL and the metadata catalog alone, because our client needs nothing else. Other
clients read records; benches and tests that run them add this API.
"""

import sqlite3
from dataclasses import dataclass
from typing import Any, Literal

from resources.sandbox.netsuite.errors import ApiError
from resources.sandbox.netsuite.pages import Page, collection, origin
from resources.sandbox.netsuite.record_types import RECORD_TYPES, field_name, record_columns
from resources.sandbox.netsuite.store.table import Table
from resources.sandbox.netsuite.store.tables import TABLES
from resources.sandbox.netsuite.switches import NetSuiteSwitches
from resources.sandbox.store import Store
from resources.sandbox.transport import Request, Response, json_response
from tests.bench.record_api.record_filter import After, RecordFilter
from tests.bench.record_api.rendering import record_json, reference_json, select_sql

BASE = "/services/rest/record/v1"
RECORD_MEDIA_TYPE = "application/vnd.oracle.resource+json; type=singular"
_PRIMARY_SUBSIDIARY = (
    "select r.subsidiary, s.name from customersubsidiaryrelationship r left join subsidiary s on s.id = r.subsidiary"
    " where r.entity = ? and r.isprimarysub = 'T'"
)


@dataclass
class RecordApiOptions:
    """Behavior that the fact sheet leaves open.

    Attributes:
        after: Meaning of `AFTER` a date: after that day, or after its midnight as airbyte-source-netsuite expects
            (netsuite.md §2.2 [U]).
        write_response: Response to a write: 403 or 405 (netsuite.md §1.5 [D]).
        lead_readable: Whether GET customer/<id> of a lead or prospect works (netsuite.md §2 [U]).
    """

    after: After = "the_day"
    write_response: Literal["forbidden", "not_allowed"] = "forbidden"
    lead_readable: bool = True


class RecordApi:
    """Reads records of every record type of REST."""

    def __init__(self, store: Store, options: RecordApiOptions) -> None:
        self._store = store
        self._options = options

    def handle(self, request: Request, path: str, switches: NetSuiteSwitches) -> Response:
        """Handle one request below /services/rest/record/v1.

        Raises:
            ApiError: The request is wrong, or would write.
        """
        record_type, *rest = path.split("/")
        table = RECORD_TYPES.get(record_type.lower())
        if not table:
            raise _not_found(request)
        if table.name in switches.hidden_tables:
            raise _forbidden("Permission violation: the role may not see this record type.")
        if request.method != "GET":
            raise self._write_rejected(request)
        if not rest:
            return self._collection(request, table, switches)
        with self._store.read() as connection:
            return self._record(connection, request, table, rest, switches)

    def _collection(self, request: Request, table: Table, switches: NetSuiteSwitches) -> Response:
        page = Page.of(request)
        text = dict(request.query).get("q", "")
        chosen = RecordFilter(text, table, switches, self._options.after) if text.strip() else None
        body = f'from "{table.name}" as r{f" where {chosen.sql}" if chosen else ""}'
        parameters = chosen.parameters if chosen else []
        sql = f'select r."{table.key}" {body} order by r."{table.key}" limit ? offset ?'
        with self._store.read() as connection:
            rows = connection.execute(sql, [*parameters, page.limit, page.offset]).fetchall()
            total = connection.execute(f"select count(*) {body}", parameters).fetchone()[0]
        base = f"{origin(request)}{BASE}/{table.record}"
        items = [{"links": [{"rel": "self", "href": f"{base}/{key}"}], "id": str(key)} for (key,) in rows]
        return collection(request, page, items, total)

    def _record(
        self,
        connection: sqlite3.Connection,
        request: Request,
        table: Table,
        rest: list[str],
        switches: NetSuiteSwitches,
    ) -> Response:
        columns = record_columns(table, switches)
        external = rest[0].startswith("eid:") and "externalid" in table.columns
        key = "externalid" if external else table.key
        sql = f'{select_sql(table, columns)} where r."{key}" = ?'
        row = connection.execute(sql, (rest[0].removeprefix("eid:"),)).fetchone()
        if row is None or not self._is_readable(row, table):
            raise _not_found(request)
        base = f"{origin(request)}{BASE}"
        content = record_json(row, table, columns, base)
        if table.name == "customer":
            expanded = "expandsubresources=true" in request.url.lower()
            content |= _customer_extras(connection, row["id"], base, expanded=expanded)
        if len(rest) > 1:
            return _address_book(connection, request, content, rest[1:])
        chosen = {each for each in dict(request.query).get("fields", "").split(",") if each}
        if chosen:
            content = {name: value for name, value in content.items() if name in {*chosen, "links", "id"}}
        return json_response(content, media_type=RECORD_MEDIA_TYPE)

    def _is_readable(self, row: sqlite3.Row, table: Table) -> bool:
        return table.name != "customer" or self._options.lead_readable or str(row["searchstage"]).lower() == "customer"

    def _write_rejected(self, request: Request) -> ApiError:
        if self._options.write_response == "not_allowed" or request.method not in {"POST", "PUT", "PATCH", "DELETE"}:
            detail = f"The method {request.method} is not allowed here."
            return ApiError(405, "METHOD_NOT_ALLOWED", detail, headers={"Allow": "GET"})
        return _forbidden("Permission violation: the role may only read.")


def _address_book(
    connection: sqlite3.Connection, request: Request, content: dict[str, Any], rest: list[str]
) -> Response:
    """Return the address book, or a part of it: the only sub-record here."""
    if rest[0] != "addressBook" or "addressBook" not in content:
        raise _not_found(request)
    base = f"{origin(request)}{BASE}"
    items = _addresses(connection, int(content["id"]), base)
    if len(rest) == 1:
        page = Page.of(request)
        ids = [{"links": each["links"], "id": each["id"]} for each in items]
        return collection(request, page, ids[page.offset : page.offset + page.limit], len(ids))
    chosen: Any = next((each for each in items if each["id"] == rest[1]), None)
    for name in rest[2:]:
        chosen = chosen.get(name) if isinstance(chosen, dict) else None
    if chosen is None:
        raise _not_found(request)
    return json_response(chosen, media_type=RECORD_MEDIA_TYPE)


def _customer_extras(connection: sqlite3.Connection, key: int, base: str, *, expanded: bool) -> dict[str, Any]:
    """Return a customer's primary subsidiary and address book, which are separate tables in SuiteQL."""
    extras: dict[str, Any] = {}
    primary = connection.execute(_PRIMARY_SUBSIDIARY, (key,)).fetchone()
    if primary:
        extras["subsidiary"] = reference_json("subsidiary", primary[0], primary[1], base)
    extras["addressBook"] = {"links": [{"rel": "self", "href": f"{base}/customer/{key}/addressBook"}]}
    if expanded:
        items = _addresses(connection, key, base)
        extras["addressBook"] |= {"items": items, "totalResults": len(items)}
    return extras


def _addresses(connection: sqlite3.Connection, key: int, base: str) -> list[dict[str, Any]]:
    """Return the address book entries of a customer."""
    address_columns = [each for each in TABLES["customeraddressbookentityaddress"].columns if each != "recordowner"]
    listed = ", ".join(f'a."{each}"' for each in address_columns)
    sql = (
        f"select b.internalid, b.label, b.defaultbilling, b.defaultshipping, b.isresidential, {listed}"
        " from customeraddressbook b left join customeraddressbookentityaddress a on a.nkey = b.addressbookaddress"
        " where b.entity = ? order by b.internalid"
    )
    items = []
    for row in connection.execute(sql, (key,)):
        link = f"{base}/customer/{key}/addressBook/{row['internalid']}"
        address = {field_name(each): row[each] for each in address_columns if row[each] is not None and each != "nkey"}
        if "country" in address:
            address["country"] = {"id": address["country"], "refName": address["country"]}
        boxes = {name: row[name.lower()] == "T" for name in ("defaultBilling", "defaultShipping", "isResidential")}
        items.append(
            {
                "links": [{"rel": "self", "href": link}],
                "id": str(row["internalid"]),
                "internalId": row["internalid"],
                "label": row["label"],
                **boxes,
                "addressBookAddress": {"links": [{"rel": "self", "href": f"{link}/addressBookAddress"}], **address},
            }
        )
    return items


def _not_found(request: Request) -> ApiError:
    return ApiError(404, "NONEXISTENT_ID", "Record does not exist.", location={"o:errorUrl": request.path})


def _forbidden(detail: str) -> ApiError:
    return ApiError(403, "INSUFFICIENT_PERMISSION", detail)
