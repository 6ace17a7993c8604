"""How NetSuite's user event signs what it posts, for who checks it and for the stand-in that plays it.

secret, time stamp, nonce, body  ->  signed()  ->  headers of the post  ->  matches()
"""

import hmac
import time
import uuid
from collections.abc import Iterable, Mapping
from hashlib import sha256

PATH = "/hooks/netsuite"
TIMESTAMP, NONCE, SIGNATURE = "x-millpond-timestamp", "x-millpond-nonce", "x-millpond-signature"
SCHEME = "sha256="
MEDIA_TYPE = "application/json"


def signature(secret: str, timestamp: str, nonce: str, body: bytes) -> str:
    """HMAC-SHA256 over time stamp, nonce and body, as lower-case hex."""
    return hmac.new(secret.encode(), f"{timestamp}.{nonce}.".encode() + body, sha256).hexdigest()


def signed(secret: str, body: bytes, *, at: float | None = None, nonce: str = "") -> dict[str, str]:
    """The headers of one post."""
    timestamp, nonce = str(int(time.time() if at is None else at)), nonce or uuid.uuid4().hex
    return {
        "content-type": MEDIA_TYPE,
        TIMESTAMP: timestamp,
        NONCE: nonce,
        SIGNATURE: SCHEME + signature(secret, timestamp, nonce, body),
    }


def matches(secrets: Iterable[str], headers: Mapping[str, str], body: bytes) -> bool:
    """Whether one of the secrets signed this; each is tried, in a time that tells nothing of where it differs.

    NetSuite does not say whether its hex is in upper or lower case, so case does not count.
    """
    given = headers.get(SIGNATURE, "").lower().removeprefix(SCHEME).encode()
    timestamp, nonce = headers.get(TIMESTAMP, ""), headers.get(NONCE, "")
    found = False
    for secret in secrets:
        found |= hmac.compare_digest(signature(secret, timestamp, nonce, body).encode(), given)
    return found
