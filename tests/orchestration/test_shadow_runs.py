"""Whole runs in shadow mode: they read, plan and compare, succeed, and write to no target."""

import pytest

from assets.delivery.ledger.shadows import Shadow, begin_shadow
from resources.clock import utc_now
from tests.orchestration.conftest import Home

SHADOWED = ("suiteprojects__customers", "precoro__options")


@pytest.mark.long
def test_a_run_of_everything_sends_nothing_of_shadowed_workflows_and_of_those_that_need_them(synced: Home) -> None:
    """Every night succeeds, and says why nothing was sent."""
    sandbox = synced.sandbox
    with synced.warehouse.writer() as con:
        for name in SHADOWED:
            begin_shadow(con, Shadow(name, 0, "the connector", None, "ada", utc_now(sandbox.clock)))
    key = synced.warehouse.read(
        "select min(source_id) as key from sync_links where workflow = 'suiteprojects__customers'"
    )["key"][0]
    sandbox.netsuite.update("customer", int(key), url="https://changed.example")
    sandbox.clock.sleep(24 * 3600)
    before = (sandbox.suiteprojects.write_calls, sandbox.precoro.write_calls)

    result = synced.run("all")

    assert result.success
    assert (sandbox.suiteprojects.write_calls, sandbox.precoro.write_calls) == before
    nights = synced.warehouse.read("select workflow, records, alike from sync_shadow_nights order by workflow").rows()
    assert [name for name, *_ in nights] == sorted(SHADOWED)
    assert all(alike > 0 for _, _, alike in nights)
    for name in (*SHADOWED, "suiteprojects__projects"):
        (event,) = result.asset_materializations_for_node(f"sync_{name}")
        assert "in shadow mode beside the connector" in str(event.metadata["action"].value)
    differing = synced.warehouse.read(
        "select field from sync_shadow_differences where workflow = 'suiteprojects__customers' and source_id = ?", [key]
    )
    assert differing["field"].to_list() == ["web"]
