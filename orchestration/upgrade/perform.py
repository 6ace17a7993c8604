"""Upgrade the user's files, the homes and the warehouses, whichever process comes first.

a lock  ->  copies  ->  user files  ->  each home: files, tables, views  ->  Dagster  ->  version.json

Every part can be repeated: a process that dies leaves upgrade.json behind, and the next one does all parts again.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
from filelock import FileLock, Timeout

from orchestration.configuration.settings import MillpondSettings
from orchestration.dagster_instance import open_instance
from orchestration.opened_warehouse import warehouse_of
from orchestration.upgrade.account_home import AccountHome
from orchestration.upgrade.comments import renew_comments
from orchestration.upgrade.copies import Copies
from orchestration.upgrade.errors import UpgradeError
from orchestration.upgrade.fingerprints import renew_fingerprints
from orchestration.upgrade.installation import account_homes, current_settings, refuse_newer
from orchestration.upgrade.migration import Migration
from orchestration.upgrade.migrations import MIGRATIONS
from orchestration.upgrade.user_files import FileChange, refuse_read_only, user_changes, write_changes
from resources.failpoints import reach
from resources.warehouse.schema_version import SCHEMA_VERSION, read_version, stamp
from resources.warehouse.warehouse import Warehouse, WarehouseError

LOCK, LOCK_TIMEOUT_S = "upgrade.lock", 3600.0
Report = Callable[[str], object]


@dataclass(frozen=True)
class Needed:
    """Everything with names of an earlier version.

    Attributes:
        changes: Changes of files that people edit.
        homes: Homes, each with the version that it has.
        unreadable: Homes whose warehouse cannot be opened.
    """

    changes: Sequence[FileChange]
    homes: Sequence[tuple[AccountHome, int]]
    unreadable: Sequence[AccountHome] = ()

    @property
    def lines(self) -> list[str]:
        """One line per rename in a file and per home."""
        homes = [f"{home.folder}: schema version {version}, needs {SCHEMA_VERSION}" for home, version in self.homes]
        return [*(line for change in self.changes for line in change.lines), *homes]


def upgrade_all(report: Report, *, must_open: bool = True) -> None:
    """Upgrade everything, after any process that is doing so; `report` gets a line for each thing that was converted.

    With `must_open`, a warehouse that cannot be opened is an error; otherwise it is left to whatever uses it.

    Raises:
        UpgradeError: Something cannot be upgraded; the text says what to do.
    """
    settings, file = current_settings()
    settings.home.mkdir(parents=True, exist_ok=True)
    with (
        _storage_errors(),
        FileLock(settings.home / LOCK, LOCK_TIMEOUT_S, fallback_to_soft=False),
        ExitStack() as locks,
    ):
        needed = needed_upgrade(settings, file, must_open=must_open)
        refuse_read_only(needed.changes)
        for home, version in needed.homes:
            _lock_writers(home, _after(version), locks)
        _upgrade(settings, needed, report)
        for home in account_homes(settings):
            if home.folder not in {each.folder for each in needed.unreadable}:
                home.mark_current()


def needed_upgrade(settings: MillpondSettings, file: Path | None, *, must_open: bool = True) -> Needed:
    """Return everything with names of an earlier version; see `upgrade_all`."""
    homes, unreadable = [], []
    for home in account_homes(settings):
        try:
            version = home.version()
        except (WarehouseError, TimeoutError):
            if must_open:
                raise
            unreadable.append(home)
            continue
        refuse_newer(home, version)
        if version and (version < SCHEMA_VERSION or home.interrupted_from):
            homes.append((home, version))
    return Needed(user_changes(settings.workflows, file, MIGRATIONS), homes, unreadable)


def _after(version: int | None) -> list[Migration]:
    """The migrations that a version lacks."""
    return [each for each in MIGRATIONS if version and each.version > version]


def _lock_writers(home: AccountHome, migrations: Sequence[Migration], locks: ExitStack) -> None:
    """Keep processes of the earlier version from writing meanwhile; UpgradeError if one of them is writing."""
    warehouse = warehouse_of(home.settings, any_version=True)
    try:
        for migration in migrations:
            for path in migration.locks(home.folder):
                locks.enter_context(FileLock(path, 0, fallback_to_soft=False))
            for name in migration.shared_locks if home.is_shared else ():
                locks.enter_context(warehouse.lock(name, 0))
    except (Timeout, TimeoutError) as error:
        fix = "stop its UI, webhook and runs, then run again"
        raise UpgradeError(f"{home.folder}: a process of an earlier version is writing to it; {fix}") from error


def _upgrade(settings: MillpondSettings, needed: Needed, report: Report) -> None:
    if not needed.lines:
        return
    shared, release = settings.home.absolute(), MIGRATIONS[-1].release
    copies = {folder: Copies(folder, release) for folder in (shared, *(home.folder for home, _ in needed.homes))}
    for home, version in needed.homes:
        _copy_files(home, version, copies[home.folder])
    reach("upgrade_copied")
    for line in write_changes(needed.changes, copies[shared]):
        report(line)
    reach("upgrade_user_files")
    for home, version in needed.homes:
        _upgrade_home(home, version, report)
    if needed.homes:
        _upgrade_instance(settings, min(version for _, version in needed.homes), report)
    reach("upgrade_published")
    for each in copies.values():
        each.finish(needed.lines)
        report(f"the files as they were before: {each.folder}")


def _copy_files(home: AccountHome, version: int, copies: Copies) -> None:
    """Copy every file that will change; an interrupted upgrade already did."""
    if home.interrupted_from is not None:
        return
    home.folder.mkdir(parents=True, exist_ok=True)
    for migration in _after(version):
        for path in migration.old_files(home.folder):
            copies.keep(path, str(path.relative_to(home.folder)))
    home.begin(version)


def _upgrade_home(home: AccountHome, version: int, report: Report) -> None:
    for migration in _after(version):
        for line in migration.convert_files(home.folder):
            report(line)
    reach("upgrade_files")
    warehouse = warehouse_of(home.settings, any_version=True)
    if warehouse.exists():
        try:
            for line in _upgrade_warehouse(warehouse, home.settings.workflows):
                report(f"{warehouse.backend.name}: {line}")
        except UpgradeError as error:
            raise UpgradeError(f"{warehouse.backend.name}: {error}") from error
        reach("upgrade_tables")
        warehouse.publish()  # analysts see the new names at once


def _upgrade_warehouse(warehouse: Warehouse, workflows: Path) -> Iterator[str]:
    """Bring the tables to the current version, in one transaction."""
    with warehouse.writer(tuned=True) as con:
        migrations = _after(read_version(con))
        if migrations and warehouse.backend.is_shared:
            snapshot = con.execute("select max(snapshot_id) from ducklake_snapshots('warehouse')").fetchall()[0][0]
            yield f"snapshot {snapshot} has the tables as they were before"
        for migration in migrations:
            yield from migration.convert_tables(con)
        if migrations:
            yield from renew_fingerprints(con, workflows, migrations)
            stamp(con)
            renew_comments(con)
        reach("upgrade_tables_open")


def _upgrade_instance(settings: MillpondSettings, version: int, report: Report) -> None:
    """Convert Dagster's instance, if there is one."""
    if not (settings.dagster_home.exists() or os.environ.get("DAGSTER_HOME")):
        return
    with open_instance(settings) as instance:
        for migration in _after(version):
            for line in migration.convert_instance(instance):
                report(line)


@contextmanager
def _storage_errors() -> Iterator[None]:
    """Add to an error of a file or storage what happens next."""
    try:
        yield
    except (WarehouseError, TimeoutError, OSError, sqlite3.Error, duckdb.Error) as error:
        fix = "correct this and run again: the upgrade continues, and copies of the old files are kept"
        raise UpgradeError(f"{error}; {fix}") from error
