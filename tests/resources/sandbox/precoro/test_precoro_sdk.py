"""The independent client `precoro-sdk` works unchanged with the served sandbox (precoro.md §8)."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import precoro
import pytest

from resources.precoro.connect import open_precoro
from resources.sandbox.precoro.server import PrecoroSandbox
from resources.sandbox.precoro.switches import PrecoroSwitches
from resources.sandbox.sandbox import Sandbox
from resources.sandbox.server import HOST, AsgiApp, EmbeddedServer, listen, uvicorn_config
from resources.warehouse.warehouse import Warehouse
from tests.assets.precoro.company import Company, customer, project

FIELD = 5144


@pytest.fixture
def sdk(sandbox: Sandbox, service: PrecoroSandbox) -> Iterator[precoro.PrecoroClient]:
    """The SDK, connected to a free port."""
    keys, listener = service.credentials, listen(0)
    listener.listen()  # a connection now waits until the server accepts it
    with ThreadPoolExecutor(4) as pool:
        server = EmbeddedServer(uvicorn_config(AsgiApp(sandbox.system("precoro"), pool), None))
        thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])))
        thread.start()
        base_url = f"http://{HOST}:{listener.getsockname()[1]}"
        with precoro.PrecoroClient(keys["token"], keys["email"], base_url=base_url, max_retries=0) as client:
            yield client
        server.should_exit = True
        thread.join()


def test_the_sdk_lists_creates_updates_and_patches(sdk: precoro.PrecoroClient, service: PrecoroSandbox) -> None:
    """All methods of its custom field resource that concern options."""
    fields = sdk.item_custom_fields.list_all(per_page=10)
    top = sdk.item_custom_fields.add_option(FIELD, "Acme", code="A")
    child = sdk.item_custom_fields.add_option(FIELD, "Refit", enable=False, parent_id=top["id"])
    sdk.item_custom_fields.update_option(FIELD, child["id"], name="Refit 2027", enable=True)
    sdk.item_custom_fields.patch_option(FIELD, child["id"], externalId="ns:123")
    sdk.item_custom_fields.add_option_dependency(child["id"], top["id"])

    stored = service.options()[-1]
    nested: Any = sdk.item_custom_fields.get(FIELD)["options"]  # typed as a list; documented as {"data": [...]}
    assert fields[0]["id"] == FIELD
    assert (stored["name"], stored["enable"], stored["external_id"]) == ("Refit 2027", True, "ns:123")
    assert (stored["parent_id"], stored["level"]) == (top["id"], 2)
    assert service.dependencies()
    assert nested["data"][-1]["name"] == "Refit 2027"
    assert sdk.legal_entities.list_all()
    assert sdk.users.list()["data"]


@pytest.mark.long
def test_the_sdk_reads_the_synced_hierarchy(sdk: precoro.PrecoroClient, sandbox: Sandbox, warehouse: Warehouse) -> None:
    """Another client finds names, levels, parents, statuses and our keys after a run."""
    sandbox.switches.set("precoro", PrecoroSwitches, parent_in_responses=True)
    with open_precoro(sandbox=sandbox.folder) as client:
        company = Company(warehouse, sandbox, client)
        below = (project("11", "1"), project("12", "1", "11"), project("13", "1", is_inactive=True))
        company.netsuite(customer("1"), customer("2"), projects=below[:2]).run()
        company.netsuite(customer("1", company_name="Ärlig & Söner"), customer("2", is_inactive=True), projects=below)
        company.run()

    nested: Any = sdk.item_custom_fields.get(FIELD)["options"]
    options = {row["id"]: row for row in nested["data"]}
    parents = {key: (row["parent"] or {}).get("id") for key, row in options.items()}  # [] at the top level
    found = {
        row["externalId"]: (row["name"], row["level"], row["enable"], options.get(parents[key], {}).get("externalId"))
        for key, row in options.items()
        if row["externalId"]
    }
    assert found == {
        "1": ("Ärlig & Söner", 1, True, None),
        "2": ("Company 2", 1, False, None),
        "11": ("Project 11", 2, True, "1"),
        "12": ("Project 12", 3, True, "11"),
    }


def test_the_sdk_reads_every_page(sdk: precoro.PrecoroClient, service: PrecoroSandbox) -> None:
    """It needs total_pages, which is therefore included by default."""
    for number in range(20):
        service.add_field(f"field {number}")

    assert len(sdk.item_custom_fields.list_all(per_page=10)) == 22


def test_the_sdk_parses_error_responses(sdk: precoro.PrecoroClient, sandbox: Sandbox) -> None:
    """401, validation errors and rate limits are its own exceptions."""
    with pytest.raises(precoro.PrecoroClientError) as rejected:
        sdk.item_custom_fields.add_option(FIELD, "x" * 257)
    sandbox.switches.set("precoro", PrecoroSwitches, limit_per_minute=True, calls_per_minute=1)
    with pytest.raises(precoro.PrecoroRateLimitError) as limited:
        sdk.users.list()
    with (
        pytest.raises(precoro.PrecoroAuthenticationError),
        precoro.PrecoroClient("wrong", "unknown@example.com", base_url=sdk._base_url) as unknown,
    ):
        unknown.users.list()

    assert rejected.value.status_code == 400
    assert 0 < (limited.value.retry_after or 0) <= 60
