"""What one extraction tells an operator."""

from collections.abc import Mapping
from dataclasses import dataclass

from assets.netsuite.gathering import Mode


@dataclass(frozen=True)
class ExtractReport:
    """What one extraction did; inserted + updated + unchanged is what was read.

    Attributes:
        reconciled: Whether all ids were compared with NetSuite's.
        lanes_used: Share of the granted calls' time that calls were under way, while rows were being read.
    """

    thing: str
    mode: Mode
    read: int
    inserted: int
    updated: int
    unchanged: int
    moved: int
    deleted: int
    seconds: float
    calls: int
    rows: Mapping[str, int]
    warnings: tuple[str, ...]
    reconciled: bool = False
    lanes_used: float = 0.0
