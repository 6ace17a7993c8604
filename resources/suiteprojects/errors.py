"""Statuses of the XML API as classes of our error tree, each with its fix.

Source: suiteprojects_api.md §1.2 and §1.7. A block contains only the number; `SuiteProjectsClient.status_text` reads
the service's own text.
"""

from resources.errors import CredentialsError, IntegrationError, RateLimitedError, RequestRejectedError, TransientError
from resources.suiteprojects.tokens import LOGIN

SYSTEM = "suiteprojects"
OK = 0
UNKNOWN_ERROR = 1
NO_ROWS = frozenset({601, UNKNOWN_ERROR, 910})  # statuses of an empty Read, beside 0 (suiteprojects_api.md §1.3 [C])
RATE_LIMIT = 556
MINUTE_S = 60.0
BUSY = frozenset({414, 419, 606})  # temporarily down, try again, projections running
BAD_SESSION = frozenset({2, 9})  # not logged in; session or token invalid or expired
TOO_MANY_ROWS = frozenset({"605", "854"})  # an account may allow pages of fewer than 1000 (suiteprojects_api.md §1.3)
TOO_MUCH = frozenset({"854", "855"})  # an account may limit what one request reads; RateLimit may count as well

_TOKEN = f"renew SUITEPROJECTS_ACCESS_TOKEN, or {LOGIN}"

# by status; other statuses of the 4xx and 5xx families get a general text
FIXES = {
    2: f"not logged in: {_TOKEN}",
    9: f"access token invalid or expired: {_TOKEN}",
    401: "no such sign-in: correct SUITEPROJECTS_COMPANY, SUITEPROJECTS_USER and SUITEPROJECTS_PASSWORD",
    403: "company is missing: set SUITEPROJECTS_COMPANY",
    404: "user is missing: set SUITEPROJECTS_USER",
    405: "password is missing: set SUITEPROJECTS_PASSWORD",
    409: "account is canceled: ask Oracle",
    410: "user is inactive: activate it or use another SUITEPROJECTS_USER",
    412: "namespace does not belong to this account: correct SUITEPROJECTS_NAMESPACE",
    413: "account has no API access: ask Oracle for the API add-on",
    415: "account is archived: ask Oracle",
    416: "user is locked: unlock it",
    417: "this machine's address is not allowed: add it to the account's list",
    426: "use the account's own domain as SUITEPROJECTS_BASE_URL",
    501: "API key and namespace are missing: set SUITEPROJECTS_KEY and SUITEPROJECTS_NAMESPACE",
    502: "API key was rejected: correct SUITEPROJECTS_KEY",
    503: "API key is missing or wrong: correct SUITEPROJECTS_KEY",
    504: "API namespace is missing or wrong: correct SUITEPROJECTS_NAMESPACE",
    505: "API key and namespace do not belong together: correct SUITEPROJECTS_KEY or SUITEPROJECTS_NAMESPACE",
    506: "API key is disabled: ask Oracle for another one",
}
# in the sign-in's family, and about what was asked (suiteprojects_api.md §1.7)
NOT_ALLOWED = {
    424: "the user may not do this: give its role the permission",
    425: "the account lacks this feature: ask Oracle to enable it",
}


class ReadRejectedError(RequestRejectedError):
    """The service accepted the sign-in and rejected one Read, by a status of its own."""


def status_error(status: int, operation: str) -> IntegrationError:
    """Return the error of a status that rejects a whole request or a Read."""
    if status == RATE_LIMIT:
        reason = f"status {status}: the account's request limit is reached"
        return RateLimitedError(SYSTEM, operation, reason, retry_after_s=MINUTE_S)
    if status in BUSY or status == UNKNOWN_ERROR:
        reason = f"status {status}: the service is temporarily unavailable; try again later"
        return TransientError(SYSTEM, operation, reason)
    if status in FIXES:
        return CredentialsError(SYSTEM, operation, f"status {status}: {FIXES[status]}", code=str(status))
    if status in NOT_ALLOWED:
        return RequestRejectedError(SYSTEM, operation, f"status {status}: {NOT_ALLOWED[status]}", code=str(status))
    if 400 <= status < 427 or 501 <= status < 550:  # noqa: PLR2004 - the service's own families
        reason = f"status {status}: sign-in or permission was rejected; look up the number in the account's API guide"
        return CredentialsError(SYSTEM, operation, reason, code=str(status))
    reason = f"status {status}: the request was rejected; look up the number in the account's API guide"
    return RequestRejectedError(SYSTEM, operation, reason, code=str(status))


def read_error(status: int, operation: str) -> IntegrationError:
    """Return the error of a status that rejects one Read, after a sign-in that was accepted."""
    error = status_error(status, operation)
    if type(error) is RequestRejectedError:
        return ReadRejectedError(SYSTEM, operation, error.reason, code=error.code)
    return error
