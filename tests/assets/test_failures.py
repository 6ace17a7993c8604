"""Retries of a step: after which errors, how often, and after what time."""

import dagster as dg
import pytest

from assets.failures import RETRY, retried


@pytest.mark.parametrize("error", [dg.Failure("lost", allow_retries=True), ValueError("unexpected")])
@pytest.mark.parametrize(("attempt", "seconds"), [(0, 5), (1, 15)])
def test_an_attempt_is_followed_by_another_after_a_longer_time(error: Exception, attempt: int, seconds: int) -> None:
    """Dagster's own policy does the same."""
    with pytest.raises(dg.RetryRequested) as requested, retried(RETRY, attempt):
        raise error
    assert (requested.value.max_retries, requested.value.seconds_to_wait) == (RETRY.max_retries, seconds)
    assert requested.value.__cause__ is error


@pytest.mark.parametrize(
    ("error", "attempt"),
    [
        (dg.Failure("lost", allow_retries=True), RETRY.max_retries),
        (dg.Failure("a person must correct it", allow_retries=False), 0),
        (dg.DagsterInvariantViolationError("of Dagster"), 0),
        (KeyboardInterrupt(), 0),
    ],
)
def test_the_last_attempt_and_what_no_attempt_corrects_end_the_step(error: BaseException, attempt: int) -> None:
    """The error itself has the metadata of the failure."""
    with pytest.raises(type(error)) as raised, retried(RETRY, attempt):
        raise error
    assert raised.value is error
