"""Open a NetSuite client: the account's address, the way to sign in, one connection pool."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from resources.account import account_of
from resources.clock import Clock, WallClock
from resources.errors import CredentialsError, RateLimitedError
from resources.http import ATTEMPTS, HttpClient
from resources.http_pool import NOWHERE, ClosedTransport, invalid_base_url, missing_settings, open_http
from resources.netsuite.auth import ClientCredentials, NetSuiteAuth, TokenBased
from resources.netsuite.client import NetSuiteClient
from resources.netsuite.concurrency import DEFAULT_CONCURRENCY, ConcurrencyLimit
from resources.netsuite.errors import SYSTEM, error_of
from resources.redaction import know

PATIENCE_S = 300.0  # a one-minute window may be full of calls, other integrations' included: netsuite.md §4 [U]
REQUIRED = {
    "oauth2": ("account", "client_id", "certificate_id", "private_key_file"),
    "tba": ("account", "consumer_key", "consumer_secret", "token_id", "token_secret"),
}
SECRET_KEYS = ("client_id", "certificate_id", "consumer_key", "consumer_secret", "token_id", "token_secret")


def base_url_of(account: str) -> str:
    """Return the root of an account's REST services: `1234567_SB1` is served by `1234567-sb1.suitetalk…`."""
    return f"https://{account.lower().replace('_', '-')}.suitetalk.api.netsuite.com"


def open_http_client(
    http: httpx.Client, clock: Clock, concurrency: ConcurrencyLimit, attempts: int = ATTEMPTS
) -> HttpClient:
    """Return an HTTP client that translates NetSuite's errors and lowers the concurrency on 429."""

    def translate(response: httpx.Response) -> Any:
        error = error_of(response, clock.now())
        if isinstance(error, RateLimitedError):
            concurrency.decrease()
        return error

    return HttpClient(
        http,
        system=SYSTEM,
        clock=clock,
        attempts=attempts,
        patience_s=PATIENCE_S,
        translate=translate,
        slot=concurrency.slot,
        address_settings="NETSUITE_ACCOUNT, NETSUITE_BASE_URL",
    )


@contextmanager
def open_netsuite(
    *,
    base_url: str = "",
    account: str = "",
    auth: str = "oauth2",
    client_id: str = "",
    certificate_id: str = "",
    private_key_file: str = "",
    consumer_key: str = "",
    consumer_secret: str = "",
    token_id: str = "",
    token_secret: str = "",
    concurrency: int = DEFAULT_CONCURRENCY,
    language: str = "",
    attempts: int = ATTEMPTS,
    sandbox: str = "",
) -> Iterator[NetSuiteClient]:
    """Open a client on one connection pool; the arguments are the fields of `NetSuiteResource`.

    A missing or invalid setting raises CredentialsError at the first call, not here: a run that does not need NetSuite
    does not fail for it.
    """
    keys = {
        "account": account, "client_id": client_id, "certificate_id": certificate_id,
        "private_key_file": private_key_file, "consumer_key": consumer_key, "consumer_secret": consumer_secret,
        "token_id": token_id, "token_secret": token_secret,
    }  # fmt: skip
    clock: Clock = WallClock()
    transport: httpx.BaseTransport | None = None
    if sandbox:
        # imported late: production does not load the sandbox
        from resources.sandbox.filled_transport import FilledSandbox
        from resources.sandbox.sandbox import BASE_URLS, Sandbox

        opened = Sandbox(Path(sandbox))
        keys.update({name: str(opened.credentials["netsuite"][name]) for name in keys})
        base_url, clock = BASE_URLS["netsuite"], opened.clock
        transport = FilledSandbox(opened.folder, opened.transport("netsuite"))
    for name in SECRET_KEYS:
        know(f"NETSUITE_{name.upper()}", keys[name])
    identity = account_of("" if keys["account"] else base_url, account=keys["account"].replace("-", "_"))
    base_url = base_url or (base_url_of(keys["account"]) if keys["account"] else NOWHERE)
    signing: NetSuiteAuth | None = None
    try:
        signing = _auth(auth, base_url, keys, clock)
    except CredentialsError as error:
        base_url, transport = NOWHERE, ClosedTransport("netsuite", error.reason)
    limit = ConcurrencyLimit(concurrency)
    headers = {"Accept-Language": language} if language else None
    with open_http(base_url, auth=signing, headers=headers, transport=transport, connections=concurrency + 1) as http:
        yield NetSuiteClient(open_http_client(http, clock, limit, attempts), clock, limit, account=identity)


def _auth(kind: str, base_url: str, keys: Mapping[str, str], clock: Clock) -> NetSuiteAuth:
    if kind not in REQUIRED:
        raise CredentialsError("netsuite", "sign in", f"NETSUITE_AUTH must be one of {', '.join(REQUIRED)}")
    problem = missing_settings("netsuite", **{name: keys[name] for name in REQUIRED[kind]})
    problem = f"{problem} (NETSUITE_AUTH is {kind})" if problem else invalid_base_url("netsuite", base_url)
    if problem:
        raise CredentialsError("netsuite", "sign in", problem)
    if kind == "tba":
        return TokenBased(
            account=keys["account"],
            consumer_key=keys["consumer_key"],
            consumer_secret=keys["consumer_secret"],
            token_id=keys["token_id"],
            token_secret=keys["token_secret"],
            clock=clock,
        )
    try:
        private_key = Path(keys["private_key_file"]).read_bytes()
    except OSError as error:
        raise CredentialsError("netsuite", "sign in", f"NETSUITE_PRIVATE_KEY_FILE: {error.strerror}") from error
    return ClientCredentials(
        base_url=base_url,
        client_id=keys["client_id"],
        certificate_id=keys["certificate_id"],
        private_key=private_key,
        clock=clock,
    )
