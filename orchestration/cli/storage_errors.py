"""Errors of files and disks that a command did not expect, as one line with the way back instead of a traceback.

exception  ->  storage_problem()  ->  the line; blank for any other error
"""

import errno
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from resources.sqlite_file import DamagedFileError
from resources.warehouse.warehouse import WarehouseError
from resources.way_back import way_back

_WHILE_WRITING = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO}  # such an error may name no file
_OF_THE_DISK = _WHILE_WRITING | {errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENOTDIR}
# of a file that is as it was: the main ones of SQLite's error codes, whose second byte says more
_NOT_DAMAGED = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR}
_CHECK = "check the disk's space and the file's permissions, then run again"


def storage_problem(error: BaseException) -> str:
    """Return one line about an error of a file of the home; blank if it is another error."""
    for each in _chain(error):
        if isinstance(each, (WarehouseError, DamagedFileError)):
            return str(each)
        if isinstance(each, (DBAPIError, sqlite3.DatabaseError)):
            return _database_problem(getattr(each, "orig", None) or each)
        if isinstance(each, OSError) and each.errno in (_OF_THE_DISK if each.filename else _WHILE_WRITING):
            return f"{each.filename or 'a file'}: {each.strerror}; {_CHECK}"
    return ""


def _database_problem(error: BaseException) -> str:
    """Return the line; the way back is for a damaged file only, since it costs the history of runs."""
    is_kept = getattr(error, "sqlite_errorcode", 0) & 0xFF in _NOT_DAMAGED
    fix = _CHECK if is_kept else f"if the disk has space, {way_back(Path('runs.db'))}"
    return f"a database of the folder `dagster`: {str(error).partition(chr(10))[0]}; {fix}"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
