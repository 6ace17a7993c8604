"""Error responses in NetSuite's format (netsuite.md §1.5)."""

from typing import Any

import orjson

from resources.sandbox.netsuite.switches import NetSuiteSwitches
from resources.sandbox.transport import Response

ERROR_TYPE = "application/vnd.oracle.resource+json; type=error"
LOGIN_TEXT = (
    "Invalid login attempt. For more details, see the Login Audit Trail in the NetSuite UI at "
    "Setup > Users/Roles > User Management > View Login Audit Trail."
)
QUERY_PREFIX = "Invalid search query. Detailed unprocessed description follows. Search error occurred: "

_TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    429: "Too Many Requests",
    500: "Internal Server Error",
}
_RFC9110 = {400: "15.5.1", 401: "15.5.2", 403: "15.5.4", 404: "15.5.5", 405: "15.5.6", 500: "15.6.1"}


class ApiError(Exception):
    """An error response of NetSuite.

    Attributes:
        location: The location of the error, such as {"o:errorQueryParam": "q"}.
        reason: The reason in our words, sent in the sandbox's own header X-Sandbox-Reason.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        location: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        title: str = "",
        reason: str = "",
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.location = location or {}
        self.headers = headers or {}
        self.title = title or _TITLES[status]
        self.reason = reason

    def response(self, switches: NetSuiteSwitches) -> Response:
        """Return the HTTP response."""
        content: dict[str, Any] = {
            "type": _type_uri(self.status, switches.error_type_uri),
            "title": self.title,
            "status": self.status,
            "o:errorDetails": [{"detail": self.detail, **self.location, "o:errorCode": self.code}],
        }
        headers = {"Content-Type": ERROR_TYPE, **self.headers}
        if self.reason:
            headers["X-Sandbox-Reason"] = " ".join(self.reason.split())[:500].encode("ascii", "replace").decode()
        return Response(self.status, orjson.dumps(content), headers)


def _type_uri(status: int, style: str) -> str:
    if style == "w3c":
        return f"https://www.w3.org/Protocols/rfc2616/rfc2616-sec10.html#sec10.{status // 100}.{status % 100 + 1}"
    if status == 429:  # noqa: PLR2004
        return "https://www.rfc-editor.org/rfc/rfc6585.html#section-4"
    return f"https://www.rfc-editor.org/rfc/rfc9110.html#section-{_RFC9110[status]}"


def bad_query(text: str, reason: str = "") -> ApiError:
    """Return the error of a SuiteQL statement that NetSuite does not run."""
    return ApiError(400, "INVALID_PARAMETER", QUERY_PREFIX + text, location={"o:errorQueryParam": "q"}, reason=reason)


def unknown_name(detail: str, status: int) -> ApiError:
    """Return the error of a statement with a column or table that this account does not have."""
    codes = {403: "INSUFFICIENT_PERMISSION", 404: "NONEXISTENT_ID", 500: "UNEXPECTED_ERROR"}
    location = {"o:errorQueryParam": "q"}
    return ApiError(status, codes.get(status, "INVALID_PARAMETER"), detail, location=location)


def unsupported(reason: str) -> ApiError:
    """Return the error of a statement outside SuiteQL; NetSuite does not report the reason."""
    return bad_query("Invalid or unsupported search.", reason)


def wrong_language(language: str) -> ApiError:
    """Return the error of a request in the user's language, where the company's is another one."""
    detail = (
        "Invalid language. REST web services currently only support the default company language, and do not support"
        " the language specified in your user preferences. Provide the Accept-Language header with your default company"
        f" language value '{language}'."
    )
    return ApiError(400, "INVALID_HEADER", detail, location={"o:errorHeader": "Accept-Language"})


def invalid_login(headers: dict[str, str] | None = None, reason: str = "") -> ApiError:
    """Return the error of a failed sign-in; NetSuite shows the reason in its audit trail only."""
    return ApiError(401, "INVALID_LOGIN", LOGIN_TEXT, headers=headers, reason=reason)
