"""The metadata-catalog: which record types there are, and their fields as JSON schema (netsuite.md §2.5)."""

from collections.abc import Mapping
from typing import Any

from resources.sandbox.netsuite.record_types import RECORDS, columns_shown, field_name
from resources.sandbox.netsuite.refusal import Refusal
from resources.sandbox.netsuite.render import origin
from resources.sandbox.netsuite.store.custom_fields import kind_of
from resources.sandbox.netsuite.store.tables import Column, Table
from resources.sandbox.netsuite.switches import NetSuiteSwitches
from resources.sandbox.transport import Answer, Call, json_answer

CATALOG = "/services/rest/record/v1/metadata-catalog"
SCHEMA_TYPE = "application/schema+json"
SWAGGER_TYPE = "application/swagger+json"
NS_LINK = f"{CATALOG}/nsLink"

_TYPES: Mapping[str, dict[str, str]] = {
    "int": {"type": "integer", "format": "int64"},
    "number": {"type": "number", "format": "double"},
    "text": {"type": "string"},
    "bool": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
    "timestamp": {"type": "string", "format": "date-time"},
}


def answer_catalog(call: Call, name: str, switches: NetSuiteSwitches) -> Answer:
    """The catalogue, or one record type of it.

    Raises:
        Refusal: No such record type, or the role may not look.
    """
    if not switches.metadata_visible:
        raise Refusal(403, "INSUFFICIENT_PERMISSION", "Permission violation: the role may not see the metadata.")
    accept = call.headers.get("accept", "")
    if not name:
        wanted = {each.strip().lower() for each in dict(call.query).get("select", "").split(",")} - {""}
        tables = [each for each in RECORDS.values() if not wanted or each.record.lower() in wanted]
        shown = [each for each in tables if each.name not in switches.hidden_tables]
        if SWAGGER_TYPE in accept:
            return json_answer(_openapi(shown, switches), media_type=SWAGGER_TYPE)
        return json_answer({"items": [_entry(call, each) for each in shown], "links": []})
    if name == "nsLink":
        link = {
            "type": "object",
            "properties": {"rel": {"type": "string"}, "href": {"type": "string", "format": "URI"}},
        }
        return json_answer(link, media_type=SCHEMA_TYPE)
    table = RECORDS.get(name.lower())
    if not table or table.name in switches.hidden_tables:
        raise Refusal(404, "NONEXISTENT_ID", "Record does not exist.", place={"o:errorUrl": call.path})
    if SCHEMA_TYPE in accept:
        return json_answer(_schema(table, switches), media_type=SCHEMA_TYPE)
    if SWAGGER_TYPE in accept:
        return json_answer(_openapi([table], switches), media_type=SWAGGER_TYPE)
    return json_answer(_entry(call, table))


def _entry(call: Call, table: Table) -> dict[str, Any]:
    href = f"{origin(call)}{CATALOG}/{table.record}"
    links = [
        {"rel": "canonical", "href": href, "mediaType": "application/json"},
        {"rel": "alternate", "href": href, "mediaType": SWAGGER_TYPE},
        {"rel": "alternate", "href": href, "mediaType": SCHEMA_TYPE},
        {"rel": "describes", "href": f"{origin(call)}/services/rest/record/v1/{table.record}"},
    ]
    return {"name": table.record, "links": links}


def _schema(table: Table, switches: NetSuiteSwitches) -> dict[str, Any]:
    properties: dict[str, Any] = {"id": {"type": "string", "title": "Internal ID", "nullable": True}}
    for each in columns_shown(table, switches):
        kind = kind_of(table.name, each.name, switches.custom_fields)
        properties[field_name(each.name)] = _property(each, kind)
    if table.name == "customer":
        properties["subsidiary"] = _reference()
        properties["addressBook"] = {"type": "object", "properties": {"items": {"type": "array"}}}
    return {"type": "object", "properties": properties, "$schema": "https://json-schema.org/draft-06/hyper-schema#"}


def _reference() -> dict[str, Any]:
    links = {"type": "array", "items": {"$ref": NS_LINK}}
    return {"type": "object", "properties": {"id": {"type": "string"}, "refName": {"type": "string"}, "links": links}}


def _property(column: Column, custom_kind: str = "") -> dict[str, Any]:
    content = {**_TYPES[column.kind], "nullable": True}
    if column.refers or custom_kind == "list":
        content = _reference()
    elif custom_kind == "multi":
        content = {"type": "object", "properties": {"items": {"type": "array", "items": _reference()}}}
    own = column.name.startswith(("custentity_", "custrecord_", "custitem_"))
    content["title"] = (column.name.partition("_")[2] if own else column.name).replace("_", " ").title()
    if own:
        content["x-ns-custom-field"] = True
    return content


def _openapi(tables: list[Table], switches: NetSuiteSwitches) -> dict[str, Any]:
    paths = {f"/{each.record}": {"get": {"tags": [each.record], "responses": {}}} for each in tables}
    schemas = {each.record: _schema(each, switches) for each in tables}
    info = {"title": "NetSuite REST Record API", "version": "1.0"}
    return {"openapi": "3.0.1", "info": info, "paths": paths, "components": {"schemas": schemas}}
