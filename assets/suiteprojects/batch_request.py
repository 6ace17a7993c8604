"""Send a batch as one request; bisect it if the service rejects the request as a whole.

commands  ->  send_commands()  ->  SuiteProjectsClient.execute  ->  one outcome per command
"""

from collections.abc import Callable, Sequence

from assets.delivery.target import Outcome, SendResult, Verdict, Write
from assets.suiteprojects.answers import NOT_PROCESSED
from resources.errors import (
    AnswerLostError,
    CredentialsError,
    IntegrationError,
    QuotaExhaustedError,
    RequestRejectedError,
)
from resources.suiteprojects.client import SuiteProjectsClient
from resources.suiteprojects.errors import RATE_LIMIT, SYSTEM, status_error
from resources.suiteprojects.xml import Element

# codes of requests that were rejected for their content, so a smaller one may pass
DIVISIBLE = frozenset({"10", "555", "854", "855", "400", "413", "422"})


def send_commands(
    client: SuiteProjectsClient,
    writes: Sequence[Write],
    commands: Sequence[Element],
    outcome_of: Callable[[Write, Element], Outcome],
) -> SendResult:
    """Send one command per write; each has its own outcome."""
    try:
        blocks = client.execute(commands) if commands else []
    except AnswerLostError as error:
        return SendResult([Outcome(Verdict.UNKNOWN, write.target_id, reason=error.reason) for write in writes])
    except RequestRejectedError as error:
        if isinstance(error, CredentialsError) or error.code not in DIVISIBLE:
            return not_sent(writes, error)
        if len(writes) == 1:
            return SendResult([Outcome(Verdict.REJECTED, writes[0].target_id, error.code, error.reason)])
    except IntegrationError as error:
        return not_sent(writes, error)
    else:
        outcomes = [outcome_of(write, block) for write, block in zip(writes, blocks, strict=True)]
        return SendResult(outcomes, _stop(outcomes))
    middle = len(writes) // 2
    first = send_commands(client, writes[:middle], commands[:middle], outcome_of)
    if first.stop:
        second = not_sent(writes[middle:], first.stop)
    else:
        second = send_commands(client, writes[middle:], commands[middle:], outcome_of)
    return SendResult([*first.outcomes, *second.outcomes], second.stop)


def not_sent(writes: Sequence[Write], error: Exception) -> SendResult:
    """Return the result of writes that the run stopped before."""
    reason = error.reason if isinstance(error, IntegrationError) else str(error)
    return SendResult([Outcome(Verdict.NOT_SENT, write.target_id, reason=reason) for write in writes], error)


def _stop(outcomes: Sequence[Outcome]) -> Exception | None:
    """Return the error of a status that concerns the service and not a record; it stops the run."""
    codes = {int(outcome.code) for outcome in outcomes if outcome.verdict is Verdict.NOT_SENT} & NOT_PROCESSED
    if RATE_LIMIT in codes:  # how long it lasts is not known, so these writes are deferred, not failed
        return QuotaExhaustedError(SYSTEM, "write", f"status {RATE_LIMIT}: the account's request limit is reached")
    return status_error(min(codes), "write") if codes else None
