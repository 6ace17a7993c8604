"""The facts that causes are drawn from: one difference, the circumstances of a comparison, and the age of a change.

Difference, Setting  ->  aged()  ->  too young to be in the target, overdue, or not known
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from assets.delivery.ledger.links import value_hash
from assets.delivery.schemas import SourceKey
from assets.delivery.shadow.evidence import INCUMBENT_ERROR, TIMING, UNKNOWN, Cause

UNPROVEN: Final = "timing_unproven"  # kind of a difference that may be one of time: the interval is not known


@dataclass(frozen=True)
class Difference:
    """One field, or in parentheses the whole record, in which the target is not as we would write it.

    Attributes:
        was_alike: Whether the comparison before saw our value in the target, or the record at all, and NetSuite has not
            changed its own since.
        lost: Of a record that no rule finds any more since NetSuite changed it: the id of the one found before.
        linked: Of a record that the target does not show: the id of the one that Millpond had linked.
        known: The cause that was given to the same difference before.
        modified_at: NetSuite's time of the record's last change, UTC.
        created_at: Of its creation.
        reason: The engine's reason, of a record that the workflow leaves out.
    """

    key: SourceKey
    target_id: str | None
    field: str
    wanted: str | None = None
    found: str | None = None
    was_alike: bool = False
    lost: str | None = None
    linked: str | None = None
    known: Cause | None = None
    modified_at: datetime | None = None
    created_at: datetime | None = None
    code: str = ""
    reason: str = ""

    @property
    def hashes(self) -> tuple[str | None, str | None]:
        """The fingerprints of both values; none of what differs of a whole record."""
        is_whole = self.field.startswith("(")
        return (None, None) if is_whole else (value_hash(self.wanted), value_hash(self.found))


@dataclass(frozen=True)
class Setting:
    """The circumstances of a comparison.

    Attributes:
        as_of: NetSuite's time when its records were read, UTC; None: not known.
        interval_s: Seconds between two runs of the other connector, declared or observed; None: not known.
        is_declared: Whether a person gave the interval.
        arrived_through: NetSuite's time, UTC, after which NetSuite made a change that has arrived.
        seen_before: When the comparison before this one was, UTC.
        select_columns: The columns that our rows select by, by source.
        tables: The staging table of each source.
    """

    as_of: datetime | None
    interval_s: float | None
    is_declared: bool = False
    arrived_through: datetime | None = None
    seen_before: datetime | None = None
    select_columns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    tables: Mapping[str, str] = field(default_factory=dict)


def aged(setting: Setting, changed_at: datetime | None, what: str, kind: str) -> Cause | None:
    """Return whether a change is too young to be in the target, or should be there; unknown where nothing shows it.

    An observed interval shows what is young, not what is overdue: a slower run may still come. Overdue is a change if
    one that NetSuite made later has arrived.
    """
    if changed_at is None or setting.as_of is None:
        return None
    age_s, interval_s = (setting.as_of - changed_at).total_seconds(), setting.interval_s
    text = f"{what}: {changed_at:%Y-%m-%d %H:%M} UTC"
    if interval_s is None:
        unknown = "how often the connector runs is not known: no change was seen to arrive yet"
        return Cause(UNKNOWN, UNPROVEN, f"{text}; {unknown}", changed_at)
    how = "the connector runs every" if setting.is_declared else "changes arrived within"
    text = f"{text}, {span(age_s)} before it was read; {how} {span(interval_s)}"
    if age_s <= interval_s:
        return Cause(TIMING, "young", text, changed_at)
    if setting.is_declared:
        return Cause(INCUMBENT_ERROR, kind, text, changed_at)
    if setting.arrived_through and changed_at <= setting.arrived_through:
        later = f"changes after {setting.arrived_through:%Y-%m-%d %H:%M} UTC have arrived"
        return Cause(INCUMBENT_ERROR, kind, f"{text}, and {later}", changed_at)
    return Cause(UNKNOWN, UNPROVEN, f"{text}, but no later change has arrived either", changed_at)


def span(seconds: float) -> str:
    """Return a time as people say it: `45 min`, `3.5 h`, `2 days`."""
    hours = seconds / 3600
    if hours < 1:
        return f"{max(0, round(seconds / 60))} min"
    return f"{round(hours, 1):g} h" if hours < 48 else f"{round(hours / 24, 1):g} days"  # noqa: PLR2004 - two days


def when(setting: Setting) -> str:
    """Return when the comparison before this one was, as part of a sentence."""
    return f" of {setting.seen_before:%Y-%m-%d %H:%M} UTC" if setting.seen_before else " before"


def caught_up(arrived: Iterable[datetime], at: datetime | None, interval_s: float | None) -> float | None:
    """Return the longest time in which a change was seen to arrive in the target, by this comparison and those before.

    Args:
        arrived: NetSuite's times of changes that the target did not have at the comparison before, and has now.
        at: When the target was read, UTC.
        interval_s: The longest time so far.
    """
    times = [(at - each).total_seconds() for each in arrived] if at else []
    return max([each for each in (*times, interval_s) if each is not None and each >= 0], default=None)
