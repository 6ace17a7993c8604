"""Warehouses whose process can die: what would be written after that is not.

failpoints.arm(name, strike=warehouse.die)  ->  KilledError, which no production code catches; then reopen
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import NoReturn

import duckdb

from orchestration.simulation.memory_warehouse import MemoryWarehouse
from resources.warehouse.warehouse import Warehouse

BACKUP = "backup.duckdb"


class KilledError(BaseException):
    """The process would have died here."""


class _Crashable(Warehouse):
    """The part of a process that writes."""

    is_dead = False

    def die(self) -> NoReturn:
        """End the process, as far as the warehouse can see."""
        self.is_dead = True
        raise KilledError

    @contextmanager
    def writer(self, *, transaction: bool = True, tuned: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open a section, unless the process is dead."""
        if self.is_dead:
            raise KilledError
        with super().writer(transaction=transaction, tuned=tuned) as con:
            yield con

    @contextmanager
    def transactions(self) -> Iterator[Callable[[], AbstractContextManager[duckdb.DuckDBPyConnection]]]:
        """Open a section of several transactions, unless the process is dead."""
        if self.is_dead:
            raise KilledError
        with super().transactions() as transaction:
            yield transaction


class CrashableWarehouse(_Crashable, Warehouse):
    """A warehouse in a file whose process can die."""

    def back_up(self) -> None:
        """Copy the file."""
        with self.writer(transaction=False) as con:
            con.execute("checkpoint warehouse")
        shutil.copy(self.file, self.folder / BACKUP)

    def put_back(self) -> None:
        """Put the copy in the file's place; it stays."""
        self.file.with_name(f"{self.file.name}.wal").unlink(missing_ok=True)
        shutil.copy(self.folder / BACKUP, self.file)


class CrashableMemory(_Crashable, MemoryWarehouse):
    """A warehouse in memory whose process can die: what was committed stays."""

    def revive(self) -> None:
        """Begin another process on what the dead one committed."""
        self.is_dead = False
