"""Answers about single records that are not theirs: the account's request limit, its sign-in, another record."""

import re

import pytest

from assets.suiteprojects.target import SuiteProjectsTarget
from resources.errors import CredentialsError, QuotaExhaustedError
from resources.sandbox.sandbox import Sandbox
from resources.sandbox.suiteprojects.switches import SuiteProjectsSwitches
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


@pytest.mark.parametrize("status", [2, 401, 416, 506])
def test_records_that_a_rejected_sign_in_stops_are_sent_later(
    sandbox: Sandbox, warehouse: Warehouse, status: int
) -> None:
    """No fault of the records: none is quarantined, the run stops with what to do, and the next one sends them."""
    rejected = True

    def change(body: bytes) -> bytes:
        return body.replace(b'<Add status="0"', f'<Add status="{status}"'.encode()) if rejected else body

    with suiteprojects_with(sandbox, change) as client:
        target = SuiteProjectsTarget(client, "Customer")
        runner = WorkflowRunner(warehouse, target, sandbox.clock, spec=suite_customers())
        runner.stage(customer("1"), customer("2"))
        runner.plan("rejected")
        synced = runner.send("rejected")
        rejected = False
        later = runner.run()

    assert isinstance(synced.stop, CredentialsError)
    assert synced.counts["quarantined"] == 0
    assert {action for action, _ in later.values()} <= {"create", "adopt", "unchanged"}


def test_a_create_that_is_answered_with_another_record_of_ours_takes_none_over(
    sandbox: Sandbox, warehouse: Warehouse
) -> None:
    """The answer has an id alone, and the ledger knows whose it is: what was made is looked up by its key."""
    sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, write_echo="id")
    first = ""

    def change(body: bytes) -> bytes:
        return re.sub(rb"(<Add status=.0.><Customer><id>)\d+", rf"\g<1>{first}".encode(), body) if first else body

    with suiteprojects_with(sandbox, change) as client:
        runner = WorkflowRunner(
            warehouse, SuiteProjectsTarget(client, "Customer"), sandbox.clock, spec=suite_customers()
        )
        runner.stage(customer("1")).run()
        ((first,),) = runner.table("sync_links").select("target_id").rows()
        runner.stage(customer("1"), customer("2")).run()

    linked = dict(runner.table("sync_links").select("source_id", "target_id").rows())
    made = {row["externalid"]: str(row["id"]) for row in sandbox.suiteprojects.rows("Customer")}
    assert linked == made
