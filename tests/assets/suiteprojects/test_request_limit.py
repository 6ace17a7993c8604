"""The account's request limit as the status of single records: they are deferred, and no failure."""

from assets.suiteprojects.target import SuiteProjectsTarget
from resources.errors import QuotaExhaustedError
from resources.sandbox.sandbox import Sandbox
from resources.warehouse.warehouse import Warehouse
from tests.assets.delivery.builders import customer, suite_customers
from tests.assets.delivery.run_workflow import WorkflowRunner
from tests.resources.altered import suiteprojects_with


def test_records_that_the_limit_stops_are_deferred(sandbox: Sandbox, warehouse: Warehouse) -> None:
    """As with the limit of a whole request; the next run sends them."""
    limited = True

    def change(body: bytes) -> bytes:
        return body.replace(b'<Add status="0"', b'<Add status="556"') if limited else body

    with suiteprojects_with(sandbox, change) as client:
        target = SuiteProjectsTarget(client, "Customer")
        runner = WorkflowRunner(warehouse, target, sandbox.clock, spec=suite_customers())
        runner.stage(customer("1"), customer("2"))
        runner.plan("limited")
        synced = runner.send("limited")
        limited = False
        later = runner.run()

    assert isinstance(synced.stop, QuotaExhaustedError)
    assert (synced.counts["deferred"], synced.counts["failed"]) == (2, 0)
    assert set(synced.decisions["reason"]) == {
        "deferred until suiteprojects accepts requests again: the day's quota is used up; the next run sends it"
    }
    assert {action for action, _ in later.values()} <= {"create", "adopt", "unchanged"}
