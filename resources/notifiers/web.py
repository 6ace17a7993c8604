"""Send alerts to a webhook or to Slack.

Notice  ->  JSON  ->  POST, no redirect followed  ->  2xx, or NotSentError

Webhook: `X-Millpond-Signature: t=<seconds>,v1=<hex>`, an HMAC-SHA256 over `<seconds>.<body>` by the shared key.
"""

import hmac
import json
from collections.abc import Mapping
from dataclasses import asdict
from hashlib import sha256
from time import time
from urllib.parse import urlsplit

import httpx

from resources.http_failures import proxy_of
from resources.http_pool import ssl_context
from resources.notifiers.notice import Notice, NotSentError
from resources.notifiers.time_limit import TimeLimit
from resources.visible_text import visible

TIMEOUT_S = 10.0
LOOPBACK = {"127.0.0.1", "localhost", "::1"}
SIGNATURE = "X-Millpond-Signature"
SLACK_HOST = "hooks.slack.com"
MAX_SLACK_TEXT = 3_000  # characters that Slack shows of one text
MAX_REST = 40  # characters of the line that counts the others


def checked_url(url: str, setting: str, host: str = "") -> str:
    """Return the URL if it may be called.

    Raises:
        ValueError: It is not https (except on this machine), or not on the pinned host.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ValueError(f"{setting} is not a valid URL; copy it again") from None
    is_local = parts.hostname in LOOPBACK
    if parts.scheme != "https" and not (parts.scheme == "http" and is_local):
        raise ValueError(f"{setting} must begin with https://")
    if host and parts.hostname != host.lower():
        raise ValueError(f"{setting} must be a URL on {host}")
    return url


def signature(key: str, body: bytes, seconds: int) -> str:
    """Return the value of the signature header."""
    digest = hmac.new(key.encode(), f"{seconds}.".encode() + body, sha256).hexdigest()
    return f"t={seconds},v1={digest}"


class Webhook:
    """A webhook that receives the notice as JSON."""

    name = "webhook"

    def __init__(self, url: str, key: str = "") -> None:
        self._url, self._key = checked_url(url, "MILLPOND_ALERT_WEBHOOK_URL"), key

    def send(self, notice: Notice) -> None:
        """Post the notice, signed if there is a key."""
        body = json.dumps(asdict(notice), ensure_ascii=False).encode()
        signed = {SIGNATURE: signature(self._key, body, int(time()))} if self._key else {}
        _post(self.name, self._url, body, {**signed, "X-Millpond-Notice": notice.notice_id})


class Slack:
    """A Slack channel, through an incoming webhook."""

    name = "slack"

    def __init__(self, url: str, host: str = SLACK_HOST) -> None:
        self._url = checked_url(url, "MILLPOND_ALERT_SLACK_URL", host or SLACK_HOST)

    def send(self, notice: Notice) -> None:
        """Post title and text; Slack's control characters are escaped, so no text becomes a mention or hides a link."""
        text = f"*{_escaped(visible(' '.join(notice.title.split())))}*\n{_escaped(notice.text)}"
        shown = _whole_lines(text, _escaped(notice.link))
        _post(self.name, self._url, json.dumps({"text": shown}, ensure_ascii=False).encode(), {})


def _whole_lines(text: str, link: str) -> str:
    """Return as much as Slack shows, in whole lines: half an address would lead to another record."""
    if len(text) <= MAX_SLACK_TEXT:
        return text
    kept = text[: MAX_SLACK_TEXT - len(link) - MAX_REST].rpartition("\n")[0]
    left = len(text.splitlines()) - len(kept.splitlines()) - bool(link)
    rest = f"… and {left:,} more lines"
    return "\n".join(filter(None, (kept, rest, link)))


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _post(name: str, url: str, body: bytes, headers: Mapping[str, str]) -> None:
    headers = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "millpond", **headers}
    try:
        http = httpx.Client(timeout=TIMEOUT_S, verify=ssl_context(), proxy=proxy_of(url) or None, trust_env=False)
        # the status alone decides: a body that is cut or garbled must not send the notice a second time
        with http, TimeLimit() as limit:
            watched = {"trace": limit.trace}
            with http.stream("POST", url, content=body, headers=headers, extensions=watched) as response:
                is_success, status = response.is_success, response.status_code
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError, ImportError) as error:
        raise NotSentError(f"{name}: {type(error).__name__}") from error
    if not is_success:
        raise NotSentError(f"{name}: HTTP {status}")
