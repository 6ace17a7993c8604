"""One sender per target system and one maker per table at a time, over all processes; dead ones lose theirs."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

from assets.delivery.ledger.plans import SyncError
from resources.warehouse.warehouse import Warehouse

ONE_WRITER_TIMEOUT_S = 3600.0


def one_writer(warehouse: Warehouse, system: str) -> AbstractContextManager[None]:
    """Wait for the turn to send to a system.

    Raises:
        SyncError: Another run has held it for an hour.
    """
    return _turn(warehouse, system, "sending to")


def one_maker(warehouse: Warehouse, table: str) -> AbstractContextManager[None]:
    """Wait for the turn to read what a table is made of and to make it: who reads later also writes later.

    Raises:
        SyncError: Another run has held it for an hour.
    """
    return _turn(warehouse, table, "making")


@contextmanager
def turn_if_free(warehouse: Warehouse, system: str, wait_s: float = 0.0) -> Iterator[bool]:
    """Take the turn without waiting, or not for long; false when somebody is sending just now."""
    with ExitStack() as turn:
        yield _taken(turn, warehouse, system, wait_s)


@contextmanager
def _turn(warehouse: Warehouse, name: str, doing: str) -> Iterator[None]:
    with ExitStack() as turn:
        if not _taken(turn, warehouse, name, ONE_WRITER_TIMEOUT_S):
            raise SyncError(f"another run is {doing} {name} since an hour; look for it, then run again")
        yield


def _taken(turn: ExitStack, warehouse: Warehouse, what: str, timeout_s: float) -> bool:
    try:
        turn.enter_context(warehouse.turn(what, timeout_s))
    except TimeoutError:
        return False
    return True
