"""A forgotten record stays forgotten after a restore: what runs read of it is stored without its personal values.

former warehouse, moved aside  ->  marks_left()  ->  continue_marks() in the restored warehouse, and a line to repeat it
"""

from pathlib import Path

import duckdb

from resources.warehouse.forgotten import Row, mark_rows


def marks_left(file: Path) -> list[Row]:
    """Return the marks that applied in a former warehouse; none if it cannot be read."""
    if not file.exists():
        return []
    try:
        with duckdb.connect(str(file), read_only=True) as con:
            return mark_rows(con)
    except duckdb.Error:  # damaged, which may be why a backup is restored
        return []
