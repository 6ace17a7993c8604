"""A webhook of one's own, and Slack's.

Notice  ->  JSON  ->  POST, no redirect followed  ->  2xx, or NotToldError

Own webhook: `X-Millpond-Signature: t=<seconds>,v1=<hex>`, an HMAC-SHA256 over `<seconds>.<body>` by the shared key.
"""

import hmac
import json
from collections.abc import Mapping
from dataclasses import asdict
from hashlib import sha256
from time import time
from urllib.parse import urlsplit

import httpx

from resources.notifiers.notice import Notice, NotToldError

TIMEOUT_S = 10.0
LOOPBACK = {"127.0.0.1", "localhost", "::1"}
SIGNATURE = "X-Millpond-Signature"
SLACK_HOST = "hooks.slack.com"
MOST_SLACK = 3_000  # characters that Slack shows of one text


def checked_url(url: str, what: str, host: str = "") -> str:
    """The address, when it may be posted to.

    Raises:
        ValueError: It is not https (but for this machine), or another host than the pinned one.
    """
    parts = urlsplit(url)
    is_local = parts.hostname in LOOPBACK
    if parts.scheme != "https" and not (parts.scheme == "http" and is_local):
        raise ValueError(f"{what} must begin with https://")
    if host and parts.hostname != host.lower():
        raise ValueError(f"{what} must be an address of {host}")
    return url


def signature(key: str, body: bytes, seconds: int) -> str:
    """What the header says."""
    digest = hmac.new(key.encode(), f"{seconds}.".encode() + body, sha256).hexdigest()
    return f"t={seconds},v1={digest}"


class Webhook:
    """An address of one's own that takes the notice as JSON."""

    name = "webhook"

    def __init__(self, url: str, key: str = "") -> None:
        self._url, self._key = checked_url(url, "MILLPOND_ALERT_WEBHOOK_URL"), key

    def tell(self, notice: Notice) -> None:
        """Post it, signed when there is a key."""
        body = json.dumps(asdict(notice), ensure_ascii=False).encode()
        signed = {SIGNATURE: signature(self._key, body, int(time()))} if self._key else {}
        _post(self.name, self._url, body, {**signed, "X-Millpond-Notice": notice.notice_id})


class Slack:
    """A channel, by an incoming webhook."""

    name = "slack"

    def __init__(self, url: str, host: str = SLACK_HOST) -> None:
        self._url = checked_url(url, "MILLPOND_ALERT_SLACK_URL", host or SLACK_HOST)

    def tell(self, notice: Notice) -> None:
        """Post title and text; Slack's control characters are escaped, so that no text becomes a link or a call."""
        text = f"*{_plain(notice.title)}*\n{_plain(notice.text)}"
        _post(self.name, self._url, json.dumps({"text": text[:MOST_SLACK]}, ensure_ascii=False).encode(), {})


def _plain(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _post(name: str, url: str, body: bytes, headers: Mapping[str, str]) -> None:
    sent = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "millpond", **headers}
    try:
        answer = httpx.post(url, content=body, headers=sent, timeout=TIMEOUT_S, follow_redirects=False, trust_env=False)
    except httpx.HTTPError as error:
        raise NotToldError(f"{name}: {type(error).__name__}") from error
    if not answer.is_success:
        raise NotToldError(f"{name}: HTTP {answer.status_code}")
