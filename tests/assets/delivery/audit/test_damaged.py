"""A bad character in a target hides no record, and is named wherever a run is shown."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from assets.delivery.audit.damaged import damage_of, damaged_values
from assets.delivery.component.sync_summary import read_summary, sync_metadata
from assets.precoro.target import OptionTarget
from assets.suiteprojects.target import SuiteProjectsTarget
from resources.clock import utc_now
from resources.sandbox.sandbox import Sandbox
from resources.warehouse.warehouse import Warehouse
from tests.assets.delivery.builders import customer, option_tree, suite_customers
from tests.assets.delivery.run_workflow import WorkflowRunner
from tests.resources.altered import precoro_with, suiteprojects_with


@dataclass
class Damage:
    """Return what replaces the mark `<bad>` in every response, once it is set."""

    mark: bytes = b"@@bad@@"
    bad: bytes = b""

    def __call__(self, body: bytes) -> bytes:
        """Alter a response."""
        return body.replace(self.mark, self.bad) if self.bad else body


@contextmanager
def precoro(sandbox: Sandbox, warehouse: Warehouse, damage: Damage) -> Iterator[WorkflowRunner]:
    """Open a workflow of options."""
    with precoro_with(sandbox, damage) as client:
        yield WorkflowRunner(warehouse, OptionTarget(client, 5144), sandbox.clock, option_tree())


@contextmanager
def suiteprojects(sandbox: Sandbox, warehouse: Warehouse, damage: Damage) -> Iterator[WorkflowRunner]:
    """Open a workflow of customers."""
    with suiteprojects_with(sandbox, damage) as client:
        yield WorkflowRunner(warehouse, SuiteProjectsTarget(client, "Customer"), sandbox.clock, suite_customers())


CASES = [
    (precoro, "name", b"\\ud83d"),
    (precoro, "name", b"\xd6"),
    (suiteprojects, "company", b"\x01"),
    (suiteprojects, "company", b"\xff"),
]


@pytest.mark.parametrize(("open_target", "field", "bad"), CASES)
def test_a_damaged_value_hides_no_record_and_is_named(
    sandbox: Sandbox, warehouse: Warehouse, open_target: Callable[..., object], field: str, bad: bytes
) -> None:
    """Someone's record with one bad character must not stop the delivery of all others, nor be doubled."""
    damage = Damage()
    with open_target(sandbox, warehouse, damage) as flow:  # type: ignore[attr-defined]
        flow.stage(customer("1", company_name="Fine"), customer("2", company_name="A@@bad@@Ö")).run()
        ids = dict(warehouse.read("select source_id, target_id from sync_links").rows())
        sandbox.clock.sleep(3600)
        damage.bad = bad
        flow.stage(customer("1", company_name="Fine 2"), customer("2", company_name="A@@bad@@Ö")).run()

        with warehouse.writer() as con:
            con.execute("create table sync_watermarks (watermark_at timestamp)")
            table, run_id = flow.workflow.target_state, "run 1"
            assert {each for each, _ in damaged_values(con, table)} == {ids["2"]}
            metadata = sync_metadata(read_summary(con, flow.workflow, run_id, utc_now(sandbox.clock)), run_id, None)
        assert f"{field} of {ids['2']}" in metadata["damaged_values"]
        assert "\ufffd" not in metadata["damaged_values"]
        damage.bad = b""
        sandbox.clock.sleep(3600)
        assert dict(warehouse.read("select source_id, target_id from sync_links").rows()) == ids
        state = flow.target.read([flow.target.key_field])
        assert sorted(state["external_id"].drop_nulls()) == ["1", "2"]


def test_a_target_that_was_not_read_has_no_damaged_value(warehouse: Warehouse) -> None:
    """The summary of a run that ended before its target was read."""
    with warehouse.writer() as con:
        assert damage_of(con, "flow") == ""
        con.execute("create table target_flow (target_id varchar, is_active boolean, name varchar)")
        con.execute("insert into target_flow values ('1', true, null), ('2', true, 'Ö')")
        assert damage_of(con, "flow") == ""
