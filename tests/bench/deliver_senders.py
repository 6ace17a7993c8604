"""The contestants of the bench of delivery, and the served SuiteProjects Pro that they send to.

python -m tests.bench.deliver_senders serve FOLDER LATENCY_MS   ->  its address when it listens
python -m tests.bench.deliver_senders send FILE                 ->  what Millpond did, as JSON
"""

import asyncio
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter
from typing import Any

import uvicorn

from assets.delivery.mart.build import make_mart, read_target_state
from assets.delivery.plan.planner import Workflow, make_plan
from assets.delivery.send.apply import run_sync
from assets.delivery.spec.workflow_spec import WorkflowSpec
from assets.suiteprojects.target import SuiteProjectsTarget
from resources.sandbox.sandbox import Sandbox
from resources.sandbox.server import HOST, THREADS, Front, LossyProtocol, Receive, Scope, Send, listen
from resources.suiteprojects.connect import open_suiteprojects
from resources.warehouse.warehouse import Warehouse
from tests.assets.suiteprojects.staged import customer, stage

PACKAGE = "drt-core==1.2.1"
# ten fields of a customer: ours, and how drt's template calls them
FIELDS = {
    "externalid": "customer_id", "netsuite_customer_id__c": "customer_id", "name": "entity_number",
    "company": "company_name", "currency": "currency_code", "addr_email": "email", "addr_phone": "phone",
    "addr_city": "city", "addr_zip": "zip", "addr_country": "country_code",
}  # fmt: skip
REFUSED = "XXX"  # a currency that the account has not: SuiteProjects Pro refuses such a customer inside HTTP 200

# drt as it comes: its REST destination, one record a request, a template made by hand
DRT = """
import json, sys, time
from drt.config.models import RestApiDestinationConfig, SyncOptions
from drt.destinations.rest_api import RestApiDestination

told = json.load(open(sys.argv[1]))
options = SyncOptions(on_error="skip", rate_limit={"requests_per_second": 100000})
config = RestApiDestinationConfig(
    type="rest_api", url=told["base_url"] + "/api.pl", headers={"Content-Type": "application/xml"},
    body_template=told["template"],
)
began = time.perf_counter()
result = RestApiDestination().load(told["rows"], config, options)
print(json.dumps({"sending_s": time.perf_counter() - began, "refused": result.failed}))
"""


def rows(count: int) -> list[dict[str, Any]]:
    """Plausible customers; one in a hundred will be refused."""
    return [
        customer(
            str(number), currency_code="EUR" if number % 100 else REFUSED, email=f"{number}@example.org",
            phone=f"+46 8 {number:07}", city="Lund", zip=f"{number % 100000:05}", country_code="SE",
        )
        for number in range(1, count + 1)
    ]  # fmt: skip


def template(keys: dict[str, str]) -> str:
    """The body of one record for a client that knows nothing of the service."""
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
    """Millpond's own way: shape, read back, decide, send; the canary included."""
    fields = [{"field": name, "from": column} for name, column in FIELDS.items()]
    given = {"target": "suiteprojects.Customer", "source": "customers", "fields": fields}
    workflow, warehouse = Workflow("bench", WorkflowSpec.model_validate(given)), Warehouse(Path(folder) / "warehouse")
    stage(warehouse, customers=rows(count))
    with open_suiteprojects(base_url=base_url, **keys) as client:
        target, began = SuiteProjectsTarget(client, "Customer", batch=batch), perf_counter()
        make_mart(warehouse, workflow)
        read_target_state(warehouse, workflow, target, run_id="bench", clock=client.clock)
        make_plan(warehouse, workflow, target, run_id="bench", clock=client.clock)
        synced = run_sync(warehouse, workflow, target, run_id="bench", clock=client.clock)
        whole_s = perf_counter() - began
    return {"whole_s": whole_s, "sending_s": synced.seconds, "refused": synced.counts["quarantined"]}


class Slow:
    """The stand-in with a network before it."""

    def __init__(self, front: Front, latency_ms: int) -> None:
        self._front = front
        self._latency_s = latency_ms / 1000

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wait as long as the way takes, then answer."""
        await asyncio.sleep(self._latency_s)
        await self._front(scope, receive, send)


async def serve(folder: Path, latency_ms: int) -> None:
    """Serve SuiteProjects Pro alone until the process is ended."""
    sandbox, listener = Sandbox(folder), listen(0)
    with ThreadPoolExecutor(THREADS) as pool:
        app = Slow(Front(sandbox.system("suiteprojects"), pool), latency_ms)
        config = uvicorn.Config(
            app,  # type: ignore[arg-type]
            http=LossyProtocol,
            lifespan="off",
            log_level="warning",
            access_log=False,
        )
        print(f"http://{HOST}:{listener.getsockname()[1]}", flush=True)  # it listens already
        await uvicorn.Server(config).serve(sockets=[listener])


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        asyncio.run(serve(Path(sys.argv[2]), int(sys.argv[3])))
    else:
        told = json.loads(Path(sys.argv[2]).read_text())
        names = ("folder", "base_url", "keys", "count", "batch")
        print(json.dumps(send(**{name: told[name] for name in names})))
