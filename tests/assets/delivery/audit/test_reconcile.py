"""The nightly comparison: identical is told as identical, every difference has its cause, and a lie is found."""

from assets.delivery.audit.reconcile import EDITED, KEPT_SO, NEVER_RAN, PENDING, Reconciled, reconcile
from assets.delivery.mart.build import make_mart, read_target_state
from resources.sandbox.sandbox import Sandbox
from resources.sandbox.suiteprojects.switches import SuiteProjectsSwitches
from tests.assets.delivery.builders import customer, project, suite_customers
from tests.assets.delivery.run_workflow import Flow


def tonight(flow: Flow) -> Reconciled:
    """Both sides read again, and compared."""
    flow.clock.sleep(3600)  # a listing is taken as read for a minute
    make_mart(flow.warehouse, flow.workflow)
    read_target_state(flow.warehouse, flow.workflow, flow.target, run_id="night", clock=flow.clock)
    with flow.warehouse.writer() as con:
        con.execute("create table if not exists sync_watermarks (watermark_at timestamp)")
    return reconcile(flow.warehouse, flow.workflow, key_field=flow.target.key_field)


def test_after_a_run_both_sides_are_identical(precoro: Flow) -> None:
    """Records of others in the target, and records that are left out, are no difference."""
    precoro.stage(customer("1"), customer("2"), customer("3", is_inactive=True), below=(project("100"),)).run()

    found = tonight(precoro)

    assert (found.records, found.identical, found.explained, found.unexplained) == (3, 3, {}, {})
    assert found.told == "identical up to an unknown time: 3 of 3 records, 0 explained, 0 unexplained differences"


def test_what_a_person_edited_or_removed_is_told_as_that(precoro: Flow, sandbox: Sandbox) -> None:
    """Drift is found by a night in which nothing ran."""
    precoro.stage(customer("1"), customer("2"), below=(project("100"),)).run()
    ids = dict(precoro.table("target_flow").select("external_id", "target_id").rows())
    sandbox.precoro.edit_option(int(ids["1"]), name="Edited by hand")

    found = tonight(precoro)

    assert found.explained == {EDITED: 1}
    assert found.examples == {EDITED: ["1"]}
    assert found.unexplained == {}


def test_what_netsuite_changed_since_waits_and_is_no_mistake(precoro: Flow) -> None:
    """A new customer, another name, one that went inactive: the next run sends them."""
    precoro.stage(customer("1"), customer("2"), customer("3")).run()
    precoro.stage(customer("1", company_name="Renamed"), customer("2", is_inactive=True), customer("3"), customer("4"))

    found = tonight(precoro)

    assert found.explained == {PENDING: 3}
    assert (found.identical, found.records, found.unexplained) == (1, 4, {})


def test_a_workflow_that_never_ran_is_told_as_that(precoro: Flow) -> None:
    """It was switched on in the afternoon; its first run has not come yet."""
    found = tonight(precoro.stage(customer("1"), customer("2")))

    assert (found.explained, found.unexplained) == ({NEVER_RAN: 2}, {})


def test_what_the_ledger_holds_back_is_told_by_its_cause(suiteprojects: Flow, sandbox: Sandbox) -> None:
    """Quarantined by the target's own refusal, night after night."""
    sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, strict_lengths={"Customer.name": 8})
    suiteprojects.spec = suite_customers()
    suiteprojects.stage(customer("1"), customer("2", entity_number="A number that is long")).run()

    found = tonight(suiteprojects)

    assert found.identical == 1
    assert list(found.explained.values()) == [1]
    assert next(iter(found.explained)).startswith("rejected")
    assert found.unexplained == {}


def test_a_value_that_the_target_keeps_in_its_own_way_is_known(suiteprojects: Flow, sandbox: Sandbox) -> None:
    """It was learned when it was written; it is neither drift nor a mistake."""
    sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, trims_text=True)
    suiteprojects.spec = suite_customers()
    suiteprojects.stage(customer("1", company_name=" Spaced  ")).run()

    found = tonight(suiteprojects)

    assert found.explained in ({KEPT_SO: 1}, {})
    assert found.unexplained == {}


def test_a_write_that_the_ledger_claims_and_the_target_lacks_is_unexplained(precoro: Flow, sandbox: Sandbox) -> None:
    """The ledger says confirmed, with other values than those wanted: only a mistake of ours does that."""
    precoro.stage(customer("1"), customer("2")).run()
    with precoro.warehouse.writer() as con:
        con.execute("update sync_links set payload_hash = 'another' where source_id = '1'")
    ids = dict(precoro.table("target_flow").select("external_id", "target_id").rows())
    sandbox.precoro.edit_option(int(ids["1"]), name="Never sent")

    found = tonight(precoro)

    assert found.unexplained == {"name": ["1"]}, found
    assert "1 unexplained differences" in found.told
    assert found.told.startswith("compared up to")


def test_a_record_that_is_there_twice_is_unexplained(suiteprojects: Flow) -> None:
    """I2: nothing twice in a target; somebody's copy with our key would be updated instead of ours one day."""
    suiteprojects.spec = suite_customers()
    suiteprojects.stage(customer("1")).run()
    with suiteprojects.warehouse.writer() as con:
        con.execute(
            "create table copy as select * replace ('copy' as target_id) from target_flow where external_id = '1'"
        )
    make_mart(suiteprojects.warehouse, suiteprojects.workflow)
    with suiteprojects.warehouse.writer() as con:
        con.execute("insert into target_flow by name select * from copy")
        con.execute("create table if not exists sync_watermarks (watermark_at timestamp)")

    found = reconcile(suiteprojects.warehouse, suiteprojects.workflow, key_field="externalid")

    assert found.unexplained == {"(twice there)": ["1"]}
