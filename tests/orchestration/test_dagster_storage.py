"""Dagster's storage with connections that stay open: the same files, several processes, killed and forked ones."""

import ast
import inspect
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO, cast

import dagster as dg
import pytest
import sqlalchemy as db
from dagster._core.events import AssetMaterializationPlannedData, DagsterEvent, DagsterEventType

from orchestration.configuration.settings import ROOT
from orchestration.dagster_internals import (
    DagsterSqliteStorage,
    SqliteEventLogStorage,
    SqliteRunStorage,
    SqliteScheduleStorage,
)
from orchestration.dagster_storage import (
    KEPT_FILES,
    KeptEventLogStorage,
    KeptRunStorage,
    KeptScheduleStorage,
)

OWN = "telemetry: {enabled: false}\n"  # without `storage`: Dagster's own classes
RUN = "9dfb4c6e-5c1c-4a7e-8a53-111111111111"
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
CHECK = dg.AssetCheckKey(dg.AssetKey("made"), "holds")
WRITER = """
import os, sys
import dagster as dg
from tests.orchestration.test_dagster_storage import add_events
with dg.DagsterInstance.from_config(os.environ["DAGSTER_HOME"]) as instance:
    add_events(instance, sys.argv[1], int(sys.argv[2]), sys.argv[3], report=sys.stdout)
"""
FORKED = """
import os, sys, gc
import dagster as dg
from tests.orchestration.test_dagster_storage import add_events
with dg.DagsterInstance.from_config(os.environ["DAGSTER_HOME"]) as instance:
    add_events(instance, sys.argv[1], 5, "before")
    lock = instance.event_log_storage._db_lock
    lock.acquire()  # as if another thread were writing
    child = os.fork()
    if child == 0:
        add_events(instance, sys.argv[1], 9, "child")
        instance.dispose()
        gc.collect()
        os._exit(0)
    lock.release()
    add_events(instance, sys.argv[1], 9, "parent")
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    add_events(instance, sys.argv[1], 5, "after")
    sys.exit(code)
"""


@dg.asset(check_specs=[dg.AssetCheckSpec("holds", asset="made")])
def made() -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster reads it
    """Return metadata and a check."""
    passed = dg.AssetCheckResult(check_name="holds", passed=True)
    return dg.MaterializeResult(metadata={"rows": 3}, check_results=[passed])


def add_events(instance: dg.DagsterInstance, run_id: str, count: int, text: str, report: TextIO | None = None) -> None:
    """Store events in the run's file and in the index, each with its own text."""
    for number in range(count):
        instance.report_engine_event(f"{text} {number}", job_name="job", run_id=run_id)
        instance.report_runless_asset_event(dg.AssetMaterialization("made", metadata={"text": f"{text} {number}"}))
        if report:
            report.write(f"{number}\n")
            report.flush()


def messages(instance: dg.DagsterInstance, run_id: str) -> list[str]:
    """Return the texts of a run's events."""
    return [entry.message for entry in instance.all_logs(run_id)]


def indexed(instance: dg.DagsterInstance) -> list[str]:
    """Return the texts of the asset's materializations in the index."""
    found = instance.fetch_materializations(dg.AssetKey("made"), limit=1000).records
    made = [record.asset_materialization for record in found]
    return [str(each.metadata["text"].value) for each in made if each]


def texts(text: str, count: int) -> list[str]:
    """Return what `add_events` stores."""
    return [f"{text} {number}" for number in range(count)]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of Dagster with the project's settings."""
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    (tmp_path / "dagster.yaml").write_text((ROOT / "dagster.yaml").read_text())
    return tmp_path


@pytest.fixture
def instance(home: Path) -> Iterator[dg.DagsterInstance]:
    """An instance of that home."""
    with dg.DagsterInstance.from_config(str(home)) as opened:
        yield opened


def start(code: str, *arguments: str) -> subprocess.Popen[str]:
    """Start a Python process that uses the home."""
    return subprocess.Popen([sys.executable, "-W", "ignore", "-c", code, *arguments], stdout=subprocess.PIPE, text=True)


def test_the_projects_settings_select_the_storage(instance: dg.DagsterInstance) -> None:
    """Also after the settings were sent to another process, as the daemon does."""
    with dg.DagsterInstance.from_ref(instance.get_ref()) as sent:
        for each in (instance, sent):
            assert type(each.event_log_storage) is KeptEventLogStorage
            assert type(each.run_storage) is KeptRunStorage
            assert type(each.schedule_storage) is KeptScheduleStorage


def test_homes_of_dagsters_own_storage_go_on(home: Path) -> None:
    """The files are the same, so that each storage continues what the other one wrote."""
    ours = (home / "dagster.yaml").read_text()
    runs, stored = [], []
    for settings in (OWN, ours, OWN):
        (home / "dagster.yaml").write_text(settings)
        with dg.DagsterInstance.from_config(str(home)) as opened:
            runs.append(dg.materialize([made], instance=opened, run_config=QUIET).run_id)
            stored.append(
                (
                    {each.run_id for each in opened.get_runs()},
                    [len(opened.all_logs(each)) for each in runs],
                    len(opened.fetch_materializations(dg.AssetKey("made"), limit=10).records),
                    len(opened.event_log_storage.get_asset_check_execution_history(CHECK, limit=10)),
                )
            )

    assert stored == [(set(runs[:n]), [stored[0][1][0]] * n, n, n) for n in (1, 2, 3)]
    assert {path.name for path in (home / "history").rglob("*.db")} == {"runs.db", "index.db"} | {
        f"{run}.db" for run in runs
    }


def test_dagsters_classes_are_those_that_are_replaced() -> None:
    """A version of Dagster that connects in another way fails here: adapt `orchestration/dagster_storage.py` to it."""
    assert source(SqliteEventLogStorage._connect) == textwrap.dedent(EVENTS_CONNECT).strip()
    assert source(SqliteRunStorage.connect) == textwrap.dedent(CONNECT).strip()
    assert source(SqliteScheduleStorage.connect) == textwrap.dedent(CONNECT).strip()
    assert source(SqliteEventLogStorage.watch) == textwrap.dedent(WATCH).strip()
    assert source(DagsterSqliteStorage.__init__) == textwrap.dedent(OPEN).strip()
    makers = {
        each.__name__: engine_makers(each) for each in (SqliteEventLogStorage, SqliteRunStorage, SqliteScheduleStorage)
    }
    assert makers == {
        "SqliteEventLogStorage": {"__init__", "has_table", "_connect"},  # the first two at most once in a process
        "SqliteRunStorage": {"from_local", "connect"},
        "SqliteScheduleStorage": {"from_local", "connect"},
    }


def source(function: Callable[..., object]) -> str:
    """Return a function's statements, without decorators, annotations and comments."""
    node = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(function)))).body[0]
    assert isinstance(node, ast.FunctionDef)
    return ast.unparse(ast.Module(node.body, []))


def engine_makers(kind: type) -> set[str]:
    """Return the methods of a class that make an engine."""
    functions = [node for node in ast.walk(ast.parse(inspect.getsource(kind))) if isinstance(node, ast.FunctionDef)]
    return {
        node.name
        for node in functions
        if any(isinstance(each, ast.Name) and each.id == "create_engine" for each in ast.walk(node))
    }


WATCH = """
if not self._obs:
    self._obs = Observer()
    self._obs.start()
watchdog = SqliteEventLogStorageWatchdog(self, run_id, callback, cursor)
self._watchers[run_id][callback] = (watchdog, self._obs.schedule(watchdog, self._base_dir, recursive=True))
"""
EVENTS_CONNECT = """
with self._db_lock:
    check.str_param(shard, 'shard')
    conn_string = self.conn_string_for_shard(shard)
    engine = create_engine(conn_string, poolclass=NullPool, connect_args={'timeout': SQLITE_BUSY_TIMEOUT_SECONDS})
    if shard not in self._initialized_dbs:
        self._initdb(engine)
        self._initialized_dbs.add(shard)
    with engine.connect() as conn:
        with conn.begin():
            yield conn
    engine.dispose()
"""
CONNECT = """
engine = create_engine(self._conn_string, poolclass=NullPool)
with engine.connect() as conn:
    with conn.begin():
        yield conn
"""
OPEN = """
self.base_dir = check.str_param(base_dir, 'base_dir')
self._run_storage = SqliteRunStorage.from_local(_runs_directory(base_dir))
self._event_log_storage = SqliteEventLogStorage(_event_logs_directory(base_dir))
self._schedule_storage = SqliteScheduleStorage.from_local(_schedule_directory(base_dir))
self._inst_data = check.opt_inst_param(inst_data, 'inst_data', ConfigurableClassData)
super().__init__()
"""


def test_connections_stay_open(instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the first event of a run, no further file is opened."""
    add_events(instance, RUN, 1, "first")
    opened: list[str] = []
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *args, **named: opened.append(args[0]) or connect(*args, **named))
    add_events(instance, RUN, 20, "more")
    instance.get_runs()
    instance.all_instigator_state()

    assert opened == []
    assert messages(instance, RUN) == texts("first", 1) + texts("more", 20)


def test_what_the_index_has_is_asked_once(instance: dg.DagsterInstance) -> None:
    """Dagster asks for tables, columns and migrations with each event; they stay."""
    add_events(instance, RUN, 1, "first")
    instance.get_asset_records([dg.AssetKey("made")])
    statements: list[str] = []
    note = lambda *args: statements.append(args[2])  # noqa: E731 - removed below
    db.event.listen(db.Engine, "before_cursor_execute", note)
    try:
        add_events(instance, RUN, 5, "more")
        records = instance.get_asset_records([dg.AssetKey("made")])
    finally:
        db.event.remove(db.Engine, "before_cursor_execute", note)

    assert len(records) == 1
    assert len(statements) > 10
    assert [each for each in statements if "PRAGMA" in each or "secondary_indexes" in each] == []


def planned(count: int) -> list[dg.EventLogEntry]:
    """Return events as a run plans them, of the run's file and of the index."""
    return [
        dg.EventLogEntry(
            error_info=None,
            level=10,
            user_message="",
            run_id=RUN,
            timestamp=float(number),
            dagster_event=DagsterEvent(
                DagsterEventType.ASSET_MATERIALIZATION_PLANNED.value,
                "job",
                event_specific_data=AssetMaterializationPlannedData(dg.AssetKey(["planned", str(number)])),
            ),
        )
        for number in range(count)
    ]


def test_events_that_are_known_at_once_are_stored_at_once(instance: dg.DagsterInstance) -> None:
    """All of them, in the run's file and in the index."""
    instance.event_log_storage.store_event_batch(planned(20))

    assert [entry.timestamp for entry in instance.all_logs(RUN)] == [float(number) for number in range(20)]
    assert {key.path[1] for key in instance.all_asset_keys()} == {str(number) for number in range(20)}
    add_events(instance, RUN, 1, "afterwards")
    assert messages(instance, RUN)[-1] == "afterwards 0"


def test_events_that_cannot_be_stored_at_once_are_not_stored_by_half(instance: dg.DagsterInstance) -> None:
    """Dagster then stores each on its own."""
    broken = [*planned(3), cast("dg.EventLogEntry", "no event")]
    with pytest.raises(Exception, match="str"):
        instance.event_log_storage.store_event_batch(broken)

    assert instance.all_logs(RUN) == []
    assert instance.all_asset_keys() == []
    add_events(instance, RUN, 1, "afterwards")
    assert messages(instance, RUN) == texts("afterwards", 1)


@pytest.mark.long
def test_a_bounded_number_of_files_stays_open(instance: dg.DagsterInstance, home: Path) -> None:
    """A webserver shows thousands of runs; their files may not stay open."""
    for number in range(KEPT_FILES * 3):
        add_events(instance, f"{RUN[:-2]}{number:02}", 1, "one")
    links = [each.readlink() for each in Path("/proc/self/fd").iterdir() if each.exists()]
    files = {path for path in links if path.parent == home / "history" / "runs" and path.suffix == ".db"}

    assert len(files) <= KEPT_FILES


def test_threads_share_the_storage(instance: dg.DagsterInstance) -> None:
    """The webserver and the daemon use it from a pool of threads."""
    failures: list[BaseException] = []

    def write(name: str) -> None:
        try:
            add_events(instance, RUN, 10, name)
            instance.get_runs()
        except BaseException as error:  # noqa: BLE001 - reported by the test
            failures.append(error)

    threads = [threading.Thread(target=write, args=[f"thread {number}"]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not failures
    everything = sorted(text for number in range(4) for text in texts(f"thread {number}", 10))
    assert sorted(messages(instance, RUN)) == sorted(indexed(instance)) == everything


@pytest.mark.long
def test_processes_write_to_one_file_at_once(instance: dg.DagsterInstance) -> None:
    """A run, the daemon and the webserver write at the same time."""
    writers = [start(WRITER, RUN, "10", f"process {number}") for number in range(2)]
    add_events(instance, RUN, 10, "here")
    codes = [(writer.communicate(), writer.returncode)[1] for writer in writers]

    assert codes == [0, 0]
    everything = sorted(texts("here", 10) + [text for number in range(2) for text in texts(f"process {number}", 10)])
    assert sorted(messages(instance, RUN)) == sorted(indexed(instance)) == everything


def test_a_killed_process_loses_no_event(instance: dg.DagsterInstance) -> None:
    """Every event that was stored before SIGKILL is there, and the next process continues."""
    writer = start(WRITER, RUN, "10000", "killed")
    assert writer.stdout
    confirmed = [writer.stdout.readline().strip() for _ in range(12)]
    writer.send_signal(signal.SIGKILL)
    writer.communicate()
    found = messages(instance, RUN), indexed(instance)
    add_events(instance, RUN, 1, "after")

    assert confirmed == [str(number) for number in range(12)]
    for stored in found:
        assert set(texts("killed", 12)) <= set(stored)
    assert messages(instance, RUN)[-1] == "after 0"


@pytest.mark.long
def test_a_forked_process_leaves_the_parents_connections_alone(instance: dg.DagsterInstance) -> None:
    """SQLite forbids to use or to close them there; both processes go on."""
    process = start(FORKED, RUN)
    process.communicate(timeout=120)

    assert process.returncode == 0
    everything = sorted([*texts("before", 5), *texts("child", 9), *texts("parent", 9), *texts("after", 5)])
    assert sorted(messages(instance, RUN)) == sorted(indexed(instance)) == everything


def test_a_page_follows_a_run_whose_process_keeps_its_connections(instance: dg.DagsterInstance, home: Path) -> None:
    """New events are in the log of changes, and the run's file itself changes only at its end."""
    seen: list[str] = []
    arrived = threading.Event()

    def callback(entry: dg.EventLogEntry, _cursor: str) -> None:
        seen.append(entry.message)
        if len(seen) == 4:
            arrived.set()

    with dg.DagsterInstance.from_config(str(home)) as other:
        add_events(other, RUN, 1, "first")
        instance.watch_event_logs(RUN, None, callback)
        add_events(other, RUN, 3, "more")
        arrived.wait(60)
        instance.end_watch_event_logs(RUN, callback)

    assert seen == texts("first", 1) + texts("more", 3)


def test_a_run_deleted_by_another_process_is_written_anew(instance: dg.DagsterInstance, home: Path) -> None:
    """Retention deletes files that this process has open; no event goes into a file without a name."""
    add_events(instance, RUN, 2, "old")
    for path in (home / "history" / "runs").glob(f"{RUN}.db*"):
        path.unlink()
    add_events(instance, RUN, 1, "new")
    with dg.DagsterInstance.from_config(str(home)) as other:
        assert messages(other, RUN) == texts("new", 1)


def test_wiped_events_are_gone(instance: dg.DagsterInstance) -> None:
    """`dagster instance wipe` deletes the files, and the next run begins with new ones."""
    add_events(instance, RUN, 2, "old")
    instance.wipe()
    add_events(instance, RUN, 1, "new")

    assert messages(instance, RUN) == indexed(instance) == texts("new", 1)


def test_a_closed_storage_leaves_one_file_for_each_run(home: Path) -> None:
    """The last process empties the log of changes into the file, so that a copy of the folder is complete."""
    with dg.DagsterInstance.from_config(str(home)) as instance:
        add_events(instance, RUN, 2, "one")
    copy = home.with_name(f"{home.name}-copy")
    shutil.copytree(home, copy)

    assert not [*home.rglob("*.db-wal")]
    with dg.DagsterInstance.local_temp(str(copy)) as copied:
        assert messages(copied, RUN) == texts("one", 2)
