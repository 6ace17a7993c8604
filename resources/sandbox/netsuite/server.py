"""Request handling of the simulated NetSuite account.

request  ->  authentication (auth.py)  ->  concurrency slot (governance.py)  ->  SuiteQL (query.py), metadata catalog
(metadata.py), server time, governance limits  ->  call log (store/journal.py)

The anomalies of anomalies.py are off by default.
"""

from collections.abc import Mapping
from dataclasses import replace
from email.utils import format_datetime
from pathlib import Path
from typing import Any

from resources.clock import Clock
from resources.sandbox.netsuite import anomalies, governance
from resources.sandbox.netsuite.account_clock import AccountClock
from resources.sandbox.netsuite.auth import TOKEN_PATH, Authenticator
from resources.sandbox.netsuite.errors import ApiError, wrong_language
from resources.sandbox.netsuite.metadata import CATALOG_PATH, handle_catalog
from resources.sandbox.netsuite.query import handle_query
from resources.sandbox.netsuite.store.journal import Journal
from resources.sandbox.netsuite.store.record_store import RecordStore
from resources.sandbox.netsuite.suiteql.sqlite_functions import add_functions
from resources.sandbox.netsuite.switches import NetSuiteSwitches
from resources.sandbox.switches import SwitchBoard
from resources.sandbox.transport import Request, Response, json_response

SUITEQL_PATH = "/services/rest/query/v1/suiteql"
TIME_PATH = "/services/rest/system/v1/serverTime"
LIMITS_PATH = "/services/rest/system/v1/governanceLimits"


class NetSuiteSandbox(RecordStore):
    """One simulated NetSuite account; safe for any number of threads and processes."""

    def __init__(self, path: Path, *, clock: Clock, switches: SwitchBoard, credentials: Mapping[str, Any]) -> None:
        """Open or create the account.

        Args:
            path: SQLite file of the records; the journal and the concurrency slots are stored beside it.
            clock: The sandbox's clock.
            switches: The sandbox folder's switches.
            credentials: account, consumer_key, consumer_secret, token_id, token_secret, client_id, certificate_id,
                public_key (PEM).
        """
        account_clock = AccountClock(clock, switches)
        super().__init__(path, clock=account_clock, switches=switches, add_functions=add_functions)
        self._sandbox_clock = clock
        self.journal = Journal(path.with_name(f"{path.stem}_journal.sqlite"))
        self.limiter = governance.ConcurrencyLimiter(path.with_name(f"{path.stem}_slots"), self.journal, account_clock)
        self._authenticator = Authenticator(credentials, self.journal, account_clock)

    def call_log(self) -> list[dict[str, Any]]:
        """Return all requests so far: at, method, path, status."""
        return self.journal.calls()

    def handle(self, request: Request) -> Response:
        """Respond as NetSuite would."""
        switches = self.load_switches()
        self.apply_late_writes()
        try:
            response = self._authenticated(request, switches)
        except ApiError as error:
            response = error.response(switches)
        now = self._clock.now()
        self.journal.log(now, request, response.status)
        response = replace(response, headers={"Date": format_datetime(now, usegmt=True), **response.headers})
        if switches.edit_every and request.path == SUITEQL_PATH:
            self._edit_between_queries(request, switches)
        return response

    def _edit_between_queries(self, request: Request, switches: NetSuiteSwitches) -> None:
        count = self.journal.count()
        if anomalies.is_due(switches.edit_every, count):
            with self.store.write() as connection:
                anomalies.save_one_row(request, f"{switches.edit_seed}:{count}", connection, self.update)

    def _authenticated(self, request: Request, switches: NetSuiteSwitches) -> Response:
        if request.path == TOKEN_PATH:
            return self._authenticator.issue_token(request, switches)
        self._authenticator.authenticate(request, switches)
        if switches.company_language not in {"", request.headers.get("accept-language")}:
            raise wrong_language(switches.company_language)
        with self.limiter.slot(switches):
            if switches.latency_ms or switches.latency_mean_ms:
                anomalies.delay(request, switches, self._sandbox_clock)
            return self.route(request, switches)

    def route(self, request: Request, switches: NetSuiteSwitches) -> Response:
        """Handle an authenticated request; a subclass may add paths.

        Raises:
            ApiError: The request is wrong.
        """
        if request.path == SUITEQL_PATH:
            response = handle_query(request, self.store, self._clock.now(), switches)
            if switches.half_page_every and anomalies.is_due(switches.half_page_every, self.journal.count()):
                return anomalies.half_page(response, switches)
            return anomalies.damaged(response, switches) if switches.bad_text or switches.byte_order_mark else response
        if request.method == "GET" and f"{request.path}/".startswith(f"{CATALOG_PATH}/"):
            return handle_catalog(request, request.path.removeprefix(CATALOG_PATH).strip("/"), switches)
        if request.method == "GET" and request.path == TIME_PATH:
            return json_response({"serverTime": f"{self._clock.now():%Y-%m-%dT%H:%M:%S.000Z}"})
        if request.method == "GET" and request.path == LIMITS_PATH:
            if not switches.governance_visible:
                raise ApiError(403, "INSUFFICIENT_PERMISSION", "Permission violation: an administrator may do this.")
            return json_response(governance.governance_limits(switches))
        raise ApiError(
            404, "NONEXISTENT_ID", "The requested resource does not exist.", location={"o:errorUrl": request.path}
        )
