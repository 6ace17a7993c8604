"""Request handling of the simulated SuiteProjects Pro account, and actions in its screens.

request  ->  XML API (xml_api.py) | OAuth 2 (oauth.py) | REST, read only (rest.py)
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from resources.clock import Clock
from resources.sandbox.store import Store
from resources.sandbox.suiteprojects import access, oauth, record_writes, records, rest
from resources.sandbox.suiteprojects.access import Access
from resources.sandbox.suiteprojects.records import Row, Transaction
from resources.sandbox.suiteprojects.switches import CURRENCIES, SuiteProjectsSwitches
from resources.sandbox.suiteprojects.xml_api import handle_xml
from resources.sandbox.switches import SwitchBoard
from resources.sandbox.transport import Request, Response
from resources.suiteprojects.dictionary import RECORD_TYPES

# custom fields of a NetSuite integration: the record's NetSuite internal id
NETSUITE_IDS = {
    "customer": "netsuite_customer_id",
    "project": "netsuite_project_id",
    "contact": "netsuite_contact_id",
}


class SuiteProjectsSandbox:
    """One simulated SuiteProjects Pro account; safe for any number of threads and processes."""

    def __init__(self, path: Path, *, clock: Clock, switches: SwitchBoard, credentials: Mapping[str, Any]) -> None:
        """Open or create the account.

        Args:
            path: SQLite file of the account.
            clock: The sandbox's clock.
            switches: The sandbox folder's switches.
            credentials: company, user, password, namespace, key, access_token, refresh_token, client_id,
                client_secret.
        """
        self._clock = clock
        self._switches = switches
        self._credentials = credentials
        self._store = Store(path, f"{records.SCHEMA};{access.SCHEMA}")
        with self._transaction() as tx:
            if not tx.connection.execute("select 1 from objects limit 1").fetchall():
                self._seed(tx)

    @contextmanager
    def _transaction(self) -> Iterator[Transaction]:
        loaded = self._switches.load("suiteprojects", SuiteProjectsSwitches)
        with self._store.write() as connection:
            yield Transaction(connection, self._clock.now(), loaded)

    def _access(self, tx: Transaction) -> Access:
        return Access(tx.connection, tx.now, tx.switches, self._credentials)

    def _seed(self, tx: Transaction) -> None:
        for name in (self._credentials["user"], "ada", "grace"):
            tx.insert("User", {"name": name, "nickname": name, "active": "1", "currency": "USD"})
        for symbol in CURRENCIES:
            tx.insert("Currency", {"name": symbol, "symbol": symbol})
        for association, name in NETSUITE_IDS.items():
            title = f"NetSuite {association.capitalize()} ID"
            tx.insert("CustField", _text_field(association, name, title))
        access_checks = self._access(tx)
        access_checks.issue("static", token=self._credentials["access_token"])
        access_checks.issue("refresh", token=self._credentials["refresh_token"])

    # --- requests ---------------------------------------------------------------------------------------------

    def handle(self, request: Request) -> Response:
        """Respond as the service would; each request is one transaction."""
        path = request.path.rstrip("/")
        with self._transaction() as tx:
            access_checks = self._access(tx)
            if path == "/api.pl" and request.method in {"POST", "PUT"}:
                body = handle_xml(tx, access_checks, request.body, path)
                return Response(200, body.encode(), {"Content-Type": "text/xml; charset=UTF-8"})
            if path == "/login/oauth2/v1/authorize" and request.method == "GET":
                return oauth.authorize(access_checks, request, self._credentials)
            if path == "/login/oauth2/v1/token" and request.method == "POST":
                return oauth.token(access_checks, request, self._credentials, tx.switches)
            if path.startswith("/rest/v1/"):
                return rest.handle_rest(tx, access_checks, request)
            status = 405 if path == "/api.pl" else 404
            return Response(status, b"", {"Content-Type": "text/html"})

    # --- actions in the screens, and state that tests read ----------------------------------------------------

    def add(self, type_name: str, **values: str) -> int:
        """Add a record; address parts are `addr_city` and so on; return its id.

        Raises:
            ApiError: The service's rules reject it.
        """
        return self.add_many(type_name, [values])[0]

    def add_many(self, type_name: str, objects: Iterable[Mapping[str, str]]) -> list[int]:
        """Add records in one transaction; return their ids in order."""
        with self._transaction() as tx:
            return [record_writes.create(tx, RECORD_TYPES[type_name], dict(each)).id for each in objects]

    def add_custom_field(self, association: str, name: str, **values: str) -> int:
        """Define a custom text field; `values` are further CustField properties."""
        with self._transaction() as tx:
            return tx.insert("CustField", {**_text_field(association, name, name), **values}).id

    def modify(self, type_name: str, key: int, **values: str) -> None:
        """Change a record.

        Raises:
            LookupError: The record does not exist or is deleted.
            ApiError: The service's rules reject the change.
        """
        with self._transaction() as tx:
            row = tx.get(type_name, key)
            if row is None:
                raise LookupError(f"no {type_name} {key}")
            record_writes.change(tx, RECORD_TYPES[type_name], row, values)

    def delete(self, type_name: str, key: int) -> None:
        """Delete a record.

        Raises:
            ApiError: It does not exist (601), or others depend on it (701).
        """
        with self._transaction() as tx:
            record_writes.delete(tx, RECORD_TYPES[type_name], str(key))

    def rows(self, type_name: str, *, deleted: bool = False) -> list[dict[str, str]]:
        """Return the existing (or the deleted) records of a type, by id; blank properties are absent."""
        with self._transaction() as tx:
            found = tx.rows("where type = ? and deleted = ? order by id", (type_name, int(deleted)))
        return [_plain(row) for row in found]

    def call_log(self) -> list[dict[str, Any]]:
        """Return all requests: at (Unix seconds), path, commands such as "Auth,Add*500", writes (number of records)."""
        with self._store.read() as connection, closing(connection.cursor()) as cursor:
            found = cursor.execute("select at, path, commands, writes from calls order by call_id").fetchall()
        return [dict(row) for row in found]

    def calls_made(self) -> int:
        """Return the number of requests."""
        return len(self.call_log())

    def write_calls(self) -> int:
        """Return the number of requests with writes."""
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
