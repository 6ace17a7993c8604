"""The other tools in the extraction benchmark: packages, and the shortest program that does the job.

Each program gets one JSON argument and writes a DuckDB file in the given folder.
"""

PACKAGES = {
    "netsuite": ["netsuite[orjson]==0.12.0", "duckdb"],
    "dlt": ["dlt[duckdb,parquet]==1.31.*"],
    "airbyte": ["airbyte-source-netsuite==0.1.29", "duckdb"],
}

# the best-known Python client: TBA, offset pages of 1000 rows, one after the other
NETSUITE = """
import asyncio, json, sys
import duckdb
from netsuite import Config, NetSuiteRestApi, TokenAuth

job = json.loads(sys.argv[1])
keys = ("consumer_key", "consumer_secret", "token_id", "token_secret")
api = NetSuiteRestApi(Config(account=job["account"], auth=TokenAuth(**{key: job[key] for key in keys})))
query = job["query"].format(condition=" > -1000000000") + f" order by {job['key']} asc"

async def main():
    offset = 0
    with open(job["folder"] + "/rows.json", "w") as file:
        while True:
            page = await api.suiteql(query, limit=1000, offset=offset)
            file.writelines(json.dumps(row) + "\\n" for row in page["items"])
            if not page["hasMore"]:
                return
            offset += 1000

asyncio.run(main())
con = duckdb.connect(job["folder"] + "/out.duckdb")
rows = f"read_json('{job['folder']}/rows.json', format='newline_delimited')"
con.execute(f"create or replace table customer as select * from {rows}")
con.close()
"""

# dlt's REST source, offset pages; with ranges, one resource per range, in parallel. Changes are selected by the
# timestamp as the session shows it, because a literal is read in the session's zone
DLT = """
import json, os, sys

job = json.loads(sys.argv[1])
os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
os.environ["DLT_DATA_DIR"] = job["folder"]
import dlt
from dlt.sources.rest_api import rest_api_source

edges = [-1000000000, *job["borders"], 10**12]

def resource(number):
    low, high = edges[number], edges[number + 1]
    stamp = "c.lastmodifieddate"
    query = job["query"].format(condition=f" > {low}") + f" and {job['key']} <= {high}"
    query = query.replace("select ", f"select to_char({stamp}, 'YYYY-MM-DD HH24:MI:SS') as local_modified, ", 1)
    query += f" and {stamp} >= to_timestamp('{{incremental.start_value}}', 'YYYY-MM-DD HH24:MI:SS')"
    query += f" order by {job['key']} asc"
    return {
        "name": f"customer_{number}",
        "table_name": "customer",
        "write_disposition": "append",
        "max_table_nesting": 0,
        "endpoint": {
            "path": "services/rest/query/v1/suiteql",
            "method": "POST",
            "json": {"q": query},
            "incremental": {"cursor_path": "local_modified", "initial_value": "2000-01-01 00:00:00"},
            "headers": {"Prefer": "transient"},
            "data_selector": "items",
            "paginator": {"type": "offset", "limit": 1000, "total_path": "totalResults"},
        },
    }

source = rest_api_source({
    "client": {"base_url": job["base_url"] + "/", "auth": {"type": "bearer", "token": job["token"]}},
    "resources": [resource(number) for number in range(job["ranges"])],
})
warehouse = dlt.destinations.duckdb(job["folder"] + "/out.duckdb")
pipeline = dlt.pipeline("bench", destination=warehouse, dataset_name="warehouse")
if job["ranges"] > 1:
    source = source.parallelize()
pipeline.run(source, loader_file_format="parquet").raise_on_failed_jobs()
"""

# the unmodified connector, run in this process; the server's certificate authority is added to the trusted ones
AIRBYTE = """
import json, os, sys
from pathlib import Path
import certifi, duckdb

job = json.loads(sys.argv[1])
folder = Path(job["folder"])
trusted = folder / "trusted.pem"
trusted.write_bytes(Path(certifi.where()).read_bytes() + Path(job["ca_file"]).read_bytes())
certifi.where = lambda: str(trusted)
os.environ["REQUESTS_CA_BUNDLE"] = str(trusted)
from airbyte_cdk.entrypoint import AirbyteEntrypoint
from source_netsuite import SourceNetsuite

config = {
    "realm": job["account"], "consumer_key": job["consumer_key"], "consumer_secret": job["consumer_secret"],
    "token_key": job["token_id"], "token_secret": job["token_secret"], "object_types": ["customer"],
    "start_datetime": job["since"], "window_in_days": 30,
}
stream = {"name": "customer", "json_schema": {}, "supported_sync_modes": ["full_refresh", "incremental"]}
catalog = {"streams": [{"stream": stream, "sync_mode": "incremental", "destination_sync_mode": "append",
                        "cursor_field": ["lastModifiedDate"]}]}
arguments = ["read"]
for name, content in (("config", config), ("catalog", catalog)):
    (folder / (name + ".json")).write_text(json.dumps(content))
    arguments += ["--" + name, str(folder / (name + ".json"))]
state = folder / "state.json"
if state.exists():
    arguments += ["--state", str(state)]
entry = AirbyteEntrypoint(SourceNetsuite())
rows = []
for message in entry.run(entry.parse_args(arguments)):
    message = json.loads(message)
    if message["type"] == "RECORD":
        rows.append((message["record"]["data"]["id"], message["record"]["data"].get("phone")))
    elif message["type"] == "STATE":
        state.write_text(json.dumps([message["state"]]))
con = duckdb.connect(str(folder / "out.duckdb"))
con.execute("create table if not exists customer (id varchar, phone varchar)")
for row in rows:
    con.execute("insert into customer values (?, ?)", row)
con.close()
"""

SCRIPTS = {"netsuite": NETSUITE, "dlt": DLT, "airbyte": AIRBYTE}
