"""PostgreSQL sessions: advisory locks over many machines, and their shared log of calls.

PostgreSQL releases a session's locks when the session ends, however it ends.
"""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from resources.clock import Clock, WallClock

# a machine that vanishes keeps its locks no longer than 30 s
QUOTE = "write `name=value` pairs, and a value with spaces in single quotes"
KEEPALIVE = "set tcp_keepalives_idle = 15; set tcp_keepalives_interval = 5; set tcp_keepalives_count = 3"


class CatalogError(Exception):
    """The catalog does not answer, or its connection broke and with it a lock that another process may hold now."""


@contextmanager
def advisory_lock(catalog: str, name: str, timeout_s: float) -> Iterator[Callable[[], None]]:
    """Hold an advisory lock for the block; the yielded check raises if its session broke.

    Raises:
        TimeoutError: Another session held it for longer than `timeout_s`.
        CatalogError: PostgreSQL does not answer, or the check found the session broken.
    """
    with session_of(catalog) as session:
        if not session.lock(name, timeout_s):
            raise TimeoutError(f"{name}: another process holds the lock")
        try:
            yield lambda: session.check(name)
        finally:
            session.unlock(name)


class Session:
    """One connection to PostgreSQL, in autocommit mode."""

    def __init__(self, catalog: str) -> None:
        """Connect, by libpq's connection string; CatalogError if there is no driver or no connection."""
        try:
            import psycopg2  # late: one machine runs without it
        except ModuleNotFoundError:
            raise CatalogError("the PostgreSQL driver is not installed; install `millpond[scale]`") from None
        self._errors = psycopg2.errors
        try:
            self._connection: Any = psycopg2.connect(catalog)
        except psycopg2.ProgrammingError:  # its text quotes a part of what was given
            raise CatalogError(f"MILLPOND_WAREHOUSE_CATALOG is not a valid connection string: {QUOTE}") from None
        except psycopg2.OperationalError as error:
            raise CatalogError(f"the catalog does not answer: {str(error).strip().splitlines()[0]}") from error
        self._connection.autocommit = True
        self.query(KEEPALIVE)

    def query(self, query: str, *values: object) -> Any:
        """Return the first value of the first row; None for a statement."""
        with self._connection.cursor() as cursor:
            cursor.execute(query, values)
            return cursor.fetchone()[0] if cursor.description else None

    def cursor(self) -> AbstractContextManager[Any]:
        """Open a cursor."""
        cursor: AbstractContextManager[Any] = self._connection.cursor()
        return cursor

    def lock(self, name: str, timeout_s: float) -> bool:
        """Take an advisory lock; return False when another session held it for longer than `timeout_s`."""
        if timeout_s <= 0:
            return bool(self.query("select pg_try_advisory_lock(hashtextextended(%s, 0))", name))
        self.query("select set_config('lock_timeout', %s, false)", f"{int(timeout_s * 1000)}")
        try:
            self.query("select pg_advisory_lock(hashtextextended(%s, 0))", name)
        except self._errors.LockNotAvailable:
            return False
        return True

    def unlock(self, name: str) -> None:
        """Release an advisory lock."""
        if not self._connection.closed:
            self.query("select pg_advisory_unlock(hashtextextended(%s, 0))", name)

    def check(self, name: str) -> None:
        """Raise CatalogError if the session, and with it the named lock, is gone."""
        try:
            self.query("select 1")
        except (self._errors.OperationalError, self._errors.InterfaceError) as error:
            raise CatalogError(f"{name}: the connection to the catalog broke; run again") from error

    @property
    def is_alive(self) -> bool:
        """Return whether PostgreSQL still answers."""
        try:
            self.check("")
        except CatalogError:
            return False
        return True

    def close(self) -> None:
        """Disconnect."""
        self._connection.close()


_idle: dict[tuple[int, str], list[Session]] = {}  # by process: a fork must not use its parent's connection
_guard = threading.Lock()


@contextmanager
def session_of(catalog: str) -> Iterator[Session]:
    """Borrow an idle session of this process; opening one for each lock would cost as much as the work under it."""
    idle = _idle.setdefault((os.getpid(), catalog), [])
    with _guard:
        session = idle.pop() if idle else None
    if session is None or not session.is_alive:
        session = Session(catalog)
    try:
        yield session
    except BaseException:
        session.close()  # releases its locks as well
        raise
    with _guard:
        idle.append(session)


class PostgresLog:
    """The log of a call budget (`rate_limit.py`) for the processes of many machines."""

    def __init__(self, catalog: str) -> None:
        """Open or create it."""
        self._catalog = catalog
        with self.transaction() as execute:
            execute(
                "create table if not exists calls"
                " (rowid bigserial, account text not null, at double precision not null, identity text)"
            )
            execute("create index if not exists calls_by_time on calls (account, at)")

    @contextmanager
    def transaction(self) -> Iterator[Callable[..., Any]]:
        """Run one transaction at a time; its lock ends with it."""
        with session_of(self._catalog) as session, session.cursor() as cursor:
            cursor.execute("begin")
            cursor.execute("select pg_advisory_xact_lock(hashtextextended('calls', 0))")

            def execute(statement: str, values: Sequence[object] = ()) -> Any:
                cursor.execute(statement.replace("?", "%s"), values)
                return cursor

            yield execute  # an exception closes the session, which rolls back
            cursor.execute("commit")

    def now(self, execute: Callable[..., Any], clock: Clock) -> float:
        """Return PostgreSQL's time, since the machines' clocks may differ; a simulated clock is shared already."""
        if not isinstance(clock, WallClock):
            return clock.now().timestamp()
        return float(execute("select extract(epoch from clock_timestamp())").fetchone()[0])
