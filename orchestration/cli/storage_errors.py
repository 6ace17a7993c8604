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

_OF_THE_DISK = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
    errno.EIO,
    errno.EISDIR,
    errno.ENOTDIR,
}


def storage_problem(error: BaseException) -> str:
    """Return one line about an error of a file of the home; blank if it is another error."""
    for each in _chain(error):
        if isinstance(each, (WarehouseError, DamagedFileError)):
            return str(each)
        if isinstance(each, (DBAPIError, sqlite3.DatabaseError)):
            reason = str(getattr(each, "orig", each)).partition("\n")[0]
            return f"a database of the folder `dagster`: {reason}; if the disk has space, {way_back(Path('runs.db'))}"
        if isinstance(each, OSError) and each.errno in _OF_THE_DISK and each.filename:
            return (
                f"{each.filename}: {each.strerror}; check the disk's space and the file's permissions, then run again"
            )
    return ""


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
