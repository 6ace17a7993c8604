"""Errors of the delivery engine that an operator can act on."""


class SyncError(Exception):
    """The workflow cannot continue; the text says what to do."""


class PlanError(SyncError):
    """The plan cannot be made or sent; the text says why and what to do."""


class NothingToUndoError(SyncError):
    """A run wrote nothing of what was to be undone; another workflow of it may have."""


class OccupiedError(SyncError):
    """Another run is writing to the target; the same call succeeds after it."""


class StuckError(SyncError):
    """Another run has been at work for an hour, and is perhaps stuck; the text says with what."""


class MappingError(Exception):
    """The mapping does not fit the tables; the text names the workflow, the field, and the fix."""


class InterruptedDeliveryError(Exception):
    """Ctrl-C or a stop signal ended a delivery between two records; `cause` is raised once the outcomes are stored."""

    def __init__(self, cause: BaseException) -> None:
        super().__init__("interrupted; the next run checks in the target what was sent")
        self.cause = cause
