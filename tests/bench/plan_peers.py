"""The peers of the plan benchmark: the packages to install, and the shortest program that finds the differences.

Each program gets the warehouse's file, the tables of mart and target state, and the fields as arguments; it prints
seconds and a remark.
"""

PACKAGES = {
    "pandas": ["pandas", "duckdb"],
    "drt": ["drt-core==1.2.1", "duckdb"],
}

# aligned by key; every cell is compared, and differing ones are returned with before and after
PANDAS = """
import sys, time
import duckdb

file, mart, target_state, *fields = sys.argv[1:]
began = time.perf_counter()
with duckdb.connect(file, read_only=True) as con:
    left, right = (
        con.sql(f"select {', '.join(fields)} from {table}").df().set_index("externalid")
        for table in (mart, target_state)
    )
both = left.index.intersection(right.index)
desired, actual = left.loc[both], right.loc[both]
differs = desired.ne(actual) & ~(desired.isna() & actual.isna())
cells = desired.where(differs).stack().to_frame("after").join(actual.where(differs).stack().to_frame("before"))
added, deleted = left.index.difference(right.index), right.index.difference(left.index)
changed = int(differs.any(axis=1).sum())
print(f"{time.perf_counter() - began:.3f}", f"{changed} changed, {len(added)} new, {len(deleted)} deleted")
"""

# drt's own source and its own diff. Its destination would be a PostgreSQL server; here the rows come straight from
# DuckDB, which saves it the server's time.
DRT = """
import sys, time
import duckdb
from drt.config.credentials import DuckDBProfile
from drt.config.models import PostgresDestinationConfig, SyncOptions
from drt.engine import diff
from drt.sources.duckdb import DuckDBSource

file, mart, target_state, *fields = sys.argv[1:]
began = time.perf_counter()
names = ", ".join(fields)
source, profile = DuckDBSource(), DuckDBProfile(type="duckdb", database=file)
actual = f"select {names} from {target_state}"
diff.fetch_rows_by_keys = lambda config, key, keys, columns: list(source.extract(actual, profile))
records = list(source.extract(f"select {names} from {mart}", profile))
config = PostgresDestinationConfig(type="postgres", host="-", dbname="-", table="target", upsert_key=["externalid"])
found = diff.compute_diff(records, config, SyncOptions(mode="upsert"), limit=10**9)
assert found.supported, found.fallback_reason
print(f"{time.perf_counter() - began:.3f}", f"{len(found.updated)} changed, {len(found.added)} new, nothing stored")
"""

SCRIPTS = {"pandas": PANDAS, "drt": DRT}
