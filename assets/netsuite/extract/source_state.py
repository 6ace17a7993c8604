"""The state of the warehouse from which a read of one record type starts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from assets.netsuite.extract.reading_log import LastReading
from assets.netsuite.extract.watermarks import Watermark


@dataclass(frozen=True)
class SourceState:
    """The state of the warehouse before a read.

    Attributes:
        watermark: How far the table was read; None before its first load.
        changed_parents: Parents whose children may have changed.
        began_at: When this extraction began, by the warehouse's clock.
        deleted_from: Time from which deletions are queried, for all tables of a run.
        outdated: Rows that refer to a record that was deleted after they were read.
        undated: Number of rows without a date of change.
        absent: Rows that NetSuite did not show before, without evidence of a deletion, and when they were written.
    """

    watermark: Watermark | None
    changed_parents: Sequence[str]
    began_at: datetime
    deleted_from: str = ""
    outdated: Sequence[str] = ()
    reading: LastReading = field(default_factory=LastReading)
    undated: int = 0
    absent: Mapping[str, datetime] = field(default_factory=dict)


class Follow(Protocol):
    """Waits for the record types that this one follows; returns the state with what they changed."""

    def __call__(self, *, has_read: bool) -> SourceState:
        """Args: has_read: Rows were read before."""
        ...
