"""Decisions that a restore must not end: shadow mode, and records that were forgotten.

former warehouse, moved aside  ->  read_former()  ->  continue_shadows(), continue_marks() in the restored warehouse
"""

from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from assets.delivery.ledger.shadows import Shadow, active_shadows
from resources.warehouse.forgotten import Row, mark_rows


@dataclass(frozen=True)
class Former:
    """Decisions that applied in a former warehouse.

    Attributes:
        shadows: The periods of shadow mode that went on.
        is_known: False if there is no file, or a damaged one, so that nothing is known of either.
    """

    shadows: list[Shadow] = field(default_factory=list)
    marks: list[Row] = field(default_factory=list)
    is_known: bool = True


def read_former(file: Path) -> Former:
    """Return what applied in a former warehouse."""
    if not file.exists():  # another machine, or another home
        return Former(is_known=False)
    try:
        with duckdb.connect(str(file), read_only=True) as con:
            return Former(active_shadows(con), mark_rows(con))
    except duckdb.Error:  # damaged, which may be why a backup is restored
        return Former(is_known=False)
