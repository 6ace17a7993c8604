"""Put a SuiteProjects Pro client together from settings, for scripts, the command line and tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from resources.clock import Clock, WallClock
from resources.errors import CredentialsError
from resources.http import ATTEMPTS, NOWHERE, ClosedTransport, HttpClient, bad_address, not_configured, open_http
from resources.suiteprojects.auth import Application, PasswordSignIn, RefreshingSignIn, SignIn, TokenSignIn
from resources.suiteprojects.client import SuiteProjectsClient
from resources.suiteprojects.tokens import TokenFile


@dataclass(frozen=True)
class Way:
    """A door to the service, the clock that it goes by, and who asks."""

    http: HttpClient
    clock: Clock
    given: dict[str, str]
    problem: str  # what is not set; nothing can be sent then

    @property
    def application(self) -> Application:
        """The registered application."""
        return Application(self.given["client_id"], self.given["client_secret"], self.given["redirect_uri"])


@contextmanager
def open_way(
    given: dict[str, str], needed: tuple[str, ...], *, attempts: int, sandbox: str, ca_file: str, clock: Clock | None
) -> Iterator[Way]:
    """A way to the service; the sandbox's own keys stand in for those that are not given.

    Args:
        given: Settings by name, base_url among them; blank ones are not given.
        needed: Those without which nothing can be sent.
        attempts: Tries of one request that gets no answer.
        sandbox: Folder of a sandbox to use in place of the network.
        ca_file: A certificate authority to trust.
        clock: Time; the sandbox's own with `sandbox`.
    """
    transport = None
    if sandbox:
        from resources.sandbox.sandbox import BASE_URLS, Sandbox

        world = Sandbox(Path(sandbox))
        own = {"base_url": BASE_URLS["suiteprojects"], **world.credentials["suiteprojects"]}
        given = {name: value or (own.get(name, "") if name in needed else "") for name, value in given.items()}
        transport, clock = world.transport("suiteprojects"), clock or world.clock
    problem = not_configured("suiteprojects", **{name: given[name] for name in needed})
    problem = problem or bad_address("suiteprojects", given["base_url"])
    if problem:
        given, transport = {**given, "base_url": NOWHERE}, ClosedTransport("suiteprojects", problem)
    time = clock or WallClock()
    with open_http(given["base_url"], transport=transport, ca_file=Path(ca_file) if ca_file else None) as http:
        yield Way(HttpClient(http, system="suiteprojects", clock=time, attempts=attempts), time, given, problem)


@contextmanager
def open_suiteprojects(
    *,
    base_url: str = "",
    company: str = "",
    user: str = "",
    password: str = "",
    namespace: str = "",
    key: str = "",
    access_token: str = "",
    client_id: str = "",
    client_secret: str = "",
    redirect_uri: str = "",
    refresh_token: str = "",
    refresh_days: float = 0,
    token_file: str = "",
    seal_key: str = "",
    attempts: int = ATTEMPTS,
    sandbox: str = "",
    ca_file: str = "",
    clock: Clock | None = None,
) -> Iterator[SuiteProjectsClient]:
    """A client, closed whatever happens.

    A setting that is missing or cannot be used raises CredentialsError at the first call, not here: a run that does
    not need SuiteProjects Pro shall not fail for it.

    Args:
        base_url: The account's own domain; the sandbox's when empty.
        company: Sign-in by password.
        user: Sign-in by password.
        password: Sign-in by password.
        namespace: API namespace.
        key: API key.
        access_token: Sign-in by a token that somebody else keeps fresh; before the password.
        client_id: Sign-in by OAuth 2 with `client_secret` and `token_file`; before both. In a sandbox somebody who
            signed in by `millpond login` is enough.
        client_secret: As above.
        redirect_uri: As registered.
        refresh_token: A first refresh token from elsewhere, in place of `millpond login`.
        refresh_days: Days that a refresh token lives, as set in the account; 0: not known.
        token_file: Keeps the tokens between runs.
        seal_key: Seals that file.
        attempts: Tries of one request that gets no answer.
        sandbox: Folder of a sandbox to use in place of the network; its keys are used where none is given.
        ca_file: A certificate authority to trust, for a sandbox behind TLS.
        clock: Time; the sandbox's own with `sandbox`.
    """
    by_oauth = bool(client_id or (sandbox and token_file and Path(token_file).exists()))
    given = {
        "base_url": base_url, "company": company, "user": user, "password": password, "namespace": namespace,
        "key": key, "client_id": client_id, "client_secret": client_secret, "redirect_uri": redirect_uri,
    }  # fmt: skip
    common = ("base_url", "namespace", "key")
    person = ("company", "user", "password")
    needed = (*common, *(("client_id", "client_secret") if by_oauth else () if access_token else person))
    with open_way(given, needed, attempts=attempts, sandbox=sandbox, ca_file=ca_file, clock=clock) as way:
        sign_in: SignIn = PasswordSignIn(way.given["company"], way.given["user"], way.given["password"])
        if by_oauth:
            sign_in = RefreshingSignIn(
                way.http,
                way.application,
                TokenFile(Path(token_file), seal_key),
                clock=way.clock,
                refresh_token=refresh_token,
                refresh_days=refresh_days,
            )
        elif access_token:
            sign_in = TokenSignIn(access_token)
        namespace, key = way.given["namespace"], way.given["key"]
        yield SuiteProjectsClient(way.http, namespace=namespace, key=key, sign_in=sign_in, clock=way.clock)


@contextmanager
def open_authorization(
    *,
    base_url: str = "",
    client_id: str = "",
    client_secret: str = "",
    redirect_uri: str = "",
    attempts: int = ATTEMPTS,
    sandbox: str = "",
    ca_file: str = "",
    clock: Clock | None = None,
) -> Iterator[Way]:
    """What it takes to sign in by hand; see `open_suiteprojects` for the arguments.

    Raises:
        CredentialsError: A setting is missing.
    """
    given = {
        "base_url": base_url, "client_id": client_id, "client_secret": client_secret, "redirect_uri": redirect_uri,
    }  # fmt: skip
    needed = ("base_url", "client_id", "client_secret")
    with open_way(given, needed, attempts=attempts, sandbox=sandbox, ca_file=ca_file, clock=clock) as way:
        if way.problem:
            raise CredentialsError("suiteprojects", "sign in", way.problem)
        yield way
