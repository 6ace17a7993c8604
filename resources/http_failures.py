"""Failed requests by what to do next, read from their status, headers and words.

response  ->  retry_after_s(), temporary_failure()        ->  wait and send again, or give up
error     ->  advice_on()                          ->  what a person should check
"""

import re
from datetime import datetime
from urllib.request import getproxies_environment, proxy_bypass_environment  # type: ignore[attr-defined]

import httpx

from resources.errors import RateLimitedError, TransientError
from resources.scalars import as_moment, as_number

# What to do next, by status; all other statuses of the client's errors are those of the request itself, or of a key.
BUSY = frozenset({423, 425})  # locked, too early: nothing was done, the same request may succeed later
# Values of this record are rejected: by the service (its rules, its state, its size) or by a firewall before it, which
# answers 406, 418 or 451 to a text that it takes for an attack.
ONE_RECORD = frozenset({400, 406, 409, 412, 413, 414, 418, 422, 424, 451})
USUAL = frozenset({400, 409, 422})  # those of them that services document for records

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
TEXT_LENGTH = 4000  # of a body, searched for a reason
# words for limits and for time-outs, as services give them with any status; codes count as words
_LIMITED = re.compile(
    r"\b(request|rate|call|usage|concurren\w*)s? limit (has been |was |is )?(exceeded|reached)|too many requests"
    r"|\brequest (is )?blocked|\bws request blocked|ws concur session disallwd|request limit exceeded"
    r"|temporarily unavailable|temporary (failure|outage)|try again (later|in)",
    re.IGNORECASE,
)
_TIMED_OUT = re.compile(
    r"\btimed[ -]?out\b|\btime[ -]?out (error|occurred|exceeded|expired)"
    r"|\b(gateway|request|connection|read) time-?out\b"
    r"|(time limit|execution time) exceeded",
    re.IGNORECASE,
)
# words in the errors of sockets and of TLS, and what they mean
CAUSES = (
    ("certificate has expired", "the certificate of {host} has expired: check this machine's clock and the address"),
    ("not yet valid", "the certificate of {host} is not valid yet: correct this machine's clock"),
    ("hostname mismatch", "the certificate is of another host: correct the address"),
    ("ip address mismatch", "the certificate is of another host: correct the address"),
    ("doesn't match", "the certificate is of another host: correct the address"),
    ("certificate", "the certificate of {host} is not trusted: behind a proxy or private authority, set SSL_CERT_FILE"),
    ("wrong version number", "{host} does not speak TLS: correct the address, or the proxy"),
    ("name or service not known", "the host {host} is unknown: correct the address"),
    ("no address associated", "the host {host} is unknown: correct the address"),
    ("nodename nor servname", "the host {host} is unknown: correct the address"),
    ("getaddrinfo", "the host {host} is unknown: correct the address"),
    ("name resolution", "the host {host} cannot be looked up: check the name service of this machine"),
    ("proxy authentication", "the proxy wants user and password: http://user:password@host:port in HTTPS_PROXY"),
)


def retry_after_s(response: httpx.Response, now: datetime) -> float | None:
    """Return the seconds of the Retry-After header, which holds seconds or a date (RFC 9110 §10.2.3).

    Returns:
        0 or more; None without the header, or if it is unreadable. A date counts from `sent_at`.
    """
    text = response.headers.get("retry-after", "").strip()
    seconds = as_number(text) if text else None
    if seconds is None and text:
        seconds = as_number(text.partition(",")[0])
    if seconds is None and text and (moment := as_moment(text)):
        seconds = (moment - sent_at(response, now)).total_seconds()
    return None if seconds is None else max(0.0, seconds)


def sent_at(response: httpx.Response, now: datetime) -> datetime:
    """Return a response's own Date, from which its times count: this machine's clock may be wrong; else `now`."""
    return as_moment(response.headers.get("date", "")) or now


def temporary_failure(
    system: str, operation: str, reason: str, words: str, *, after_s: float | None = None
) -> TransientError | None:
    """Return the error of a limit or a time-out, by the words of the service; None for any other failure.

    Args:
        system: Name of the system.
        operation: Operation for error texts.
        reason: Text of the error.
        words: Code and text of the service, without values that we sent.
        after_s: Seconds of the Retry-After header.
    """
    words = words[:TEXT_LENGTH].replace("_", " ")
    if _LIMITED.search(words):
        return RateLimitedError(system, operation, reason, retry_after_s=after_s)
    return TransientError(system, operation, reason) if _TIMED_OUT.search(words) else None


def proxy_of(base_url: str) -> str:
    """Return the proxy that the environment names for an address (HTTPS_PROXY, ALL_PROXY, NO_PROXY); blank for none."""
    url, proxies = httpx.URL(base_url), getproxies_environment()
    if url.host in LOOPBACK or proxy_bypass_environment(url.netloc.decode(), proxies):
        return ""
    proxy = proxies.get(url.scheme) or proxies.get("all") or ""
    return proxy if "://" in proxy or not proxy else f"http://{proxy}"


def host_of(address: str) -> str:
    """Return host and port of an address, without credentials; blank if it has none."""
    try:
        return httpx.URL(address).netloc.decode()
    except (httpx.InvalidURL, ValueError):
        return ""


def is_untrusted(error: BaseException) -> bool:
    """Return whether the other side could not prove who it is: it was reached, so waiting does not help."""
    return "certificate" in str(error).lower()


def advice_on(error: BaseException, base_url: str, settings: str) -> str:
    """Return what failed in a connection to an address, and what to check (its settings), without credentials."""
    url, proxy = httpx.URL(base_url), proxy_of(base_url)
    through = f" through the proxy {host_of(proxy)} (HTTPS_PROXY, NO_PROXY)" if proxy else ""
    begin = f"no connection to {url.netloc.decode()}{through} ({type(error).__name__})"
    words = str(error).lower()
    causes = [cause.format(host=url.host) for mark, cause in CAUSES if mark in words]
    if causes:
        return f"{begin}: {causes[0]} ({settings})"
    checked = "the proxy, " if proxy else ""
    return f"{begin}; check {checked}the address ({settings}), the network and the firewall"
