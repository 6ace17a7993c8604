"""Dagster's SQLite storage for one machine, with connections that stay open.

dagster.yaml  ->  KeptSqliteStorage  ->  the files of Dagster's own SQLite storage, unchanged

Dagster itself makes an engine and opens the file for every event. Its last connection then empties the log of changes
(WAL) into the file and waits for the disk, and no compiled statement is ever used twice.
"""

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar

import dagster as dg
import sqlalchemy as db
from sqlalchemy.engine import Connection, Engine, make_url
from sqlalchemy.pool import QueuePool
from watchdog.observers import Observer

from orchestration.configuration.secret_settings import redact
from orchestration.dagster_internals import (
    INDEX_SHARD_NAME,
    ConfigurableClassData,
    DagsterSqliteStorage,
    InstigatorTick,
    PartitionBackfill,
    SqliteEventLogStorage,
    SqliteEventLogStorageWatchdog,
    SqliteRunStorage,
    SqliteScheduleStorage,
    TickData,
    deserialize_value,
    serialize_value,
)

Stored = TypeVar("Stored")
BUSY_S = 30.0  # the time that Dagster's event log waits for another writer
KEPT_FILES = 8  # the index, the run in progress, and those that someone looks at
KEPT_CONNECTIONS = 4
_INHERITED: list[object] = []  # SQLite forbids even to close the connections of a parent process


class Engines:
    """Engines of SQLite files, kept while the file exists; the least recently used one is closed first."""

    def __init__(self, synchronous: Literal["normal", "full"]) -> None:
        """Keep none yet.

        Args:
            synchronous: What a power cut may cost: `full` nothing, `normal` the last transactions. A killed process
                never loses anything.
        """
        self._synchronous = synchronous
        self._begin()

    def _begin(self) -> None:
        self._process, self._lock = os.getpid(), threading.Lock()
        self._kept: OrderedDict[str, tuple[Engine, tuple[int, int] | None]] = OrderedDict()

    @property
    def is_inherited(self) -> bool:
        """True in a forked process, which has a copy of its parent's connections."""
        return os.getpid() != self._process

    def leave_to_parent(self) -> None:
        """In a forked process, keep the parent's connections untouched and begin with none."""
        _INHERITED.append(self._kept)
        self._begin()

    @contextmanager
    def connect(self, path: str) -> Iterator[Connection]:
        """Run one transaction on a file; it is created if missing."""
        with self._engine(path).connect() as connection, connection.begin():
            yield connection

    def _engine(self, path: str) -> Engine:
        if self.is_inherited:
            self.leave_to_parent()
        with self._lock:
            engine, identity = self._kept.pop(path, (None, None))
            current = file_identity(path)
            if engine is not None and identity != current:  # deleted by retention, or replaced
                engine.dispose()
                engine = None
            engine = engine or self._open(path)
            self._kept[path] = engine, current
            while len(self._kept) > KEPT_FILES:
                self._kept.popitem(last=False)[1][0].dispose()
            return engine

    def _open(self, path: str) -> Engine:
        engine = db.create_engine(
            f"sqlite:///{path}",
            poolclass=QueuePool,
            pool_size=KEPT_CONNECTIONS,
            max_overflow=-1,
            connect_args={"timeout": BUSY_S},
        )
        db.event.listen(engine, "connect", self.prepare)
        return engine

    def prepare(self, connection: Any, _record: object) -> None:
        """Prepare a new connection; Dagster made the files with WAL, and a restored copy may lack it."""
        connection.execute("pragma journal_mode = wal")
        connection.execute(f"pragma synchronous = {self._synchronous}")

    def close(self) -> None:
        """Close all connections that are not in use."""
        if self.is_inherited:
            self.leave_to_parent()
        with self._lock:
            for engine, _ in self._kept.values():
                engine.dispose()
            self._kept.clear()


def file_identity(path: str) -> tuple[int, int] | None:
    """Return the identity of a file, which a later one of the same name lacks; None if there is none."""
    try:
        found = Path(path).stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def without_secrets(stored: Stored) -> Stored:
    """Return one of Dagster's own objects with each secret in its texts replaced by its name."""
    return _redacted(stored, serialize_value(stored))  # type: ignore[arg-type]  # what Dagster stores can be serialized


def _redacted(stored: Stored, text: str) -> Stored:
    """Return the object whose serialized text is given, itself if the text has no secret."""
    shown = redact(text)
    return stored if shown == text else deserialize_value(shown, type(stored))  # type: ignore[type-var]


class _SecretError(Exception):
    """An event has a secret; `clean` is the event without it."""

    def __init__(self, clean: dg.EventLogEntry) -> None:
        super().__init__("an event has a secret")
        self.clean = clean


class LogWatchdog(SqliteEventLogStorageWatchdog):
    """Dagster's watch of a run's file and, as connections stay open, of the log in which new events are."""

    @property
    def patterns(self) -> list[str]:
        """The files whose changes are noticed."""
        return [self._log_path, f"{self._log_path}-wal"]

    def on_modified(self, event: object) -> None:  # noqa: ARG002 - whichever file it was
        """Read what is new."""
        self._process_log()


class KeptEventLogStorage(SqliteEventLogStorage):
    """Dagster's events, one file for each run and an index."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines, self._writing = Engines("normal"), threading.local()
        self._parts: set[tuple[tuple[int, int], str]] = set()
        super().__init__(base_dir, inst_data)
        self._db_lock = threading.RLock()  # type: ignore[assignment]  # a transaction covers two files

    def _initdb(self, engine: Engine, for_index_shard: bool = False) -> None:  # noqa: FBT001, FBT002 - Dagster's signature
        """Create the tables of one file, without a wait for the disk after each."""
        db.event.listen(engine, "connect", self._engines.prepare)
        super()._initdb(engine, for_index_shard)

    @contextmanager
    def _one_transaction(self) -> Iterator[None]:
        """Use one transaction for each file until the end of the block; Dagster itself opens one for each statement."""
        if getattr(self._writing, "stack", None) is not None:
            yield
            return
        with ExitStack() as stack:
            self._writing.stack, self._writing.open = stack, {}
            try:
                yield
            finally:
                self._writing.stack, self._writing.open = None, {}

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        stack = getattr(self._writing, "stack", None)
        if stack is None:
            with self._connected(shard) as connection:
                yield connection
            return
        opened: dict[str, Connection] = self._writing.open
        if shard not in opened:
            opened[shard] = stack.enter_context(self._connected(shard))
        yield opened[shard]

    @contextmanager
    def _connected(self, shard: str) -> Iterator[Connection]:
        if self._engines.is_inherited:
            self._engines.leave_to_parent()
            self._db_lock = threading.RLock()  # type: ignore[assignment]  # another thread of the parent may have held it
        path = self.path_for_shard(shard)
        if file_identity(path) is None:
            self._initialized_dbs.discard(shard)
        if shard not in self._initialized_dbs:
            with super()._connect(shard):  # creates the tables
                pass
        with self._db_lock, self._engines.connect(path) as connection:
            yield connection

    def has_table(self, table_name: str) -> bool:
        """Return whether the index has a table; Dagster itself opens the file again for each question."""

        def ask() -> bool:
            with self.index_connection() as connection:
                return bool(connection.dialect.has_table(connection, table_name))

        return self._has(f"table {table_name}", ask)

    def has_asset_key_col(self, column_name: str) -> bool:
        """Return whether the index's table of assets has a column."""
        return self._has(f"column {column_name}", partial(super().has_asset_key_col, column_name))

    def _has_asset_key_col_on_connection(self, conn: Connection, column_name: str) -> bool:
        ask = partial(super()._has_asset_key_col_on_connection, conn, column_name)
        return self._has(f"column {column_name}", ask)

    def has_secondary_index(self, name: str) -> bool:
        """Return whether a migration of the index's data is complete."""
        return self._has(f"migration {name}", partial(super().has_secondary_index, name))

    def _has(self, part: str, ask: Callable[[], bool]) -> bool:
        """Return whether the index has a part, which it then keeps: asked once, not 500 times in a run."""
        index = file_identity(self.path_for_shard(INDEX_SHARD_NAME))
        if index is None:  # it is made by the question
            return ask()
        if (index, part) not in self._parts and ask():
            self._parts.add((index, part))
        return (index, part) in self._parts

    def store_event(self, event: dg.EventLogEntry) -> None:
        """Store an event, without the secrets that an error or a log line may quote."""
        with self._one_transaction():
            try:
                super().store_event(event)
            except _SecretError as error:
                self._writing.clean = error.clean
                super().store_event(error.clean)

    def _event_to_row(self, event: dg.EventLogEntry) -> dict[str, Any]:
        """Return the row of an event, before anything of it is stored.

        The row has the event's text, which is then not made once more only to look for secrets.

        Raises:
            _SecretError: The text has a secret.
        """
        row = super()._event_to_row(event)
        if event is getattr(self._writing, "clean", None):  # the name of a secret may look like one
            return row
        clean = _redacted(event, row["event"])
        if clean is not event:
            raise _SecretError(clean)
        return row

    def store_event_batch(self, events: Sequence[dg.EventLogEntry]) -> None:
        """Store the events of one run, such as all that it plans, all or none of them."""
        with self._one_transaction():
            for event in events:
                self.store_event(event)

    def watch(self, run_id: str, cursor: str | None, callback: Callable[..., Any]) -> None:
        """Call back for each new event of a run, for the page that follows it."""
        observer: Any = self._obs or Observer()
        if self._obs is None:
            observer.start()
            self._obs = observer
        handler = LogWatchdog(self, run_id, callback, cursor)
        self._watchers[run_id][callback] = handler, observer.schedule(handler, self._base_dir, recursive=True)

    def wipe(self) -> None:
        """Delete all events."""
        self._engines.close()
        super().wipe()

    def dispose(self) -> None:
        """Close the connections."""
        super().dispose()
        self._engines.close()


class _OneFile:
    """One file, and a transaction on it: shared by the storages of runs and of schedules."""

    def __init__(self, conn_string: str, inst_data: ConfigurableClassData | None = None) -> None:
        self.engines, self._path = Engines("full"), make_url(conn_string).database or ""
        super().__init__(conn_string, inst_data)  # type: ignore[call-arg]  # Dagster's class

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """Run one transaction."""
        with self.engines.connect(self._path) as connection:
            yield connection

    def dispose(self) -> None:
        """Close the connections."""
        self.engines.close()


class KeptRunStorage(_OneFile, SqliteRunStorage):
    """Dagster's runs, backfills and the daemon's heartbeats, without the secrets that an error may quote."""

    def add_daemon_heartbeat(self, daemon_heartbeat: Any) -> None:  # importing its type loads the daemon
        """Store that the daemon is alive, and its last errors, which the UI shows."""
        errors = [without_secrets(each) for each in daemon_heartbeat.errors or ()]
        super().add_daemon_heartbeat(daemon_heartbeat._replace(errors=errors))

    def update_backfill(self, partition_backfill: PartitionBackfill) -> None:
        """Store the state of a backfill, and why it failed."""
        error = partition_backfill.error and without_secrets(partition_backfill.error)
        super().update_backfill(partition_backfill._replace(error=error))


class KeptScheduleStorage(_OneFile, SqliteScheduleStorage):
    """The states and ticks of schedules and sensors, without the secrets that a tick's error may quote."""

    def create_tick(self, tick_data: TickData) -> InstigatorTick:
        """Store a new tick."""
        return super().create_tick(without_secrets(tick_data))

    def update_tick(self, tick: InstigatorTick) -> InstigatorTick:
        """Store the state of a tick."""
        return super().update_tick(without_secrets(tick))


class KeptSqliteStorage(DagsterSqliteStorage):
    """The three storages, in the folders of Dagster's own."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        """Open the storages in `base_dir`, which is Dagster's home."""
        home = Path(base_dir)
        self.base_dir, self._inst_data = base_dir, inst_data
        self._run_storage = KeptRunStorage.from_local(str(home / "history"))
        self._event_log_storage = KeptEventLogStorage(str(home / "history" / "runs"))
        schedules = KeptScheduleStorage.from_local(str(home / "schedules"))
        assert isinstance(schedules, KeptScheduleStorage)
        schedules.engines.close()  # those that made a new file
        schedules.engines = self._run_storage.engines  # an instance closes its runs, never its schedules
        self._schedule_storage = schedules
        super(DagsterSqliteStorage, self).__init__()  # type: ignore[no-untyped-call]  # not that of Dagster's own files

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Any) -> "KeptSqliteStorage":
        """Open the storage that dagster.yaml configures; Dagster's own method would open its own class."""
        return cls(config_value["base_dir"], inst_data)
