"""Each action with each of its reason codes: what a certificate does not name, the second opinion confirms."""

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

import duckdb
import pytest

from assets.delivery.certificate.certify import certify
from assets.delivery.ledger.links import value_hash
from assets.delivery.reasons import REASONS
from assets.delivery.target import Action
from orchestration.certificate_check.check import CONFIRMED, HELD, LEFT, OPEN, REFUTED, check_certificate
from tests.assets.delivery.builders import customer, suite_customers
from tests.assets.delivery.certificate.readings import read
from tests.assets.delivery.run_workflow import WorkflowRunner
from tests.orchestration.certificate_check import certified_flow as flow

DAY = datetime(2026, 11, 17, 6, 0)  # noqa: DTZ001 - as the warehouse's times
PAIRS: Final = sorted(
    {(action.strip(), code) for code, each in REASONS.items() for action in each.actions.split(",")}
    | {(action.value, "made_up") for action in Action}
)
OF_LINKED = {"unchanged", "update", "deactivate", "reactivate"}  # actions on a record that the target has
# of a record that was never in the target, the file says that nothing is required: other tests have such files
IN_THE_FILE = {"no_match", "parent_inactive"}
# sent, and normalized by the target; or left as it is
CONFIRMED_BEFORE = {"kept_so", "identical", "drift_reported", "drift_adopted", "not_monitored"}
# table -> its row of the customer that was delivered, and what another one's row has
ROWS: Final[Mapping[str, tuple[str, str]]] = {
    "stg_netsuite__customers": ("customer_id = '1'", "$id as customer_id, 'Wanted' as company_name"),
    "mart_flow": (
        "source_id = '1'", "$id as source_id, $id as externalid, 'Wanted' as company, 'wanted' as payload_hash",
    ),
    "plan_flow": (
        "source_id = '1'", "$id as source_id, $action as action, $code as reason_code, 'wanted' as payload_hash",
    ),
    "sync_decisions": (
        "source_id = '1' and to_run is null", "$id as source_id, $action as action, $code as reason_code",
    ),
}  # fmt: skip
THERE: Final[Mapping[str, tuple[str, str]]] = {
    "sync_links": (
        "source_id = '1'",
        (
            "$id as source_id, 't' || $id as target_id, coalesce($sent, payload_hash) as payload_hash,"
            " json_merge_patch(value_hashes, $hashes)::varchar as value_hashes"
        ),
    ),
    "target_flow": ("external_id = '1'", "'t' || $id as target_id, $id as external_id, $id as externalid"),
}  # fmt: skip


@pytest.fixture(scope="module")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> WorkflowRunner:
    """One customer that was delivered and read back."""
    with flow.customers(tmp_path_factory.mktemp("certified"), suite_customers(canary=[])) as runner:
        read(runner, DAY, customer("1"))
        flow.run(runner)
        flow.run(runner)
        return runner


def decide(con: duckdb.DuckDBPyConnection, source_id: str, action: str, code: str, *, linked: bool) -> None:
    """Add a customer with a decision; the workflow file requires another value than the target has, or it has none."""
    sent = "wanted" if code in CONFIRMED_BEFORE else None
    hashes = json.dumps({"externalid": value_hash(source_id)})
    values = {"id": source_id, "action": action, "code": code, "sent": sent, "hashes": hashes}
    for table, (of_first, changes) in {**ROWS, **(THERE if linked else {})}.items():
        con.execute(
            f"insert into {table} select * replace ({changes}) from {table} where {of_first}",
            {name: value for name, value in values.items() if f"${name}" in changes},
        )


@pytest.mark.long
@pytest.mark.parametrize("linked", [True, False])
def test_a_difference_is_named_or_bounds_the_time(delivered: WorkflowRunner, tmp_path: Path, linked: object) -> None:
    """Held back, left different, or pending and wrong, which bound it; a record that is claimed is confirmed."""
    pairs = [(action, code) for action, code in PAIRS if linked or not (action in OF_LINKED or code in IN_THE_FILE)]
    ids = {str(1000 + number): pair for number, pair in enumerate(pairs)}
    file = suite_customers(canary=[]).model_dump(mode="json", by_alias=True, exclude_unset=True)
    with delivered.warehouse.writer(transaction=False) as con:
        con.begin()
        con.execute("update sync_plans set state = 'sent'")
        for source_id, (action, code) in ids.items():
            decide(con, source_id, action, code, linked=bool(linked))
        certify(con, delivered.workflow, key_field="externalid", run_id="check", now=DAY)
        con.execute("update sync_certificates set verified_through = ?", [DAY])  # as if nothing bounded it
        named = dict(con.execute("select source_id, kind from sync_unverified").fetchall())
        for table, file_name in (("stg_netsuite__customers", "stg_netsuite__customers"), ("target_flow", "target")):
            con.execute(f"copy {table} to '{tmp_path / file_name}.parquet'")
        check_certificate(con, "flow", file, tmp_path, key_field="externalid", ids=flow.IDS)
        outcomes = dict(con.execute("select source_id, outcome from _check_outcomes").fetchall())
        con.rollback()

    found = {pair: (named.get(each), outcomes[each]) for each, pair in ids.items()}
    right = {
        None: {CONFIRMED, OPEN}, "verified": {LEFT}, "held": {HELD}, "pending": {REFUTED}, "wrong": {REFUTED},
    }  # fmt: skip
    assert {pair: each for pair, each in found.items() if each[1] not in right[each[0]]} == {}
    assert len(found) == len(pairs)
    assert {kind for kind, _ in found.values()} >= {"held", "pending"}
