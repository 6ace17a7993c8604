"""What an operator may say about reading NetSuite."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from assets.netsuite.extract.load import Guard


@dataclass(frozen=True)
class ExtractionSettings:
    """What an operator may say about reading NetSuite.

    Attributes:
        custom_columns: Custom fields to read, by thing: {"customers": ("custentity_region",)}.
        overlap_s: Seconds that are read twice, for changes that were being saved while we read.
        vanish_share: More vanished rows than this share (and at least `vanish_rows`) stop a load; 1 allows all.
        vanish_rows: Fewer vanished rows never stop it.
        optional_tables: Things, or NetSuite's names of their tables, that may be missing in this account (feature
            off): their raw table stays empty.
        reconcile_hours: All ids are compared with NetSuite's when that was so long ago; 0: never by itself.
        probe_hours: How long it is remembered which columns the account has, and how many calls it allows.
        memory_mb: Memory that DuckDB may use to load a large table; what is beyond goes to disk.
    """

    custom_columns: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    overlap_s: int = 900
    vanish_share: float = 0.2
    vanish_rows: int = 10
    optional_tables: frozenset[str] = frozenset()
    reconcile_hours: float = 24
    probe_hours: float = 1
    memory_mb: int = 256

    def with_columns(self, record_type: str, names: Sequence[str]) -> "ExtractionSettings":
        """The settings with more custom fields of one thing, such as those that a workflow's mapping reads."""
        columns = tuple(dict.fromkeys((*self.custom_columns.get(record_type, ()), *names)))
        return replace(self, custom_columns={**self.custom_columns, record_type: columns})

    @property
    def guard(self) -> Guard:
        """The vanish guard."""
        return Guard(self.vanish_share, self.vanish_rows)
