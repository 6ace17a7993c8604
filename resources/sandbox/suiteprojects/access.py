"""Access to the account: keys, passwords, tokens, quotas, and the call log."""

import hmac
import secrets
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lxml import etree

from resources.sandbox.suiteprojects.errors import Status
from resources.sandbox.suiteprojects.switches import SuiteProjectsSwitches

SCHEMA = """
create table if not exists tokens (
    token text primary key, kind text not null, issued_at real not null, cache_at real not null,
    redirect_uri text not null default ''
);
create table if not exists calls (
    call_id integer primary key, at real not null, path text not null, commands text not null, writes integer not null
);
create index if not exists calls_at on calls (at)
"""

MINUTE_S = 60
DAY_S = 86_400
UNLIMITED = 10**9


@dataclass(frozen=True)
class SignIn:
    """The result of a sign-in; with `hidden_after`, later records are hidden from the token (filter-set cache)."""

    status: int
    token: str | None = None
    hidden_after: float | None = None

    @property
    def text(self) -> str:
        """The content of the Auth block."""
        return "invalid access token" if self.token and self.status else ""


def same(given: str, expected: str) -> bool:
    """Compare secrets in constant time."""
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), expected.encode())


class Access:
    """Access checks of one request."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        now: datetime,
        switches: SuiteProjectsSwitches,
        credentials: Mapping[str, Any],
    ) -> None:
        self._connection = connection
        self._now = now.timestamp()
        self._switches = switches
        self._credentials = credentials

    # --- keys and sign-in -------------------------------------------------------------------------------------

    def key_status(self, request: etree._Element) -> int:
        """Return the status of the request's key and namespace; 0 if they are valid."""
        if not request.get("key"):
            return Status.KEY_MISSING
        if not request.get("namespace"):
            return Status.NAMESPACE_MISSING
        valid = [same(request.get(name, ""), self._credentials[name]) for name in ("key", "namespace")]
        return Status.OK if all(valid) else Status.KEY_INVALID

    def sign_in(self, auth: etree._Element) -> SignIn:
        """Check a Login; a wrong token is rejected even beside a correct password."""
        login = auth.find("Login")
        token = login.findtext("access_token") if login is not None else None
        if token is not None:
            return self.by_token(token)
        given = {
            name: (login.findtext(name) or "") if login is not None else "" for name in ("company", "user", "password")
        }
        missing = (Status.COMPANY_MISSING, Status.USER_MISSING, Status.PASSWORD_MISSING)
        for value, status in zip(given.values(), missing, strict=True):
            if not value:
                return SignIn(status)
        valid = [same(value, self._credentials[name]) for name, value in given.items()]
        if not all(valid):
            return SignIn(Status.UNKNOWN_LOGIN)
        active = self._connection.execute(
            "select 1 from objects where type = 'User' and id = 1 and deleted = 0"
            " and json_extract(data, '$.active') = '1'"
        ).fetchall()
        return SignIn(Status.OK if active else Status.USER_INACTIVE)

    def by_token(self, token: str) -> SignIn:
        """Check an access token; the one in the sandbox's credentials never expires."""
        rows = self._connection.execute(
            "select kind, issued_at, cache_at from tokens where token = ?", (token,)
        ).fetchall()
        if not rows or rows[0]["kind"] not in {"access", "static"}:
            return SignIn(self._switches.bad_token_status, token)
        row = rows[0]
        if row["kind"] == "access" and row["issued_at"] + self._switches.access_token_life_s <= self._now:
            return SignIn(self._switches.bad_token_status, token)
        return SignIn(Status.OK, token, row["cache_at"] if self._switches.filter_set_cache else None)

    # --- tokens -----------------------------------------------------------------------------------------------

    def issue(self, kind: str, redirect_uri: str = "", token: str | None = None) -> str:
        """Issue a token of a kind: access, static, refresh or code."""
        issued = token or secrets.token_urlsafe(32)
        self._connection.execute(
            "insert or ignore into tokens values (?, ?, ?, ?, ?)", (issued, kind, self._now, self._now, redirect_uri)
        )
        return issued

    def redeem(self, token: str, kind: str, life_s: float, redirect_uri: str | None = None) -> bool:
        """Use a code or refresh token once; False if it is unknown, expired or used."""
        rows = self._connection.execute("select * from tokens where token = ? and kind = ?", (token, kind)).fetchall()
        if not rows or rows[0]["issued_at"] + life_s <= self._now:
            return False
        if redirect_uri is not None and rows[0]["redirect_uri"] != redirect_uri:
            return False
        self._connection.execute("delete from tokens where token = ?", (token,))
        return True

    # --- quotas -----------------------------------------------------------------------------------------------

    def _requests_in(self, seconds: float) -> int:
        rows = self._connection.execute("select count(*) from calls where at > ?", (self._now - seconds,)).fetchall()
        return int(rows[0][0])

    def over_quota(self) -> bool:
        """Return whether this request exceeds a quota."""
        quotas = ((self._switches.requests_per_minute, MINUTE_S), (self._switches.requests_per_day, DAY_S))
        return any(quota is not None and self._requests_in(seconds) >= quota for quota, seconds in quotas)

    def remaining_today(self) -> int:
        """Return the number of requests left in 24 hours, this one included."""
        quota = self._switches.requests_per_day
        return UNLIMITED if quota is None else max(0, quota - self._requests_in(DAY_S))

    def log(self, path: str, commands: str, writes: int) -> None:
        """Add a request to the call log."""
        self._connection.execute(
            "insert into calls (at, path, commands, writes) values (?, ?, ?, ?)", (self._now, path, commands, writes)
        )
