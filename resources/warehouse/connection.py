"""DuckDB connections that install nothing from the network."""

import duckdb

_CLOSED: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,  # a table's name that looks like an address would download an extension
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
}


def connect() -> duckdb.DuckDBPyConnection:
    """Open a connection to a new database in memory."""
    return duckdb.connect(config=_CLOSED)
