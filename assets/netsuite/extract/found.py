"""What is known of an account's columns of one thing: by this run, and by the warehouse from earlier ones."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Found:
    """What was found out; remembered as JSON.

    Attributes:
        asked: Fingerprint of the columns that were asked for.
        left_out: Columns that the account does not know.
        instead: Columns that are read from another expression.
        local_time: SYS_EXTRACT_UTC does not work: times come in the session's zone.
        formats_told: It is known which custom fields are dates.
    """

    asked: str
    left_out: list[str] = field(default_factory=list)
    instead: dict[str, str] = field(default_factory=dict)
    local_time: bool = False
    formats_told: bool = True


@dataclass(frozen=True)
class Remembered:
    """What the warehouse knows of a thing's columns.

    Attributes:
        found: What was found in an earlier run, as JSON; None: nothing.
        is_fresh: That was not long ago.
        lost: Columns that were left out and of which the warehouse holds values.
        kinds: Kinds of custom fields, as the metadata catalogue told when it was last seen.
    """

    found: Any = None
    is_fresh: bool = False
    lost: frozenset[str] = frozenset()
    kinds: Mapping[str, str] = field(default_factory=dict)
