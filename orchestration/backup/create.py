"""Make a backup while runs go on: each part is copied as of one moment, runs wait only for the warehouse's copy.

home  ->  copies in a private folder of it  ->  manifest with checksums  ->  one archive
"""

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version as installed_version
from pathlib import Path

import duckdb
from filelock import FileLock, Timeout

from orchestration.backup.archive import digest_of, write_archive
from orchestration.backup.errors import BackupError
from orchestration.backup.manifest import Manifest, Member, facts_of
from orchestration.backup.parts import DATABASE_FILE, Part, folder_of, parts_of, run_parts
from orchestration.configuration.settings import MillpondSettings
from orchestration.opened_warehouse import warehouse_of
from resources.encryption import PREFIX
from resources.failpoints import reach
from resources.scratch import own_folder, remove_left

LOCK_TIMEOUT_S = 60.0
BUSY_S = 60.0
SCRATCH = ".backup."


@dataclass(frozen=True)
class Backup:
    """A backup that was made, and its size in bytes."""

    manifest: Manifest
    size: int


def make_backup(
    settings: MillpondSettings, file: Path, *, replace: bool = False, with_tokens: bool = False, with_runs: bool = False
) -> Backup:
    """Write the home of all accounts into one archive.

    Args:
        settings: The settings.
        file: The archive.
        replace: Whether a file of this name is replaced.
        with_tokens: Whether secrets that lie in the home in plain text are included.
        with_runs: Whether Dagster's history is included.

    Raises:
        BackupError: It cannot be made; the text says what to do.
        WarehouseError, TimeoutError: The warehouse cannot be read.
    """
    refuse_lake(settings)
    if with_runs and Path(os.environ.get("DAGSTER_HOME", settings.dagster_home)).absolute() != settings.dagster_home:
        raise BackupError("--with-runs: DAGSTER_HOME is not in this home; back it up with its own database's tools")
    if file.exists() and not replace:
        raise BackupError(f"{file} exists; give another name, or --force to replace it")
    if not file.absolute().parent.is_dir():
        raise BackupError(f"{file}: there is no folder {file.absolute().parent}; create it, or name another one")
    parts, left_out = _chosen(settings, with_tokens=with_tokens)
    if not any(each.kind == "warehouse" for each in parts):
        raise BackupError(f"{settings.home.absolute()}: there is no warehouse yet; nothing to back up")
    made_at = datetime.now(UTC).replace(tzinfo=None).isoformat(" ", "seconds")
    with _scratch(settings.home.absolute()) as folder:
        try:
            members = [_copied(each, folder) for each in (*parts, *(run_parts(settings) if with_runs else ()))]
            reach("backup_copied")
            facts = [
                facts_of(each.account, folder / f"{folder_of(each)}{DATABASE_FILE}") for each in settings.per_account
            ]
            manifest = Manifest(installed_version("millpond"), made_at, settings.mode, facts, members, left_out)
            write_archive(file.absolute(), manifest, folder, replace=replace)
        except (OSError, sqlite3.Error, duckdb.Error, Timeout) as error:
            raise BackupError(f"{file}: not written: {error}; correct this and run again") from error
    return Backup(manifest, file.stat().st_size)


def refuse_lake(settings: MillpondSettings) -> None:
    """Raise BackupError, with the commands to use instead, if the warehouse is a DuckLake, which has its own tools."""
    if settings.warehouse_catalog:
        schemas = " ".join(f"--schema={each.lake_schema}" for each in settings.per_account)
        raise BackupError(
            f"the warehouse is a DuckLake: back up its catalog with `pg_dump {schemas}` and then its data files"
            f" ({settings.warehouse_data or 'the folder lake'}) with the object store's versions or a copy of the"
            " bucket; after you have put both back, run `millpond restore --only-record`. See docs/operate/backup.md"
        )


def _chosen(settings: MillpondSettings, *, with_tokens: bool) -> tuple[list[Part], list[str]]:
    """Return the parts to copy, and the secrets that are left out because they lie in plain."""
    parts = parts_of(settings)
    plain = [] if with_tokens else [each for each in parts if each.kind == "secret" and not _is_sealed(each.file)]
    return [each for each in parts if each not in plain], [each.path for each in plain]


def _is_sealed(file: Path) -> bool:
    with suppress(OSError), file.open("rb") as content:
        return content.read(len(PREFIX)) == PREFIX.encode()
    return False


@contextmanager
def _scratch(home: Path) -> Iterator[Path]:
    """Yield a private folder in the home for the copies, on the same disk; remove those of processes that died."""
    remove_left(home, f"{SCRATCH}*")
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(own_folder(home, SCRATCH))
        except OSError as error:
            needed = "a backup needs a moment's space for copies in the home"
            raise BackupError(f"{home}: {error.strerror}; {needed}") from None
        yield folder


def _copied(part: Part, folder: Path) -> Member:
    copy = folder / part.path
    copy.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if part.kind == "warehouse":
        warehouse_of(part.settings).copy_to(copy)
    elif part.kind == "database":
        copy_database(part.file, copy)
    else:
        with FileLock(f"{part.file}.lock", LOCK_TIMEOUT_S, mode=0o600):
            shutil.copyfile(part.file, copy)
    copy.chmod(0o600)
    return Member(part.path, copy.stat().st_size, digest_of(copy))


def copy_database(file: Path, copy: Path) -> None:
    """Copy a SQLite file as of one moment, while others write it.

    Raises:
        sqlite3.Error: It is damaged, or locked for too long.
    """
    with closing(sqlite3.connect(file, timeout=BUSY_S)) as source, closing(sqlite3.connect(copy)) as target:
        try:
            source.backup(target)
        except sqlite3.Error as error:
            raise type(error)(f"{file}: {error}") from error
        target.execute("pragma journal_mode = delete")  # one file, without a log beside it
