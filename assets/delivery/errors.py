"""Errors of the delivery engine that an operator can act on."""


class SyncError(Exception):
    """The workflow cannot continue; the text says what to do."""


class PlanError(SyncError):
    """The plan cannot be made or sent; the text says why and what to do."""


class MappingError(Exception):
    """The mapping does not fit the tables; the text names the workflow, the field, and the fix."""
