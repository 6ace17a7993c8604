"""`/login/oauth2/v1/…`: authorization codes and rotating refresh tokens; no client credentials, no PKCE."""

import base64
import binascii
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

from resources.sandbox.suiteprojects.access import Access, same
from resources.sandbox.suiteprojects.switches import SuiteProjectsSwitches
from resources.sandbox.transport import Request, Response, json_response

CODE_LIFE_S = 600


def authorize(access: Access, request: Request, credentials: Mapping[str, Any]) -> Response:
    """Redirect the browser back with a code; the simulated user always agrees."""
    query = dict(request.query)
    redirect_uri = query.get("redirect_uri", "")
    known = same(query.get("client_id", ""), credentials["client_id"])
    if not known or query.get("response_type") != "code" or not redirect_uri:
        return json_response({"error": "invalid_request"}, 400)
    parameters = {"code": access.issue("code", redirect_uri)}
    if "state" in query:
        parameters["state"] = query["state"]
    separator = "&" if "?" in redirect_uri else "?"
    return Response(302, headers={"Location": redirect_uri + separator + urlencode(parameters)})


def token(
    access: Access, request: Request, credentials: Mapping[str, Any], switches: SuiteProjectsSwitches
) -> Response:
    """Exchange a code or a refresh token; a refresh token is valid once."""
    if not _is_client(request.headers.get("authorization", ""), credentials):
        status = switches.token_error_status or 401
        return json_response({"error": "invalid_client"}, status, headers={"WWW-Authenticate": "Basic"})
    form = dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))
    grant = form.get("grant_type")
    if grant == "refresh_token":
        valid = access.redeem(form.get("refresh_token", ""), "refresh", switches.refresh_token_life_s)
    elif grant == "authorization_code":
        valid = access.redeem(form.get("code", ""), "code", CODE_LIFE_S, form.get("redirect_uri", ""))
    else:
        return json_response({"error": "unsupported_grant_type"}, 400)
    if not valid:
        return json_response({"error": "invalid_grant"}, switches.token_error_status or 400)
    return json_response(
        {
            "access_token": access.issue("access"),
            "refresh_token": access.issue("refresh"),
            "expires_in": switches.access_token_life_s,
            "token_type": "Bearer",
        }
    )


def _is_client(header: str, credentials: Mapping[str, Any]) -> bool:
    scheme, _, packed = header.partition(" ")
    try:
        client_id, _, secret = base64.b64decode(packed, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return False
    valid = same(client_id, credentials["client_id"]), same(secret, credentials["client_secret"])
    return scheme.lower() == "basic" and all(valid)
