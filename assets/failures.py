"""Integration errors as Dagster failures: only transient ones are retried."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import dagster as dg

from assets.delivery.errors import StuckError
from resources.errors import IntegrationError, QuotaExhaustedError, TransientError, UnreachableError
from resources.sqlite_file import DamagedFileError
from resources.warehouse.warehouse import WarehouseError

RETRY = dg.RetryPolicy(max_retries=2, delay=5, backoff=dg.Backoff.EXPONENTIAL)
PLAN = "plan_id"  # metadata: the plan that waits for approval, of a step that a guard stopped
FAILED = "failed"  # metadata: the assets of a step that failed, with their errors
QUOTA = "the day's quota is used up; the next run after it continues"
EXPECTED = "expected"  # metadata: why nothing is left for an operator to correct


def is_retried(error: BaseException) -> bool:
    """Return whether an error may be gone in a few seconds."""
    return isinstance(error, TransientError) and not isinstance(error, UnreachableError)


def failure_of(failed: Mapping[str, str], *, allow_retries: bool = False) -> dg.Failure:
    """Return the failure of a step that makes several assets, by the name of each that failed."""
    text = "; ".join(f"{asset}: {reason}" for asset, reason in failed.items())
    return dg.Failure(text, metadata={FAILED: dg.MetadataValue.json(dict(failed))}, allow_retries=allow_retries)


def failed_assets(event: dg.DagsterEvent) -> dict[str, str]:
    """Return the assets that failed in a step that makes several, with their errors; empty for any other failure."""
    failure = event.step_failure_data.user_failure_data
    found: Any = failure.metadata.get(FAILED) if failure else None
    return dict(found.value) if found else {}


def waiting_of(text: str, plan_id: str, review: str) -> dg.Failure:
    """Return the failure of a step whose plan waits for approval; the run's page shows its text and link."""
    metadata = {PLAN: dg.MetadataValue.text(plan_id), "review": dg.MetadataValue.url(review)}
    return dg.Failure(text, metadata=metadata, allow_retries=False)


def waits_for_approval(event: dg.DagsterEvent) -> bool:
    """Return whether a step failed because a guard holds its plan back."""
    failure = event.step_failure_data.user_failure_data
    return bool(failure and PLAN in failure.metadata)


@contextmanager
def retried(policy: dg.RetryPolicy, attempt: int) -> Iterator[None]:
    """Ask for another attempt of a step after an error that allows it.

    A step that has the policy itself is also restarted after an interrupt, and the run goes on as if there was none.

    Args:
        policy: How often, and how long to wait.
        attempt: Number of attempts before this one.
    """
    try:
        yield
    except Exception as error:
        is_final = isinstance(error, dg.DagsterError) or (isinstance(error, dg.Failure) and not error.allow_retries)
        if is_final or attempt >= policy.max_retries:
            raise
        raise dg.RetryRequested(policy.max_retries, policy.calculate_delay(attempt + 1)) from error


@contextmanager
def refusals(*errors: type[Exception]) -> Iterator[None]:
    """Convert errors that refuse a person's decision to failures without retries, and others as `dagster_failure` does.

    Who decided reads the text at once, and decides otherwise or not at all: nothing is left for an operator to correct.
    After an hour of waiting no one reads it, and the run that it waited for may be stuck.
    """
    try:
        with dagster_failure(StuckError):
            yield
    except errors as error:
        raise dg.Failure(str(error), metadata={EXPECTED: "the decision was refused"}, allow_retries=False) from error


def is_expected(event: dg.DagsterEvent) -> bool:
    """Return whether a step failed without anything to correct: a refused decision, or a quota that is used up."""
    failure = event.step_failure_data.user_failure_data
    return bool(failure and EXPECTED in failure.metadata)


@contextmanager
def dagster_failure(*others: type[Exception]) -> Iterator[None]:
    """Convert an IntegrationError to a `Failure` that allows retries if the error is transient.

    `allow_retries` binds `retried` only; retries of whole runs depend on run tags.

    Args:
        others: Errors that a person must fix; they fail without retries.
    """
    fatal: tuple[type[Exception], ...] = (WarehouseError, DamagedFileError, *others)
    try:
        yield
    except QuotaExhaustedError as error:
        raise dg.Failure(str(error), metadata={EXPECTED: QUOTA}, allow_retries=False) from error
    except IntegrationError as error:
        raise dg.Failure(str(error), allow_retries=is_retried(error)) from error
    except fatal as error:
        raise dg.Failure(str(error), allow_retries=False) from error
