"""Put a SuiteProjects Pro client together from settings, for scripts, the command line and tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from resources.clock import Clock, WallClock
from resources.http import ATTEMPTS, NOWHERE, ClosedTransport, HttpDoor, bad_address, not_configured, open_http
from resources.suiteprojects.auth import PasswordSignIn, RefreshingSignIn, SignIn, TokenSignIn
from resources.suiteprojects.client import SuiteProjectsClient


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
    refresh_token: str = "",
    token_file: str = "",
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
        client_id: Sign-in by OAuth 2 with `client_secret`, `token_file` and the first `refresh_token`; before both.
        client_secret: As above.
        refresh_token: As above.
        token_file: As above.
        attempts: Tries of one request that gets no answer.
        sandbox: Folder of a sandbox to use in place of the network; its keys are used where none is given.
        ca_file: A certificate authority to trust, for a sandbox behind TLS.
        clock: Time; the sandbox's own with `sandbox`.
    """
    given = {"base_url": base_url, "company": company, "user": user, "password": password}
    given |= {"namespace": namespace, "key": key}
    transport = None
    if sandbox:
        from resources.sandbox.world import BASE_URLS, Sandbox

        world = Sandbox(Path(sandbox))
        own = {"base_url": BASE_URLS["suiteprojects"], **world.credentials["suiteprojects"]}
        given = {name: value or own[name] for name, value in given.items()}
        transport, clock = world.transport("suiteprojects"), clock or world.clock
    optional = {"company", "user", "password"} if client_id or access_token else set()
    problem = not_configured("suiteprojects", **{name: given[name] for name in given if name not in optional})
    problem = problem or bad_address("suiteprojects", given["base_url"])
    if problem:
        given["base_url"], transport = NOWHERE, ClosedTransport("suiteprojects", problem)
    time = clock or WallClock()
    with open_http(given["base_url"], transport=transport, ca_file=Path(ca_file) if ca_file else None) as http:
        door = HttpDoor(http, system="suiteprojects", clock=time, attempts=attempts)
        sign_in: SignIn = PasswordSignIn(given["company"], given["user"], given["password"])
        if client_id:
            sign_in = RefreshingSignIn(
                door,
                client_id=client_id,
                client_secret=client_secret,
                token_file=Path(token_file),
                clock=time,
                refresh_token=refresh_token,
            )
        elif access_token:
            sign_in = TokenSignIn(access_token)
        yield SuiteProjectsClient(door, namespace=given["namespace"], key=given["key"], sign_in=sign_in, clock=time)
