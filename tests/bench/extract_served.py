"""The NetSuite sandbox for the extraction benchmark: filled with customers and served, with every call timed.

python -m tests.bench.extract_served FOLDER [--tls]  ->  its URL once it listens; FOLDER/calls.txt, one line per call

A call is timed from the arrival of the request until its response is sent: for so long it holds one of the account's
slots.
"""

import asyncio
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from time import monotonic, sleep
from typing import Any

import uvicorn

from resources.sandbox.certificates import tls_files
from resources.sandbox.netsuite.switches import NetSuiteSwitches
from resources.sandbox.sandbox import Sandbox
from resources.sandbox.server import HOST, THREADS, AsgiApp, LossyProtocol, Receive, Scope, Send, listen
from tests.bench.record_api.records import RecordApiOptions
from tests.bench.record_api.sandbox import RecordApiSandbox

DATA = ("/services/rest/query/v1/suiteql", "/services/rest/record/v1/customer")  # calls for rows
OWN = tuple(f"custentity_own_{number}" for number in range(1, 6))  # custom fields of this account
CUSTOM = ("custentity_department", "custentity_class", "custentity_location", "custentity_region",
          "custentity_oa_export_to_openair", *OWN)  # fmt: skip


class TimedApp:
    """The sandbox as an ASGI application that times each call."""

    def __init__(self, app: AsgiApp, log: Path) -> None:
        self._app = app
        self._log = log.open("a", buffering=1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, and write when it began and ended."""
        began, status = monotonic(), 0

        async def record_status(message: Any) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        await self._app(scope, receive, record_status)
        self._log.write(f"{began:.4f} {monotonic():.4f} {status} {scope.get('path', '').startswith(DATA):d}\n")


def customers(count: int, seed: int = 1) -> Iterator[dict[str, Any]]:
    """Return plausible customers of about a kilobyte, whose ids have gaps, as after deletions."""
    random = Random(seed)
    saved = datetime.now(UTC) - timedelta(days=40)  # records saved today would count as changes
    key = 1000
    letters = "".join(random.choices("abcdefghijklmnopqrstuvwxyz åäö", k=4000))
    for number in range(count):
        key += random.choice((1, 1, 1, 2, 2, 5))
        text = letters[number % 3000 : number % 3000 + 320]
        yield {
            "id": key, "lastmodifieddate": saved, "datecreated": saved, "entityid": f"CUST-{key}",
            "entitynumber": number, "externalid": f"EXT-{key}",
            "category": key % 7, "entitystatus": key % 19, "currency": key % 5, "terms": key % 4, "salesrep": key % 50,
            "defaultbillingaddress": key, "defaultshippingaddress": key,
            "searchstage": ("Customer", "Lead", "Prospect")[key % 3], "altname": f"{text[:20]} {key}",
            "companyname": f"{text[20:50]} {key} AB", "salutation": "Dr.", "firstname": text[50:58],
            "middlename": text[58:60], "lastname": text[60:72], "email": f"{key}@example.com",
            "phone": f"+46 8 {key:09}", "fax": f"+46 9 {key:09}", "url": f"https://{key}.example.com",
            "comments": text, "accountnumber": f"A{key}", "language": "sv_SE", "isperson": False, "isinactive": False,
            "custentity_department": key % 9, "custentity_class": key % 9, "custentity_location": key % 9,
            "custentity_region": text[:12], "custentity_oa_export_to_openair": True,
            **{name: text[place * 20 : place * 20 + 16] for place, name in enumerate(OWN)},
        }  # fmt: skip


def fill(folder: Path, count: int, latency_ms: int, slots: int) -> None:
    """Create the account."""
    sandbox = Sandbox(folder)
    sandbox.clock.follow_wall()  # type: ignore[attr-defined]  # the folder's own clock
    sandbox.switches.set(
        "netsuite",
        NetSuiteSwitches,
        latency_ms=latency_ms,
        concurrency_limit=slots,
        row_cap=0,
        page_cap=0,
        custom_fields=[f"customer.{name}:text" for name in OWN],
    )
    sandbox.netsuite.insert("customer", customers(count))


def change(sandbox: Sandbox, count: int, phone: str) -> None:
    """Change the phone number of some customers, evenly spread."""
    ids = sorted(row["id"] for row in sandbox.netsuite.rows("customer"))
    for key in ids[:: max(1, len(ids) // count)][:count]:
        sandbox.netsuite.update("customer", key, phone=phone)


def edit_records(sandbox: Sandbox, ids: list[int], stop: threading.Event, seed: int = 1) -> set[int]:
    """Make ten inserts, deletes and updates per second until stopped; return the deleted ids."""
    random, deleted = Random(seed), set[int]()
    began, edits = monotonic(), 0
    while not stop.is_set():
        sandbox.netsuite.insert("customer", [{"entityid": "new", "companyname": "New AB", "searchstage": "Customer"}])
        key = random.choice(ids)
        if key not in deleted:
            deleted.add(key)
            sandbox.netsuite.delete("customer", "customer", key)
        edited = random.choice(ids)
        if edited not in deleted:
            sandbox.netsuite.update("customer", edited, phone=f"{edits}")
        edits += 1
        sleep(max(0.0, began + edits / 10 - monotonic()))
    return deleted


async def serve(folder: Path, *, tls: bool) -> None:
    """Serve NetSuite until the process ends."""
    # the Airbyte connector reads records, and expects AFTER to mean after midnight
    sandbox, listener = RecordApiSandbox(folder, RecordApiOptions(after="midnight")), listen(0)
    files = tls_files(folder) if tls else None
    with ThreadPoolExecutor(THREADS) as pool:
        config = uvicorn.Config(
            TimedApp(AsgiApp(sandbox.system("netsuite"), pool), folder / "calls.txt"),  # type: ignore[arg-type]
            http=LossyProtocol,
            lifespan="off",
            log_level="warning",
            access_log=False,
            ssl_certfile=files.certificate if files else None,
            ssl_keyfile=files.key if files else None,
        )
        print(
            f"http{'s' if tls else ''}://{HOST}:{listener.getsockname()[1]}", flush=True
        )  # the socket already listens
        await uvicorn.Server(config).serve(sockets=[listener])


if __name__ == "__main__":
    sys.setswitchinterval(0.0005)  # a response in preparation must not delay the next request
    asyncio.run(serve(Path(sys.argv[1]), tls="--tls" in sys.argv))
