"""A few records, decided and sent by the same engine as all: what a hint starts."""

import polars as pl
import pytest

from assets.delivery import plans
from assets.delivery.frames import KEY
from assets.delivery.plans import PlanError
from assets.delivery.targeted import Targeted, sync_few
from tests.assets.delivery.builders import customer, project
from tests.assets.delivery.flow import Flow

FIVE = tuple(customer(str(number)) for number in range(1, 6))


def few(flow: Flow, *keys: tuple[str, str]) -> Targeted:
    """Bring these records up to date."""
    frame = pl.DataFrame(keys, schema=dict.fromkeys(KEY, pl.String), orient="row")
    run_id = f"hints {next(flow.runs)}"
    return sync_few(flow.warehouse, flow.workflow, flow.target, frame, run_id=run_id, clock=flow.clock)


def decided(targeted: Targeted) -> dict[str, tuple[str, str]]:
    """The final action and reason code of each record."""
    assert targeted.synced is not None
    return {row["source_id"]: (row["action"], row["reason_code"]) for row in targeted.synced.decisions.to_dicts()}


@pytest.fixture(params=["precoro", "suiteprojects"])
def flow(request: pytest.FixtureRequest) -> Flow:
    """Five customers that a run of all has brought to one of the targets."""
    made: Flow = request.getfixturevalue(request.param)
    made.stage(*FIVE).run()
    return made


def test_a_smoke(precoro: Flow) -> None:
    """x"""
    precoro.stage(*FIVE).run()
    precoro.stage(customer("1", company_name="New"), *FIVE[1:], below=(project("9", customer_id="2"),))
    before = precoro.target.calls
    print(decided(few(precoro, ("customers", "1"))), precoro.target.calls - before)
    print(decided(few(precoro, ("customers", "2"), ("projects", "9"))), precoro.target.calls - before)
    print(precoro.table("twin_flow"))
    print(precoro.states(), precoro.table("plan_flow"))
    print(precoro.run())
