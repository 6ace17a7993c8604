"""What can go wrong at the border with another system, named by what to do next.

IntegrationError
├── TransientError          try again: no answer, 408, 5xx
│   ├── RateLimitedError    try again, but not before `retry_after_s` (429, 556)
│   ├── UnreachableError    nobody answers at the address: look at the address and the network first
│   └── AnswerLostError     a write was sent and no usable answer came: read back before sending again
├── QuotaExhaustedError     stop this run as partial; the next one goes on (daily limits)
├── RecordRejectedError     skip this record, keep the others, report it (400, 409, 422)
├── RequestRejectedError    do not try again: the request itself is wrong (other 4xx)
│   └── CredentialsError    do not try again: a person must renew a key (401, 403)
└── ContractError           stop: the answer has not the documented shape
"""


class IntegrationError(Exception):
    """Something went wrong with another system; `str()` is `system: operation: reason`, never a record's contents."""

    def __init__(self, system: str, operation: str, reason: str) -> None:
        super().__init__(f"{system}: {operation}: {reason}")
        self.system = system
        self.operation = operation
        self.reason = reason


class TransientError(IntegrationError):
    """Try again: the system did not answer, or said that it could not just now."""


class RateLimitedError(TransientError):
    """Try again, but not before `retry_after_s` seconds; the system did not do the work."""

    def __init__(self, system: str, operation: str, reason: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(system, operation, reason)
        self.retry_after_s = retry_after_s


class UnreachableError(TransientError):
    """No connection to the address, try after try; nothing was sent."""


class AnswerLostError(TransientError):
    """A write was sent and no usable answer came: it may have worked, so read back before sending again."""


class QuotaExhaustedError(IntegrationError):
    """The system's daily allowance is used up; stop as partial, the next run goes on."""


class RecordRejectedError(IntegrationError):
    """The system refused this record; `code` is its own, when it gives one."""

    def __init__(self, system: str, operation: str, reason: str, *, code: str = "") -> None:
        super().__init__(system, operation, reason)
        self.code = code


class RequestRejectedError(IntegrationError):
    """The request itself is wrong; sending it again would not help."""

    def __init__(self, system: str, operation: str, reason: str, *, code: str = "") -> None:
        super().__init__(system, operation, reason)
        self.code = code


class CredentialsError(RequestRejectedError):
    """A key, token or permission was refused; a person must renew it."""


class ContractError(IntegrationError):
    """The answer does not have the documented shape; going on could lose records."""
