"""A released plan: the parts that were asked for, without what changed since."""

from collections.abc import Sequence

import pytest

from assets.delivery.ledger.plans import SyncError
from resources.sandbox.precoro.switches import PrecoroSwitches
from resources.sandbox.sandbox import Sandbox
from tests.assets.delivery.builders import OPTION_ROWS, customer, one_source, option_tree, project, suite_customers
from tests.assets.delivery.run_workflow import Flow
from tests.assets.delivery.send.test_apply import places

CODE = {"field": "code", "from": "entity_number"}


def names(sandbox: Sandbox) -> dict[str, str]:
    """The name of each of our options."""
    return {each["external_id"]: each["name"] for each in sandbox.precoro.options() if each["external_id"]}


@pytest.fixture
def mixed(precoro: Flow) -> Flow:
    """Records 1 and 2 are there; then 1 is renamed with a new number, 2 is gone, 3 and 4 are new."""
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
        (("record=4711",), set()),
        ((), {"1", "2", "3", "4"}),
    ],
)
def test_a_plan_is_released_in_part(mixed: Flow, only: Sequence[str], touched: set[str]) -> None:
    """Several words of one kind are any of them, several kinds all of them."""
    plan_id = mixed.plan("planned").plan_id

    synced = mixed.release(plan_id, "released", *only)

    written = mixed.warehouse.read("select source_id from sync_attempts where run_id = 'released'")
    assert set(written["source_id"]) == touched == set(synced.decisions["source_id"])
    assert mixed.states()[plan_id] == "sent"


@pytest.mark.long
def test_a_key_that_is_not_the_source_id(precoro: Flow, sandbox: Sandbox) -> None:
    """The number of one record is the id of another: what is there already is told by the key alone."""
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

    done = {row["source_id"]: row["action"] for row in precoro.release(plan_id, "released").decisions.to_dicts()}

    assert (done["3"], done["5"]) == ("create", "skipped")
    assert sorted(names(sandbox)) == ["2", "3", "4", "5"]


@pytest.mark.parametrize("word", ["name", "name=x", "record=", "=create"])
def test_a_word_that_means_nothing_is_refused(mixed: Flow, word: str) -> None:
    """A typo must not release the whole plan."""
    plan_id = mixed.plan("planned").plan_id

    with pytest.raises(SyncError, match="say action=…, record=…, field=…"):
        mixed.release(plan_id, "released", word)


@pytest.mark.long
def test_a_mistyped_word_does_not_spend_the_plan(mixed: Flow) -> None:
    """The person types it again."""
    plan_id = mixed.plan("planned").plan_id
    with pytest.raises(SyncError):
        mixed.release(plan_id, "released", "nonsense")

    assert mixed.release(plan_id, "again", "record=3").counts["created"] == 1


def test_a_field_alone_is_written_alone(mixed: Flow, sandbox: Sandbox) -> None:
    """Precoro takes whole options; the other fields go along as they are, and the next run sends them."""
    mixed.release(mixed.plan("planned").plan_id, "released", "field=name")
    option = next(each for each in sandbox.precoro.options() if each["external_id"] == "1")
    assert (option["name"], option["code"]) == ("New", "C1")

    decisions = mixed.run()

    assert decisions["1"] == ("update", "source_changed")  # nobody edited it by hand
    option = next(each for each in sandbox.precoro.options() if each["external_id"] == "1")
    assert (option["name"], option["code"]) == ("New", "N1")


@pytest.mark.long
def test_a_field_of_a_record_that_wakes_up_does_not_wake_it(suiteprojects: Flow, sandbox: Sandbox) -> None:
    """Switching on is a field of its own."""
    suiteprojects.spec = suite_customers()
    suiteprojects.stage(customer("1")).run()
    suiteprojects.stage(customer("1", is_inactive=True)).run()
    planned = suiteprojects.stage(customer("1", company_name="New")).plan("planned")
    assert planned.plan["action"].to_list() == ["reactivate"]

    suiteprojects.release(planned.plan_id, "released", "field=company")

    (row,) = [row for row in sandbox.suiteprojects.rows("Customer") if row.get("externalid") == "1"]
    assert (row["company"], row["active"]) == ("New", "0")
    assert suiteprojects.run() == {"1": ("reactivate", "live_again")}


@pytest.mark.long
def test_a_child_alone_goes_below_its_parent(precoro: Flow, sandbox: Sandbox) -> None:
    """The parent is not among what is released, and is there all the same."""
    precoro.spec = option_tree()
    precoro.stage(customer("1")).run()
    plan_id = precoro.stage(customer("1"), below=(project("100"), project("200"))).plan("planned").plan_id

    synced = precoro.release(plan_id, "released", "record=100")

    assert (synced.counts["created"], synced.counts["blocked"]) == (1, 0)
    assert places(sandbox) == {"1": None, "100": "1"}


@pytest.mark.long
def test_a_child_without_its_new_parent_waits(precoro: Flow, sandbox: Sandbox) -> None:
    """Its parent was left out of what is released."""
    plan_id = precoro.stage(customer("1"), below=(project("100"),)).plan("planned").plan_id

    synced = precoro.release(plan_id, "released", "record=100")

    assert synced.counts["blocked"] == 1
    assert places(sandbox) == {}


# --- what changed since ---------------------------------------------------------------------------------------------


def told(flow: Flow) -> dict[str, tuple[str, str]]:
    """Reason code and reason of what the last release left out."""
    rows = flow.table("sync_flow").to_dicts()
    return {row["source_id"]: (row["reason_code"], row["reason"]) for row in rows if row["action"] == "skipped"}


def plan_then(flow: Flow, *later: dict[str, object]) -> str:
    """A plan of what is staged; then NetSuite is read again and shaped, and another plan is made."""
    plan_id = flow.plan("planned").plan_id
    with flow.warehouse.writer() as con:
        con.execute("update sync_plans set state = 'waiting' where plan_id = ?", [plan_id])
    if later:
        flow.stage(*later).plan("later")
    return plan_id


def test_what_changed_in_netsuite_since_is_left_out(mixed: Flow, sandbox: Sandbox) -> None:
    """The approved values are old ones; the rest of the plan goes."""
    plan_id = plan_then(
        mixed,
        customer("1", company_name="Newer", entity_number="N1"),
        customer("2", is_inactive=True),
        customer("3"),
        customer("4", is_inactive=True),
    )

    synced = mixed.release(plan_id, "released")

    assert told(mixed) == {
        "1": ("stale_source", "not sent: the NetSuite record changed since the plan was made"),
        "4": ("stale_source", "not sent: the NetSuite record changed since the plan was made"),
    }
    assert (synced.counts["created"], synced.counts["deactivated"], synced.counts["updated"]) == (1, 1, 0)
    assert names(sandbox) == {"1": "Company 1", "2": "Company 2", "3": "Company 3"}


@pytest.mark.long
def test_what_is_live_again_in_netsuite_is_not_switched_off(mixed: Flow, sandbox: Sandbox) -> None:
    """Its mapped values are the same as before; only that it lives has changed."""
    live = [customer("1", company_name="New", entity_number="N1"), *(customer(key) for key in ("2", "3", "4"))]
    plan_id = plan_then(mixed, *live)

    mixed.release(plan_id, "released")

    assert set(told(mixed)) == {"2"}
    assert all(option["enable"] for option in sandbox.precoro.options() if option["external_id"])


def test_what_was_edited_in_the_target_since_is_left_out(mixed: Flow, sandbox: Sandbox) -> None:
    """The person who approved had seen other values."""
    plan_id = plan_then(mixed)
    option = next(each for each in sandbox.precoro.options() if each["external_id"] == "1")
    sandbox.precoro.edit_option(option["option_id"], name="by hand")
    sandbox.precoro.add_option("made by hand", external_id="3")
    sandbox.clock.sleep(120)

    synced = mixed.release(plan_id, "released")

    assert told(mixed) == {
        "1": ("stale_target", "not sent: edited in precoro since the plan was made: name"),
        "3": ("stale_target", "not sent: the target has it by now"),
    }
    assert (synced.counts["created"], synced.counts["deactivated"], synced.counts["updated"]) == (1, 1, 0)
    assert names(sandbox)["1"] == "by hand"


@pytest.mark.long
def test_a_record_that_is_gone_is_left_out(suiteprojects: Flow, sandbox: Sandbox) -> None:
    """Somebody deleted it in the target."""
    suiteprojects.spec = suite_customers()
    suiteprojects.stage(customer("1"), customer("2")).run()
    suiteprojects.stage(customer("1", company_name="New"), customer("2", company_name="New 2"))
    plan_id = suiteprojects.plan("planned").plan_id
    key = next(int(row["id"]) for row in sandbox.suiteprojects.rows("Customer") if row.get("externalid") == "1")
    sandbox.suiteprojects.delete("Customer", key)

    synced = suiteprojects.release(plan_id, "released")

    assert told(suiteprojects) == {"1": ("stale_target", "not sent: the target's record is gone")}
    assert synced.counts["updated"] == 1


@pytest.mark.long
def test_decisions_of_untouched_records_stay(mixed: Flow) -> None:
    """A part of a plan says nothing about the others, and an old plan nothing new."""
    before = open_decisions(mixed)
    mixed.release(mixed.plan("planned").plan_id, "released", "action=create")

    after = open_decisions(mixed)

    assert after == before | {"3": "create", "4": "create"}
    assert mixed.table("sync_flow").height == 2


def open_decisions(flow: Flow) -> dict[str, str]:
    """The decision that holds for each record."""
    return dict(flow.warehouse.read("select source_id, action from sync_decisions where to_run is null").rows())


@pytest.mark.long
def test_a_put_that_resets_keeps_what_was_not_asked_for(mixed: Flow, sandbox: Sandbox) -> None:
    """Whatever PUT does with fields that are not named."""
    sandbox.switches.set("precoro", PrecoroSwitches, strict_put=True)

    mixed.release(mixed.plan("planned").plan_id, "released", "field=code")

    option = next(each for each in sandbox.precoro.options() if each["external_id"] == "1")
    assert (option["name"], option["code"], option["enable"]) == ("Company 1", "N1", True)
