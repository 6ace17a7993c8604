"""`millpond backup` and `millpond restore`: a home in one file, while runs go on, and back."""

import os
from datetime import UTC, datetime
from pathlib import Path

from assets.result_texts import counted
from orchestration.backup.create import make_backup
from orchestration.backup.errors import BackupError
from orchestration.backup.manifest import Manifest
from orchestration.backup.restore import record_only, restore_home
from orchestration.cli.exit_codes import CLEAN, USAGE
from orchestration.cli.output import print_line, print_problems, print_wrapped
from orchestration.configuration.settings import MillpondSettings
from resources.account import describe
from resources.warehouse.warehouse import WarehouseError


def backup(file: Path, *, force: bool = False, with_tokens: bool = False, with_runs: bool = False) -> int:
    """Write warehouse, queues, switches, users and budgets into one file.

    Args:
        file: The file to write.
        force: Replace a file of this name.
        with_tokens: Include secrets that are not encrypted at rest: sign-in tokens of a home without a key.
        with_runs: Include the history of runs and the state of schedules in Dagster.
    """
    try:
        made = make_backup(MillpondSettings(), file, replace=force, with_tokens=with_tokens, with_runs=with_runs)
    except (BackupError, WarehouseError, TimeoutError) as error:
        print_problems(str(error).splitlines())
        return USAGE
    for line in _facts(made.manifest):
        print_line(line)
    for path in made.manifest.left_out:
        print_wrapped(f"! {path}: left out, because it is not encrypted; --with-tokens includes it", "yellow")
    print_line(f"{file}: {counted(len(made.manifest.members), 'files')}, {made.size / 1e6:,.1f} MB", "green")
    return CLEAN


def restore(
    file: Path | None = None,
    *,
    home: Path | None = None,
    unsigned: bool = False,
    only_record: bool = False,
    backup_at: datetime | None = None,
) -> int:
    """Put the files of a backup into the home; the former ones are kept beside them.

    Args:
        file: A file of `millpond backup`, or a folder `before-restore-…`, which undoes a restore.
        home: The home; MILLPOND_HOME when omitted.
        unsigned: Also restore a backup that is not signed, as those from before MILLPOND_ENCRYPTION_KEY was set, or a
            folder that is not in the home.
        only_record: The files were put back by other means, such as a snapshot of the machine: record only that.
        backup_at: With --only-record, when these files were current, UTC.
    """
    if home is not None:
        os.environ["MILLPOND_HOME"] = str(home)
    settings = MillpondSettings()
    try:
        if only_record:
            record_only(settings, backup_at or datetime.now(UTC).replace(tzinfo=None), print_line)
            print_wrapped("recorded: every workflow reads its target completely before it sends anything", "green")
            return CLEAN
        if file is None:
            print_problems(["name a file of `millpond backup`, or give --only-record"])
            return USAGE
        former = restore_home(settings, file, print_line, allow_unsigned=unsigned)
    except (BackupError, WarehouseError, TimeoutError) as error:
        print_problems(str(error).splitlines())
        return USAGE
    print_wrapped(f"restored {settings.home.absolute()} from {file}", "green")
    if former.exists():
        print_wrapped(f"the former files are in {former}; `millpond restore {former}` undoes this")
    print_wrapped("plans and undo offers of the backup are void; every workflow reads its target completely first")
    return CLEAN


def _facts(manifest: Manifest) -> list[str]:
    """A line for each account."""
    return [
        f"{each.name or 'warehouse'}: NetSuite {describe(each.netsuite) if each.netsuite else 'not read yet'},"
        f" ledger up to {each.position} ({each.last_run_at or 'no run yet'})"
        for each in manifest.accounts
    ]
