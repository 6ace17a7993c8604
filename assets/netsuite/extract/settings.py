"""Settings of the extraction from NetSuite."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True)
class ExtractionSettings:
    """Settings of the extraction from NetSuite.

    Attributes:
        custom_columns: Custom fields to read, by record type: {"customers": ("custentity_region",)}.
        overlap_s: Seconds that are read twice, for changes that were being saved during the last read.
        vanish_share: A load stops if more than this share of the rows vanished (and at least `vanish_rows`); 1: never.
        vanish_rows: Fewer vanished rows never stop a load.
        optional_tables: Record types, or NetSuite's table names, that this account may lack (feature off): their raw
            table stays empty.
        reconcile_hours: Hours between comparisons of all ids with NetSuite's; 0: only on request.
        verify_days: Days within which the values of every row are read again, whatever its date says: a share of the
            rows, oldest reading first, each time that all ids are compared; 0: never.
        verify_calls: Maximum number of calls for that, each time and per record type.
        undated_rows: Rows of a table without a date of change that are read in every run; if there are more, none is.
        capability_hours: Hours for which the account's columns and concurrency limits are cached.
        memory_mb: Memory that DuckDB may use to load a large table; the rest spills to disk.
    """

    custom_columns: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    overlap_s: int = 900
    vanish_share: float = 0.2
    vanish_rows: int = 10
    optional_tables: frozenset[str] = frozenset()
    reconcile_hours: float = 24
    verify_days: float = 7
    verify_calls: int = 200
    undated_rows: int = 10_000
    capability_hours: float = 1
    memory_mb: int = 256
