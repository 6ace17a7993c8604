"""OAuth 1.0a as NetSuite checks it: HMAC-SHA256 over the method, the URL and every oauth_* parameter.

Source: netsuite.md §3.3, with Oracle's published test vector; clients such as authlib also send oauth_body_hash.
"""

import base64
import hashlib
import hmac
import re
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from oauthlib.oauth1.rfc5849 import signature as rfc5849

_PAIR = re.compile(r'\s*([A-Za-z_]+)="([^"]*)"\s*(?:,|$)')


def oauth_parameters(header: str) -> dict[str, str]:
    """Parse an Authorization header `OAuth realm="…", oauth_…="…"`; empty if malformed."""
    text = header.partition(" ")[2]
    pairs = _PAIR.findall(text)
    if _PAIR.sub("", text).strip() or len(dict(pairs)) != len(pairs):
        return {}
    return {name: unquote(value) for name, value in pairs}


def sign(method: str, url: str, oauth: dict[str, str], consumer_secret: str, token_secret: str) -> str:
    """Return the signature of a request with these secrets."""
    query = parse_qsl(urlsplit(url).query, keep_blank_values=True)
    signed = [(name, value) for name, value in oauth.items() if name not in {"realm", "oauth_signature"}]
    # the stubs accept a dict of parameters only, and not every method
    normalize: Any = rfc5849.normalize_parameters
    base_string: Any = rfc5849.signature_base_string
    base: str = base_string(method, rfc5849.base_string_uri(url), normalize([*query, *signed]))
    key = f"{quote(consumer_secret, safe='~')}&{quote(token_secret, safe='~')}"
    return base64.b64encode(hmac.new(key.encode(), base.encode(), hashlib.sha256).digest()).decode()
