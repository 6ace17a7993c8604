"""Rename a workflow: everything is checked and recorded first, then renamed, whatever happens meanwhile.

OLD, NEW  ->  checks  ->  rename.json: from here on it is completed, by this process or the next command
          ->  each warehouse, in one transaction  ->  switches and alerts  ->  other files  ->  the folder  ->  done

Killed before rename.json exists, nothing has changed; after that, the next command completes the rename. Every part can
be repeated and then changes nothing.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import FileLock
from yaml import YAMLError

from assets.delivery.chain.checkpoints import ChainError
from assets.delivery.chain.rewrite import require_rewritable, rewriting
from assets.delivery.ledger.events import Event, Happened
from assets.delivery.spec.loader import read_workflow
from assets.delivery.spec.yaml_file import WorkflowFileError
from orchestration.automation.groups import ALL, OWN_JOBS
from orchestration.backup.home_use import RENAME_JOURNAL as JOURNAL
from orchestration.backup.home_use import sole_use
from orchestration.configuration.secret_settings import secret_value
from orchestration.configuration.settings import MillpondSettings
from orchestration.key_check import require_readable
from orchestration.ledger_sealing import keep_last, ledger_signer
from orchestration.opened_warehouse import warehouse_of
from orchestration.renaming.errors import RenameError
from orchestration.renaming.home_files import rename_in_home
from orchestration.renaming.references import LAYERS, mentions, renamed_text
from orchestration.renaming.tables import rename_in_warehouse, traces
from orchestration.upgrade.user_files import replace_text
from orchestration.workflow_files import MAX_NAME, load_user_files
from resources.atomic_file import fsync, write_atomically
from resources.clock import WallClock, utc_now
from resources.encryption import Cipher, EncryptionError
from resources.failpoints import reach
from resources.warehouse.warehouse import WarehouseError

LOCK, LOCK_TIMEOUT_S = "rename.lock", 3600.0
FILE, GROUPS = "defs.yaml", "groups.yaml"
Report = Callable[[str], object]


@dataclass(frozen=True)
class Journal:
    """The content of rename.json: a rename that was decided.

    Attributes:
        versions: Workflows, by their new names, and the fingerprints of their files before and after.
    """

    old: str
    new: str
    folder: str
    versions: Mapping[str, tuple[str, str]]


def rename_workflow(settings: MillpondSettings, old: str, new: str, report: Report) -> None:
    """Rename a workflow, its tables, and what the ledger knows of it.

    A folder that has the new name already, as after a change that came with a version control system, stays.

    Args:
        settings: The settings, with the home and the folder of workflow files.
        old: The name so far.
        new: The new name.
        report: Gets a line for each thing that was renamed, or that a person should look at.

    Raises:
        RenameError: It cannot be renamed, and nothing was changed; or the text says that the next command continues.
        BackupError: Another process uses the home.
    """
    home = settings.home.absolute()
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    with sole_use(home), ExitStack() as locks:
        connections = _check_names(settings, old, new)
        folder = settings.workflows.absolute()
        journal = Journal(old, new, str(folder), _new_versions(folder, old, new))
        _check_warehouses(settings, old, new, connections, locks)
        reach("rename_checked")
        write_atomically(home / JOURNAL, json.dumps(asdict(journal)), mode=0o600)
        reach("rename_decided")
        locks.close()  # of tables that get another name; no other process of this home runs
        _complete(settings, journal, report)


def complete_rename(settings: MillpondSettings, report: Report) -> None:
    """Complete a rename whose process died; nothing if there is none.

    Raises:
        RenameError: It cannot be completed; the text says what to do.
    """
    home = settings.home.absolute()
    if not (home / JOURNAL).exists():
        return
    with FileLock(home / LOCK, LOCK_TIMEOUT_S, mode=0o600, fallback_to_soft=False):
        if not (home / JOURNAL).exists():
            return  # another process has completed it meanwhile
        try:
            journal = Journal(**json.loads((home / JOURNAL).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            fix = "rename the rest as it was begun, or restore a backup; then remove the file"
            raise RenameError(f"{home / JOURNAL}: damaged; {fix}") from error
        _complete(settings, journal, report)
        report(f"an interrupted rename was completed: {journal.old} is {journal.new}")


def _check_names(settings: MillpondSettings, old: str, new: str) -> list[str]:
    """Refuse names that cannot be used; return the connection that the workflow writes to, if its file fits.

    Raises:
        RenameError: One of them cannot be used.
    """
    files = load_user_files(settings.workflows)
    folders = {path.parent.name.casefold(): path.parent.name for path in settings.workflows.glob(f"*/{FILE}")}
    if not re.fullmatch("[A-Za-z0-9_]+", new):
        raise RenameError(f"{new}: use letters, digits and underscores only")
    if len(new) > MAX_NAME:  # else the folder could not be renamed, after everything else was
        raise RenameError(f"{new[:MAX_NAME]}…: a name has at most {MAX_NAME} characters")
    if old.casefold() == new.casefold():
        raise RenameError(f"{new}: the tables of a workflow differ by more than upper and lower case; choose another")
    known = folders.values()
    if old not in known and new not in known:
        raise RenameError(f"no workflow {old}; known are {', '.join(sorted(known))}")
    if old in known and (taken := folders.get(new.casefold())):
        raise RenameError(f"{settings.workflows / taken} exists already; choose another name")
    groups = {*files.groups.groups} - {*known}
    if new in groups | {ALL, *OWN_JOBS}:
        raise RenameError(f"{new} is the name of a group or a job; choose another one")
    return [each.spec.connection_name for each in files.workflows if each.name in {old, new}]


def _new_versions(folder: Path, old: str, new: str) -> dict[str, tuple[str, str]]:
    """Return the fingerprints that change with the name: of the files that refer to the workflow.

    Raises:
        RenameError: A file cannot be changed.
    """
    versions = {}
    for path in _files(folder):
        try:
            text = _text(path)
            after = renamed_text(text, old, new)
            if after != text:
                _require_writable(path)
            if after != text and path.name == FILE:
                name = path.parent.name
                versions[new if name == old else name] = _versions(path, after)
        except (OSError, UnicodeDecodeError, YAMLError, WorkflowFileError) as error:
            raise RenameError(f"{path}: cannot be changed; `millpond validate` names the line: {error}") from error
    return versions


def _files(folder: Path) -> list[Path]:
    return [path for path in (folder / GROUPS, *sorted(folder.glob(f"*/{FILE}"))) if path.exists()]


def _text(path: Path) -> str:
    return path.read_bytes().decode("utf-8")  # line ends stay as they are


def _versions(path: Path, after: str) -> tuple[str, str]:
    draft = path.with_name(f".{path.name}.renamed")
    try:
        write_atomically(draft, after, durable=False)
        return read_workflow(path).version, read_workflow(draft).version
    finally:
        draft.unlink(missing_ok=True)


def _require_writable(path: Path) -> None:
    if path.stat().st_mode & 0o222 == 0:
        raise PermissionError(13, "read-only")


def _check_warehouses(
    settings: MillpondSettings, old: str, new: str, connections: Sequence[str], locks: ExitStack
) -> None:
    """Raise RenameError if a warehouse has the new name, or another machine's run is open."""
    for each in settings.per_account:
        warehouse = warehouse_of(each)
        if not warehouse.exists():
            continue
        names = [*(f"{layer}_{old}" for layer in LAYERS), *connections]
        try:
            for name in names:
                locks.enter_context(warehouse.lock(name, 0))
        except TimeoutError as error:
            raise RenameError(f"{warehouse.backend.name}: a run of {old} is open; rename when it has ended") from error
        with warehouse.writer(transaction=False) as con:
            require_rewritable(con, ledger_signer())
            try:
                require_readable(con, Cipher(secret_value("MILLPOND_ENCRYPTION_KEY")), old)
            except EncryptionError as error:
                raise RenameError(str(error)) from error
            if found := traces(con, new):
                place = f"{warehouse.backend.name}: {', '.join(found)}"
                raise RenameError(f"{place}: there was a workflow {new} already; choose another name")


def _complete(settings: MillpondSettings, journal: Journal, report: Report) -> None:
    """Do what is left of a rename.

    Raises:
        RenameError: Something is in the way; the next command continues.
    """
    with _continued():
        for each in settings.per_account:
            _rename_account(each, journal, report)
        reach("rename_homes")
        for line in _rename_files(journal):
            report(line)
        reach("rename_folder")
    (settings.home.absolute() / JOURNAL).unlink(missing_ok=True)
    fsync(settings.home.absolute())


def _rename_account(settings: MillpondSettings, journal: Journal, report: Report) -> None:
    old, new = journal.old, journal.new
    warehouse = warehouse_of(settings)
    details = {"old": old, "new": new, "versions": journal.versions}
    renamed = Event(event=Happened.RENAMED, at=utc_now(WallClock()), workflow=new, details=details)
    if warehouse.exists():
        with warehouse.writer(tuned=True) as con:
            cipher = Cipher(secret_value("MILLPOND_ENCRYPTION_KEY"))
            with rewriting(con, ledger_signer(), renamed) if traces(con, old) else nullcontext():
                lines = list(rename_in_warehouse(con, old, new, journal.versions, cipher))
            reach("rename_tables_open")
        keep_last(warehouse)
        for line in lines:
            report(line)
        reach("rename_tables")
        warehouse.publish()  # analysts see the new names at once
    rename_in_home(settings, old, new)


def _rename_files(journal: Journal) -> Iterator[str]:
    """Write the files that refer to the workflow, then move its folder; yield a line for each."""
    folder, old, new = Path(journal.folder), journal.old, journal.new
    for path in _files(folder):
        text = _text(path)
        after = renamed_text(text, old, new)
        if after != text:
            replace_text(path.resolve(), after)
            yield f"{path}: refers to {new}"
    reach("rename_references")
    if (folder / old / FILE).exists():
        (folder / old).rename(folder / new)
        fsync(folder)
        yield f"{folder / old} -> {folder / new}"
    for path in _files(folder):
        for line in mentions(_text(path), old):
            yield f"! {path}:{line}: a comment or a text has the name {old}; it was not changed"


@contextmanager
def _continued() -> Iterator[None]:
    """Add to an error of a file or of the storage what happens next."""
    try:
        yield
    except (WarehouseError, ChainError, TimeoutError, OSError, UnicodeDecodeError, YAMLError) as error:
        fix = "correct this and run any command: the rename continues"
        raise RenameError(f"{error}; {fix}") from error
