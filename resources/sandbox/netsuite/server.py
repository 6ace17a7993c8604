"""NetSuite's stand-in: where a call goes.

call  ->  sign-in (auth.py)  ->  a free slot (governance.py)  ->  query.py | records.py | system operations  ->  journal
trouble.py spoils what comes out, by the switches; all of it is off by default.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from resources.clock import Clock
from resources.sandbox.netsuite import governance, trouble
from resources.sandbox.netsuite.account_clock import AccountClock
from resources.sandbox.netsuite.auth import TOKEN_PATH, Door
from resources.sandbox.netsuite.query import answer_query
from resources.sandbox.netsuite.records import Records
from resources.sandbox.netsuite.refusal import Refusal
from resources.sandbox.netsuite.store.holdings import Holdings
from resources.sandbox.netsuite.store.journal import Journal
from resources.sandbox.netsuite.switches import NetSuiteSwitches
from resources.sandbox.switches import SwitchBoard
from resources.sandbox.transport import Answer, Call, json_answer

SUITEQL_PATH = "/services/rest/query/v1/suiteql"
RECORD_PATH = "/services/rest/record/v1"
TIME_PATH = "/services/rest/system/v1/serverTime"
LIMITS_PATH = "/services/rest/system/v1/governanceLimits"


class NetSuiteSandbox(Holdings):
    """One NetSuite account; safe for any number of threads and processes."""

    def __init__(self, path: Path, *, clock: Clock, switches: SwitchBoard, credentials: Mapping[str, Any]) -> None:
        """Open or create the account.

        Args:
            path: SQLite file of the records; the journal and the slots lie beside it.
            clock: The account's time.
            switches: How the account behaves.
            credentials: account, consumer_key, consumer_secret, token_id, token_secret, client_id, certificate_id,
                public_key (PEM).
        """
        machine, clock = clock, AccountClock(clock, switches)
        super().__init__(path, clock=clock, switches=switches)
        self._machine = machine
        self.journal = Journal(path.with_name(f"{path.stem}_journal.sqlite"))
        self.gate = governance.Gate(path.with_name(f"{path.stem}_slots"), self.journal, clock)
        self._http = Door(credentials, self.journal, clock)
        self._records = Records(self._store)

    def calls(self) -> list[dict[str, Any]]:
        """Every call so far: at, method, path, status."""
        return self.journal.calls()

    def answer(self, call: Call) -> Answer:
        """Do what NetSuite would do with this request."""
        switches = self._load()
        self._settle()
        try:
            answer = self._signed_in(call, switches)
        except Refusal as refusal:
            answer = refusal.answer(switches)
        self.journal.log(self._clock.now(), call, answer.status)
        if switches.edit_every and call.path == SUITEQL_PATH:
            self._edit(call, switches)
        return answer

    def _edit(self, call: Call, switches: NetSuiteSwitches) -> None:
        """Somebody saves a row between two queries, now and then."""
        count = self.journal.count()
        if trouble.is_due(switches.edit_every, count):
            with self._store.write() as connection:
                trouble.save_one(call, f"{switches.edit_seed}:{count}", connection, self.update)

    def _signed_in(self, call: Call, switches: NetSuiteSwitches) -> Answer:
        if call.path == TOKEN_PATH:
            return self._http.issue(call, switches)
        self._http.check(call, switches)
        with self.gate.slot(switches):
            if switches.latency_ms or switches.latency_mean_ms:
                trouble.linger(call, switches, self._machine)
            return self._routed(call, switches)

    def _routed(self, call: Call, switches: NetSuiteSwitches) -> Answer:
        if call.path == SUITEQL_PATH:
            answer = answer_query(call, self._store, self._clock.now(), switches)
            if switches.half_page_every and trouble.is_due(switches.half_page_every, self.journal.count()):
                return trouble.halved(answer, switches)
            return answer
        if call.path == RECORD_PATH or call.path.startswith(f"{RECORD_PATH}/"):
            return self._records.answer(call, call.path.removeprefix(RECORD_PATH).strip("/"), switches)
        if call.method == "GET" and call.path == TIME_PATH:
            return json_answer({"serverTime": f"{self._clock.now():%Y-%m-%dT%H:%M:%S.000Z}"})
        if call.method == "GET" and call.path == LIMITS_PATH:
            if not switches.governance_visible:
                raise Refusal(403, "INSUFFICIENT_PERMISSION", "Permission violation: an administrator may do this.")
            return json_answer(governance.limits(switches))
        raise Refusal(404, "NONEXISTENT_ID", "The requested resource does not exist.", place={"o:errorUrl": call.path})
