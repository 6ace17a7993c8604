"""Where NetSuite is, and how to sign in."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import dagster as dg
import httpx
from pydantic import Field

from resources.clock import Clock, WallClock
from resources.errors import CredentialsError
from resources.http import ATTEMPTS, NOWHERE, ClosedTransport, bad_address, not_configured, open_http
from resources.netsuite.auth import ClientCredentials, NetSuiteAuth, TokenBased
from resources.netsuite.client import NetSuiteClient, open_http_client
from resources.netsuite.concurrency import DEFAULT_LANES, Lanes

SIGN_INS = ("oauth2", "tba")


def host_of(account: str) -> str:
    """The root of an account's REST services: `1234567_SB1` is served by `1234567-sb1.suitetalk…`."""
    return f"https://{account.lower().replace('_', '-')}.suitetalk.api.netsuite.com"


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
    concurrency: int = DEFAULT_LANES,
    attempts: int = ATTEMPTS,
    sandbox: str = "",
) -> Iterator[NetSuiteClient]:
    """A client on one connection pool, closed whatever happens; the fields are those of `NetSuiteResource`.

    A setting that is missing or cannot be used raises CredentialsError at the first call, not here: a run that does
    not need NetSuite shall not fail for it.
    """
    keys = {
        "account": account,
        "client_id": client_id,
        "certificate_id": certificate_id,
        "private_key_file": private_key_file,
        "consumer_key": consumer_key,
        "consumer_secret": consumer_secret,
        "token_id": token_id,
        "token_secret": token_secret,
    }
    clock: Clock = WallClock()
    transport: httpx.BaseTransport | None = None
    if sandbox:
        # a late import: production does not load the stand-ins
        from resources.sandbox.sandbox import BASE_URLS, Sandbox

        world = Sandbox(Path(sandbox))
        keys.update({name: str(world.credentials["netsuite"][name]) for name in keys})
        base_url, clock, transport = BASE_URLS["netsuite"], world.clock, world.transport("netsuite")
    base_url = base_url or (host_of(keys["account"]) if keys["account"] else NOWHERE)
    signing: NetSuiteAuth | None = None
    try:
        signing = _auth(auth, base_url, keys, clock)
    except CredentialsError as error:
        base_url, transport = NOWHERE, ClosedTransport("netsuite", error.reason)
    lanes = Lanes(concurrency)
    with open_http(base_url, auth=signing, transport=transport, connections=concurrency + 1) as http:
        yield NetSuiteClient(open_http_client(http, clock, lanes, attempts), clock, lanes)


def _auth(kind: str, base_url: str, keys: dict[str, str], clock: Clock) -> NetSuiteAuth:
    needed = {
        "oauth2": ("account", "client_id", "certificate_id", "private_key_file"),
        "tba": ("account", "consumer_key", "consumer_secret", "token_id", "token_secret"),
    }
    if kind not in needed:
        raise CredentialsError("netsuite", "sign in", f"NETSUITE_AUTH must be one of {', '.join(SIGN_INS)}")
    problem = not_configured("netsuite", **{name: keys[name] for name in needed[kind]})
    problem = f"{problem} (NETSUITE_AUTH is {kind})" if problem else bad_address("netsuite", base_url)
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


class NetSuiteResource(dg.ConfigurableResource[NetSuiteClient]):
    """Where NetSuite is and how to sign in."""

    base_url: str = Field(default="", description="REST root without a trailing slash; empty: made from the account.")
    account: str = Field(default="", description="Account id, such as 1234567 or 1234567_SB1.")
    auth: Literal["oauth2", "tba"] = Field(
        default="oauth2", description="OAuth 2.0 client credentials, or token-based sign-in (ends with 2028.1)."
    )
    client_id: str = Field(default="", description="OAuth 2.0: client id of the integration record.")
    certificate_id: str = Field(default="", description="OAuth 2.0: id shown on the client credentials set-up page.")
    private_key_file: str = Field(default="", description="OAuth 2.0: PEM file of the certificate's private key.")
    consumer_key: str = Field(default="", description="Token-based: consumer key; a secret, so give dg.EnvVar.")
    consumer_secret: str = Field(default="", description="Token-based: consumer secret; a secret, so give dg.EnvVar.")
    token_id: str = Field(default="", description="Token-based: token id; a secret, so give dg.EnvVar.")
    token_secret: str = Field(default="", description="Token-based: token secret; a secret, so give dg.EnvVar.")
    concurrency: int = Field(default=DEFAULT_LANES, description="Calls side by side at most; one below the account's.")
    attempts: int = Field(default=ATTEMPTS, description="Tries of one request that gets no answer.")
    sandbox: str = Field(default="", description="Folder of a sandbox to read instead; empty: the real NetSuite.")

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Generator[NetSuiteClient]:  # noqa: ARG002
        """Hand out a plain client on one connection pool."""
        with open_netsuite(
            base_url=self.base_url,
            account=self.account,
            auth=self.auth,
            client_id=self.client_id,
            certificate_id=self.certificate_id,
            private_key_file=self.private_key_file,
            consumer_key=self.consumer_key,
            consumer_secret=self.consumer_secret,
            token_id=self.token_id,
            token_secret=self.token_secret,
            concurrency=self.concurrency,
            attempts=self.attempts,
            sandbox=self.sandbox,
        ) as client:
            yield client
