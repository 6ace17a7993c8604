"""Integration errors as Dagster failures: only those that may pass are retried."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from resources.errors import IntegrationError, TransientError, UnreachableError
from resources.warehouse.warehouse import WarehouseError

RETRY = dg.RetryPolicy(max_retries=2, delay=5, backoff=dg.Backoff.EXPONENTIAL)


@contextmanager
def dagster_failure(*others: type[Exception]) -> Iterator[None]:
    """Turn an IntegrationError into a failure that says whether another try may help.

    `others` are exceptions that a person must mend: they fail without another try. `allow_retries` binds the asset's
    RetryPolicy only; retries of whole runs look at run tags.
    """
    mended_by_hand: tuple[type[Exception], ...] = (WarehouseError, *others)
    try:
        yield
    except IntegrationError as error:
        again = isinstance(error, TransientError) and not isinstance(error, UnreachableError)
        raise dg.Failure(str(error), allow_retries=again) from error
    except mended_by_hand as error:
        raise dg.Failure(str(error), allow_retries=False) from error
