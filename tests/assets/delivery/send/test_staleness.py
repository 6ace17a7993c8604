"""An applied plan: the selected part of it, without rows that are out of date."""

from collections.abc import Sequence

import polars as pl
import pytest

from assets.delivery.diff.ledger_facts import DELETED_SCHEMA, LedgerFacts
from assets.delivery.errors import SyncError
from assets.delivery.schemas import NOT_SHOWN
from assets.delivery.send.staleness import exclude_changed
from resources.errors import IntegrationError
from resources.sandbox.faults import Fault, FaultKind
from resources.sandbox.precoro.switches import PrecoroSwitches
from resources.sandbox.sandbox import Sandbox
from tests.assets.delivery.builders import (
    OPTION_ROWS,
    actual,
    below,
    customer,
    desired,
    mart,
    one_source,
    option_tree,
    project,
    suite_customers,
)  # fmt: skip
from tests.assets.delivery.diff.decisions import RETIRE, actions, plan_rows
from tests.assets.delivery.run_workflow import WorkflowRunner
from tests.assets.delivery.send.test_apply import parents_of

CODE = {"field": "code", "from": "entity_number"}


def names(sandbox: Sandbox) -> dict[str, str]:
    """Return the name of each of our options."""
    return {each["external_id"]: each["name"] for each in sandbox.precoro.options() if each["external_id"]}


@pytest.fixture
def mixed(precoro: WorkflowRunner) -> WorkflowRunner:
    """Records 1 and 2 exist; then 1 gets a new name and number, 2 is inactive, 3 and 4 are new."""
    precoro.spec = one_source(fields=[*OPTION_ROWS, CODE], canary=[])
    precoro.stage(customer("1"), customer("2")).run()
    renamed = customer("1", company_name="New", entity_number="N1")
    return precoro.stage(renamed, customer("2", is_inactive=True), customer("3"), customer("4"))


@pytest.mark.parametrize(
    ("only", "touched"),
    [
        (("action=create",), {"3", "4"}),
        (("action=update", "action=deactivate"), {"1", "2"}),
        (("record=4",), {"4"}),
        (("record=1", "record=3", "action=create"), {"3"}),
        (("field=name",), {"1"}),
        ((), {"1", "2", "3", "4"}),
    ],
)
def test_a_plan_is_applied_in_part(mixed: WorkflowRunner, only: Sequence[str], touched: set[str]) -> None:
    """Several values of one filter mean any of them, several filters mean all of them."""
    plan_id = mixed.plan("planned").plan_id

    synced = mixed.apply(plan_id, "applied", *only)

    written = mixed.warehouse.read("select source_id from sync_attempts where run_id = 'applied'")
    assert set(written["source_id"]) == touched == set(synced.decisions["source_id"])
    assert mixed.states()[plan_id] == ("partial" if only else "sent")


@pytest.mark.long
def test_the_key_need_not_be_the_source_id(precoro: WorkflowRunner, sandbox: Sandbox) -> None:
    """The number of one record is the id of another, so only the key decides whether a record exists."""
    rows = [{**OPTION_ROWS[0], "from": "entity_number"}, *OPTION_ROWS[1:]]
    precoro.spec = one_source(fields=rows)
    precoro.stage(customer("1", entity_number="2"), customer("2", entity_number="3")).run()
    precoro.stage(
        customer("1", entity_number="2"),
        customer("2", entity_number="3"),
        customer("3", entity_number="4"),
        customer("5", entity_number="5"),
    )
    plan_id = precoro.plan("planned").plan_id
    sandbox.precoro.add_option("meanwhile", external_id="5")
    sandbox.clock.sleep(120)

    actions = {row["source_id"]: row["action"] for row in precoro.apply(plan_id, "applied").decisions.to_dicts()}

    assert (actions["3"], actions["5"]) == ("create", "skipped")
    assert sorted(names(sandbox)) == ["2", "3", "4", "5"]


@pytest.mark.parametrize("word", ["name", "name=x", "record=", "=create"])
def test_an_unknown_filter_is_rejected(mixed: WorkflowRunner, word: str) -> None:
    """A typo must not apply the whole plan."""
    plan_id = mixed.plan("planned").plan_id

    with pytest.raises(SyncError, match="use action=…, record=…, field=…"):
        mixed.apply(plan_id, "applied", word)


@pytest.mark.long
def test_a_mistyped_filter_does_not_use_up_the_plan(mixed: WorkflowRunner) -> None:
    """The plan can still be applied."""
    plan_id = mixed.plan("planned").plan_id
    with pytest.raises(SyncError):
        mixed.apply(plan_id, "applied", "nonsense")

    assert mixed.apply(plan_id, "again", "record=3").counts["created"] == 1


@pytest.mark.long
def test_only_the_selected_field_is_written(mixed: WorkflowRunner, sandbox: Sandbox) -> None:
    """Precoro takes whole options: the other fields keep their values, and the next run updates them."""
    mixed.apply(mixed.plan("planned").plan_id, "applied", "field=name")
    option = next(each for each in sandbox.precoro.options() if each["external_id"] == "1")
    assert (option["name"], option["code"]) == ("New", "C1")

    decisions = mixed.run()

    assert decisions["1"] == ("update", "source_changed")  # not drift
    option = next(each for each in sandbox.precoro.options() if each["external_id"] == "1")
    assert (option["name"], option["code"]) == ("New", "N1")


@pytest.mark.long
def test_a_field_of_an_inactive_record_does_not_reactivate_it(suiteprojects: WorkflowRunner, sandbox: Sandbox) -> None:
    """The active field is a field of its own."""
    suiteprojects.spec = suite_customers()
    suiteprojects.stage(customer("1")).run()
    suiteprojects.stage(customer("1", is_inactive=True)).run()
    planned = suiteprojects.stage(customer("1", company_name="New")).plan("planned")
    assert planned.plan["action"].to_list() == ["reactivate"]

    suiteprojects.apply(planned.plan_id, "applied", "field=company")

    (row,) = [row for row in sandbox.suiteprojects.rows("Customer") if row.get("externalid") == "1"]
    assert (row["company"], row["active"]) == ("New", "0")
    assert suiteprojects.run() == {"1": ("reactivate", "live_again")}


@pytest.mark.long
def test_a_selected_child_is_created_below_its_parent(precoro: WorkflowRunner, sandbox: Sandbox) -> None:
    """Its parent is not in the applied part, and exists in the target."""
    precoro.spec = option_tree()
    precoro.stage(customer("1")).run()
    plan_id = precoro.stage(customer("1"), below=(project("100"), project("200"))).plan("planned").plan_id

    synced = precoro.apply(plan_id, "applied", "record=100")

    assert (synced.counts["created"], synced.counts["blocked"]) == (1, 0)
    assert parents_of(sandbox) == {"1": None, "100": "1"}


@pytest.mark.long
def test_a_selected_child_without_its_new_parent_is_blocked(precoro: WorkflowRunner, sandbox: Sandbox) -> None:
    """Its parent is new and not in the applied part."""
    plan_id = precoro.stage(customer("1"), below=(project("100"),)).plan("planned").plan_id

    synced = precoro.apply(plan_id, "applied", "record=100")

    assert synced.counts["blocked"] == 1
    assert parents_of(sandbox) == {}


# --- out of date ----------------------------------------------------------------------------------------------------


def excluded(runner: WorkflowRunner) -> dict[str, tuple[str, str]]:
    """Return reason code and reason of the records that were excluded when the plan was last applied."""
    rows = runner.table("sync_flow").to_dicts()
    return {row["source_id"]: (row["reason_code"], row["reason"]) for row in rows if row["action"] == "skipped"}


def plan_then(runner: WorkflowRunner, *later: dict[str, object]) -> str:
    """Plan the staged records; then stage others and plan again."""
    plan_id = runner.plan("planned").plan_id
    with runner.warehouse.writer() as con:
        con.execute("update sync_plans set state = 'waiting' where plan_id = ?", [plan_id])
    if later:
        runner.stage(*later).plan("later")
    return plan_id


def test_a_record_changed_in_netsuite_is_excluded(mixed: WorkflowRunner, sandbox: Sandbox) -> None:
    """The approved values are outdated; the rest of the plan is sent."""
    plan_id = plan_then(
        mixed,
        customer("1", company_name="Newer", entity_number="N1"),
        customer("2", is_inactive=True),
        customer("3"),
        customer("4", is_inactive=True),
    )

    synced = mixed.apply(plan_id, "applied")

    assert excluded(mixed) == {
        "1": ("stale_source", "not sent: the NetSuite record changed after the plan was made"),
        "4": ("stale_source", "not sent: the NetSuite record changed after the plan was made"),
    }
    assert (synced.counts["created"], synced.counts["deactivated"], synced.counts["updated"]) == (1, 1, 0)
    assert names(sandbox) == {"1": "Company 1", "2": "Company 2", "3": "Company 3"}


@pytest.mark.long
def test_a_record_reactivated_in_netsuite_is_not_deactivated(mixed: WorkflowRunner, sandbox: Sandbox) -> None:
    """Its mapped values are the same; only its status changed."""
    current = [customer("1", company_name="New", entity_number="N1"), *(customer(key) for key in ("2", "3", "4"))]
    plan_id = plan_then(mixed, *current)

    mixed.apply(plan_id, "applied")

    assert set(excluded(mixed)) == {"2"}
    assert all(option["enable"] for option in sandbox.precoro.options() if option["external_id"])


@pytest.mark.parametrize("is_inactive", [True, False])
@pytest.mark.long
def test_a_record_follows_its_parent_as_that_is_now(
    precoro: WorkflowRunner, sandbox: Sandbox, is_inactive: bool,  # noqa: FBT001
) -> None:  # fmt: skip
    """The plan switches the children of an inactive customer off, or on again; by now it is the other way around."""
    below = (project("100"), project("101", parent_project_id="100"))
    now, then = customer("1", is_inactive=not is_inactive), customer("1", is_inactive=is_inactive)
    precoro.stage(customer("1"), below=below).run()
    precoro.stage(now, below=below).run()
    plan_id = plan_then(precoro.stage(then, below=below))
    precoro.stage(now, below=below).plan("later")

    precoro.apply(plan_id, "applied")

    assert {code for code, _ in excluded(precoro).values()} == {"stale_source"}
    enabled = [row["enable"] for row in sandbox.precoro.options() if row["external_id"]]
    assert enabled == [is_inactive] * 3


@pytest.mark.long
def test_a_plan_that_cannot_be_compared_with_the_target_still_waits(mixed: WorkflowRunner, sandbox: Sandbox) -> None:
    """Nothing was sent, so what was approved is not used up."""
    plan_id = plan_then(mixed)
    sandbox.clock.sleep(61)
    sandbox.faults.plan("precoro", Fault(FaultKind.HTML, "GET", "options", 0, 99))
    with pytest.raises(IntegrationError):
        mixed.apply(plan_id, "unreadable")
    sandbox.faults.clear()
    assert mixed.states()[plan_id] == "waiting"

    assert mixed.apply(plan_id, "applied").counts["created"] == 2


def test_a_record_edited_in_the_target_is_excluded(mixed: WorkflowRunner, sandbox: Sandbox) -> None:
    """The approver saw other values."""
    plan_id = plan_then(mixed)
    option = next(each for each in sandbox.precoro.options() if each["external_id"] == "1")
    sandbox.precoro.edit_option(option["option_id"], name="edited")
    sandbox.precoro.add_option("created", external_id="3")
    sandbox.clock.sleep(120)

    synced = mixed.apply(plan_id, "applied")

    assert excluded(mixed) == {
        "1": ("stale_target", "not sent: edited in precoro after the plan was made: name"),
        "3": ("stale_target", "not sent: the target has it by now"),
    }
    assert (synced.counts["created"], synced.counts["deactivated"], synced.counts["updated"]) == (1, 1, 0)
    assert names(sandbox)["1"] == "edited"


def test_an_edit_of_another_value_is_kept(precoro: WorkflowRunner, sandbox: Sandbox) -> None:
    """Precoro replaces whole options: but for our key, what the plan does not change is sent as it is, and is drift."""
    sandbox.switches.set("precoro", PrecoroSwitches, parent_in_responses=True)
    precoro.spec = one_source(fields=[*OPTION_ROWS, CODE], canary=[])
    precoro.stage(customer("1")).run()
    precoro.stage(customer("1", company_name="New"))
    plan_id = plan_then(precoro)
    option_id = next(each["option_id"] for each in sandbox.precoro.options() if each["external_id"] == "1")
    edit = {"parent_id": sandbox.precoro.add_option("Place"), "code": "edited"}
    sandbox.precoro.edit_option(option_id, external_id="edited", **edit)
    sandbox.clock.sleep(120)

    precoro.apply(plan_id, "applied")

    option = next(each for each in sandbox.precoro.options() if each["option_id"] == option_id)
    assert option | {"name": "New", "external_id": "1"} | edit == option
    assert precoro.stage(customer("1", company_name="Newer")).run() == {"1": ("update", "source_changed")}
    reasons = precoro.warehouse.read("select reason from sync_decisions where to_run is null")["reason"].to_list()
    assert reasons == ["differs in: name, code; edited in the target: code"]


@pytest.mark.parametrize("is_ours", [False, True])
def test_an_edit_of_a_value_without_a_hash_is_drift(
    precoro: WorkflowRunner, sandbox: Sandbox, *, is_ours: bool
) -> None:
    """No write left the value there: the record is adopted, or the field is mapped since this plan."""
    if is_ours:
        precoro.spec = one_source(canary=[])
        precoro.stage(customer("1")).run()
    else:
        sandbox.precoro.add_option("Created manually")
    option_id = sandbox.precoro.options()[-1]["option_id"]
    sandbox.precoro.edit_option(option_id, code="C1")
    sandbox.clock.sleep(120)
    precoro.spec = one_source(fields=[*OPTION_ROWS, CODE], match=[{"field": "code"}], canary=[])
    plan_id = plan_then(precoro.stage(customer("1", company_name="New")))
    sandbox.precoro.edit_option(option_id, code="edited")
    sandbox.clock.sleep(120)
    precoro.apply(plan_id, "applied")

    assert precoro.run() == {"1": ("update", "drift")}

    assert [each["code"] for each in sandbox.precoro.options() if each["external_id"]] == ["C1"]


@pytest.mark.long
def test_a_new_field_that_was_left_out_is_no_edit(precoro: WorkflowRunner) -> None:
    """No write left its value in the target; it has the one that the plan read."""
    precoro.spec = one_source(canary=[])
    precoro.stage(customer("1")).run()
    precoro.spec = one_source(fields=[*OPTION_ROWS, CODE], canary=[])
    plan_id = precoro.stage(customer("1", company_name="New")).plan("planned").plan_id
    precoro.apply(plan_id, "applied", "field=name")

    precoro.run()

    assert precoro.table("plan_flow")["reason"].to_list() == ["differs in: code"]


def test_an_edit_of_another_part_of_an_address_is_kept(suiteprojects: WorkflowRunner, sandbox: Sandbox) -> None:
    """SuiteProjects Pro gets all parts of an address of which one changes."""
    city, state = {"field": "addr_city", "from": "alt_name"}, {"field": "addr_state", "from": "email"}
    suiteprojects.spec = suite_customers(city, state)
    suiteprojects.stage(customer("1", alt_name="Bergen", email="HO")).run()
    suiteprojects.stage(customer("1", alt_name="Oslo", email="HO"))
    plan_id = plan_then(suiteprojects)
    key = next(int(row["id"]) for row in sandbox.suiteprojects.rows("Customer") if row.get("externalid") == "1")
    sandbox.suiteprojects.modify("Customer", key, addr_state="edited")

    suiteprojects.apply(plan_id, "applied")

    row = next(row for row in sandbox.suiteprojects.rows("Customer") if row.get("externalid") == "1")
    assert (row["addr_city"], row["addr_state"]) == ("Oslo", "edited")


@pytest.mark.long
def test_a_record_deleted_in_the_target_is_excluded(suiteprojects: WorkflowRunner, sandbox: Sandbox) -> None:
    """Nothing is left to update."""
    suiteprojects.spec = suite_customers()
    suiteprojects.stage(customer("1"), customer("2")).run()
    suiteprojects.stage(customer("1", company_name="New"), customer("2", company_name="New 2"))
    plan_id = suiteprojects.plan("planned").plan_id
    key = next(int(row["id"]) for row in sandbox.suiteprojects.rows("Customer") if row.get("externalid") == "1")
    sandbox.suiteprojects.delete("Customer", key)

    synced = suiteprojects.apply(plan_id, "applied")

    assert excluded(suiteprojects) == {"1": ("stale_target", "not sent: the target's record is gone")}
    assert synced.counts["updated"] == 1


@pytest.mark.long
@pytest.mark.parametrize("is_sent", [True, False])
def test_what_a_later_run_confirmed_is_no_edit_when_it_is_reverted(
    precoro: WorkflowRunner, sandbox: Sandbox, *, is_sent: bool
) -> None:
    """The applied plan had it as unchanged, with older values, which count for nothing."""
    precoro.spec = one_source(drift="report")
    precoro.stage(customer("1"), customer("2")).run()
    new = customer("2", company_name="New")
    plan_id = plan_then(precoro.stage(customer("1"), new))
    if not is_sent:  # a person entered the same value in both systems
        option_id = next(each["option_id"] for each in sandbox.precoro.options() if each["external_id"] == "1")
        sandbox.precoro.edit_option(option_id, name="One")
        sandbox.clock.sleep(120)
    precoro.stage(customer("1", company_name="One"), new).run()
    precoro.apply(plan_id, "applied")

    decisions = precoro.stage(customer("1"), new).run()

    assert decisions["1"] == ("update", "source_changed")
    assert names(sandbox) == {"1": "Company 1", "2": "New"}


@pytest.mark.long
def test_what_an_older_plan_created_since_is_a_parent(precoro: WorkflowRunner, sandbox: Sandbox) -> None:
    """Both plans create the customer; the second one to be sent has a project below it."""
    older = plan_then(precoro.stage(customer("1")))
    newer = plan_then(precoro.stage(customer("1"), below=(project("100"),)))
    precoro.apply(older, "older")
    sandbox.clock.sleep(120)

    precoro.apply(newer, "newer")

    assert excluded(precoro)["1"][1] == "not sent: a later run created it"
    assert {each["external_id"] for each in sandbox.precoro.options() if each["external_id"]} == {"1", "100"}


@pytest.mark.long
def test_a_part_of_a_plan_below_a_record_that_is_held_back_is_sent(precoro: WorkflowRunner, sandbox: Sandbox) -> None:
    """The record above is not retired with its own parent, as the plan says; it is not in the part."""
    lower = project("101", parent_project_id="100")
    precoro.stage(customer("1"), below=(project("100"), lower)).run()
    changed = project("100", project_name="x" * 300), {**lower, "project_name": "New"}
    plan_id = plan_then(precoro.stage(customer("1", is_inactive=True), below=changed))

    precoro.apply(plan_id, "applied", "record=101")

    assert names(sandbox)["101"] == "New"


def test_a_record_below_a_hidden_one_is_deactivated_with_the_retired_one_above() -> None:
    """The hidden one was to be deactivated too, so that it counts as retired, although it is reported."""
    rows = [desired(**RETIRE), below("100", "1"), below("101", "100", parent_source="projects", level=3)]
    hidden = pl.DataFrame([("projects", "100", NOT_SHOWN)], schema=DELETED_SCHEMA, orient="row")
    planned = plan_rows(rows, [actual(), actual("903", "101")], facts=LedgerFacts(deleted=hidden))
    assert actions(planned)[1:] == [("quarantined", NOT_SHOWN), ("deactivate", "parent_inactive")]
    plan = pl.DataFrame(planned)

    assert exclude_changed(plan, plan, mart(*rows)).equals(plan)


@pytest.mark.parametrize("recreated", [True, False])
@pytest.mark.long
def test_nothing_is_sent_below_a_parent_that_is_gone(
    precoro: WorkflowRunner, sandbox: Sandbox, recreated: bool,  # noqa: FBT001
) -> None:  # fmt: skip
    """A person deleted it while the plan waited, and a run may have made it again, with another id."""
    precoro.stage(customer("1"), customer("2")).run()
    tree = (customer("1"), customer("2"))
    plan_id = plan_then(precoro.stage(*tree, below=(project("100"),)))
    option = next(row for row in sandbox.precoro.options() if row["external_id"] == "1")
    sandbox.precoro.remove_option(option["option_id"])
    sandbox.clock.sleep(3600)
    if recreated:
        precoro.stage(*tree).run()
        precoro.stage(*tree, below=(project("100"),)).plan("later")

    synced = precoro.apply(plan_id, "applied")

    assert (synced.counts["created"], synced.counts["blocked"]) == ((1, 0) if recreated else (0, 1))
    precoro.run()
    assert parents_of(sandbox) == {"1": None, "2": None, "100": "1"}


@pytest.mark.long
def test_decisions_on_unselected_records_are_kept(mixed: WorkflowRunner) -> None:
    """A part of a plan decides nothing about the other records."""
    before = open_decisions(mixed)
    mixed.apply(mixed.plan("planned").plan_id, "applied", "action=create")

    after = open_decisions(mixed)

    assert after == before | {"3": "create", "4": "create"}
    assert mixed.table("sync_flow").height == 2


def open_decisions(runner: WorkflowRunner) -> dict[str, str]:
    """Return the current decision on each record."""
    return dict(runner.warehouse.read("select source_id, action from sync_decisions where to_run is null").rows())


@pytest.mark.long
def test_unselected_fields_survive_a_put_that_resets(mixed: WorkflowRunner, sandbox: Sandbox) -> None:
    """PUT may reset fields that the request does not name."""
    sandbox.switches.set("precoro", PrecoroSwitches, strict_put=True)

    mixed.apply(mixed.plan("planned").plan_id, "applied", "field=code")

    option = next(each for each in sandbox.precoro.options() if each["external_id"] == "1")
    assert (option["name"], option["code"], option["enable"]) == ("Company 1", "N1", True)


@pytest.mark.parametrize(
    ("system", "name"),
    [("suiteprojects", "c6"), ("suiteprojects", "C6 "), ("precoro", "C6")],
)
def test_a_record_that_a_person_made_while_the_plan_waited_is_not_made_again(
    system: str, name: str, sandbox: Sandbox, request: pytest.FixtureRequest
) -> None:
    """A match rule, or a person, finds it in the next plan; a record of another name is created."""
    runner: WorkflowRunner = request.getfixturevalue(system)
    number = {"field": "name", "from": "entity_number"}
    rule = {"field": "name", "ignore_case": True}
    options = one_source(fields=[OPTION_ROWS[0], number, OPTION_ROWS[2]], match=[rule])
    runner.spec = options if system == "precoro" else suite_customers()
    runner.stage(customer("1")).run()
    plan_id = runner.stage(customer("1"), customer("6"), customer("7")).plan("waits").plan_id
    if system == "precoro":
        sandbox.precoro.add_option(name)
    else:
        sandbox.suiteprojects.add("Customer", name=name, company="Made by a person")
    sandbox.clock.sleep(120)

    applied = runner.apply(plan_id, "applied").decisions.to_dicts()

    ends = {row["source_id"]: (row["action"], row["reason_code"]) for row in applied}
    assert (ends["6"], ends["7"]) == (("skipped", "stale_target"), ("create", "new"))
    assert runner.run()["6"][0] == ("ambiguous" if name == "C6 " else "adopt")


def test_a_record_that_two_may_be_by_now_is_not_adopted(suiteprojects: WorkflowRunner, sandbox: Sandbox) -> None:
    """The plan that waited knew one of them; a person chooses."""
    sandbox.suiteprojects.add("Customer", name="C6", company="First")
    suiteprojects.spec = suite_customers()
    suiteprojects.stage(customer("1")).run()
    plan_id = suiteprojects.stage(customer("1"), customer("6")).plan("waits").plan_id
    sandbox.suiteprojects.add("Customer", name="c6", company="Second")

    applied = suiteprojects.apply(plan_id, "applied").decisions.to_dicts()

    ends = {row["source_id"]: (row["action"], row["reason_code"]) for row in applied}
    assert ends["6"] == ("skipped", "stale_target")
    assert suiteprojects.run()["6"] == ("ambiguous", "several_candidates")
