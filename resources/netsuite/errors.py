"""NetSuite's errors as classes of our error tree, each with its fix.

HTTP response  ->  o:errorDetails[].o:errorCode and .detail  ->  CredentialsError, MissingTableError, …

Source: NetSuite help, "Error Handling and Error Codes" (section_156570709583). The texts are those that other
projects saw on live accounts; they are matched loosely.
"""

import re
from datetime import datetime
from typing import Any

import httpx
import orjson

from resources.errors import (
    CredentialsError,
    IntegrationError,
    RateLimitedError,
    RequestRejectedError,
    TransientError,
)
from resources.http import retry_after_s
from resources.netsuite.auth import FIX

SYSTEM = "netsuite"
DETAIL_LENGTH = 300
_UNKNOWN_COLUMN = re.compile(
    r"Unknown identifier '(?P<column>[^']+)'|Field '(?P<field>[^']+)' for record", re.IGNORECASE
)
_UNKNOWN_TABLE = re.compile(
    r"Record '(?P<record>[^']+)' was not found|Invalid search type: (?P<type>\w+)", re.IGNORECASE
)
_REQUEST_IS_WRONG = {400, 404, 405, 409, 422}
_UNEXPECTED = "UNEXPECTED_ERROR"
_RATE_LIMITED = {"CONCURRENCY_LIMIT_EXCEEDED", "SSS_REQUEST_LIMIT_EXCEEDED"}

# table: the permission of the role and the feature without which NetSuite reports that the table does not exist
NEEDS = {
    "customer": ("Customers", ""),
    "job": ("Projects (Jobs)", "Projects"),
    "contact": ("Contacts", ""),
    "subsidiary": ("Subsidiaries", "OneWorld"),
    "customersubsidiaryrelationship": ("Customers and Subsidiaries", "OneWorld"),
    "customeraddressbook": ("Customers", ""),
    "customeraddressbookentityaddress": ("Customers", ""),
    "department": ("Departments", "Departments"),
    "classification": ("Classes", "Classes"),
    "location": ("Locations", "Locations"),
    "currency": ("Currency", "Multiple Currencies"),
    "entitystatus": ("Customer Status", "Customer Relationship Management"),
    "deletedrecord": ("Deleted Records", ""),
}


class UnexpectedError(TransientError):
    """HTTP 500 UNEXPECTED_ERROR: transient, or caused by a field that does not exist (netsuite.md §1.5)."""


class MissingTableError(RequestRejectedError):
    """The table does not exist for this role: a permission is missing, or a feature is disabled."""

    def __init__(self, operation: str, table: str) -> None:
        permission, feature = NEEDS.get(table, (table, ""))
        fix = f"give the role the permission {permission!r}"
        if feature:
            fix += f", or enable the feature {feature!r}; for an account without it, list the table in"
            fix += " MILLPOND_OPTIONAL_TABLES"
        super().__init__(SYSTEM, operation, f"table {table} was not found: {fix}", code="INVALID_PARAMETER")
        self.table = table


class UnknownColumnError(RequestRejectedError):
    """The account does not have this column."""

    def __init__(self, operation: str, column: str) -> None:
        reason = f"column {column} is unknown: remove it from the settings, or give the role access to the field"
        super().__init__(SYSTEM, operation, reason, code="INVALID_PARAMETER")
        self.column = column


def error_of(response: httpx.Response, now: datetime) -> IntegrationError | None:
    """Return the error of a response; None for a success, or to leave it to the HTTP status."""
    if response.is_success:
        return None
    operation = str(response.request.extensions.get("operation", response.request.url.path))
    code, detail = _error_details(response)
    reason = f"HTTP {response.status_code} {code} {detail}".strip()
    if response.is_server_error:
        return UnexpectedError(SYSTEM, operation, reason) if code == _UNEXPECTED else None
    if code in _RATE_LIMITED:
        return RateLimitedError(SYSTEM, operation, reason, retry_after_s=retry_after_s(response, now))
    if response.status_code == httpx.codes.UNAUTHORIZED:
        return CredentialsError(SYSTEM, operation, f"HTTP 401 {code}: {FIX}", code=code)
    if response.status_code == httpx.codes.FORBIDDEN:
        return CredentialsError(SYSTEM, operation, f"{reason}: the role lacks a permission", code=code)
    return _query_error(operation, code, detail, reason) if response.status_code in _REQUEST_IS_WRONG else None


def _error_details(response: httpx.Response) -> tuple[str, str]:
    """Return NetSuite's error code and text; empty when the body is not its envelope."""
    try:
        details: Any = orjson.loads(response.content)["o:errorDetails"][0]
        return str(details.get("o:errorCode", "")), str(details.get("detail", ""))[:DETAIL_LENGTH]
    except (orjson.JSONDecodeError, KeyError, IndexError, TypeError, AttributeError):
        return "", ""


def _query_error(operation: str, code: str, detail: str, reason: str) -> RequestRejectedError:
    if column := _UNKNOWN_COLUMN.search(detail):
        return UnknownColumnError(operation, (column["column"] or column["field"]).lower())
    if table := _UNKNOWN_TABLE.search(detail):
        return MissingTableError(operation, (table["record"] or table["type"]).lower())
    return RequestRejectedError(SYSTEM, operation, reason, code=code)
