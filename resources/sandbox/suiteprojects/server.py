"""SuiteProjects Pro's stand-in: the XML API, OAuth 2, the reading half of REST, and what people do in its screens."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from resources.clock import Clock
from resources.sandbox.store import Store
from resources.sandbox.suiteprojects import access, oauth, records, rest, writing
from resources.sandbox.suiteprojects.access import Access
from resources.sandbox.suiteprojects.records import Row, Work
from resources.sandbox.suiteprojects.switches import CURRENCIES, SuiteProjectsSwitches
from resources.sandbox.suiteprojects.xmlapi import answer_xml
from resources.sandbox.switches import SwitchBoard
from resources.sandbox.transport import Answer, Call
from resources.suiteprojects.dictionary import RECORD_TYPES

# the custom fields that a NetSuite integration has: the record's NetSuite internal id
NETSUITE_IDS = {
    "customer": "netsuite_customer_id",
    "project": "netsuite_project_id",
    "contact": "netsuite_contact_id",
}


class SuiteProjectsSandbox:
    """One SuiteProjects Pro account; safe for any number of threads and processes."""

    def __init__(self, path: Path, *, clock: Clock, switches: SwitchBoard, credentials: Mapping[str, Any]) -> None:
        """Open or create the account.

        Args:
            path: SQLite file with its state.
            clock: What time it is there.
            switches: The sandbox folder's switches.
            credentials: company, user, password, namespace, key, access_token, refresh_token, client_id,
                client_secret.
        """
        self._clock = clock
        self._switches = switches
        self._credentials = credentials
        self._store = Store(path, f"{records.SCHEMA};{access.SCHEMA}")
        with self._work() as work:
            if not work.con.execute("select 1 from objects limit 1").fetchall():
                self._seed(work)

    @contextmanager
    def _work(self) -> Iterator[Work]:
        loaded = self._switches.load("suiteprojects", SuiteProjectsSwitches)
        with self._store.write() as con:
            yield Work(con, self._clock.now(), loaded)

    def _access(self, work: Work) -> Access:
        return Access(work.con, work.now, work.switches, self._credentials)

    def _seed(self, work: Work) -> None:
        for name in (self._credentials["user"], "ada", "grace"):
            work.insert("User", {"name": name, "nickname": name, "active": "1", "currency": "USD"})
        for symbol in CURRENCIES:
            work.insert("Currency", {"name": symbol, "symbol": symbol})
        for association, name in NETSUITE_IDS.items():
            title = f"NetSuite {association.capitalize()} ID"
            work.insert("CustField", _text_field(association, name, title))
        checks = self._access(work)
        checks.issue("static", token=self._credentials["access_token"])
        checks.issue("refresh", token=self._credentials["refresh_token"])

    # --- the network ------------------------------------------------------------------------------------------

    def answer(self, call: Call) -> Answer:
        """Do what the service would do with this request; every request is one transaction."""
        path = call.path.rstrip("/")
        with self._work() as work:
            checks = self._access(work)
            if path == "/api.pl" and call.method in {"POST", "PUT"}:
                body = answer_xml(work, checks, call.body, path)
                return Answer(200, body.encode(), {"Content-Type": "text/xml; charset=UTF-8"})
            if path == "/login/oauth2/v1/authorize" and call.method == "GET":
                return oauth.authorize(checks, call, self._credentials)
            if path == "/login/oauth2/v1/token" and call.method == "POST":
                return oauth.token(checks, call, self._credentials, work.switches)
            if path.startswith("/rest/v1/"):
                return rest.answer_rest(work, checks, call)
            status = 405 if path == "/api.pl" else 404
            return Answer(status, b"", {"Content-Type": "text/html"})

    # --- people and tests -------------------------------------------------------------------------------------

    def add(self, type_name: str, **values: str) -> int:
        """Add an object as a person would in the screens; address parts are `addr_city` and so on.

        Returns:
            Its id.

        Raises:
            RefusedError: The service's rules are broken.
        """
        return self.add_many(type_name, [values])[0]

    def add_many(self, type_name: str, objects: Iterable[Mapping[str, str]]) -> list[int]:
        """Add many objects in one transaction; the ids in order."""
        with self._work() as work:
            return [writing.create(work, RECORD_TYPES[type_name], dict(each)).id for each in objects]

    def add_custom_field(self, association: str, name: str, **values: str) -> int:
        """Define a custom text field, as an administrator would; `values` are CustField properties."""
        with self._work() as work:
            return work.insert("CustField", {**_text_field(association, name, name), **values}).id

    def modify(self, type_name: str, key: int, **values: str) -> None:
        """Change an object as a person would.

        Raises:
            LookupError: There is no such live object.
            RefusedError: The service's rules are broken.
        """
        with self._work() as work:
            row = work.get(type_name, key)
            if row is None:
                raise LookupError(f"no live {type_name} {key}")
            writing.change(work, RECORD_TYPES[type_name], row, values)

    def delete(self, type_name: str, key: int) -> None:
        """Delete an object as a person would.

        Raises:
            RefusedError: It does not exist (601) or others depend on it (701).
        """
        with self._work() as work:
            writing.delete(work, RECORD_TYPES[type_name], str(key))

    def rows(self, type_name: str, *, deleted: bool = False) -> list[dict[str, str]]:
        """Every live (or every deleted) object of a type, by id; blank properties are absent."""
        with self._work() as work:
            found = work.rows("where type = ? and deleted = ? order by id", (type_name, int(deleted)))
        return [_plain(row) for row in found]

    def call_log(self) -> list[dict[str, Any]]:
        """Every call that was answered: at (seconds), path, commands such as "Auth,Add*500", writes (objects)."""
        with self._store.read() as con, closing(con.cursor()) as cursor:
            found = cursor.execute("select at, path, commands, writes from calls order by call_id").fetchall()
        return [dict(row) for row in found]

    def calls_made(self) -> int:
        """How many calls were answered."""
        return len(self.call_log())

    def write_calls(self) -> int:
        """How many of them asked to write something."""
        return sum(each["writes"] > 0 for each in self.call_log())


def _plain(row: Row) -> dict[str, str]:
    return {"id": str(row.id), **row.values}


def _text_field(association: str, name: str, title: str) -> dict[str, str]:
    return {
        "name": name,
        "association": association,
        "title": title,
        "picker": "text",
        "maxlength": "20",
        "active": "1",
        "required": "0",
        "force_unique": "0",
    }
