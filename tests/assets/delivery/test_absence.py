"""Nothing is deactivated in a target because NetSuite no longer shows a record; a person decides, or it comes back."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from assets.delivery.audit.reconcile import reconcile
from assets.delivery.realtime.sync_records import sync_records
from assets.delivery.schemas import MISSING, SourceKey, keys_frame
from assets.delivery.spec.workflow_spec import WorkflowSpec
from assets.netsuite.extract.extract import extract
from assets.netsuite.extract.settings import ExtractionSettings
from assets.netsuite.record_types import RECORD_TYPES
from assets.warehouse.refresh import refresh_records
from assets.warehouse.staging import stage_table
from resources.netsuite.client import NetSuiteClient
from resources.netsuite.connect import open_netsuite
from resources.sandbox.netsuite.switches import NetSuiteSwitches
from resources.sandbox.sandbox import Sandbox
from resources.warehouse.warehouse import Warehouse
from sql import names, statement
from tests.assets.delivery.run_workflow import WorkflowRunner
from tests.assets.delivery.walk_targets import WALK_TARGETS, TargetRecord

CUSTOMERS, PROJECTS, HIDDEN = range(1, 31), range(101, 131), (3, 4, 5)
SETTINGS = ExtractionSettings(custom_columns={"customers": ("custentity_export",)})
HELD = ("quarantined", MISSING)


@dataclass
class Pipeline:
    """An account of customers with a project each, and everything up to one target."""

    folder: Path
    system: str
    runs: Any = field(default_factory=count)
    netsuite: NetSuiteClient = field(init=False)

    def __post_init__(self) -> None:
        self.sandbox, self.warehouse = Sandbox(self.folder / "sandbox"), Warehouse(self.folder / "warehouse")
        self.target = WALK_TARGETS[self.system](self.sandbox)
        self.specs: dict[str, WorkflowSpec] = dict(self.target.specs)

    def fill(self) -> None:
        """Fill the account."""
        self.switch(custom_fields=["customer.custentity_export:text"])
        store = self.sandbox.netsuite
        for key in CUSTOMERS:
            plain = {"entityid": f"C{key}", "companyname": f"Company {key}", "isperson": False, "isinactive": False}
            store.insert("customer", [{"id": key, "searchstage": "Customer", "custentity_export": "T", **plain}])
            relation = {"id": key, "entity": key, "subsidiary": 1 + key % 2, "isprimarysub": True}
            store.insert("customersubsidiaryrelationship", [relation])
        for key in PROJECTS:
            place = {"customer": key - 100, "parent": key - 100}
            store.insert("job", [{"id": key, "entityid": f"P{key}", "companyname": f"Project {key}", **place}])

    def switch(self, **values: Any) -> None:
        """Change what the role sees."""
        self.sandbox.switches.set("netsuite", NetSuiteSwitches, **values)

    def hide(self, *customers: int) -> None:
        """Take the role's access to these customers with all that is theirs; give back that to all others."""
        hidden = [f"{table}.{key}" for key in customers for table in ("customer", "customersubsidiaryrelationship")]
        self.switch(hidden_records=[*hidden, *(f"job.{key + 100}" for key in customers)])

    def extract(self, *, all_ids: bool = True) -> None:
        """Read and stage everything; compare all ids."""
        self.sandbox.clock.sleep(3600)
        run_id = f"read {next(self.runs)}"
        for record_type in RECORD_TYPES:
            extract(self.warehouse, self.netsuite, record_type, SETTINGS, run_id=run_id, reconcile=all_ids)
        with self.warehouse.writer() as con:
            for name in names("staging"):
                stage_table(con, statement("staging", name))

    def run(self) -> dict[str, tuple[str, str]]:
        """Run every workflow on what is staged; return action and reason code by NetSuite id."""
        decisions: dict[str, tuple[str, str]] = {}
        for name in self.specs:
            with self.runner(name) as runner:
                decisions |= runner.run()
        return decisions

    def runner(self, name: str) -> Any:
        """Open the runner of one workflow."""
        return _runner(self, name)

    def actives(self) -> dict[str | None, bool]:
        """Return whether each record of the target is active, by our key."""
        return {each.key: each.is_active for each in self.target.records().values() if each.key}

    def of(self, key: int) -> tuple[str, TargetRecord]:
        """Return the target's record of a NetSuite id."""
        return next((uid, each) for uid, each in self.target.records().items() if each.key == str(key))


class _runner:  # noqa: N801 - a context manager that is used as a function
    def __init__(self, pipeline: Pipeline, name: str) -> None:
        self._opened = pipeline.target.open(name)
        self._make = lambda target: WorkflowRunner(
            pipeline.warehouse, target, pipeline.sandbox.clock, pipeline.specs[name], name, pipeline.runs
        )

    def __enter__(self) -> WorkflowRunner:
        return self._make(self._opened.__enter__())

    def __exit__(self, *error: object) -> None:
        self._opened.__exit__(*error)


@pytest.fixture(scope="module", params=list(WALK_TARGETS))
def first_delivery(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A folder in which everything was delivered once."""
    folder = tmp_path_factory.mktemp("absence")
    pipeline = Pipeline(folder, request.param)
    pipeline.fill()
    with open_netsuite(sandbox=str(pipeline.sandbox.folder)) as pipeline.netsuite:
        pipeline.extract()
        pipeline.run()
    assert set(pipeline.actives().values()) == {True}
    return request.param, folder


@pytest.fixture
def delivered(first_delivery: tuple[str, Path], tmp_path: Path) -> Iterator[Pipeline]:
    """A copy of that folder."""
    system, folder = first_delivery
    copytree(folder, tmp_path, dirs_exist_ok=True)
    pipeline = Pipeline(tmp_path, system, count(10))
    with open_netsuite(sandbox=str(pipeline.sandbox.folder)) as pipeline.netsuite:
        yield pipeline


@pytest.mark.long
def test_records_that_the_role_no_longer_sees_are_held_until_it_sees_them(delivered: Pipeline) -> None:
    """No write, one decision each; when the role sees them again, they go on by themselves with their changes."""
    before = delivered.target.records()
    delivered.hide(*HIDDEN)
    delivered.extract()
    held = delivered.run()
    again = delivered.run()
    ours = {str(key) for customer in HIDDEN for key in (customer, customer + 100)}

    assert delivered.target.records() == before
    assert {key for key, decision in held.items() if decision == HELD} == ours
    assert {decision for key, decision in held.items() if key not in ours} == {("unchanged", "identical")}
    assert again == held
    open_decisions = delivered.warehouse.read(
        "select source_id, count(*) as n from sync_decisions where to_run is null group by all"
    )
    assert set(open_decisions["n"]) == {1}

    delivered.hide()
    delivered.sandbox.netsuite.update("customer", 4, companyname="Renamed meanwhile")
    delivered.extract(all_ids=False)
    decisions = delivered.run()

    assert (decisions["3"], decisions["103"]) == (("unchanged", "identical"), ("unchanged", "identical"))
    assert (decisions["4"][0], delivered.of(4)[1].name) == ("update", "Renamed meanwhile")


@pytest.mark.long
@pytest.mark.parametrize("readable", [True, False])
def test_only_a_deletion_note_deactivates(delivered: Pipeline, *, readable: bool) -> None:
    """Without the permission to read notes, a deletion looks like a lost permission."""
    delivered.switch(hidden_tables=[] if readable else ["deletedrecord"])
    delivered.sandbox.netsuite.delete("job", "job", 103)
    delivered.sandbox.netsuite.delete("customer", "customer", 3)
    delivered.extract()

    decisions = delivered.run()

    expected = ("deactivate", "deleted") if readable else HELD
    assert (decisions["3"], decisions["103"]) == (expected, expected)
    assert [delivered.of(key)[1].is_active for key in (3, 103)] == [not readable] * 2


@pytest.mark.long
@pytest.mark.parametrize("noted", [True, False])
def test_the_loser_of_a_merge_needs_a_note_too(delivered: Pipeline, *, noted: bool) -> None:
    """Its project moves to the winner, whether or not NetSuite left a note of the loser."""
    delivered.sandbox.netsuite.update("job", 103, customer=6, parent=6)
    delivered.sandbox.netsuite.delete("customer" if noted else "", "customer", 3)
    delivered.extract()

    decisions = delivered.run()

    assert decisions["3"] == (("deactivate", "deleted") if noted else HELD)
    assert (decisions["103"][0], delivered.of(103)[1].parent) == ("update", delivered.of(6)[0])
    assert delivered.of(103)[1].is_active


@pytest.mark.long
def test_a_person_decides_by_deactivating_the_record_in_the_target(delivered: Pipeline) -> None:
    """The hold ends there: the record is as it should be if it was deleted."""
    delivered.hide(3)
    delivered.extract()
    delivered.run()
    delivered.target.edit(delivered.of(3)[0], deactivate=True)

    decisions = delivered.run()

    assert (decisions["3"], decisions["103"]) == (("unchanged", MISSING), HELD)


@pytest.mark.long
@pytest.mark.parametrize(
    ("policy", "decision"), [("deactivate", ("deactivate", MISSING)), ("report", ("skipped", MISSING))]
)
def test_a_person_decides_for_all_by_the_workflow_file(
    delivered: Pipeline, policy: str, decision: tuple[str, str]
) -> None:
    """`lifecycle.missing` is what absence means; guards still limit a run."""
    for name, spec in delivered.specs.items():
        records = [
            record.model_copy(update={"lifecycle": record.lifecycle.model_copy(update={"missing": policy})})
            for record in spec.records
        ]
        delivered.specs[name] = _with_records(spec, records)
    delivered.hide(3)
    delivered.extract()

    decisions = delivered.run()

    assert decisions["3"] == decision
    assert delivered.of(3)[1].is_active is (policy == "report")


def _with_records(spec: WorkflowSpec, records: list[Any]) -> WorkflowSpec:
    given = spec.model_dump(by_alias=True, exclude_unset=True)
    for name in ("source", "fields", "select", "parent", "parent_required", "lifecycle"):
        given.pop(name, None)
    return WorkflowSpec.model_validate({**given, "records": [each.model_dump(by_alias=True) for each in records]})


@pytest.mark.long
def test_what_the_last_values_say_comes_first(delivered: Pipeline) -> None:
    """A record that was inactive when it was last seen is deactivated: that is a value, not absence."""
    delivered.sandbox.netsuite.update("customer", 3, isinactive=True)
    delivered.extract()
    delivered.hide(3)
    delivered.extract()

    assert delivered.run()["3"] == ("deactivate", "inactive")


@pytest.mark.long
def test_a_record_that_never_was_in_the_target_needs_no_decision(delivered: Pipeline) -> None:
    """It is not created, and needs no decision of a person."""
    plain = {"searchstage": "Customer", "companyname": "New", "custentity_export": "T", "isperson": False}
    delivered.sandbox.netsuite.insert("customer", [{"id": 31, "entityid": "C31", **plain, "isinactive": False}])
    delivered.extract()
    delivered.hide(31)
    delivered.extract()

    assert delivered.run()["31"] == ("skipped", MISSING)


@pytest.mark.long
def test_the_night_explains_held_records_and_claims_nothing_of_them(delivered: Pipeline) -> None:
    """They differ from what was read of NetSuite: nothing was."""
    delivered.hide(*HIDDEN)
    delivered.extract()
    delivered.run()
    for name in delivered.specs:
        with delivered.runner(name) as runner:
            found = reconcile(delivered.warehouse, runner.workflow, key_field=runner.target.key_field, verify_days=0)
            assert found.unexplained == {}
            assert found.explained == {MISSING: len(found.examples[MISSING])}
            assert found.equal == found.records - found.explained[MISSING]


def test_a_notification_of_a_record_that_is_not_shown_changes_nothing(delivered: Pipeline) -> None:
    """Only one that reports its deletion says that it was deleted."""
    delivered.hide(3, 4)
    reported = {("customers", "3"): False, ("customers", "4"): True}
    keys = refresh_records(delivered.warehouse, delivered.netsuite, reported, (), SETTINGS, run_id="saved")
    with delivered.runner(next(iter(delivered.specs))) as runner:
        sync_records(runner.context("saved"), keys)

    assert (delivered.of(3)[1].is_active, delivered.of(4)[1].is_active) == (True, False)


@pytest.mark.long
def test_a_held_record_is_held_in_real_time_too(delivered: Pipeline) -> None:
    """The mart of some records says the same as that of all."""
    before = delivered.target.records()
    delivered.hide(3)
    delivered.extract()
    with delivered.runner(next(iter(delivered.specs))) as runner:
        result = sync_records(runner.context("saved"), keys_frame([SourceKey("customers", "3")]))

    assert result.synced is not None
    assert result.synced.decisions.select("action", "reason_code").rows() == [HELD]
    assert delivered.target.records() == before


@pytest.mark.long
def test_an_undo_and_a_hold_do_not_fight(delivered: Pipeline) -> None:
    """An undone change is not sent again when the record is hidden; when it is shown, the undo still holds."""
    name = next(iter(delivered.specs))
    delivered.sandbox.netsuite.update("customer", 3, companyname="Changed")
    delivered.extract()
    with delivered.runner(name) as runner:
        runner.plan("changing")
        runner.send("changing")
        runner.apply(runner.undo("changing").plan_id, "undoing")
    undone = delivered.target.records()
    delivered.hide(3)
    delivered.extract()
    held = delivered.run()["3"]
    delivered.hide()
    delivered.extract()
    shown = delivered.run()["3"]

    assert (held, shown) == (HELD, ("skipped", "undone"))
    assert delivered.target.records() == undone


@pytest.mark.long
def test_a_subsidiary_that_is_no_longer_shown_is_no_reason_to_deactivate(delivered: Pipeline) -> None:
    """NetSuite leaves no note of a relation; the primary one is the last that was shown, of others a person decides."""
    name = next(iter(delivered.specs))
    policy = {
        "select": {"subsidiary": "2", "where": "custentity_export = 'T'"},
        "lifecycle": {"out_of_scope": "deactivate"},
    }
    spec = delivered.specs[name]
    first = spec.records[0].model_dump(by_alias=True) | policy
    given = spec.model_dump(by_alias=True, exclude_unset=True)
    for each in ("source", "fields", "select", "records"):
        given.pop(each, None)
    others = [each.model_dump(by_alias=True) for each in spec.records[1:]]
    delivered.specs = {
        name: WorkflowSpec.model_validate({**given, "records": [first, *others], "guards": {"deactivate": {}}})
    }
    delivered.sandbox.netsuite.insert(
        "customersubsidiaryrelationship", [{"id": 99, "entity": 4, "subsidiary": 2, "isprimarysub": False}]
    )
    delivered.extract()
    delivered.run()
    delivered.switch(hidden_records=["customersubsidiaryrelationship.3", "customersubsidiaryrelationship.99"])
    delivered.extract()

    decisions = delivered.run()

    assert (decisions["3"], decisions["4"]) == (("unchanged", "identical"), HELD)
    assert delivered.of(4)[1].is_active
    delivered.sandbox.netsuite.update("customersubsidiaryrelationship", 7, subsidiary=1)
    delivered.sandbox.netsuite.update("customer", 7, comments="moved")
    delivered.extract()
    assert delivered.run()["7"] == ("deactivate", "out_of_subsidiary")
