"""One sender per target system and one maker per table at a time, over all processes; the kernel frees dead locks."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from assets.delivery.plans import SyncError
from resources.locks import file_lock
from resources.warehouse import Warehouse

ONE_WRITER_TIMEOUT_S = 3600.0


@contextmanager
def one_writer(warehouse: Warehouse, system: str) -> Iterator[None]:
    """Wait for the turn to send to a system.

    Raises:
        SyncError: Another run has held it for an hour.
    """
    with ExitStack() as turn:
        if not _taken(turn, warehouse, system, ONE_WRITER_TIMEOUT_S):
            raise SyncError(f"another run is sending to {system} since an hour; look for it, then run again")
        yield


@contextmanager
def one_maker(warehouse: Warehouse, table: str) -> Iterator[None]:
    """Wait for the turn to read what a table is made of and to make it: who reads later also writes later.

    Raises:
        SyncError: Another run has held it for an hour.
    """
    with ExitStack() as turn:
        if not _taken(turn, warehouse, table, ONE_WRITER_TIMEOUT_S):
            raise SyncError(f"another run is making {table} since an hour; look for it, then run again")
        yield


@contextmanager
def turn_if_free(warehouse: Warehouse, system: str) -> Iterator[bool]:
    """Take the turn without waiting; false when somebody is sending just now."""
    with ExitStack() as turn:
        yield _taken(turn, warehouse, system, 0.0)


def _taken(turn: ExitStack, warehouse: Warehouse, what: str, timeout_s: float) -> bool:
    warehouse.folder.mkdir(parents=True, exist_ok=True)
    try:
        turn.enter_context(file_lock(warehouse.folder / f"{what}.lock", timeout_s))
    except TimeoutError:
        return False
    return True
