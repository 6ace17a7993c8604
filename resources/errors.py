"""Errors at the border with another system, named by what to do next.

IntegrationError
├── TransientError          retry: no response, 408, 5xx
│   ├── RateLimitedError    retry, but not before `retry_after_s` (429, 556)
│   ├── BusyError           retry: this record is locked, or the request came too early (423, 425)
│   ├── UnreachableError    no connection: check address and network first
│   └── AnswerLostError     a write was sent and no usable response came: check the target before retrying
├── QuotaExhaustedError     stop this run as partial; the next one continues (daily limits)
├── RecordRejectedError     skip this record, keep the others, report it (`ONE_RECORD` of http_failures.py)
├── RequestRejectedError    do not retry: the request itself is wrong (other 4xx)
│   ├── CredentialsError    do not retry: a person must renew a key (401, 403)
│   └── UntrustedError      do not retry: the certificate is expired, of another host, or not trusted
└── ContractError           stop: the response is not as documented
"""

from datetime import datetime

from resources.redaction import redact


class IntegrationError(Exception):
    """An error of another system; `str()` is `system: operation: reason`, never a record's contents or a secret."""

    def __init__(self, system: str, operation: str, reason: str) -> None:
        reason = redact(reason)
        super().__init__(f"{system}: {operation}: {reason}")
        self.system = system
        self.operation = operation
        self.reason = reason


class TransientError(IntegrationError):
    """Retry: the system did not answer, or is temporarily unable to."""


class RateLimitedError(TransientError):
    """Retry, but not before `retry_after_s` seconds; the system did nothing."""

    def __init__(self, system: str, operation: str, reason: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(system, operation, reason)
        self.retry_after_s = retry_after_s


class BusyError(TransientError):
    """Retry: what the request writes is in use, or it came too early; the system did nothing."""

    def __init__(self, system: str, operation: str, reason: str, *, code: str = "") -> None:
        super().__init__(system, operation, reason)
        self.code = code


class UnreachableError(TransientError):
    """No connection to the address in any attempt; nothing was sent."""


class AnswerLostError(TransientError):
    """A write was sent and no usable response came: it may have worked, so check the target before retrying."""


class QuotaExhaustedError(IntegrationError):
    """The system's daily quota is used up; stop as partial, the next run continues.

    `until` is the time from which the system accepts requests again, with its zone; None if it is not known.
    """

    def __init__(self, system: str, operation: str, reason: str, *, until: datetime | None = None) -> None:
        super().__init__(system, operation, reason)
        self.until = until


class RecordRejectedError(IntegrationError):
    """The system rejected this record; `code` is the system's own, if it has one."""

    def __init__(self, system: str, operation: str, reason: str, *, code: str = "") -> None:
        super().__init__(system, operation, reason)
        self.code = code


class RequestRejectedError(IntegrationError):
    """The request itself is wrong; retrying does not help."""

    def __init__(self, system: str, operation: str, reason: str, *, code: str = "") -> None:
        super().__init__(system, operation, reason)
        self.code = code


class CredentialsError(RequestRejectedError):
    """A key, token or permission was rejected; a person must renew it."""


class UntrustedError(RequestRejectedError):
    """The other side could not prove who it is; nothing was sent."""


class ContractError(IntegrationError):
    """The response is not as documented; continuing could lose records."""
