"""State of NetSuite's clients: call log, nonces, access tokens, failed sign-ins.

It is a file beside the records, so that a bulk insert never blocks a client.
"""

import hashlib
import secrets
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from resources.sandbox.netsuite.store.values import utc_text
from resources.sandbox.store import Store
from resources.sandbox.transport import Request

SCHEMA = """
create table if not exists calls (
    call_id integer primary key, at text not null, method text not null, path text not null, status integer not null
);
create index if not exists calls_at on calls (at);
create table if not exists nonces (nonce text primary key, at real not null);
create table if not exists tokens (digest text primary key, scope text not null, expires real not null);
create table if not exists token_uses (digest text primary key, count integer not null);
create table if not exists failures (user text primary key, count integer not null, locked_until real not null)
"""


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


class Journal:
    """The clients' state, shared by all processes."""

    def __init__(self, path: Path) -> None:
        self._store = Store(path, SCHEMA)

    def log(self, now: datetime, request: Request, status: int) -> None:
        """Log a request, without query string and body, which may contain personal data."""
        with self._store.write() as connection:
            connection.execute(
                "insert into calls (at, method, path, status) values (?, ?, ?, ?)",
                (utc_text(now), request.method, request.path, status),
            )

    def calls(self) -> list[dict[str, Any]]:
        """Return all requests so far: at, method, path, status."""
        with self._store.read() as connection:
            found = connection.execute("select at, method, path, status from calls order by call_id").fetchall()
        return [dict(each) for each in found]

    def calls_since(self, moment: datetime) -> int:
        """Return the number of requests after a moment, without those that were answered 429."""
        with self._store.read() as connection:
            sql = "select count(*) from calls where at > ? and status <> 429"
            return int(connection.execute(sql, (utc_text(moment),)).fetchone()[0])

    def count(self) -> int:
        """Return the number of requests so far."""
        with self._store.read() as connection:
            return int(connection.execute("select coalesce(max(call_id), 0) from calls").fetchone()[0])

    def use_nonce(self, nonce: str, now: datetime, keep_s: float) -> bool:
        """Return whether this nonce is new, and store it for as long as its timestamp is valid."""
        with self._store.write() as connection:
            connection.execute("delete from nonces where at < ?", (now.timestamp() - keep_s,))
            sql = "insert into nonces values (?, ?) on conflict do nothing"
            return connection.execute(sql, (nonce, now.timestamp())).rowcount == 1

    def issue_token(self, scope: list[str], now: datetime, lifetime_s: int) -> str:
        """Issue an access token; it looks like NetSuite's but has no content."""
        token = f"eyJraWQiOiJzLlNZU1RFTS4yMDIwXzEiLCJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.{secrets.token_urlsafe(96)}"
        expires = (now + timedelta(seconds=lifetime_s)).timestamp()
        with self._store.write() as connection:
            connection.execute("delete from tokens where expires < ?", (now.timestamp(),))
            connection.execute("insert into tokens values (?, ?, ?)", (_digest(token), " ".join(scope), expires))
        return token

    def token_scope(self, token: str, now: datetime) -> list[str]:
        """Return the scope of a valid access token; empty if it is unknown or expired."""
        with self._store.read() as connection:
            sql = "select scope from tokens where digest = ? and expires > ?"
            found = connection.execute(sql, (_digest(token), now.timestamp())).fetchone()
        return str(found[0]).split() if found else []

    def count_token_use(self, token: str, limit: int) -> None:
        """Count a request made with an access token, and revoke the token after `limit` of them."""
        counted = "insert into token_uses values (?, 1) on conflict do update set count = count + 1 returning count"
        with self._store.write() as connection:
            used = connection.execute(counted, (_digest(token),)).fetchall()[0][0]
            if used >= limit:
                connection.execute("delete from tokens where digest = ?", (_digest(token),))

    def is_locked(self, user: str, now: datetime) -> bool:
        """Return whether failed sign-ins have locked a user."""
        with self._store.read() as connection:
            found = connection.execute("select locked_until from failures where user = ?", (user,)).fetchone()
        return bool(found and found[0] > now.timestamp())

    def sign_in_failed(self, user: str, now: datetime, *, lock_after: int, lock_s: int) -> None:
        """Count a failed sign-in; the last allowed one locks the user."""
        with self._store.write() as connection:
            connection.execute(
                "insert into failures values (?, 1, 0) on conflict do update set count = count + 1", (user,)
            )
            sql = "update failures set count = 0, locked_until = ? where user = ? and count >= ?"
            if lock_after:
                connection.execute(sql, (now.timestamp() + lock_s, user, lock_after))

    def sign_in_succeeded(self, user: str) -> None:
        """Reset the count of failed sign-ins."""
        with self._store.read() as connection:
            found = connection.execute("select count from failures where user = ?", (user,)).fetchone()
        if found and found[0]:
            with self._store.write() as connection:
                connection.execute("update failures set count = 0 where user = ?", (user,))
