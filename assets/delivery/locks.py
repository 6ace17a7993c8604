"""Cross-process locks: one writer per target, one builder per table; locks of dead processes are released."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

from assets.delivery.errors import StuckError
from resources.warehouse.warehouse import Warehouse

LOCK_TIMEOUT_S = 3600.0


def writer_lock(warehouse: Warehouse, connection: str) -> AbstractContextManager[None]:
    """Hold the only right to write to a connection; StuckError if another run has held it for an hour."""
    return _lock(warehouse, connection, "writing to")


def builder_lock(warehouse: Warehouse, table: str) -> AbstractContextManager[None]:
    """Hold the only right to build a table, from before its inputs are read: the latest inputs are written last.

    Raises:
        StuckError: Another run has held it for an hour.
    """
    return _lock(warehouse, table, "building")


@contextmanager
def try_writer_lock(warehouse: Warehouse, connection: str, wait_s: float = 0.0) -> Iterator[bool]:
    """Try to get the writer lock within `wait_s`; yield whether it is held."""
    with ExitStack() as stack:
        yield _acquired(stack, warehouse, connection, wait_s)


@contextmanager
def _lock(warehouse: Warehouse, name: str, doing: str) -> Iterator[None]:
    with ExitStack() as stack:
        if not _acquired(stack, warehouse, name, LOCK_TIMEOUT_S):
            raise StuckError(
                f"another run has been {doing} {name} for over an hour; check whether it is stuck, then retry"
            )
        yield


def _acquired(stack: ExitStack, warehouse: Warehouse, name: str, timeout_s: float) -> bool:
    try:
        stack.enter_context(warehouse.lock(name, timeout_s))
    except TimeoutError:
        return False
    return True
