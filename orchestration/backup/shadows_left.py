"""Shadow mode survives a restore: a backup from before it does not make a workflow write beside another connector.

former warehouse, moved aside  ->  shadows_left()  ->  continue_shadows() in the restored ledger
"""

from pathlib import Path

import duckdb

from assets.delivery.ledger.shadows import Shadow, active_shadows


def shadows_left(file: Path) -> list[Shadow]:
    """Return the periods of shadow mode that went on in a former warehouse; none if it cannot be read."""
    if not file.exists():
        return []
    try:
        with duckdb.connect(str(file), read_only=True) as con:
            return active_shadows(con)
    except duckdb.Error:  # damaged, which may be why a backup is restored
        return []
