"""Warehouses whose process can die: what would be written after that is not.

failpoints.arm(name, strike=warehouse.die)  ->  KilledError, which no production code catches; then reopen
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import NoReturn

import duckdb

from orchestration.simulation.memory_warehouse import MemoryWarehouse
from resources.warehouse.warehouse import Warehouse


class KilledError(BaseException):
    """The process would have died here."""


class _Mortal(Warehouse):
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


class MortalWarehouse(_Mortal, Warehouse):
    """A warehouse in a file whose process can die."""


class MortalMemory(_Mortal, MemoryWarehouse):
    """A warehouse in memory whose process can die: what was committed stays."""

    def revive(self) -> None:
        """Begin another process on what the dead one committed."""
        self.is_dead = False
