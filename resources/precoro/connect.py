"""Open a Precoro client: account, host, call budget; for the resource, the command line and tests."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from resources.clock import Clock, WallClock
from resources.http import ATTEMPTS, HttpClient
from resources.http_pool import NOWHERE, ClosedTransport, invalid_base_url, missing_settings, open_http
from resources.postgres import PostgresLog
from resources.precoro.client import PrecoroClient
from resources.precoro.errors import MAX_WAIT_S, ErrorTranslator
from resources.precoro.field_cache import FieldCache
from resources.rate_limit import CallBudget, Window
from resources.redaction import know

REGIONS = {"com": "https://api.precoro.com", "us": "https://api.precoro.us"}
SPACING_S = 1.1
# precoro.md §3; the spacing enforces "1 per second"
WINDOWS = (Window("minute", 60, 60.0), Window("hour", 1500, 3600.0), Window("day", 3000, 86400.0))
IDENTICAL_GET_S = 60.0
IDENTICAL_PER_HOUR = 30
POSTGRES = "postgres:"
BUDGET_FILE = "precoro_budget.sqlite"


class BudgetedTransport(httpx.BaseTransport):
    """Waits for the budget before each attempt, retries included.

    A second between two sends would not be enough: the first may travel slowly and the second fast.
    """

    def __init__(self, inner: httpx.BaseTransport, budget: CallBudget, account: str) -> None:
        self._inner = inner
        self._budget = budget
        self._account = account

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Record the call and send it; one without a connection does not count."""
        identity = request.url.raw_path.decode() if request.method == "GET" else None
        call = self._budget.acquire(self._account, identity=identity)
        try:
            response = self._inner.handle_request(request)
        except (httpx.ConnectError, httpx.ConnectTimeout):
            self._budget.release(call)
            raise
        self._budget.answered(call)
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
    """Open a client of one company; the arguments are the fields of `PrecoroResource`.

    A missing or invalid setting raises CredentialsError at the first call, not here: a run that does not need Precoro
    does not fail for it.
    """
    transport: httpx.BaseTransport | None = None
    if sandbox:
        # imported late: production does not load the sandbox
        from resources.sandbox.sandbox import BASE_URLS, Sandbox

        opened = Sandbox(Path(sandbox))
        transport, clock = opened.transport("precoro"), clock or opened.clock
        base_url = BASE_URLS["precoro"]
        own = opened.precoro.company(connection) if connection else opened.credentials["precoro"]
        token, email = token or own["token"], email or own["email"]
        budget_file = budget_file or opened.folder / BUDGET_FILE
    know("PRECORO_TOKEN", token)
    host = (base_url or REGIONS.get(region, "")).rstrip("/")
    time = clock or WallClock()
    system = f"precoro_{connection}" if connection else "precoro"
    problem = missing_settings(system, token=token, email=email) or _invalid_host(system, region, host)
    if problem:
        with open_http(NOWHERE, transport=ClosedTransport("precoro", problem)) as pool:
            yield PrecoroClient(HttpClient(pool, system="precoro", clock=time), clock=time)
        return
    account = hashlib.sha256(token.encode()).hexdigest()[:16]
    budget, field_cache = _budget(str(budget_file), account, time, spacing_s)
    with open_http(
        host,
        headers={"X-AUTH-TOKEN": token, "email": email, "Accept": "application/json", "User-Agent": "millpond"},
        transport=transport,
        connections=1,
        ca_file=Path(ca_file) if ca_file else None,
        around=lambda inner: BudgetedTransport(inner, budget, account),
    ) as pool:
        http = HttpClient(
            pool, system="precoro", clock=time, attempts=attempts, translate=ErrorTranslator(time, system),
            max_wait_s=MAX_WAIT_S, address_settings=f"{system.upper()}_REGION, {system.upper()}_BASE_URL",
        )  # fmt: skip
        yield PrecoroClient(
            http,
            clock=time,
            remaining=lambda: budget.remaining(account),
            room_at=lambda calls: budget.room_at(account, calls),
            field_cache=field_cache,
        )


def _invalid_host(system: str, region: str, host: str) -> str:
    """Return why nothing can be sent to the host, blank if it can."""
    if not host:
        return f"{system.upper()}_REGION must be one of {sorted(REGIONS)}, not {region!r}"
    return invalid_base_url(system, host)


def _budget(location: str, account: str, clock: Clock, spacing_s: float) -> tuple[CallBudget, FieldCache | None]:
    """Return the call budget, and the field cache beside its file; in a database there is no cache."""
    file = Path(location) if location else Path.home() / ".millpond" / BUDGET_FILE
    is_shared = location.startswith(POSTGRES)
    budget = CallBudget(
        PostgresLog(location.removeprefix(POSTGRES)) if is_shared else file,
        WINDOWS,
        clock,
        system="precoro",
        identical_get_s=IDENTICAL_GET_S,
        identical_per_hour=IDENTICAL_PER_HOUR,
        spacing_s=spacing_s,
    )
    return budget, None if is_shared else FieldCache(file.with_suffix(".fields.json"), account, clock)
