"""`/login/oauth2/v1/…`: authorization code and rotating refresh tokens; no client credentials, no PKCE."""

import base64
import binascii
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

from resources.sandbox.suiteprojects.access import Access, same
from resources.sandbox.suiteprojects.switches import SuiteProjectsSwitches
from resources.sandbox.transport import Answer, Call, json_answer

CODE_LIFE_S = 600


def authorize(access: Access, call: Call, credentials: Mapping[str, Any]) -> Answer:
    """Send the browser back with a code; the stand-in's user always agrees."""
    asked = dict(call.query)
    redirect_uri = asked.get("redirect_uri", "")
    known = same(asked.get("client_id", ""), credentials["client_id"])
    if not known or asked.get("response_type") != "code" or not redirect_uri:
        return json_answer({"error": "invalid_request"}, 400)
    answered = {"code": access.issue("code", redirect_uri)}
    if "state" in asked:
        answered["state"] = asked["state"]
    separator = "&" if "?" in redirect_uri else "?"
    return Answer(302, headers={"Location": redirect_uri + separator + urlencode(answered)})


def token(access: Access, call: Call, credentials: Mapping[str, Any], switches: SuiteProjectsSwitches) -> Answer:
    """Exchange a code or a refresh token; the old refresh token is worth nothing afterwards."""
    if not _is_client(call.headers.get("authorization", ""), credentials):
        return json_answer({"error": "invalid_client"}, 401, headers={"WWW-Authenticate": "Basic"})
    form = dict(parse_qsl(call.body.decode("utf-8", "replace"), keep_blank_values=True))
    grant = form.get("grant_type")
    if grant == "refresh_token":
        good = access.spend(form.get("refresh_token", ""), "refresh", switches.refresh_token_life_s)
    elif grant == "authorization_code":
        good = access.spend(form.get("code", ""), "code", CODE_LIFE_S, form.get("redirect_uri", ""))
    else:
        return json_answer({"error": "unsupported_grant_type"}, 400)
    if not good:
        return json_answer({"error": "invalid_grant"}, 400)
    issued = {
        "access_token": access.issue("access"),
        "refresh_token": access.issue("refresh"),
        "expires_in": switches.access_token_life_s,
        "token_type": "Bearer",
    }
    return json_answer(issued)


def _is_client(header: str, credentials: Mapping[str, Any]) -> bool:
    scheme, _, packed = header.partition(" ")
    try:
        client_id, _, secret = base64.b64decode(packed, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return False
    right_id, right_secret = same(client_id, credentials["client_id"]), same(secret, credentials["client_secret"])
    return scheme.lower() == "basic" and right_id and right_secret
