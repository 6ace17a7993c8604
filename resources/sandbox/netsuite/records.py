"""The record API, for reading: collections of ids, one record each, sub-records, the metadata-catalog.

Nothing is ever written to NetSuite: every write is refused (netsuite.md §2).
"""

import sqlite3
from typing import Any

from resources.sandbox.netsuite.metadata import answer_catalog
from resources.sandbox.netsuite.record_filter import Filter
from resources.sandbox.netsuite.record_types import (
    RECORDS,
    columns_shown,
    field_name,
    reference,
    rendered,
    select_sql,
)
from resources.sandbox.netsuite.refusal import Refusal
from resources.sandbox.netsuite.render import SINGULAR_TYPE, Page, collection, origin
from resources.sandbox.netsuite.store.tables import TABLES, Table
from resources.sandbox.netsuite.switches import NetSuiteSwitches
from resources.sandbox.store import Store
from resources.sandbox.transport import Answer, Call, json_answer

BASE = "/services/rest/record/v1"
_PRIMARY = (
    "select r.subsidiary, s.name from customersubsidiaryrelationship r left join subsidiary s on s.id = r.subsidiary"
    " where r.entity = ? and r.isprimarysub = 'T'"
)


def _missing(call: Call) -> Refusal:
    return Refusal(404, "NONEXISTENT_ID", "Record does not exist.", place={"o:errorUrl": call.path})


class Records:
    """Reads records of every type that REST has."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def answer(self, call: Call, path: str, switches: NetSuiteSwitches) -> Answer:
        """Answer one call below /services/rest/record/v1.

        Raises:
            Refusal: The call is wrong, or would write.
        """
        kind, *rest = path.split("/")
        if kind == "metadata-catalog" and call.method == "GET":
            return answer_catalog(call, "/".join(rest), switches)
        table = RECORDS.get(kind.lower())
        if not table:
            raise _missing(call)
        if table.name in switches.hidden_tables:
            raise _forbidden("Permission violation: the role may not see this record type.")
        if call.method != "GET":
            raise _write_refused(call, switches)
        if not rest:
            return self._collection(call, table, switches)
        with self._store.read() as connection:
            return self._instance(connection, call, table, rest, switches)

    def _collection(self, call: Call, table: Table, switches: NetSuiteSwitches) -> Answer:
        page = Page.of(call)
        asked = dict(call.query).get("q", "")
        wanted = Filter(asked, table, switches) if asked.strip() else None
        body = f'from "{table.name}" as r{f" where {wanted.sql}" if wanted else ""}'
        parameters = wanted.parameters if wanted else []
        sql = f'select r."{table.key}" {body} order by r."{table.key}" limit ? offset ?'
        with self._store.read() as connection:
            found = connection.execute(sql, [*parameters, page.limit, page.offset]).fetchall()
            total = connection.execute(f"select count(*) {body}", parameters).fetchone()[0]
        base = f"{origin(call)}{BASE}/{table.record}"
        items = [{"links": [{"rel": "self", "href": f"{base}/{key}"}], "id": str(key)} for (key,) in found]
        return collection(call, page, items, total)

    def _instance(
        self, connection: sqlite3.Connection, call: Call, table: Table, rest: list[str], switches: NetSuiteSwitches
    ) -> Answer:
        columns = columns_shown(table, switches)
        external = rest[0].startswith("eid:") and "externalid" in table.columns
        key = "externalid" if external else table.key
        sql = f'{select_sql(table, columns)} where r."{key}" = ?'
        row = connection.execute(sql, (rest[0].removeprefix("eid:"),)).fetchone()
        if row is None or not _is_readable(row, table, switches):
            raise _missing(call)
        base = f"{origin(call)}{BASE}"
        content = rendered(row, table, columns, base)
        if table.name == "customer":
            content |= _customer_extras(
                connection, row["id"], base, expanded="expandsubresources=true" in call.url.lower()
            )
        if len(rest) > 1:
            return self._part(connection, call, content, rest[1:])
        chosen = {each for each in dict(call.query).get("fields", "").split(",") if each}
        if chosen:
            content = {name: value for name, value in content.items() if name in {*chosen, "links", "id"}}
        return json_answer(content, media_type=SINGULAR_TYPE)

    def _part(self, connection: sqlite3.Connection, call: Call, content: dict[str, Any], rest: list[str]) -> Answer:
        """The address book, the only sub-record here."""
        if rest[0] != "addressBook" or "addressBook" not in content:
            raise _missing(call)
        base = f"{origin(call)}{BASE}"
        items = _addresses(connection, int(content["id"]), base)
        if len(rest) == 1:
            page = Page.of(call)
            ids = [{"links": each["links"], "id": each["id"]} for each in items]
            return collection(call, page, ids[page.offset : page.offset + page.limit], len(ids))
        chosen: Any = next((each for each in items if each["id"] == rest[1]), None)
        for name in rest[2:]:
            chosen = chosen.get(name) if isinstance(chosen, dict) else None
        if chosen is None:
            raise _missing(call)
        return json_answer(chosen, media_type=SINGULAR_TYPE)


def _is_readable(row: sqlite3.Row, table: Table, switches: NetSuiteSwitches) -> bool:
    return table.name != "customer" or switches.lead_readable or str(row["searchstage"]).lower() == "customer"


def _customer_extras(connection: sqlite3.Connection, key: int, base: str, *, expanded: bool) -> dict[str, Any]:
    """A customer's primary subsidiary and address book, which are tables of their own in SuiteQL."""
    extras: dict[str, Any] = {}
    primary = connection.execute(_PRIMARY, (key,)).fetchone()
    if primary:
        extras["subsidiary"] = reference("subsidiary", primary[0], primary[1], base)
    extras["addressBook"] = {"links": [{"rel": "self", "href": f"{base}/customer/{key}/addressBook"}]}
    if expanded:
        items = _addresses(connection, key, base)
        extras["addressBook"] |= {"items": items, "totalResults": len(items)}
    return extras


def _addresses(connection: sqlite3.Connection, key: int, base: str) -> list[dict[str, Any]]:
    """The address book of a customer."""
    address_columns = [each for each in TABLES["customeraddressbookentityaddress"].columns if each != "recordowner"]
    listed = ", ".join(f'a."{each}"' for each in address_columns)
    sql = (
        f"select b.internalid, b.label, b.defaultbilling, b.defaultshipping, b.isresidential, {listed}"
        " from customeraddressbook b left join customeraddressbookentityaddress a on a.nkey = b.addressbookaddress"
        " where b.entity = ? order by b.internalid"
    )
    items = []
    for row in connection.execute(sql, (key,)):
        own = f"{base}/customer/{key}/addressBook/{row['internalid']}"
        address = {field_name(each): row[each] for each in address_columns if row[each] is not None and each != "nkey"}
        if "country" in address:
            address["country"] = {"id": address["country"], "refName": address["country"]}
        boxes = {name: row[name.lower()] == "T" for name in ("defaultBilling", "defaultShipping", "isResidential")}
        items.append(
            {
                "links": [{"rel": "self", "href": own}],
                "id": str(row["internalid"]),
                "internalId": row["internalid"],
                "label": row["label"],
                **boxes,
                "addressBookAddress": {"links": [{"rel": "self", "href": f"{own}/addressBookAddress"}], **address},
            }
        )
    return items


def _forbidden(detail: str) -> Refusal:
    return Refusal(403, "INSUFFICIENT_PERMISSION", detail)


def _write_refused(call: Call, switches: NetSuiteSwitches) -> Refusal:
    if switches.write_answer == "not_allowed" or call.method not in {"POST", "PUT", "PATCH", "DELETE"}:
        detail = f"The method {call.method} is not allowed here."
        return Refusal(405, "METHOD_NOT_ALLOWED", detail, headers={"Allow": "GET"})
    return _forbidden("Permission violation: the role may only read.")
