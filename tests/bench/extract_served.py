"""NetSuite's stand-in for the bench of extraction: filled with customers, served, every call timed.

python -m tests.bench.extract_served FOLDER [--tls]  ->  its address when it listens; FOLDER/calls.txt, a line a call

A call is timed from the request's arrival until its answer was taken: so long it holds one of the account's slots.
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
from resources.sandbox.server import HOST, THREADS, Front, LossyProtocol, Receive, Scope, Send, listen

DATA = ("/services/rest/query/v1/suiteql", "/services/rest/record/v1/customer")  # calls for rows
OWN = tuple(f"custentity_own_{number}" for number in range(1, 6))  # of this account alone
CUSTOM = ("custentity_department", "custentity_class", "custentity_location", "custentity_region",
          "custentity_oa_export_to_openair", *OWN)  # fmt: skip


class TimedFront:
    """The stand-in as an ASGI application with a stop-watch."""

    def __init__(self, front: Front, notes: Path) -> None:
        self._front = front
        self._notes = notes.open("a", buffering=1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, and note when it began and ended."""
        began, status = monotonic(), 0

        async def noting(message: Any) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        await self._front(scope, receive, noting)
        self._notes.write(f"{began:.4f} {monotonic():.4f} {status} {scope.get('path', '').startswith(DATA):d}\n")


def customers(count: int, seed: int = 1) -> Iterator[dict[str, Any]]:
    """Plausible customers of about a kilobyte; ids with gaps, as deletions leave them."""
    random = Random(seed)
    saved = datetime.now(UTC) - timedelta(days=40)  # what was saved today would be a change
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
    """Make the account."""
    sandbox = Sandbox(folder)
    sandbox.clock.follow_wall()  # type: ignore[attr-defined]  # the folder's own clock
    sandbox.switches.set(
        "netsuite",
        NetSuiteSwitches,
        latency_ms=latency_ms,
        concurrency_limit=slots,
        row_cap=0,
        page_cap=0,
        q_after="midnight",  # as the connector takes it
        custom_fields=[f"customer.{name}:text" for name in OWN],
    )
    sandbox.netsuite.insert("customer", customers(count))


def change(sandbox: Sandbox, count: int, phone: str) -> None:
    """Give some customers, spread over all, another phone number."""
    ids = sorted(row["id"] for row in sandbox.netsuite.rows("customer"))
    for key in ids[:: max(1, len(ids) // count)][:count]:
        sandbox.netsuite.update("customer", key, phone=phone)


def move(sandbox: Sandbox, ids: list[int], stop: threading.Event, seed: int = 1) -> set[int]:
    """People at work: ten inserts, deletes and updates a second; the ids that they deleted."""
    random, deleted = Random(seed), set[int]()
    began, deeds = monotonic(), 0
    while not stop.is_set():
        sandbox.netsuite.insert("customer", [{"entityid": "new", "companyname": "New AB", "searchstage": "Customer"}])
        gone = random.choice(ids)
        if gone not in deleted:
            deleted.add(gone)
            sandbox.netsuite.delete("customer", "customer", gone)
        edited = random.choice(ids)
        if edited not in deleted:
            sandbox.netsuite.update("customer", edited, phone=f"{deeds}")
        deeds += 1
        sleep(max(0.0, began + deeds / 10 - monotonic()))
    return deleted


async def serve(folder: Path, *, tls: bool) -> None:
    """Serve NetSuite alone until the process is ended."""
    sandbox, listener = Sandbox(folder), listen(0)
    files = tls_files(folder) if tls else None
    with ThreadPoolExecutor(THREADS) as pool:
        config = uvicorn.Config(
            TimedFront(Front(sandbox.system("netsuite"), pool), folder / "calls.txt"),  # type: ignore[arg-type]
            http=LossyProtocol,
            lifespan="off",
            log_level="warning",
            access_log=False,
            ssl_certfile=files.certificate if files else None,
            ssl_keyfile=files.key if files else None,
        )
        print(f"http{'s' if tls else ''}://{HOST}:{listener.getsockname()[1]}", flush=True)  # it listens already
        await uvicorn.Server(config).serve(sockets=[listener])


if __name__ == "__main__":
    sys.setswitchinterval(0.0005)  # an answer in the making shall not keep the next request waiting
    asyncio.run(serve(Path(sys.argv[1]), tls="--tls" in sys.argv))
