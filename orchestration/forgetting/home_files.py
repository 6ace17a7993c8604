"""Files of a home that hold a record's values: queues, alerts, Dagster's storage, reports, logs.

home, values  ->  search_files()  ->  Found, one a file or table;  erase_in_files() replaces the values in place

The sandbox stands for the outside systems and is left alone, as are workflow files, users and settings: what is found
in them is named. The warehouse's own files are rewritten by compaction and publishing.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from orchestration.forgetting.texts import Spelled
from resources.atomic_file import write_atomically
from resources.database_files import is_database, opened_apart

BUSY_S = 60.0
DATABASES = (".sqlite", ".db")
WAREHOUSE = (".duckdb", ".duckdb.wal")
# first bytes of gzip, zip, zstd, xz, bzip2, 7-Zip, LZ4 and Parquet
PACKED = (
    b"\x1f\x8b",
    b"PK\x03\x04",
    b"\x28\xb5\x2f\xfd",
    b"\xfd7zXZ",
    b"BZh",
    b"7z\xbc\xaf",
    b"\x04\x22\x4d\x18",
    b"PAR1",
)
# of people and machines, not of records
LEFT_ALONE = ("users.json", "version.json", "ui_token", "switches.json", "dagster.yaml", ".env", "defs.yaml",
              "groups.yaml", "suiteprojects_tokens.json", "ledger_checkpoint.json")  # fmt: skip
FOLDERS_LEFT_ALONE = ("sandbox", "workflows")
SHARED = "a value that other records have as well, see above"
IS_PACKED = "a packed file, perhaps a backup or an export from before: delete it, or let it expire"
OTHERS = "settings, or in use by another process: see for yourself"
BACKUP_COPIES = ".backup."  # removed unless a backup is being made
COPIES = ("before-", BACKUP_COPIES)  # folders with earlier states of the home: of a restore, an upgrade, a backup
DAGSTER, ACCOUNTS = "dagster/", "accounts"
MAX_TEXT = 1 << 29  # bytes of a file that is read as text


@dataclass(frozen=True)
class FoundFile:
    """A file, and the table of a database, that has values of the record: how many rows, and of which column."""

    file: str
    table: str
    column: str
    rows: int


@dataclass(frozen=True)
class Kept:
    """A file that still has values, or cannot be searched, and why it is left."""

    file: str
    why: str


@dataclass(frozen=True)
class Searched:
    """A home, and the account whose files are searched with those that all accounts share; blank: the only one."""

    home: Path
    account: str = ""

    def walk(self) -> Iterator[tuple[Path, list[str], list[str]]]:
        """Yield folders as `os.walk`, without those of other accounts."""
        for name, names, files in os.walk(self.home):
            folder = Path(name)
            if folder == self.home / ACCOUNTS:
                names[:] = [each for each in names if each == self.account]
            yield folder, names, sorted(files)


def files_of(searched: Searched) -> Iterator[Path]:
    """Yield every file of a home that is searched."""
    for folder, names, files in searched.walk():
        names[:] = sorted(each for each in names if each not in FOLDERS_LEFT_ALONE and not each.startswith(COPIES))
        yield from (folder / each for each in files)


def search_files(searched: Searched, spelled: Spelled) -> list[FoundFile]:
    """Return what `erase_in_files` would erase."""
    return list(_in_files(searched, spelled, erases=False))


def erase_in_files(searched: Searched, spelled: Spelled) -> list[FoundFile]:
    """Replace the values in queues, databases, reports and logs; repeated, it finds nothing.

    Raises:
        OSError: A file cannot be read or written; others may have been changed.
    """
    return list(_in_files(searched, spelled, erases=True))


def _in_files(searched: Searched, spelled: Spelled, *, erases: bool) -> Iterator[FoundFile]:
    for file in files_of(searched) if spelled.texts else ():
        name = file.relative_to(searched.home).as_posix()
        if file.name.endswith(DATABASES):
            sought = spelled.phrases if name.startswith(DAGSTER) else spelled
            yield from _in_database(file, name, sought, erases=erases)
        elif _is_text(file):
            yield from _in_text(file, name, spelled, erases=erases)


def _is_text(file: Path) -> bool:
    is_other = is_database(file) or file.name.endswith(".lock") or file.name in LEFT_ALONE
    return file.is_file() and not is_other


def _is_packed(file: Path) -> bool:
    with suppress(OSError), opened_apart(file) as content:
        return content.read(6).startswith(PACKED)
    return False


def _in_text(file: Path, name: str, spelled: Spelled, *, erases: bool) -> Iterator[FoundFile]:
    if file.stat().st_size > MAX_TEXT:
        return
    content = file.read_bytes()
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return  # named at the end if it has one of the values
    if spelled.found(text):
        if erases:
            write_atomically(file, spelled.replaced(text), mode=file.stat().st_mode & 0o777)
        yield FoundFile(name, "", "", 1)


def _in_database(file: Path, name: str, spelled: Spelled, *, erases: bool) -> Iterator[FoundFile]:
    """Search every text of a SQLite file; after a change its free pages are overwritten, and its log is emptied."""
    with _named(file), closing(sqlite3.connect(file, isolation_level=None, timeout=BUSY_S)) as con:
        con.create_function("found", 1, lambda each: _as_text(each) is not None and spelled.found(str(_as_text(each))))
        con.create_function("replaced", 1, lambda each: _replaced(each, spelled))
        con.execute("pragma secure_delete = on")
        found = []
        for table, column in _text_columns(con):
            rows = con.execute(f"select count(*) from {table} where found({column})").fetchone()[0]
            if rows and erases:
                con.execute(f"update {table} set {column} = replaced({column}) where found({column})")
            if rows:
                found.append(FoundFile(name, table.strip('"'), column.strip('"'), rows))
        # Dagster's stays open, and may be large; a killed process may have left values beside the rows
        if erases and (found or not name.startswith(DAGSTER) or _is_beside_rows(file, spelled)):
            con.execute("vacuum")
            con.execute("pragma wal_checkpoint(truncate)").fetchall()
    yield from found


def _is_beside_rows(file: Path, spelled: Spelled) -> bool:
    """Return whether free pages or the log of a database have one of the values."""
    return any(_has_value(each, spelled) for each in (file, file.with_name(f"{file.name}-wal")))


@contextmanager
def _named(file: Path) -> Iterator[None]:
    """Name the file in an error of SQLite, and raise it as OSError."""
    try:
        yield
    except sqlite3.Error as error:
        raise OSError(f"{file}: {error}") from error


def _as_text(value: object) -> str | None:
    if isinstance(value, bytes):
        return value.decode("utf-8", "ignore")
    return value if isinstance(value, str) else None


def _replaced(value: object, spelled: Spelled) -> str | bytes:
    text = spelled.replaced(str(_as_text(value)))
    return text.encode() if isinstance(value, bytes) else text


def _text_columns(con: sqlite3.Connection) -> list[tuple[str, str]]:
    tables = con.execute("select name from sqlite_master where type = 'table' and name not like 'sqlite_%'").fetchall()
    found = []
    for (table,) in tables:
        name = '"' + table.replace('"', '""') + '"'
        for _, column, kind, *_rest in con.execute(f"pragma table_info({name})").fetchall():
            if not kind.upper().startswith(("INT", "REAL", "FLOAT", "DOUBLE", "BOOL", "NUM")):
                found.append((name, '"' + column.replace('"', '""') + '"'))
    return found


def remaining(searched: Searched, spelled: Spelled) -> list[Kept]:
    """Return the files below the home that still have a value, byte by byte, or that no one can search."""
    kept = []
    home = searched.home
    for folder, names, files in searched.walk():
        names[:] = sorted(each for each in names if each not in FOLDERS_LEFT_ALONE)
        for each in files:
            file = folder / each
            name = file.relative_to(home).as_posix()
            if _is_packed(file):
                kept.append(Kept(name, IS_PACKED))
            elif any(part.startswith(COPIES) for part in file.relative_to(home).parts):
                if _has_value(file, spelled) or each.endswith(WAREHOUSE):
                    kept.append(Kept(name, "an earlier state of the home: delete the folder"))
            elif _has_value(file, spelled):
                kept.append(Kept(name, SHARED if each.endswith(WAREHOUSE) else OTHERS))
    return kept


def _has_value(file: Path, spelled: Spelled) -> bool:
    """Search a file in parts that overlap by the longest value."""
    size, overlap = 1 << 24, max(map(len, spelled.needles), default=0)
    before = b""
    try:
        with opened_apart(file) as content:
            while part := content.read(size):
                if spelled.found_in_bytes(before + part):
                    return True
                before = part[-overlap:] if overlap else b""
    except OSError:
        return False
    return False
