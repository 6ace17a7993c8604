"""The signature of NetSuite's change notifications, for the webhook and for the sandbox that plays NetSuite.

secret, timestamp, nonce, body  ->  signed_headers()  ->  headers of the request  ->  is_signed_by()
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
    """Return the HMAC-SHA256 of timestamp, nonce and body as lower-case hex."""
    return hmac.new(secret.encode(), f"{timestamp}.{nonce}.".encode() + body, sha256).hexdigest()


def signed_headers(secret: str, body: bytes, *, at: float | None = None, nonce: str = "") -> dict[str, str]:
    """Return the headers of one signed notification."""
    timestamp, nonce = str(int(time.time() if at is None else at)), nonce or uuid.uuid4().hex
    return {
        "content-type": MEDIA_TYPE,
        TIMESTAMP: timestamp,
        NONCE: nonce,
        SIGNATURE: SCHEME + signature(secret, timestamp, nonce, body),
    }


def is_signed_by(secrets: Iterable[str], headers: Mapping[str, str], body: bytes) -> bool:
    """Return whether one of the secrets signed this request, in constant time.

    NetSuite does not document whether its hex digits are in upper or lower case, so case is ignored.
    """
    given = headers.get(SIGNATURE, "").lower().removeprefix(SCHEME).encode()
    timestamp, nonce = headers.get(TIMESTAMP, ""), headers.get(NONCE, "")
    found = False
    for secret in secrets:
        found |= hmac.compare_digest(signature(secret, timestamp, nonce, body).encode(), given)
    return found
