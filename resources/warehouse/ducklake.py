"""The warehouse as DuckLake: tables in an object store, their catalog in PostgreSQL; any number of machines write.

ATTACH 'ducklake:postgres:…' AS stage (DATA_PATH 's3://…')  is the only statement that differs from a DuckDB file.

DuckLake would let several write at once and turn away who comes second at the end. Here they take turns by a lock of
the same PostgreSQL, as they do by a file lock on one machine: nobody's work is thrown away. Reading takes no turn. The
extensions are those of the installed wheels (`millpond[scale]`): nothing is fetched when a run begins.
"""

import importlib.util
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import duckdb

from resources.warehouse.backend import Check, literal

EXTENSIONS = ("ducklake", "postgres_scanner", "httpfs")
INLINED = 1000  # rows of one write that go into the catalog: a file in an object store costs tens of milliseconds
# a machine that vanished without a word keeps its locks no longer than this
KEEPALIVE = "set tcp_keepalives_idle = 15; set tcp_keepalives_interval = 5; set tcp_keepalives_count = 3"


class CatalogError(Exception):
    """The catalog does not answer, or its connection broke while a turn was held: somebody else may have taken it."""


@dataclass(frozen=True)
class Lake:
    """Settings of a DuckLake.

    Attributes:
        catalog: libpq's connection string, without the password (PGPASSWORD or a password file).
        data: Folder of the data files, like `s3://bucket/warehouse`.
        schema: PostgreSQL schema of the catalog; one for each warehouse.
        endpoint: Address of an object store that is not Amazon's, like `http://store:9000`.
        region: Its region.
        key: Its access key.
        secret: Its secret key.
    """

    catalog: str
    data: str
    schema: str = "millpond"
    endpoint: str = ""
    region: str = "us-east-1"
    key: str = ""
    secret: str = field(default="", repr=False)


class LakePlace:
    """One warehouse of a catalog."""

    is_shared = True
    least_mb = 256
    mend = (
        "check MILLPOND_WAREHOUSE_CATALOG, MILLPOND_WAREHOUSE_DATA and the keys of the object store, and that both answer from"
        " this machine; then run again"
    )

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self.name = f"DuckLake {lake.schema}"

    def attach(self, con: duckdb.DuckDBPyConnection) -> None:
        """Load the extensions, say how the object store is signed in to, attach."""
        for name in EXTENSIONS:
            con.execute(f"load {literal(str(extension(name)))}")
        if self._lake.data.startswith("s3://"):
            con.execute(f"create or replace secret millpond (type s3, {self._store()})")
            con.execute("set s3_uploader_max_filesize = '50GB'")  # parts of 5 MB; each file would hold 80 MB otherwise
        catalog, schema = literal(f"ducklake:postgres:{self._lake.catalog}"), literal(self._lake.schema)
        con.execute(
            f"attach {catalog} as stage (data_path {literal(self._lake.data)}, metadata_schema {schema},"
            f" override_data_path true, data_inlining_row_limit {INLINED})"
        )

    def answers(self, con: duckdb.DuckDBPyConnection) -> bool:
        """Whether the catalog still speaks to this connection: it may have been started anew meanwhile."""
        try:
            con.execute("select 1 from ducklake_snapshots('stage') limit 1").fetchall()
        except duckdb.Error:
            return False
        return True

    def _store(self) -> str:
        given = {"key_id": self._lake.key, "secret": self._lake.secret, "region": self._lake.region}
        told = [f"{name} {literal(value)}" for name, value in given.items() if value]
        if self._lake.endpoint:
            address = urlsplit(self._lake.endpoint)
            told += [f"endpoint {literal(address.netloc)}", "url_style 'path'", f"use_ssl {address.scheme == 'https'}"]
        return ", ".join(told)

    def exists(self) -> bool:
        """Whether the catalog has this warehouse."""
        with _borrowed(self._lake.catalog) as session:
            return bool(session.ask("select to_regclass(%s) is not null", f"{self._lake.schema}.ducklake_metadata"))

    def compact(self, con: duckdb.DuckDBPyConnection) -> tuple[int, int]:
        """Forget old states of the tables, put small files together, remove what nobody refers to any more."""
        before = self._bytes(con)
        con.execute("call ducklake_expire_snapshots('stage', older_than => now() - interval 1 day)")
        con.execute("call ducklake_merge_adjacent_files('stage')")
        con.execute("call ducklake_rewrite_data_files('stage')")
        con.execute("call ducklake_cleanup_old_files('stage', older_than => now() - interval 1 day)")
        return before, self._bytes(con)

    def _bytes(self, con: duckdb.DuckDBPyConnection) -> int:
        told = con.execute("select sum(file_size_bytes + delete_file_size_bytes) from ducklake_table_info('stage')")
        return int(told.fetchall()[0][0] or 0)

    @contextmanager
    def turn(self, what: str, timeout_s: float) -> Iterator[Check]:
        """A lock of PostgreSQL, which frees it when its session ends."""
        with advisory_lock(self._lake.catalog, f"{self._lake.schema}/{what}", timeout_s) as check:
            yield check


@contextmanager
def advisory_lock(catalog: str, name: str, timeout_s: float) -> Iterator[Check]:
    """Hold a lock of PostgreSQL for the block; what is yielded raises when its session broke.

    Raises:
        TimeoutError: Somebody else held it for longer than `timeout_s`.
        CatalogError: By the check.
    """
    with _borrowed(catalog) as session:
        if not session.take(name, timeout_s):
            raise TimeoutError(f"{name}: somebody else holds the lock")
        try:
            yield lambda: session.check(name)
        finally:
            session.give_back(name)


class _Session:
    """One connection to PostgreSQL."""

    def __init__(self, catalog: str) -> None:
        import psycopg2  # with `millpond[scale]`; one machine does without

        self._errors = psycopg2.errors
        try:
            self._connection: Any = psycopg2.connect(catalog)
        except psycopg2.OperationalError as error:
            raise CatalogError(f"the catalog does not answer: {str(error).strip().splitlines()[0]}") from error
        self._connection.autocommit = True
        self.ask(KEEPALIVE)

    def ask(self, query: str, *values: object) -> Any:
        """The first value of the first row; None for a statement."""
        with self._connection.cursor() as cursor:
            cursor.execute(query, values)
            return cursor.fetchone()[0] if cursor.description else None

    def cursor(self) -> AbstractContextManager[Any]:
        cursor: AbstractContextManager[Any] = self._connection.cursor()
        return cursor

    def take(self, name: str, timeout_s: float) -> bool:
        if timeout_s <= 0:
            return bool(self.ask("select pg_try_advisory_lock(hashtextextended(%s, 0))", name))
        self.ask("select set_config('lock_timeout', %s, false)", f"{int(timeout_s * 1000)}")
        try:
            self.ask("select pg_advisory_lock(hashtextextended(%s, 0))", name)
        except self._errors.LockNotAvailable:
            return False
        return True

    def check(self, name: str) -> None:
        try:
            self.ask("select 1")
        except (self._errors.OperationalError, self._errors.InterfaceError) as error:
            raise CatalogError(f"{name}: the connection to the catalog broke; run again") from error

    def give_back(self, name: str) -> None:
        if not self._connection.closed:
            self.ask("select pg_advisory_unlock(hashtextextended(%s, 0))", name)

    def close(self) -> None:
        self._connection.close()

    @property
    def answers(self) -> bool:
        try:
            self.check("")
        except CatalogError:
            return False
        return True


_idle: dict[tuple[int, str], list[_Session]] = {}  # by process: a fork must not speak on its parent's connection
_guard = threading.Lock()


@contextmanager
def _borrowed(catalog: str) -> Iterator[_Session]:
    """A session that nobody else in this process uses; opening one for each turn would cost as much as the turn."""
    idle = _idle.setdefault((os.getpid(), catalog), [])
    with _guard:
        session = idle.pop() if idle else None
    if session is None or not session.answers:
        session = _Session(catalog)
    try:
        yield session
    except BaseException:
        session.close()  # whatever it holds is free with it
        raise
    with _guard:
        idle.append(session)


class PostgresLog:
    """The log of a call budget (`budget.py`), for the processes of many machines."""

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
        """One at a time; the lock ends with the transaction."""
        with _borrowed(self._catalog) as session, session.cursor() as cursor:
            cursor.execute("begin")
            cursor.execute("select pg_advisory_xact_lock(hashtextextended('calls', 0))")

            def execute(statement: str, values: Sequence[object] = ()) -> Any:
                cursor.execute(statement.replace("?", "%s"), values)
                return cursor

            yield execute  # an exception closes the session, which rolls back
            cursor.execute("commit")


def extension(name: str) -> Path:
    """The file of an extension in its wheel, for the installed DuckDB.

    Raises:
        duckdb.IOException: There is none.
    """
    found = importlib.util.find_spec(f"duckdb_extension_{name}")
    folder = Path(next(iter(found.submodule_search_locations or [])) if found else "")
    file = folder / "extensions" / f"v{duckdb.__version__}" / f"{name}.duckdb_extension"
    if found is None or not file.exists():
        raise duckdb.IOException(
            f"DuckDB {duckdb.__version__} has no wheel of the extension {name} here; install millpond[scale]"
        )
    return file
