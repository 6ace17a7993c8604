"""The independent client `precoro-sdk` works against the served stand-in, unchanged (precoro.md §8)."""

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
from resources.sandbox.server import HOST, Front, Quiet, _config, listen
from resources.warehouse.warehouse import Warehouse
from tests.assets.precoro.company import Company, customer, project

FIELD = 5144


@pytest.fixture
def sdk(sandbox: Sandbox, stand_in: PrecoroSandbox) -> Iterator[precoro.PrecoroClient]:
    """The SDK, pointed at a free port."""
    keys, listener = stand_in.credentials, listen(0)
    listener.listen()  # from now on a connection waits until the server takes it
    with ThreadPoolExecutor(4) as pool:
        server = Quiet(_config(Front(sandbox.system("precoro"), pool), None))
        thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])))
        thread.start()
        base_url = f"http://{HOST}:{listener.getsockname()[1]}"
        with precoro.PrecoroClient(keys["token"], keys["email"], base_url=base_url, max_retries=0) as client:
            yield client
        server.should_exit = True
        thread.join()


def test_the_sdk_lists_creates_updates_and_patches(sdk: precoro.PrecoroClient, stand_in: PrecoroSandbox) -> None:
    """Every call of its custom field resource that touches options."""
    fields = sdk.item_custom_fields.list_all(per_page=10)
    top = sdk.item_custom_fields.add_option(FIELD, "Acme", code="A")
    child = sdk.item_custom_fields.add_option(FIELD, "Refit", enable=False, parent_id=top["id"])
    sdk.item_custom_fields.update_option(FIELD, child["id"], name="Refit 2027", enable=True)
    sdk.item_custom_fields.patch_option(FIELD, child["id"], externalId="ns:123")
    sdk.item_custom_fields.add_option_dependency(child["id"], top["id"])

    kept = stand_in.options()[-1]
    nested: Any = sdk.item_custom_fields.get(FIELD)["options"]  # typed as a list; documented as {"data": [...]}
    assert fields[0]["id"] == FIELD
    assert (kept["name"], kept["enable"], kept["external_id"]) == ("Refit 2027", True, "ns:123")
    assert (kept["parent_id"], kept["level"]) == (top["id"], 2)
    assert stand_in.dependencies()
    assert nested["data"][-1]["name"] == "Refit 2027"
    assert sdk.legal_entities.list_all()
    assert sdk.users.list()["data"]


def test_the_sdk_sees_the_tree_that_was_synced(
    sdk: precoro.PrecoroClient, sandbox: Sandbox, warehouse: Warehouse
) -> None:
    """What another client finds after our run: names, levels, parents, switches and our keys."""
    sandbox.switches.set("precoro", PrecoroSwitches, parent_in_answers=True)
    with open_precoro(sandbox=sandbox.folder) as client:
        company = Company(warehouse, sandbox, client)
        below = (project("11", "1"), project("12", "1", "11"), project("13", "1", is_inactive=True))
        company.netsuite(customer("1"), customer("2"), projects=below[:2]).run()
        company.netsuite(customer("1", company_name="Ärlig & Söner"), customer("2", is_inactive=True), projects=below)
        company.run()

    nested: Any = sdk.item_custom_fields.get(FIELD)["options"]
    options = {row["id"]: row for row in nested["data"]}
    parents = {key: (row["parent"] or {}).get("id") for key, row in options.items()}  # at the top it is []
    seen = {
        row["externalId"]: (row["name"], row["level"], row["enable"], options.get(parents[key], {}).get("externalId"))
        for key, row in options.items()
        if row["externalId"]
    }
    assert seen == {
        "1": ("Ärlig & Söner", 1, True, None),
        "2": ("Company 2", 1, False, None),
        "11": ("Project 11", 2, True, "1"),
        "12": ("Project 12", 3, True, "11"),
    }


def test_the_sdk_reads_every_page(sdk: precoro.PrecoroClient, stand_in: PrecoroSandbox) -> None:
    """It needs total_pages, which is therefore there by default."""
    for number in range(20):
        stand_in.add_field(f"field {number}")

    assert len(sdk.item_custom_fields.list_all(per_page=10)) == 22


def test_the_sdk_understands_our_refusals(sdk: precoro.PrecoroClient, sandbox: Sandbox) -> None:
    """401, validation and rate limits arrive as its own exceptions."""
    with pytest.raises(precoro.PrecoroClientError) as refused:
        sdk.item_custom_fields.add_option(FIELD, "x" * 257)
    sandbox.switches.set("precoro", PrecoroSwitches, limit_per_minute=True, calls_per_minute=1)
    with pytest.raises(precoro.PrecoroRateLimitError) as limited:
        sdk.users.list()
    with (
        pytest.raises(precoro.PrecoroAuthenticationError),
        precoro.PrecoroClient("wrong", "nobody@example.com", base_url=sdk._base_url) as stranger,
    ):
        stranger.users.list()

    assert refused.value.status_code == 400
    assert 0 < (limited.value.retry_after or 0) <= 60
