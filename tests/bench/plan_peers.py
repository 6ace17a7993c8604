"""The other contestants of the bench of plans: what to install, and the shortest program that tells what differs.

Each program gets the warehouse's file, mart and target state table, and the fields as arguments; it prints seconds and a remark.
"""

PACKAGES = {
    "pandas": ["pandas", "duckdb"],
    "drt": ["drt-core==1.2.1", "duckdb"],
}

# aligned by key, every cell compared, the differing ones with before and after
PANDAS = """
import sys, time
import duckdb

file, mart, target_state, *fields = sys.argv[1:]
began = time.perf_counter()
with duckdb.connect(file, read_only=True) as con:
    left, right = (
        con.sql(f"select {', '.join(fields)} from {table}").df().set_index("externalid") for table in (mart, target_state)
    )
both = left.index.intersection(right.index)
wanted, there = left.loc[both], right.loc[both]
differs = wanted.ne(there) & ~(wanted.isna() & there.isna())
cells = wanted.where(differs).stack().to_frame("after").join(there.where(differs).stack().to_frame("before"))
added, gone = left.index.difference(right.index), right.index.difference(left.index)
changed = int(differs.any(axis=1).sum())
print(f"{time.perf_counter() - began:.3f}", f"{changed} changed, {len(added)} new, {len(gone)} gone")
"""

# drt's own source, its own diff; its destination would be a PostgreSQL server: here the rows come from the warehouse as fast
# as DuckDB gives them, which spares it the server's time
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
there = f"select {names} from {target_state}"
diff.fetch_rows_by_keys = lambda config, key, keys, columns: list(source.extract(there, profile))
records = list(source.extract(f"select {names} from {mart}", profile))
config = PostgresDestinationConfig(type="postgres", host="-", dbname="-", table="target", upsert_key=["externalid"])
told = diff.compute_diff(records, config, SyncOptions(mode="upsert"), limit=10**9)
assert told.supported, told.fallback_reason
print(f"{time.perf_counter() - began:.3f}", f"{len(told.updated)} changed, {len(told.added)} new, nothing kept")
"""

SCRIPTS = {"pandas": PANDAS, "drt": DRT}
