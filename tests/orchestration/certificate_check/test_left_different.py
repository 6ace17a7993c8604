"""A difference that the engine leaves on purpose: the certificate names the record, or the second opinion agrees."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from assets.delivery.audit.reconcile import reconcile
from assets.delivery.plan.mode import Mode
from assets.delivery.spec.workflow_spec import WorkflowSpec
from orchestration.certificate_check.check import CHANGED, CONFIRMED, HELD, LEFT, PENDING
from resources.sandbox.suiteprojects.switches import SuiteProjectsSwitches
from tests.assets.delivery.builders import customer, option_tree, project, suite_customers
from tests.assets.delivery.certificate.readings import newest, read
from tests.assets.delivery.run_workflow import WorkflowRunner
from tests.orchestration.certificate_check import certified_flow as flow

DAY, LATER_DAY = datetime(2026, 11, 17, 6, 0), datetime(2026, 11, 18, 6, 0)  # noqa: DTZ001 - as the warehouse's times
ONE = customer("1", company_name="  Acme  ")


def attributes(spec: WorkflowSpec) -> Mapping[str, Any]:
    """Return a workflow file's attributes as they are written."""
    return spec.model_dump(mode="json", by_alias=True, exclude_unset=True)


def opinion(runner: WorkflowRunner) -> tuple[dict[str, str], bool]:
    """Return the outcomes of the second opinion, and whether it confirms the certificate."""
    found = flow.second_opinion(runner, attributes(runner.spec), runner.warehouse.folder.parent / "out")
    return flow.outcomes(found), found.is_confirmed


@pytest.fixture
def runner(tmp_path: Path) -> Iterator[WorkflowRunner]:
    """A workflow of customers to SuiteProjects Pro."""
    with flow.customers(tmp_path, suite_customers(canary=[])) as made:
        yield made


def delivered(runner: WorkflowRunner, **settings: Any) -> WorkflowRunner:
    """Deliver one customer, and read it back."""
    runner.spec = suite_customers(canary=[], **settings)
    read(runner, DAY, ONE)
    flow.run(runner)
    flow.run(runner)
    return runner


def test_what_the_target_keeps_otherwise_is_named(runner: WorkflowRunner) -> None:
    """Sent, and trimmed by the target: it is not confirmed, and refutes nothing until someone edits it."""
    flow.sandbox_of(runner).switches.set("suiteprojects", SuiteProjectsSwitches, trims_text=True)
    delivered(runner)

    assert flow.kinds(runner) == {"1": ("verified", "normalized_by_target")}
    assert opinion(runner) == ({"1": LEFT}, True)

    flow.edit(runner, "1", company="Edited")
    assert opinion(runner) == ({"1": CHANGED}, False)


@pytest.mark.long
@pytest.mark.parametrize("drift", ["report", "adopt"])
def test_an_edit_that_is_left_in_the_target_is_named(runner: WorkflowRunner, drift: str) -> None:
    """`drift` says so."""
    delivered(runner, drift=drift)
    flow.edit(runner, "1", company="Edited")
    flow.run(runner)

    assert flow.kinds(runner) == {"1": ("held", f"drift_{drift}ed")}
    assert opinion(runner) == ({"1": HELD}, True)


@pytest.mark.long
def test_a_field_that_is_not_monitored_is_left_out(runner: WorkflowRunner) -> None:
    """The workflow file requires nothing of it; every other field is compared as ever."""
    delivered(runner, monitored_fields=["externalid", "name"])
    read(runner, LATER_DAY, {**ONE, "company_name": "Renamed"})
    flow.run(runner)

    assert flow.kinds(runner) == {"1": ("verified", "not_monitored")}
    assert opinion(runner) == ({"1": CONFIRMED}, True)

    flow.edit(runner, "1", name="Edited")
    assert opinion(runner) == ({"1": CHANGED}, False)


@pytest.mark.long
def test_a_change_without_a_date_that_waits_is_named(runner: WorkflowRunner) -> None:
    """Its value was read; the certificate's time is that of the value before, which the target has."""
    delivered(runner)
    before = newest(runner).verified_through
    read(runner, LATER_DAY, {**ONE, "company_name": "Renamed"})
    flow.run(runner, sends=False)

    assert (newest(runner).verified_through, flow.kinds(runner)) == (before, {"1": ("pending", "update")})
    assert opinion(runner) == ({"1": PENDING}, True)

    flow.edit(runner, "1", company="Edited")
    assert opinion(runner) == ({"1": CHANGED}, False)


@pytest.mark.long
@pytest.mark.parametrize(
    ("mode", "rows", "kind"),
    [
        (Mode.UPDATE, [ONE, customer("2")], {"2": ("held", "not_imported")}),
        (Mode.IMPORT, [customer("1", company_name="Renamed")], {"1": ("held", "left_for_update")}),
    ],
)
def test_what_a_run_of_one_kind_leaves_out_is_named(
    runner: WorkflowRunner, mode: Mode, rows: list[dict[str, Any]], kind: dict[str, tuple[str, str]]
) -> None:
    """An update creates nothing and an import changes nothing; neither is verified."""
    delivered(runner)
    read(runner, LATER_DAY, *rows)
    flow.run(runner, mode=mode)

    assert flow.kinds(runner) == kind
    found, is_confirmed = opinion(runner)
    assert (found[next(iter(kind))], is_confirmed) == (HELD, True)


@pytest.mark.long
def test_a_child_of_an_inactive_parent_must_be_inactive(tmp_path: Path) -> None:
    """The engine deactivates it with its parent; active below it, it refutes the certificate."""
    with flow.options(tmp_path, option_tree()) as runner:
        child = project("100")
        read(runner, DAY, customer("1"), below=(child,))
        flow.run(runner)
        flow.run(runner)
        assert opinion(runner) == ({"1": CONFIRMED, "100": CONFIRMED}, True)
        read(runner, LATER_DAY, customer("1", is_inactive=True), below=(child,))
        flow.run(runner)
        flow.run(runner)

        assert flow.kinds(runner) == {}
        key_field = runner.target.key_field
        audit = reconcile(runner.warehouse, runner.workflow, key_field=key_field, verify_days=0)
        assert (audit.equal, audit.records, audit.unexplained) == (2, 2, {})
        assert opinion(runner) == ({"1": CONFIRMED, "100": CONFIRMED}, True)

        ids = dict(runner.table("sync_links").select("source_id", "target_id").rows())
        flow.sandbox_of(runner).precoro.edit_option(int(ids["100"]), enable=1)
        assert opinion(runner) == ({"1": CONFIRMED, "100": CHANGED}, False)
