"""NetSuite's errors as classes of our error tree, each with its fix.

HTTP response  ->  o:errorDetails[].o:errorCode and .detail  ->  CredentialsError, MissingTableError, …

Source: NetSuite help, "Error Handling and Error Codes" (section_156570709583). The texts are those that other
projects saw on live accounts; they are matched loosely.
"""

import re
from datetime import datetime
from typing import Any

import httpx

from resources.errors import CredentialsError, IntegrationError, RateLimitedError, RequestRejectedError, TransientError
from resources.http_failures import BUSY, ONE_RECORD, retry_after_s, temporary_failure
from resources.json_body import load_json, repaired
from resources.netsuite.sign_in_errors import FIX, cause_of, host_hint
from resources.scalars import as_text

SYSTEM = "netsuite"
WRONG_HOST = "wrong_host"  # code of an answer that is not NetSuite's
DETAIL_LENGTH = 300
_UNKNOWN_COLUMN = re.compile(
    r"Unknown identifier '(?P<column>[^']+)'|Field '(?P<field>[^']+)' for record(?: '(?P<record>[^']+)')?",
    re.IGNORECASE,
)
_UNKNOWN_TABLE = re.compile(
    r"Record '(?P<record>[^']+)' was not found|Invalid search type: (?P<type>\w+)", re.IGNORECASE
)
_BY_STATUS = {httpx.codes.REQUEST_TIMEOUT, httpx.codes.TOO_MANY_REQUESTS}  # whoever answers, and in whatever form
_REQUEST_IS_WRONG = {404, 405, *ONE_RECORD}
_RATE_LIMITED = {"CONCURRENCY_LIMIT_EXCEEDED", "SSS_REQUEST_LIMIT_EXCEEDED"}
_LANGUAGE = re.compile(r"language value '?(?P<language>[\w-]+)")

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
    """HTTP 500: transient, or caused by a field that does not exist (netsuite.md §1.5)."""


class PermissionRefusedError(CredentialsError):
    """HTTP 403: the role lacks a permission, for the whole request or for one of its columns."""


class MissingTableError(RequestRejectedError):
    """The table does not exist for this role: a permission is missing, or a feature is disabled.

    `words` are NetSuite's own, if they do not say so.
    """

    def __init__(self, operation: str, table: str, words: str = "") -> None:
        permission, feature = NEEDS.get(table, (table, ""))
        fix = f"give the role the permission {permission!r}"
        if feature:
            fix += f", or enable the feature {feature!r}; for an account without it, list the table in"
            fix += " MILLPOND_OPTIONAL_TABLES"
        said = f" ({words})" if words else ""
        super().__init__(SYSTEM, operation, f"table {table} was not found{said}: {fix}", code="INVALID_PARAMETER")
        self.table = table


class UnknownColumnError(RequestRejectedError):
    """The account does not have this column; `record` is the table that the answer names, if any."""

    def __init__(self, operation: str, column: str, record: str = "") -> None:
        reason = f"column {column} is unknown: remove it from the settings, or give the role access to the field"
        super().__init__(SYSTEM, operation, reason, code="INVALID_PARAMETER")
        self.column = column
        self.record = record


def error_of(response: httpx.Response, now: datetime) -> IntegrationError | None:
    """Return the error of a response; None for a success, or to leave it to the HTTP status."""
    if response.is_success:
        return None
    operation = str(response.request.extensions.get("operation", response.request.url.path))
    code, detail = _error_details(response)
    reason = " ".join(each for each in (f"HTTP {response.status_code}", code, detail) if each)
    if response.is_server_error:
        is_internal = response.status_code == httpx.codes.INTERNAL_SERVER_ERROR
        return UnexpectedError(SYSTEM, operation, reason) if is_internal else None
    if response.status_code == httpx.codes.UNAUTHORIZED and code not in _RATE_LIMITED:
        return CredentialsError(SYSTEM, operation, f"{reason}: {cause_of(response, now)}{FIX}", code=code)
    temporary = _temporary_failure(operation, code, detail or response.text, reason, retry_after_s(response, now))
    if temporary or (response.status_code in _BY_STATUS and not code) or response.status_code in BUSY:
        return temporary
    if fix := _language_fix(code, detail) or ("" if code else host_hint(response)):
        return CredentialsError(SYSTEM, operation, f"{reason}: {fix}", code=code or WRONG_HOST)
    return _final_rejection(response.status_code, operation, code, detail, reason)


def _final_rejection(status: int, operation: str, code: str, detail: str, reason: str) -> RequestRejectedError | None:
    if status == httpx.codes.FORBIDDEN:
        return PermissionRefusedError(SYSTEM, operation, f"{reason}: the role lacks a permission", code=code)
    return _query_error(operation, code, detail, reason) if status in _REQUEST_IS_WRONG else None


def _error_details(response: httpx.Response) -> tuple[str, str]:
    """Return NetSuite's error code and text, also in the envelope of RESTlets; empty when the body is neither."""
    try:
        body: Any = repaired(load_json(response.content))
    except ValueError:
        return "", ""
    details = body.get("o:errorDetails") or body.get("error") if isinstance(body, dict) else None
    first = details[0] if isinstance(details, list) and details else details
    if not isinstance(first, dict):
        return "", as_text(body.get("title")) or "" if isinstance(body, dict) else ""
    code = as_text(first.get("o:errorCode")) or as_text(first.get("code")) or ""
    text = as_text(first.get("detail")) or as_text(first.get("message")) or ""
    return code, " ".join(text.split())[:DETAIL_LENGTH]


def _temporary_failure(
    operation: str, code: str, detail: str, reason: str, after_s: float | None
) -> TransientError | None:
    """Return the error of a limit or a time-out, whatever its status; an unknown column of such a name is neither."""
    if code in _RATE_LIMITED:
        return RateLimitedError(SYSTEM, operation, reason, retry_after_s=after_s)
    if _UNKNOWN_COLUMN.search(detail) or _UNKNOWN_TABLE.search(detail):
        return None
    return temporary_failure(SYSTEM, operation, reason, f"{code} {detail}", after_s=after_s)


def _language_fix(code: str, detail: str) -> str:
    """Return what to do about a rejected language; blank for any other error."""
    if code != "INVALID_HEADER" or "language" not in detail.lower():
        return ""
    named = _LANGUAGE.search(detail)
    value = named["language"] if named else "the code of the company's default language, such as de"
    return f"the integration user has another language: set NETSUITE_LANGUAGE to {value}"


def _query_error(operation: str, code: str, detail: str, reason: str) -> RequestRejectedError:
    if column := _UNKNOWN_COLUMN.search(detail):
        return UnknownColumnError(operation, (column["column"] or column["field"]).lower(), column["record"] or "")
    if table := _UNKNOWN_TABLE.search(detail):
        return MissingTableError(operation, (table["record"] or table["type"]).lower())
    return RequestRejectedError(SYSTEM, operation, reason, code=code)
