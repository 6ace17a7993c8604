"""The compared senders of the delivery bench, and the simulated SuiteProjects Pro that they send to.

python -m tests.bench.deliver_senders serve FOLDER LATENCY_MS   ->  prints its URL once it listens
python -m tests.bench.deliver_senders send FILE                 ->  prints Millpond's measurements as JSON
"""

import asyncio
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import httpx
import uvicorn

from assets.delivery.mart.build import make_mart
from assets.delivery.mart.current_state import read_target_state
from assets.delivery.plan.planner import make_plan
from assets.delivery.run_context import RunContext
from assets.delivery.send.apply import run_sync
from assets.delivery.spec.workflow import Workflow
from assets.delivery.spec.workflow_spec import WorkflowSpec
from assets.suiteprojects.target import SuiteProjectsTarget
from resources.sandbox.sandbox import Sandbox
from resources.sandbox.server import HOST, THREADS, AsgiApp, LossyProtocol, Receive, Scope, Send, listen
from resources.suiteprojects.connect import open_suiteprojects
from resources.warehouse.warehouse import Warehouse
from tests.assets.suiteprojects.staged import customer, stage

PACKAGE = "drt-core==1.2.1"
# ten fields of a customer, and their names in drt's template
FIELDS = {
    "externalid": "customer_id", "netsuite_customer_id__c": "customer_id", "name": "entity_number",
    "company": "company_name", "currency": "currency_code", "addr_email": "email", "addr_phone": "phone",
    "addr_city": "city", "addr_zip": "zip", "addr_country": "country_code",
}  # fmt: skip
SERVED = "/served"  # the stand-in's own time, for this bench alone
INVALID = "XXX"  # a currency unknown to the account: SuiteProjects Pro rejects the customer inside HTTP 200

# drt's REST destination with one record per request and a handwritten template
DRT = """
import json, sys, time
from drt.config.models import RestApiDestinationConfig, SyncOptions
from drt.destinations.rest_api import RestApiDestination

task = json.load(open(sys.argv[1]))
options = SyncOptions(on_error="skip", rate_limit={"requests_per_second": 100000})
config = RestApiDestinationConfig(
    type="rest_api", url=task["base_url"] + "/api.pl", headers={"Content-Type": "application/xml"},
    body_template=task["template"],
)
began = time.perf_counter()
result = RestApiDestination().load(task["rows"], config, options)
print(json.dumps({"sending_s": time.perf_counter() - began, "rejected": result.failed}))
"""


def rows(count: int) -> list[dict[str, Any]]:
    """Return plausible customers, one in a hundred of which is rejected."""
    return [
        customer(
            str(number), currency_code="EUR" if number % 100 else INVALID, email=f"{number}@example.org",
            phone=f"+46 8 {number:07}", city="Lund", zip=f"{number % 100000:05}", country_code="SE",
        )
        for number in range(1, count + 1)
    ]  # fmt: skip


def template(keys: dict[str, str]) -> str:
    """Return the request body of one record as a template for a generic client."""
    plain = {name: column for name, column in FIELDS.items() if not name.startswith("addr_")}
    fields = "".join(f"<{name}>{{{{ row.{column} }}}}</{name}>" for name, column in plain.items())
    address = "".join(
        f"<{name[5:]}>{{{{ row.{column} }}}}</{name[5:]}>" for name, column in FIELDS.items() if name not in plain
    )
    login = "".join(f"<{name}>{keys[name]}</{name}>" for name in ("company", "user", "password"))
    return (
        f'<request API_version="1.0" client="drt" client_ver="1" namespace="{keys["namespace"]}" key="{keys["key"]}">'
        f"<Auth><Login>{login}</Login></Auth>"
        f'<Add type="Customer" lookup="externalid" enable_custom="1"><Customer>{fields}'
        f"<addr><Address>{address}</Address></addr></Customer></Add></request>"
    )


def send(folder: str, base_url: str, keys: dict[str, str], count: int, batch: int) -> dict[str, float]:
    """Send with Millpond: mart, target state, plan and sync, including the canary record."""
    fields = [{"field": name, "from": column} for name, column in FIELDS.items()]
    spec = {"target": "suiteprojects.Customer", "source": "customers", "fields": fields}
    workflow, warehouse = Workflow("bench", WorkflowSpec.model_validate(spec)), Warehouse(Path(folder) / "warehouse")
    stage(warehouse, customers=rows(count))
    with open_suiteprojects(base_url=base_url, **keys) as client, warehouse.kept_open():
        target, began = SuiteProjectsTarget(client, "Customer", batch=batch), perf_counter()
        make_mart(warehouse, workflow)
        read_target_state(RunContext(warehouse, workflow, target, "bench", client.clock))
        make_plan(RunContext(warehouse, workflow, target, "bench", client.clock))
        before, cpu = served_s(base_url), process_time()
        synced = run_sync(RunContext(warehouse, workflow, target, "bench", client.clock))
        total_s, cpu_s, waited_s = perf_counter() - began, process_time() - cpu, served_s(base_url) - before
    return {
        "total_s": total_s, "sending_s": synced.seconds, "own_s": synced.seconds - waited_s, "own_cpu_s": cpu_s,
        "rejected": synced.counts["quarantined"],
    }  # fmt: skip


def served_s(base_url: str) -> float:
    """Return the seconds that the stand-in has taken for requests so far, network latency included."""
    return float(httpx.get(base_url + SERVED).text)


class Slow:
    """An ASGI app with network latency, which knows how long its requests took."""

    def __init__(self, front: AsgiApp, latency_ms: int) -> None:
        self._front = front
        self._latency_s, self._served_s = latency_ms / 1000, 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wait for the latency, then respond."""
        if scope.get("path") == SERVED:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": str(self._served_s).encode()})
            return
        began = perf_counter()
        await asyncio.sleep(self._latency_s)
        await self._front(scope, receive, send)
        self._served_s += perf_counter() - began


async def serve(folder: Path, latency_ms: int) -> None:
    """Serve SuiteProjects Pro alone until the process ends."""
    sandbox, listener = Sandbox(folder), listen(0)
    with ThreadPoolExecutor(THREADS) as pool:
        app = Slow(AsgiApp(sandbox.system("suiteprojects"), pool), latency_ms)
        config = uvicorn.Config(
            app,  # type: ignore[arg-type]
            http=LossyProtocol,
            lifespan="off",
            log_level="warning",
            access_log=False,
        )
        print(f"http://{HOST}:{listener.getsockname()[1]}", flush=True)  # it already listens
        await uvicorn.Server(config).serve(sockets=[listener])


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        asyncio.run(serve(Path(sys.argv[2]), int(sys.argv[3])))
    else:
        task = json.loads(Path(sys.argv[2]).read_text())
        names = ("folder", "base_url", "keys", "count", "batch")
        print(json.dumps(send(**{name: task[name] for name in names})))
