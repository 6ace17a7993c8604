"""Opens Precoro: who we are, which host, how fast. For the resource, the command line and tests alike."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from resources.budget import CallBudget, Window
from resources.clock import Clock, WallClock
from resources.http import HttpDoor, open_http
from resources.precoro.client import PrecoroClient
from resources.precoro.refusals import Refusals

REGIONS = {"com": "https://api.precoro.com", "us": "https://api.precoro.us"}
SPACING_S = 1.1
# precoro.md §3; "1 a second" is kept by the spacing
WINDOWS = (Window("minute", 60, 60.0), Window("hour", 1500, 3600.0), Window("day", 3000, 86400.0))
IDENTICAL_GET_S = 60.0
IDENTICAL_AN_HOUR = 30


@contextmanager
def open_precoro(
    *,
    token: str = "",
    email: str = "",
    region: str = "com",
    base_url: str = "",
    budget_file: Path | str = "",
    spacing_s: float = SPACING_S,
    sandbox: Path | str = "",
    ca_file: Path | str = "",
    clock: Clock | None = None,
) -> Iterator[PrecoroClient]:
    """One client for one company, closed whatever happens.

    Args:
        token: The company's API token, a secret.
        email: The user whose token it is.
        region: "com" or "us": where the account lives.
        base_url: A host instead of the region's, without a trailing slash.
        budget_file: Where calls are counted; every process that uses the same token must name the same file;
            empty: `.millpond/precoro_budget.sqlite` in the home folder, or the sandbox's own.
        spacing_s: Seconds between two calls.
        sandbox: A sandbox folder to call instead of Precoro; its clock and credentials are used.
        ca_file: A certificate authority to trust, for the sandbox behind TLS.
        clock: Time for waiting; the wall's by default, the sandbox's with a sandbox.

    Raises:
        ValueError: The region is unknown, or there are no credentials.
    """
    transport: httpx.BaseTransport | None = None
    if sandbox:
        from resources.sandbox.world import BASE_URLS, Sandbox

        world = Sandbox(Path(sandbox))
        transport, clock = world.transport("precoro"), clock or world.clock
        base_url = BASE_URLS["precoro"]
        token = token or world.credentials["precoro"]["token"]
        email = email or world.credentials["precoro"]["email"]
        budget_file = budget_file or world.folder / "precoro_budget.sqlite"
    if not token or not email:
        raise ValueError("precoro: token and email are needed; both go with every request")
    if not base_url and region not in REGIONS:
        raise ValueError(f"precoro: region is one of {sorted(REGIONS)}, not {region!r}")
    host = (base_url or REGIONS[region]).rstrip("/")
    time = clock or WallClock()
    budget = CallBudget(
        Path(budget_file) if budget_file else Path.home() / ".millpond" / "precoro_budget.sqlite",
        WINDOWS,
        time,
        system="precoro",
        identical_get_s=IDENTICAL_GET_S,
        identical_an_hour=IDENTICAL_AN_HOUR,
        spacing_s=spacing_s,
    )
    account = hashlib.sha256(token.encode()).hexdigest()[:16]

    def count(request: httpx.Request) -> None:
        """Runs before each try, a repeated one too: only here is it known which GET is about to be sent."""
        identity = request.url.raw_path.decode() if request.method == "GET" else None
        budget.acquire(account, identity=identity)

    headers = {"X-AUTH-TOKEN": token, "email": email, "Accept": "application/json", "User-Agent": "millpond"}
    with open_http(
        host, headers=headers, transport=transport, connections=1, ca_file=Path(ca_file) if ca_file else None
    ) as http:
        http.event_hooks = {"request": [count]}
        door = HttpDoor(http, system="precoro", clock=time, translate=Refusals(time))
        yield PrecoroClient(door, clock=time, remaining=lambda: budget.remaining(account))
