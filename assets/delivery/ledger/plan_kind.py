"""The kinds of plan that the ledger distinguishes."""

from enum import StrEnum


class PlanKind(StrEnum):
    """The reason a plan exists; stored in `sync_plans.kind`.

    An undo plan also names the run that it undoes, in `sync_plans.undone_run`; the column is null for the other kinds.
    """

    SYNC = "sync"  # all records of the workflow
    REALTIME = "realtime"  # the records that change notifications named
    UNDO = "undo"  # puts back what one run wrote
