"""The warehouse as DuckLake: tables in an object store, their catalog in PostgreSQL, written by any number of machines.

ATTACH 'ducklake:postgres:…' AS warehouse (DATA_PATH 's3://…')  is the only statement that differs from a DuckDB file.

DuckLake itself would let several write at once and reject the later one at its commit. Here writers take a lock in the
same PostgreSQL, so that no work is lost; readers take none. The extensions come with the installed wheels
(`millpond[scale]`): nothing is downloaded when a run starts.
"""

import importlib.util
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import duckdb

from resources.postgres import advisory_lock, session_of
from resources.warehouse.backend import Check
from resources.warehouse.tables import literal

EXTENSIONS = ("ducklake", "postgres_scanner", "httpfs")
INLINED_ROWS = 1000  # smaller writes go into the catalog: a file in an object store costs tens of milliseconds


@dataclass(frozen=True)
class DuckLakeSettings:
    """Settings of a DuckLake.

    Attributes:
        catalog: libpq's connection string, without the password (PGPASSWORD or a password file).
        data: Folder of the data files, such as `s3://bucket/warehouse`.
        schema: PostgreSQL schema of the catalog; one per warehouse.
        endpoint: Address of an object store other than Amazon's, such as `http://store:9000`.
    """

    catalog: str
    data: str
    schema: str = "millpond"
    endpoint: str = ""
    region: str = "us-east-1"
    key: str = ""
    secret: str = field(default="", repr=False)


class DuckLake:
    """One warehouse of a catalog."""

    is_shared = True
    min_memory_mb = 256
    fix = (
        "check MILLPOND_WAREHOUSE_CATALOG, MILLPOND_WAREHOUSE_DATA and the keys of the object store, and that both"
        " answer from this machine; then run again"
    )

    def __init__(self, settings: DuckLakeSettings) -> None:
        self._settings = settings
        self.name = f"DuckLake {settings.schema}"

    def attach(self, con: duckdb.DuckDBPyConnection) -> None:
        """Load the extensions, set the keys of the object store, attach."""
        for name in EXTENSIONS:
            con.execute(f"load {literal(str(extension(name)))}")
        if self._settings.data.startswith("s3://"):
            con.execute(f"create or replace secret millpond (type s3, {self._store_options()})")
            con.execute("set s3_uploader_max_filesize = '50GB'")  # parts of 5 MB; otherwise each file buffers 80 MB
        catalog, schema = literal(f"ducklake:postgres:{self._settings.catalog}"), literal(self._settings.schema)
        con.execute(
            f"attach {catalog} as warehouse (data_path {literal(self._settings.data)}, metadata_schema {schema},"
            f" override_data_path true, data_inlining_row_limit {INLINED_ROWS})"
        )

    def is_alive(self, con: duckdb.DuckDBPyConnection) -> bool:
        """Return whether the catalog still answers this connection: it may have been restarted."""
        try:
            con.execute("select 1 from ducklake_snapshots('warehouse') limit 1").fetchall()
        except duckdb.Error:
            return False
        return True

    def _store_options(self) -> str:
        given = {"key_id": self._settings.key, "secret": self._settings.secret, "region": self._settings.region}
        options = [f"{name} {literal(value)}" for name, value in given.items() if value]
        if self._settings.endpoint:
            url = urlsplit(self._settings.endpoint)
            options += [f"endpoint {literal(url.netloc)}", "url_style 'path'", f"use_ssl {url.scheme == 'https'}"]
        return ", ".join(options)

    def exists(self) -> bool:
        """Return whether the catalog has this warehouse."""
        with session_of(self._settings.catalog) as session:
            table = f"{self._settings.schema}.ducklake_metadata"
            return bool(session.query("select to_regclass(%s) is not null", table))

    def compact(self, con: duckdb.DuckDBPyConnection) -> tuple[int, int]:
        """Expire snapshots older than a day, merge small files, delete unreferenced files."""
        before = self._bytes(con)
        con.execute("call ducklake_expire_snapshots('warehouse', older_than => now() - interval 1 day)")
        con.execute("call ducklake_merge_adjacent_files('warehouse')")
        con.execute("call ducklake_rewrite_data_files('warehouse')")
        con.execute("call ducklake_cleanup_old_files('warehouse', older_than => now() - interval 1 day)")
        return before, self._bytes(con)

    def _bytes(self, con: duckdb.DuckDBPyConnection) -> int:
        query = "select sum(file_size_bytes + delete_file_size_bytes) from ducklake_table_info('warehouse')"
        return int(con.execute(query).fetchall()[0][0] or 0)

    def lock(self, name: str, timeout_s: float) -> AbstractContextManager[Check]:
        """Take a lock of the catalog's PostgreSQL."""
        return advisory_lock(self._settings.catalog, f"{self._settings.schema}/{name}", timeout_s)


def extension(name: str) -> Path:
    """Return the file of an extension in its wheel, for the installed DuckDB.

    Raises:
        duckdb.IOException: The wheel is not installed.
    """
    found = importlib.util.find_spec(f"duckdb_extension_{name}")
    folder = Path(next(iter(found.submodule_search_locations or [])) if found else "")
    file = folder / "extensions" / f"v{duckdb.__version__}" / f"{name}.duckdb_extension"
    if found is None or not file.exists():
        raise duckdb.IOException(
            f"no wheel of the extension {name} for DuckDB {duckdb.__version__} is installed; install millpond[scale]"
        )
    return file
