"""The metadata catalog: record types, and their fields as JSON schema (netsuite.md §2.5)."""

from collections.abc import Mapping
from typing import Any

from resources.sandbox.netsuite.errors import ApiError
from resources.sandbox.netsuite.pages import origin
from resources.sandbox.netsuite.record_types import RECORD_TYPES, field_name, record_columns
from resources.sandbox.netsuite.store.custom_fields import custom_field_kind
from resources.sandbox.netsuite.store.table import Column, Table
from resources.sandbox.netsuite.switches import NetSuiteSwitches
from resources.sandbox.transport import Request, Response, json_response

CATALOG_PATH = "/services/rest/record/v1/metadata-catalog"
SCHEMA_TYPE = "application/schema+json"
SWAGGER_TYPE = "application/swagger+json"
NS_LINK = f"{CATALOG_PATH}/nsLink"

_TYPES: Mapping[str, dict[str, str]] = {
    "int": {"type": "integer", "format": "int64"},
    "number": {"type": "number", "format": "double"},
    "text": {"type": "string"},
    "bool": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
    "timestamp": {"type": "string", "format": "date-time"},
}


def handle_catalog(request: Request, name: str, switches: NetSuiteSwitches) -> Response:
    """Return the catalog, or one record type of it.

    Raises:
        ApiError: The record type does not exist, or the role may not see the catalog.
    """
    if not switches.metadata_visible:
        raise ApiError(403, "INSUFFICIENT_PERMISSION", "Permission violation: the role may not see the metadata.")
    accept = request.headers.get("accept", "")
    if not name:
        selected = {each.strip().lower() for each in dict(request.query).get("select", "").split(",")} - {""}
        tables = [each for each in RECORD_TYPES.values() if not selected or each.record.lower() in selected]
        visible = [each for each in tables if each.name not in switches.hidden_tables]
        if SWAGGER_TYPE in accept:
            return json_response(_openapi(visible, switches), media_type=SWAGGER_TYPE)
        return json_response({"items": [_entry(request, each) for each in visible], "links": []})
    if name == "nsLink":
        link = {
            "type": "object",
            "properties": {"rel": {"type": "string"}, "href": {"type": "string", "format": "URI"}},
        }
        return json_response(link, media_type=SCHEMA_TYPE)
    table = RECORD_TYPES.get(name.lower())
    if not table or table.name in switches.hidden_tables:
        raise ApiError(404, "NONEXISTENT_ID", "Record does not exist.", location={"o:errorUrl": request.path})
    if SCHEMA_TYPE in accept:
        return json_response(_schema(table, switches), media_type=SCHEMA_TYPE)
    if SWAGGER_TYPE in accept:
        return json_response(_openapi([table], switches), media_type=SWAGGER_TYPE)
    return json_response(_entry(request, table))


def _entry(request: Request, table: Table) -> dict[str, Any]:
    href = f"{origin(request)}{CATALOG_PATH}/{table.record}"
    links = [
        {"rel": "canonical", "href": href, "mediaType": "application/json"},
        {"rel": "alternate", "href": href, "mediaType": SWAGGER_TYPE},
        {"rel": "alternate", "href": href, "mediaType": SCHEMA_TYPE},
        {"rel": "describes", "href": f"{origin(request)}/services/rest/record/v1/{table.record}"},
    ]
    return {"name": table.record, "links": links}


def _schema(table: Table, switches: NetSuiteSwitches) -> dict[str, Any]:
    properties: dict[str, Any] = {"id": {"type": "string", "title": "Internal ID", "nullable": True}}
    for each in record_columns(table, switches):
        kind = custom_field_kind(table.name, each.name, switches.custom_fields)
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
    is_custom = column.name.startswith(("custentity_", "custrecord_", "custitem_", "cseg_"))
    content["title"] = (column.name.partition("_")[2] if is_custom else column.name).replace("_", " ").title()
    if is_custom:
        content["x-ns-custom-field"] = True
    return content


def _openapi(tables: list[Table], switches: NetSuiteSwitches) -> dict[str, Any]:
    paths = {f"/{each.record}": {"get": {"tags": [each.record], "responses": {}}} for each in tables}
    schemas = {each.record: _schema(each, switches) for each in tables}
    info = {"title": "NetSuite REST Record API", "version": "1.0"}
    return {"openapi": "3.0.1", "info": info, "paths": paths, "components": {"schemas": schemas}}
