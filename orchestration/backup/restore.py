"""Restore a home from a backup: the files are unpacked and checked first, then put in place of the former ones.

FILE  ->  .restore.<id>/, checked  ->  restore.json: from here on it is completed, by this process or the next command
      ->  former files to before-restore-<time>/, new ones into their places  ->  upgrade, ledger, snapshot  ->  done

Killed before restore.json exists, the home is the former one; after that, the next command completes the restore.
"""

import json
import shutil
import sqlite3
import uuid
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb
from filelock import FileLock

from assets.delivery.chain.kept import number_kept, set_aside
from assets.delivery.ledger.restores import record_restore
from assets.delivery.ledger.shadows import continue_shadows
from orchestration.backup.create import refuse_lake
from orchestration.backup.errors import BackupError
from orchestration.backup.fit import brought_in, require_fit
from orchestration.backup.former_warehouse import Former, read_former
from orchestration.backup.home_use import RESTORE_JOURNAL as JOURNAL
from orchestration.backup.home_use import sole_use
from orchestration.backup.parts import QUEUE, WAREHOUSE, folder_of
from orchestration.backup.replaced_files import Report, move, moves_of
from orchestration.configuration.settings import MillpondSettings
from orchestration.ledger_sealing import publish_sealed
from orchestration.opened_warehouse import warehouse_of
from orchestration.upgrade.errors import UpgradeError
from resources.atomic_file import fsync, write_atomically
from resources.clock import WallClock, utc_now
from resources.failpoints import reach
from resources.warehouse.forgotten import continue_marks
from resources.warehouse.warehouse import WarehouseError

LOCK, SCRATCH = "restore.lock", ".restore."
LOCK_TIMEOUT_S = 3600.0


@dataclass(frozen=True)
class Journal:
    """The content of restore.json: a restore that was decided.

    Attributes:
        scratch: Name of the folder in the home that has the new files.
        former: Name of the folder in the home that gets the former ones.
        backup_at: When the backup was made, UTC.
        moves: Paths below the home that are moved aside, and whether the backup has a new file for each.
    """

    restore_id: str
    scratch: str
    former: str
    backup_at: str
    moves: dict[str, bool]


def restore_home(settings: MillpondSettings, source: Path, report: Report, *, allow_unsigned: bool = False) -> Path:
    """Put the files of a backup into the home.

    Args:
        settings: The settings, with the home.
        source: An archive, or a folder that an earlier restore moved former files to.
        report: Gets a line for each thing to know.
        allow_unsigned: Whether an archive may have no signature although there is a key.

    Returns:
        The folder with the former files.

    Raises:
        BackupError: It cannot be restored; the home is as it was, or the text says that the next command continues.
    """
    refuse_lake(settings)
    home = settings.home.absolute()
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    with sole_use(home):
        _remove_abandoned(home)
        restore_id = uuid.uuid4().hex[:12]
        scratch = home / f"{SCRATCH}{restore_id}"
        try:
            manifest = brought_in(settings, source, scratch, allow_unsigned=allow_unsigned)
            require_fit(settings, manifest, source)
            journal = Journal(
                restore_id, scratch.name, _free_name(home, f"before-restore-{datetime.now(UTC):%Y%m%d-%H%M%S}"),
                manifest.made_at, moves_of(settings, scratch, report),
            )  # fmt: skip
            _sync(scratch)
            reach("restore_unpacked")
            write_atomically(home / JOURNAL, json.dumps(asdict(journal)), mode=0o600)
        except OSError as error:
            raise BackupError(f"{source}: not restored: {error.strerror or error}; the home is as it was") from error
        finally:
            if not (home / JOURNAL).exists():
                shutil.rmtree(scratch, ignore_errors=True)
        reach("restore_decided")
        _complete(settings, journal, report)
    return home / journal.former


def complete_interrupted(settings: MillpondSettings, report: Report) -> None:
    """Complete a restore whose process died; nothing if there is none.

    Raises:
        BackupError: It cannot be completed; the text says what to do.
    """
    home = settings.home.absolute()
    _remove_abandoned(home)
    if not (home / JOURNAL).exists():
        return
    with FileLock(home / LOCK, LOCK_TIMEOUT_S, mode=0o600, fallback_to_soft=False):
        if not (home / JOURNAL).exists():
            return  # another process has completed it meanwhile
        try:
            journal = Journal(**json.loads((home / JOURNAL).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            fix = f"the former files are in {home}/before-restore-…: move them back, then remove {JOURNAL}"
            raise BackupError(f"{home / JOURNAL}: damaged; {fix}") from error
        _complete(settings, journal, report)
        report(f"an interrupted restore was completed; the former files are in {home / journal.former}")


def record_only(settings: MillpondSettings, backup_at: datetime, report: Report) -> None:
    """Record that files of a backup were put back by other means; WarehouseError if a warehouse cannot be written."""
    with sole_use(settings.home.absolute()):
        for each in settings.per_account:
            for line in _record(each, uuid.uuid4().hex[:12], backup_at, ""):
                report(line)


def _complete(settings: MillpondSettings, journal: Journal, report: Report) -> None:
    """Move the files, then bring them up to date; each step can be repeated.

    Raises:
        BackupError: A step failed; the next command continues.
    """
    home = settings.home.absolute()
    try:
        move(home, home / journal.scratch, home / journal.former, journal.moves)
        reach("restore_moved_in")
        _bring_up_to_date(settings, journal, report)
        reach("restore_recorded")
        with suppress(OSError):  # nothing was there before
            (home / journal.former).rmdir()
        (home / JOURNAL).unlink()
        fsync(home)
    except (OSError, sqlite3.Error, duckdb.Error, UpgradeError, WarehouseError) as error:
        former = f"the former files are in {home / journal.former}"
        raise BackupError(
            f"{home}: the restore is not complete: {error}; the next command continues; {former}"
        ) from error


def _bring_up_to_date(settings: MillpondSettings, journal: Journal, report: Report) -> None:
    from orchestration.upgrade.perform import upgrade_all  # late: it imports Dagster

    upgrade_all(report)
    backup_at = datetime.fromisoformat(journal.backup_at)
    for each in settings.per_account:
        _advance_queue(each.account_home / QUEUE)
        if (each.warehouse / "millpond.duckdb").exists():
            for line in _record(each, journal.restore_id, backup_at, str(settings.home.absolute() / journal.former)):
                report(line)


def _record(settings: MillpondSettings, restore_id: str, backup_at: datetime, former: str) -> list[str]:
    """Record the restore, with what it must not end; return a line for each thing to do."""
    warehouse = warehouse_of(settings)
    left = number_kept(Path(former) / folder_of(settings) / WAREHOUSE if former else settings.warehouse)
    file = Path(former) / folder_of(settings) / WAREHOUSE / "millpond.duckdb"
    applied = read_former(file) if former else Former(is_known=False)
    with warehouse.writer() as con:
        record_restore(con, restore_id, utc_now(WallClock()), backup_at, former, left)
        continue_shadows(con, applied.shadows)
        again = continue_marks(con, applied.marks)
    if not former:  # else it was moved with the former files
        set_aside(settings.warehouse, restore_id)
    publish_sealed(warehouse)
    why = f"{file} cannot be read" if file.exists() else "there is no former warehouse"
    unknown = (
        f"! {why}: a record that was forgotten after the backup, or a workflow that was in shadow mode, is not known;"
        " repeat `millpond forget` and `millpond shadow start` before the next run"
    )
    lines = [] if applied.is_known else [unknown]
    return lines + [
        f"! {source} {key} was forgotten after the backup: `millpond forget {source} {key}`" for source, key in again
    ]


def _advance_queue(file: Path) -> None:
    """Let the next notification have a number that none had before: runs are remembered by them."""
    if file.exists():
        with closing(sqlite3.connect(file)) as con, con:
            number = int(datetime.now(UTC).timestamp() * 1000)
            con.execute("update sequence set last_number = max(last_number, ?)", [number])


def _remove_abandoned(home: Path) -> None:
    """Remove what a restore left that died before it was decided; the caller uses the home, so none goes on."""
    if not (home / JOURNAL).exists():
        for left in home.glob(f"{SCRATCH}*"):
            shutil.rmtree(left, ignore_errors=True)


def _free_name(home: Path, name: str) -> str:
    number, free = 1, name
    while (home / free).exists():
        number += 1
        free = f"{name}-{number}"
    return free


def _sync(folder: Path) -> None:
    """Wait until all files of a folder are on the disk."""
    for path in (folder, *folder.rglob("*")):
        fsync(path)
