"""A sign-in in front of Dagster's webserver, which has none.

request  ->  known host?  own origin?  signed in?  ->  Dagster, with the user's name and role (identity.py)

A user is known by a password, by a sign-in proxy, or by the sign-in token; a cookie lasts twelve hours. Other web pages
cannot use it: foreign hosts and origins are rejected (a page may point its own name at this machine), and GraphQL over
GET gets no response.
"""

import logging
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orchestration.web.access import COOKIE, Access, Identities
from orchestration.web.client_address import client_address
from orchestration.web.forms import TOKEN_FORM, USER_FORM
from orchestration.web.guesses import Guesses, client_of
from orchestration.web.identity import Identity, acting_as
from orchestration.web.pages import (
    FORM,
    PRIVATE,
    SAFE_METHODS,
    SIGN_IN,
    answer,
    keep,
    read_form,
    redirect,
    report,
    too_many,
    unauthorized,
    with_headers,
)
from orchestration.web.password_sign_in import PasswordSignIn
from orchestration.web.sessions import DEVICE_S, SESSION_S, Sessions, device_mark
from orchestration.web.sign_in_proxy import ProxyError
from orchestration.web.users import UsersError

DEVICE, SIGN_OUT, REPORTS = "millpond_device", "/sign-out", "/reports/"
_LOG = logging.getLogger(__name__)


class SignIn:
    """An ASGI application in front of another one."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app, self._access, self._guesses, self._sessions = app, access, Guesses(), Sessions()
        self._identities = Identities(access, self._sessions)
        self._passwords = PasswordSignIn(access.users, self._sessions, self._guesses)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass allowed requests on, and respond to the others."""
        if scope["type"] in {"http", "websocket"}:
            await answer(self._answer, scope, receive, with_headers(send))
        else:
            await self._app(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            found = await self._response(scope, receive)
        except ProxyError as error:
            found = PlainTextResponse(str(error), 403, PRIVATE)
        except UsersError as error:
            _LOG.error("%s", error)
            found = PlainTextResponse("no one can sign in: the users cannot be read; see the log", 503)
        if isinstance(found, Identity):
            with acting_as(found, scope):
                await self._app(scope, receive, self._while_signed_in(scope, send, found))
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 4401})  # before it is accepted: the handshake fails
        else:
            await found(scope, receive, send)

    async def _response(self, scope: Scope, receive: Receive) -> Response | Identity:  # noqa: PLR0911 - one for each refusal
        """Our own response, or the identity of a request that Dagster answers."""
        headers, peer = Headers(scope=scope), _peer(scope)
        client = client_address(headers, peer, self._access.reverse_proxies)
        is_safe = scope.get("method") in SAFE_METHODS  # a web socket has no method and is never safe
        has_token_on = self._access.role_of_token is not None
        if _host_of(f"//{headers.get('host', '')}") not in self._access.hosts:
            return PlainTextResponse("unknown host name; add it to MILLPOND_UI_ALLOWED_HOSTS", 421)
        if has_token_on and "authorization" in headers and not self._identities.from_proxy(headers, peer):
            if not self._guesses.is_allowed(client_of(client)):
                return too_many()
            if not self._identities.has_token(headers):
                self._guesses.was_wrong(client_of(client))
                return PlainTextResponse("wrong token", 401, {"WWW-Authenticate": "Bearer"})
        if not is_safe and not self._is_same_origin(headers, is_socket=scope["type"] == "websocket"):
            return PlainTextResponse("requests from other origins are not allowed", 403)
        query = dict(parse_qsl(scope["query_string"].decode("latin-1")))
        if scope["path"] == SIGN_IN or (is_safe and has_token_on and "token" in query):
            return await self._sign_in(Request(scope, receive), query, client)
        if not is_safe and (signed_out := self._signed_out(scope, headers)):
            return signed_out
        identity = self._identities.of(headers, peer)
        if identity is None:
            return unauthorized(scope, headers)
        own = self._own_page(scope["path"], query) if is_safe else None
        return own or identity

    def _own_page(self, path: str, query: Mapping[str, str]) -> Response | None:
        if path == "/graphql" and "query" in query:
            return PlainTextResponse("use POST for GraphQL", 405, {"Allow": "POST"})
        return report(self._access.reports, path.removeprefix(REPORTS)) if path.startswith(REPORTS) else None

    def _signed_out(self, scope: Scope, headers: Headers) -> Response | None:
        if scope["type"] != "http" or scope["path"] != SIGN_OUT:
            return None
        self._identities.end_session(headers)
        response = RedirectResponse(SIGN_IN, 303, headers=PRIVATE)
        response.delete_cookie(COOKIE)
        return response

    def _is_same_origin(self, headers: Headers, *, is_socket: bool) -> bool:
        """Return whether the request comes from a page of this server, or from a program with the token."""
        origin = headers.get("origin")
        if origin is None:
            return self._identities.has_token(headers)
        scheme, _, host = origin.partition("://")
        is_own = scheme in {"http", "https"} and host == headers.get("host")
        # a browser says if a page of another scheme of this host sends it; older ones say nothing, and what they say
        # of a web socket, whose own scheme is another one, differs
        return is_own and (is_socket or headers.get("sec-fetch-site", "same-origin") in {"same-origin", "none"})

    def _while_signed_in(self, scope: Scope, send: Send, identity: Identity) -> Send:
        """Close a web socket whose user was removed or has another role or password; requests are short."""
        if scope["type"] != "websocket":
            return send
        headers, peer, is_closed = Headers(scope=scope), _peer(scope), False

        async def sending(message: Message) -> None:
            nonlocal is_closed
            if is_closed:
                return
            if message["type"] == "websocket.send":
                try:
                    is_closed = self._identities.of(headers, peer) != identity
                except (ProxyError, UsersError):
                    is_closed = True
            await send({"type": "websocket.close", "code": 4401} if is_closed else message)

        return sending

    async def _sign_in(self, request: Request, query: dict[str, str], client: str) -> Response:
        """Sign in by the form, or by a link with the token, which is removed from the address at once."""
        if request.method in SAFE_METHODS:
            token, path = query.pop("token", None), request.url.path
            if token is None:
                return HTMLResponse(self._form, headers=FORM)
            return self._check_token(token, f"{path}?{urlencode(query)}" if query else path, request, client)
        form = await read_form(request)
        if isinstance(form, Response):
            return form
        following = query.get("next", "/")
        if "token" in form or not self._access.knows_people:
            return self._check_token(form.get("token", ""), following, request, client)
        found = await self._passwords.check(form, client, request.cookies.get(DEVICE, ""))
        if isinstance(found, Response):
            return found
        name, user = found
        response = redirect(following)
        keep(response, request, COOKIE, self._sessions.session(name, user.credential), SESSION_S)
        keep(response, request, DEVICE, device_mark(self._access.users.device_key, name), DEVICE_S)
        return response

    @property
    def _form(self) -> str:
        return USER_FORM if self._access.knows_people else TOKEN_FORM

    def _check_token(self, token: str, following: str, request: Request, client: str) -> Response:
        if not self._guesses.is_allowed(client_of(client)):
            return too_many()
        if not self._identities.is_token(token):
            self._guesses.was_wrong(client_of(client))
            return HTMLResponse(self._form, 401, headers=FORM)
        response = redirect(following)
        keep(response, request, COOKIE, self._sessions.session("", self._access.token), SESSION_S)
        return response


def _peer(scope: Scope) -> str:
    return str((scope.get("client") or ("",))[0])


def _host_of(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:  # an unclosed bracket
        return None
