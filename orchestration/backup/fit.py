"""The files of a backup: brought into a folder of the home, opened, and compared with the home.

archive or folder of former files  ->  brought_in()  ->  files, Manifest  ->  require_fit(): accounts, mode, versions
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from orchestration.backup.archive import copy_folder, unpack
from orchestration.backup.errors import BackupError
from orchestration.backup.manifest import AccountFacts, Manifest, facts_of
from orchestration.backup.parts import DATABASE_FILE, folder_of, is_known
from orchestration.backup.signature import check_folder
from orchestration.configuration.settings import MillpondSettings
from resources.account import describe, is_same
from resources.warehouse.schema_version import SCHEMA_VERSION, mismatch

CLOCKS_DIFFER = timedelta(days=1)  # more than two machines' clocks differ by


def brought_in(settings: MillpondSettings, source: Path, scratch: Path, *, allow_unsigned: bool) -> Manifest:
    """Bring the files of a backup into a folder of the home, and return the manifest.

    Args:
        settings: The settings, with the home.
        source: An archive, or a folder that an earlier restore moved former files to.
        scratch: The folder, which does not exist yet.
        allow_unsigned: Whether an archive may have no signature although there is a key.

    Raises:
        BackupError: It is damaged, not signed, has no warehouse, or one that cannot be opened.
    """
    names = [f"{folder_of(each)}{DATABASE_FILE}" for each in settings.per_account]
    if not source.is_dir():
        manifest = unpack(source, scratch, lambda path: is_known(path, settings), allow_unsigned=allow_unsigned)
        if not any((scratch / name).exists() for name in names):
            raise BackupError(f"{source}: has no warehouse; use another backup")
        _opened(settings, scratch, source)
        return manifest
    if not any((source / name).exists() for name in names):
        raise BackupError(f"{source}: not a folder of former files: no {names[0]}; name a backup or such a folder")
    try:
        check_folder(source, settings.home.absolute(), allow_unsigned=allow_unsigned)
    except BackupError as error:
        raise BackupError(f"{source}: {error}") from error
    copy_folder(source, scratch)
    facts = _opened(settings, scratch, source)
    made_at = datetime.fromtimestamp(max((source / name).stat().st_mtime for name in names), UTC)
    return Manifest("", made_at.replace(tzinfo=None).isoformat(" ", "seconds"), settings.mode, facts, [])


def require_fit(settings: MillpondSettings, manifest: Manifest, source: Path) -> None:
    """Raise BackupError unless the backup fits this home and this version."""
    names = {each.name for each in manifest.accounts}
    expected = {each.account for each in settings.per_account}
    if names != expected:
        listed = ", ".join(sorted(names)) or "one unnamed account"
        raise BackupError(f"{source}: a backup of {listed}; set MILLPOND_ACCOUNTS to these accounts")
    if manifest.mode != settings.mode:
        raise BackupError(
            f"{source}: a backup of mode {manifest.mode}, but the mode is {settings.mode}; set MILLPOND_MODE"
        )
    if manifest.made > datetime.now(UTC).replace(tzinfo=None) + CLOCKS_DIFFER:
        raise BackupError(f"{source}: made in the future, at {manifest.made_at}; correct this machine's clock")
    for facts in manifest.accounts:
        if facts.schema_version and facts.schema_version > SCHEMA_VERSION:
            raise BackupError(mismatch(str(source), facts.schema_version))
        _check_account(settings.for_account(facts.name), facts, source)


def _opened(settings: MillpondSettings, scratch: Path, source: Path) -> list[AccountFacts]:
    """Open each warehouse of the backup; BackupError if one cannot be opened."""
    try:
        return [facts_of(each.account, scratch / f"{folder_of(each)}{DATABASE_FILE}") for each in settings.per_account]
    except duckdb.Error as error:
        reason = str(error).partition("\n")[0]
        raise BackupError(f"{source}: its warehouse cannot be opened: {reason}; use another backup") from error


def _check_account(settings: MillpondSettings, facts: AccountFacts, source: Path) -> None:
    file = settings.warehouse / "millpond.duckdb"
    try:
        current = facts_of(facts.name, file)
    except (duckdb.Error, OSError):
        return  # damaged: a reason to restore
    for name, account in facts.bindings.items():
        bound = current.bindings.get(name, {})
        if not is_same(bound, account):
            raise BackupError(
                f"{source}: its {name} belongs to {describe(account)}, but that of {file} to {describe(bound)}; restore"
                " it into a home of its own: --home FOLDER"
            )
