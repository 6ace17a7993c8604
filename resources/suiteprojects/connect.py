"""Open a SuiteProjects Pro client or a sign-in session from settings."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from resources.clock import Clock, WallClock
from resources.errors import CredentialsError
from resources.http import ATTEMPTS, HttpClient
from resources.http_pool import NOWHERE, ClosedTransport, invalid_base_url, missing_settings, open_http
from resources.redaction import know
from resources.suiteprojects.auth import Application, PasswordSignIn, RefreshingSignIn, SignIn, TokenSignIn, token_error
from resources.suiteprojects.client import SuiteProjectsClient
from resources.suiteprojects.tokens import TokenFile, issuer_of

SECRET_KEYS = ("password", "key", "client_secret")


@dataclass(frozen=True)
class HttpSession:
    """An HTTP client, its clock, the settings in use, and why nothing can be sent (empty if it can)."""

    http: HttpClient
    clock: Clock
    settings: dict[str, str]
    problem: str

    @property
    def application(self) -> Application:
        """The registered OAuth 2 application."""
        names = ("client_id", "client_secret", "redirect_uri")
        return Application(*(self.settings[name] for name in names))


@contextmanager
def _open_session(
    settings: dict[str, str],
    required: tuple[str, ...],
    *,
    attempts: int,
    sandbox: str,
    ca_file: str = "",
    clock: Clock | None = None,
) -> Iterator[HttpSession]:
    """Open an HTTP session; in a sandbox its own keys replace missing settings.

    Args:
        settings: Settings by name, base_url among them; blank ones are missing.
        required: Settings without which nothing can be sent.
        attempts: Maximum attempts per request.
        sandbox: Folder of a sandbox to use instead of the network.
        ca_file: A certificate authority to trust.
        clock: Time; the sandbox's own with `sandbox`.
    """
    transport = None
    if sandbox:
        # imported late: production does not load the sandbox
        from resources.sandbox.sandbox import BASE_URLS, Sandbox

        opened = Sandbox(Path(sandbox))
        own = {"base_url": BASE_URLS["suiteprojects"], **opened.credentials["suiteprojects"]}
        settings = {name: value or (own.get(name, "") if name in required else "") for name, value in settings.items()}
        transport, clock = opened.transport("suiteprojects"), clock or opened.clock
    for name in SECRET_KEYS:
        know(f"SUITEPROJECTS_{name.upper()}", settings.get(name, ""))
    problem = missing_settings("suiteprojects", **{name: settings[name] for name in required})
    problem = problem or invalid_base_url("suiteprojects", settings["base_url"])
    if problem:
        settings, transport = {**settings, "base_url": NOWHERE}, ClosedTransport("suiteprojects", problem)
    time = clock or WallClock()
    with open_http(settings["base_url"], transport=transport, ca_file=Path(ca_file) if ca_file else None) as pool:
        http = HttpClient(pool, system="suiteprojects", clock=time, attempts=attempts, translate=token_error)
        yield HttpSession(http, time, settings, problem)


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
    encryption_key: str = "",
    attempts: int = ATTEMPTS,
    sandbox: str = "",
    ca_file: str = "",
    clock: Clock | None = None,
) -> Iterator[SuiteProjectsClient]:
    """Open a client; the arguments are the fields of `SuiteProjectsResource`.

    Signs in by OAuth 2 if there is a `client_id` (in a sandbox also after `millpond login`), else by
    `access_token`, else by password. A missing or invalid setting raises CredentialsError at the first call, not here:
    a run that does not need SuiteProjects Pro does not fail for it.
    """
    by_oauth = bool(client_id or (sandbox and token_file and Path(token_file).exists()))
    settings = {
        "base_url": base_url, "company": company, "user": user, "password": password, "namespace": namespace,
        "key": key, "client_id": client_id, "client_secret": client_secret, "redirect_uri": redirect_uri,
    }  # fmt: skip
    password_keys = ("company", "user", "password")
    credentials = ("client_id", "client_secret") if by_oauth else () if access_token else password_keys
    required = ("base_url", "namespace", "key", *credentials)
    with _open_session(settings, required, attempts=attempts, sandbox=sandbox, ca_file=ca_file, clock=clock) as session:
        used = session.settings
        sign_in: SignIn
        if by_oauth:
            issuer = "" if session.problem else issuer_of(used["base_url"], used["client_id"])
            file = TokenFile(Path(token_file), encryption_key, issuer)
            sign_in = RefreshingSignIn(
                session.http, session.application, file,
                clock=session.clock, refresh_token=refresh_token, refresh_days=refresh_days,
            )  # fmt: skip
        elif access_token:
            sign_in = TokenSignIn(access_token)
        else:
            sign_in = PasswordSignIn(used["company"], used["user"], used["password"])
        yield SuiteProjectsClient(
            session.http, namespace=used["namespace"], key=used["key"], sign_in=sign_in, clock=session.clock
        )


@contextmanager
def open_authorization(
    *,
    base_url: str = "",
    client_id: str = "",
    client_secret: str = "",
    redirect_uri: str = "",
    attempts: int = ATTEMPTS,
    sandbox: str = "",
) -> Iterator[HttpSession]:
    """Open a session in which a person authorizes the application; for the arguments see `SuiteProjectsResource`.

    Raises:
        CredentialsError: A setting is missing.
    """
    settings = {
        "base_url": base_url, "client_id": client_id, "client_secret": client_secret, "redirect_uri": redirect_uri,
    }  # fmt: skip
    required = ("base_url", "client_id", "client_secret")
    with _open_session(settings, required, attempts=attempts, sandbox=sandbox) as session:
        if session.problem:
            raise CredentialsError("suiteprojects", "sign in", session.problem)
        yield session
