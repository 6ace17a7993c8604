"""Integration errors as Dagster failures: only transient ones are retried."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from resources.errors import IntegrationError, TransientError, UnreachableError
from resources.warehouse.warehouse import WarehouseError

RETRY = dg.RetryPolicy(max_retries=2, delay=5, backoff=dg.Backoff.EXPONENTIAL)


@contextmanager
def dagster_failure(*others: type[Exception]) -> Iterator[None]:
    """Convert an IntegrationError to a `Failure` that allows retries if the error is transient.

    `allow_retries` binds the asset's RetryPolicy only; retries of whole runs depend on run tags.

    Args:
        others: Errors that a person must fix; they fail without retries.
    """
    fatal: tuple[type[Exception], ...] = (WarehouseError, *others)
    try:
        yield
    except IntegrationError as error:
        retry = isinstance(error, TransientError) and not isinstance(error, UnreachableError)
        raise dg.Failure(str(error), allow_retries=retry) from error
    except fatal as error:
        raise dg.Failure(str(error), allow_retries=False) from error
