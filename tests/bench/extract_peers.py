"""The other contestants of the bench of extraction: what to install, and the shortest program that does the job.

Each program gets one JSON argument and leaves a DuckDB file in its folder.
"""

PACKAGES = {
    "netsuite": ["netsuite[orjson]==0.12.0", "duckdb"],
    "dlt": ["dlt[duckdb,parquet]==1.31.*"],
}

# the best known Python client: signs by TBA, one offset page of a thousand after the other
NETSUITE = """
import asyncio, json, sys
import duckdb
from netsuite import Config, NetSuiteRestApi, TokenAuth

told = json.loads(sys.argv[1])
keys = ("consumer_key", "consumer_secret", "token_id", "token_secret")
api = NetSuiteRestApi(Config(account=told["account"], auth=TokenAuth(**{key: told[key] for key in keys})))
query = told["query"].format(condition=" > -1000000000") + f" order by {told['key']} asc"

async def main():
    offset = 0
    with open(told["folder"] + "/rows.json", "w") as file:
        while True:
            page = await api.suiteql(query, limit=1000, offset=offset)
            file.writelines(json.dumps(row) + "\\n" for row in page["items"])
            if not page["hasMore"]:
                return
            offset += 1000

asyncio.run(main())
con = duckdb.connect(told["folder"] + "/out.duckdb")
rows = f"read_json('{told['folder']}/rows.json', format='newline_delimited')"
con.execute(f"create table customer as select * from {rows}")
con.close()
"""

# dlt's own REST source, offset pages; with ranges, one resource a range, read side by side
DLT = """
import json, os, sys

told = json.loads(sys.argv[1])
os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
os.environ["DLT_DATA_DIR"] = told["folder"]
import dlt
from dlt.sources.rest_api import rest_api_source

edges = [-1000000000, *told["borders"], 10**12]

def resource(number):
    low, high = edges[number], edges[number + 1]
    query = told["query"].format(condition=f" > {low}") + f" and {told['key']} <= {high} order by {told['key']} asc"
    return {
        "name": f"customer_{number}",
        "table_name": "customer",
        "write_disposition": "append",
        "max_table_nesting": 0,
        "endpoint": {
            "path": "services/rest/query/v1/suiteql",
            "method": "POST",
            "json": {"q": query},
            "headers": {"Prefer": "transient"},
            "data_selector": "items",
            "paginator": {"type": "offset", "limit": 1000, "total_path": "totalResults"},
        },
    }

source = rest_api_source({
    "client": {"base_url": told["base_url"] + "/", "auth": {"type": "bearer", "token": told["token"]}},
    "resources": [resource(number) for number in range(told["ranges"])],
})
pond = dlt.destinations.duckdb(told["folder"] + "/out.duckdb")
pipeline = dlt.pipeline("bench", destination=pond, dataset_name="pond")
if told["ranges"] > 1:
    source = source.parallelize()
pipeline.run(source, loader_file_format="parquet").raise_on_failed_jobs()
"""

SCRIPTS = {"netsuite": NETSUITE, "dlt": DLT}
