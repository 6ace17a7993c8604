"""After any sequence of changes, staging and mart are what a new warehouse has, except for deleted rows."""

from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assets.delivery.mart.build import make_mart
from assets.delivery.spec.workflow import Workflow
from assets.delivery.spec.workflow_spec import WorkflowSpec
from assets.warehouse.staging import stage_table
from orchestration.simulation.memory_warehouse import MemoryWarehouse
from resources.warehouse.warehouse import Warehouse
from tests.assets.warehouse.staged_account import STAGING, StagedAccount

KEY = {"field": "externalid", "from": "customer_id", "locked": True}
LOOKUP = {"table": "stg_netsuite__subsidiaries", "by": "subsidiary_id", "return": "name"}
FLOW = Workflow(
    "flow",
    WorkflowSpec.model_validate({
        "target": "suiteprojects.Customer",
        "source": "customers",
        "parent": {"customers": "parent_customer_id"},
        "select": {"stages": {"lead": "skip"}},
        "fields": [
            KEY,
            {"field": "name", "from": "entity_number"},
            {"field": "currency", "from": "currency_code"},
            {"field": "notes", "from": "subsidiary_id", "lookup": LOOKUP, "on_unmapped": "blank"},
            {"field": "code", "from": "custentity_region", "values": {"R1": "one"}, "on_unmapped": "keep"},
            {"field": "addr_city", "from": "city"},
        ],
    }),
)  # fmt: skip
STEPS = st.lists(st.sampled_from(["edit", "edit", "delete", "merge", "inactivate", "nothing"]), min_size=2, max_size=5)


def live(warehouse: Warehouse, name: str, *key: str) -> pl.DataFrame:
    """Return the rows of a staging table that are not deleted, in order."""
    table = warehouse.table(name)
    rows = table.filter(~pl.col("is_deleted")) if "is_deleted" in table.columns else table
    return rows.select(sorted(rows.columns)).sort(key)


def mart(warehouse: Warehouse, keys: list[str]) -> list[dict[str, Any]]:
    """Return the mart rows of these customers."""
    make_mart(warehouse, FLOW)
    return warehouse.table(FLOW.mart).filter(pl.col("source_id").is_in(keys)).sort("source_id").to_dicts()


def apply(account: StagedAccount, step: str) -> None:
    """Make one step in NetSuite."""
    netsuite, random = account.sandbox.netsuite, account.random
    ids = [row["id"] for row in netsuite.rows("customer") if row["id"] > 20]  # `edit` changes the others
    account.sandbox.clock.sleep(3600)
    if step == "edit":
        account.edit()
    elif step == "inactivate":
        netsuite.update("customer", random.choice(ids), isinactive=True)
    elif step in {"delete", "merge"} and len(ids) > 2:
        loser, winner = random.sample(ids, 2)
        if step == "merge":
            netsuite.merge(loser, winner)
            return
        # NetSuite refuses to delete what others refer to: a new warehouse could not know what the deleted record was
        delete_projects(account, "customer", {loser})
        netsuite.delete("customer", "customer", loser)


def delete_projects(account: StagedAccount, column: str, above: set[int]) -> None:
    """Delete the projects of some customers or projects, with their sub-projects."""
    netsuite = account.sandbox.netsuite
    found = {row["id"] for row in netsuite.rows("job") if row[column] in above and row["id"] not in above}
    if found:
        delete_projects(account, "parent", found)
    for key in found & {row["id"] for row in netsuite.rows("job")}:
        netsuite.delete("job", "job", key)


@pytest.mark.long
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, seed=st.integers(0, 10**6))
def test_any_changes_leave_what_a_new_warehouse_reads(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str], seed: int
) -> None:
    """Rows, types and values; a record that NetSuite deleted stays here only, as deleted."""
    folder = tmp_path_factory.mktemp("account")
    account = StagedAccount(folder)
    account.warehouse = MemoryWarehouse(folder / "grown")
    account.random.seed(seed)
    account.extract()
    account.stage()
    for step in steps:
        apply(account, step)
        account.extract()
        account.stage()
    grown, cold = account.warehouse, MemoryWarehouse(folder / "cold")
    account.warehouse = cold
    account.extract()
    with cold.writer() as con:
        for definition in STAGING:
            stage_table(con, definition)

    for definition in STAGING:
        ours, theirs = (live(each, definition.name, *definition.key) for each in (grown, cold))
        assert ours.equals(theirs), f"{definition.name}\n{ours}\n{theirs}"
    keys = live(cold, "stg_netsuite__customers", "customer_id")["customer_id"].to_list()
    assert mart(grown, keys) == mart(cold, keys)
