"""Opens Precoro: who we are, which host, how fast. For the resource, the command line and tests alike."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from resources.clock import Clock, WallClock
from resources.http import ATTEMPTS, NOWHERE, ClosedTransport, HttpClient, bad_address, not_configured, open_http
from resources.precoro.client import PrecoroClient
from resources.precoro.errors import Refusals
from resources.precoro.field_cache import Notes
from resources.rate_limit import CallBudget, CallLog, Window
from resources.warehouse.ducklake import PostgresLog

REGIONS = {"com": "https://api.precoro.com", "us": "https://api.precoro.us"}
SPACING_S = 1.1
# precoro.md §3; "1 a second" is kept by the spacing
WINDOWS = (Window("minute", 60, 60.0), Window("hour", 1500, 3600.0), Window("day", 3000, 86400.0))
IDENTICAL_GET_S = 60.0
IDENTICAL_AN_HOUR = 30
SHARED = "postgres:"


class Counted(httpx.BaseTransport):
    """Waits for room in the budget before each try, a repeated one too.

    A second between two sends would not do: the first may be slow on its way and the second quick.
    """

    def __init__(self, inner: httpx.BaseTransport, budget: CallBudget, account: str) -> None:
        self._inner = inner
        self._budget = budget
        self._account = account

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Note the call and send it; one that never got a connection did not use the allowance."""
        identity = request.url.raw_path.decode() if request.method == "GET" else None
        number = self._budget.acquire(self._account, identity=identity)
        try:
            response = self._inner.handle_request(request)
        except (httpx.ConnectError, httpx.ConnectTimeout):
            self._budget.give_back(number)
            raise
        self._budget.answered(number)
        return response

    def close(self) -> None:
        """Close the connection pool."""
        self._inner.close()


@contextmanager
def open_precoro(
    *,
    token: str = "",
    email: str = "",
    region: str = "com",
    base_url: str = "",
    budget_file: Path | str = "",
    spacing_s: float = SPACING_S,
    attempts: int = ATTEMPTS,
    connection: str = "",
    sandbox: Path | str = "",
    ca_file: Path | str = "",
    clock: Clock | None = None,
) -> Iterator[PrecoroClient]:
    """One client for one company, closed whatever happens.

    A setting that is missing or cannot be used raises CredentialsError at the first call, not here: a run that does
    not need Precoro shall not fail for it.

    Args:
        token: The company's API token, a secret.
        email: The user whose token it is.
        region: "com" or "us": where the account lives.
        base_url: A host instead of the region's, without a trailing slash.
        budget_file: Where calls are counted; every process that uses the same token must name the same file;
            empty: `.millpond/precoro_budget.sqlite` in the home folder, or the sandbox's own. `postgres:` and libpq's
            connection string: in a database, for processes of many machines.
        spacing_s: Seconds between two calls.
        attempts: Tries of one request that gets no answer.
        connection: Name of the company, when there are several: for messages, and for the sandbox's own company.
        sandbox: A sandbox folder to call instead of Precoro; its clock and credentials are used.
        ca_file: A certificate authority to trust, for the sandbox behind TLS.
        clock: Time for waiting; the wall's by default, the sandbox's with a sandbox.
    """
    transport: httpx.BaseTransport | None = None
    if sandbox:
        from resources.sandbox.sandbox import BASE_URLS, Sandbox

        world = Sandbox(Path(sandbox))
        transport, clock = world.transport("precoro"), clock or world.clock
        base_url = BASE_URLS["precoro"]
        own = world.precoro.company(connection) if connection else world.credentials["precoro"]
        token, email = token or own["token"], email or own["email"]
        budget_file = budget_file or world.folder / "precoro_budget.sqlite"
    host = (base_url or REGIONS.get(region, "")).rstrip("/")
    time = clock or WallClock()
    system = f"precoro_{connection}" if connection else "precoro"
    problem = not_configured(system, token=token, email=email)
    problem = problem or ("" if host else f"{system.upper()}_REGION is one of {sorted(REGIONS)}, not {region!r}")
    problem = problem or bad_address(system, host)
    if problem:
        with open_http(NOWHERE, transport=ClosedTransport("precoro", problem)) as pool:
            yield PrecoroClient(HttpClient(pool, system="precoro", clock=time), clock=time)
        return
    counted_in = Path(budget_file) if budget_file else Path.home() / ".millpond" / "precoro_budget.sqlite"
    budget = CallBudget(
        _log_of(str(budget_file)),
        WINDOWS,
        time,
        system="precoro",
        identical_get_s=IDENTICAL_GET_S,
        identical_an_hour=IDENTICAL_AN_HOUR,
        spacing_s=spacing_s,
    )
    account = hashlib.sha256(token.encode()).hexdigest()[:16]

    headers = {"X-AUTH-TOKEN": token, "email": email, "Accept": "application/json", "User-Agent": "millpond"}
    with open_http(
        host,
        headers=headers,
        transport=transport,
        connections=1,
        ca_file=Path(ca_file) if ca_file else None,
        around=lambda inner: Counted(inner, budget, account),
    ) as pool:
        http = HttpClient(pool, system="precoro", clock=time, attempts=attempts, translate=Refusals(time, system))
        noted_in = counted_in.with_suffix(".fields.json")
        notes = None if str(budget_file).startswith(SHARED) else Notes(noted_in, account, time)
        yield PrecoroClient(http, clock=time, remaining=lambda: budget.remaining(account), notes=notes)


def _log_of(budget: str) -> Path | CallLog:
    if budget.startswith(SHARED):
        return PostgresLog(budget.removeprefix(SHARED))
    return Path(budget) if budget else Path.home() / ".millpond" / "precoro_budget.sqlite"
