"""Who may call, and how often: keys, passwords, tokens, quotas, and the log of calls."""

import hmac
import secrets
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lxml import etree

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
NOT_KNOWN, NO_COMPANY, NO_USER, NO_PASSWORD, INACTIVE_USER = 401, 403, 404, 405, 410
NO_KEY, NO_NAMESPACE, WRONG_KEY = 503, 504, 505
OVER_QUOTA = 556
UNLIMITED = 10**9


@dataclass(frozen=True)
class Signed:
    """How a sign-in ended."""

    status: int
    token: str | None = None
    hidden_after: float | None = None

    @property
    def text(self) -> str:
        """What the Auth block holds."""
        return "invalid access token" if self.token and self.status else ""


def same(given: str, expected: str) -> bool:
    """Compare secrets in constant time."""
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), expected.encode())


class Access:
    """Checks of one request."""

    def __init__(
        self,
        con: sqlite3.Connection,
        now: datetime,
        switches: SuiteProjectsSwitches,
        credentials: Mapping[str, Any],
    ) -> None:
        self._con = con
        self._now = now.timestamp()
        self._switches = switches
        self._credentials = credentials

    # --- keys and sign-in -------------------------------------------------------------------------------------

    def key_status(self, request: etree._Element) -> int:
        """0, or why the request's key and namespace are refused."""
        if not request.get("key"):
            return NO_KEY
        if not request.get("namespace"):
            return NO_NAMESPACE
        right = same(request.get("key", ""), self._credentials["key"])
        return 0 if right and same(request.get("namespace", ""), self._credentials["namespace"]) else WRONG_KEY

    def sign_in(self, auth: etree._Element) -> Signed:
        """Check a Login; a wrong token is not rescued by a right password beside it."""
        login = auth.find("Login")
        token = login.findtext("access_token") if login is not None else None
        if token is not None:
            return self.by_token(token)
        given = {
            name: (login.findtext(name) or "") if login is not None else "" for name in ("company", "user", "password")
        }
        for name, status in (("company", NO_COMPANY), ("user", NO_USER), ("password", NO_PASSWORD)):
            if not given[name]:
                return Signed(status)
        right = [same(given[name], self._credentials[name]) for name in given]
        if not all(right):
            return Signed(NOT_KNOWN)
        active = self._con.execute(
            "select 1 from objects where type = 'User' and id = 1 and deleted = 0"
            " and json_extract(data, '$.active') = '1'"
        ).fetchall()
        return Signed(0 if active else INACTIVE_USER)

    def by_token(self, token: str) -> Signed:
        """Check an access token; the sandbox's own never expires."""
        rows = self._con.execute("select kind, issued_at, cache_at from tokens where token = ?", (token,)).fetchall()
        if not rows or rows[0]["kind"] not in {"access", "static"}:
            return Signed(self._switches.bad_token_status, token)
        row = rows[0]
        if row["kind"] == "access" and row["issued_at"] + self._switches.access_token_life_s <= self._now:
            return Signed(self._switches.bad_token_status, token)
        return Signed(0, token, row["cache_at"] if self._switches.filter_set_cache else None)

    # --- tokens -----------------------------------------------------------------------------------------------

    def issue(self, kind: str, redirect_uri: str = "", token: str | None = None) -> str:
        """Make a token known."""
        made = token or secrets.token_urlsafe(32)
        self._con.execute(
            "insert or ignore into tokens values (?, ?, ?, ?, ?)", (made, kind, self._now, self._now, redirect_uri)
        )
        return made

    def spend(self, token: str, kind: str, life_s: float, redirect_uri: str | None = None) -> bool:
        """Use a code or a refresh token, once; False when it is wrong, old or used."""
        rows = self._con.execute("select * from tokens where token = ? and kind = ?", (token, kind)).fetchall()
        if not rows or rows[0]["issued_at"] + life_s <= self._now:
            return False
        if redirect_uri is not None and rows[0]["redirect_uri"] != redirect_uri:
            return False
        self._con.execute("delete from tokens where token = ?", (token,))
        return True

    # --- quotas -----------------------------------------------------------------------------------------------

    def made_since(self, seconds: float) -> int:
        """Calls answered in the last seconds."""
        return int(
            self._con.execute("select count(*) from calls where at > ?", (self._now - seconds,)).fetchall()[0][0]
        )

    def over_quota(self) -> bool:
        """Whether this call is one too many."""
        for allowed, seconds in (
            (self._switches.requests_per_minute, MINUTE_S),
            (self._switches.requests_per_day, DAY_S),
        ):
            if allowed is not None and self.made_since(seconds) >= allowed:
                return True
        return False

    def remaining_today(self) -> int:
        """Requests left in 24 hours, this one counted."""
        allowed = self._switches.requests_per_day
        return UNLIMITED if allowed is None else max(0, allowed - self.made_since(DAY_S))

    def log(self, path: str, commands: str, writes: int) -> None:
        """Count a call."""
        self._con.execute(
            "insert into calls (at, path, commands, writes) values (?, ?, ?, ?)", (self._now, path, commands, writes)
        )
