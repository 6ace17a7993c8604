"""Causes of a rejected sign-in to NetSuite, as far as the response shows them: clock, certificate, host, its words.

response  ->  cause_of(response, now)  ->  the cause and its fix, before the list of settings to compare
"""

import re
from datetime import datetime, timedelta
from typing import Any

import httpx
from cryptography import x509

from resources.http_failures import host_of
from resources.json_body import load_json, repaired
from resources.scalars import as_moment, as_text

MAX_SKEW = timedelta(minutes=5)  # netsuite.md §3.3 [D]
TRAVEL = timedelta(seconds=15)  # between the signature and the Date of the answer
TEXT_LENGTH = 200
FIX = (
    "sign-in rejected; compare NETSUITE_ACCOUNT and the keys (NETSUITE_CLIENT_ID, NETSUITE_CERTIFICATE_ID,"
    " NETSUITE_PRIVATE_KEY_FILE; token-based: NETSUITE_CONSUMER_KEY, NETSUITE_CONSUMER_SECRET, NETSUITE_TOKEN_ID,"
    " NETSUITE_TOKEN_SECRET) with Setup > Integration, check that the role may use REST web services, and see"
    " Setup > Users/Roles > View Login Audit Trail for NetSuite's reason"
)
_LONG = re.compile(r"[\w.~+/=-]{32,}")  # keys, tokens and signatures
_DESCRIPTION = re.compile(r'error_description="([^"]*)"')


def cause_of(response: httpx.Response, now: datetime, private_key: bytes = b"") -> str:
    """Return the cause of a rejected sign-in and its fix, ending in a semicolon; blank if it is unknown.

    Args:
        response: The error response; its Date is NetSuite's clock.
        now: This machine's time.
        private_key: The key file, which may contain the certificate.
    """
    causes = [_skew(response, now), _expiry(private_key, now), host_hint(response), _description(response)]
    return "".join(f"{each}; " for each in causes if each)


def oauth_error(response: httpx.Response) -> str:
    """Return the error's code and description (RFC 6749 §5.2), without anything that looks like a key."""
    try:
        body: Any = repaired(load_json(response.content))
    except ValueError:
        body = None
    answer = body if isinstance(body, dict) else {}
    code, text = as_text(answer.get("error")), as_text(answer.get("error_description"))
    description = f" ({_harmless(text)})" if text else ""
    return f"HTTP {response.status_code} {(code or 'no error code')[:40]}{description}"


def host_hint(response: httpx.Response) -> str:
    """Return that the address is not the account's, if another page or host answered; blank otherwise."""
    fix = "correct NETSUITE_ACCOUNT, or NETSUITE_BASE_URL"
    if response.is_redirect:
        there = host_of(response.headers.get("location", "")) or "another page"
        return f"the request was sent on to {there}, so the address is not the account's: {fix}"
    kind = response.headers.get("content-type", "no content type").partition(";")[0]
    if response.is_client_error and "json" not in kind and kind.startswith(("text/html", "text/plain")):
        return f"{response.request.url.host} answered with {kind} and not as NetSuite: {fix}, or a proxy is in between"
    return ""


def _skew(response: httpx.Response, now: datetime) -> str:
    theirs = as_moment(response.headers.get("date", ""))
    if theirs is None or abs(now - theirs) < MAX_SKEW - TRAVEL:
        return ""
    side = "ahead of" if now > theirs else "behind"
    minutes = abs(now - theirs).total_seconds() / 60
    return (
        f"this machine's clock is {minutes:,.0f} minutes {side} NetSuite's, which rejects a sign-in at five:"
        " synchronize it (NTP)"
    )


def _expiry(private_key: bytes, now: datetime) -> str:
    if b"BEGIN CERTIFICATE" not in private_key:
        return ""
    try:
        end = x509.load_pem_x509_certificate(private_key).not_valid_after_utc
    except ValueError:
        return ""
    if end > now:
        return ""
    return f"the certificate expired on {end:%Y-%m-%d}: create a new one and set NETSUITE_CERTIFICATE_ID"


def _description(response: httpx.Response) -> str:
    found = _DESCRIPTION.search(response.headers.get("www-authenticate", ""))
    return f"NetSuite says: {_harmless(found[1])}" if found and found[1] else ""


def _harmless(text: str) -> str:
    return _LONG.sub("…", " ".join(text.split()))[:TEXT_LENGTH].rstrip(".")
