"""A person's link counts from the next plan on, whatever earlier runs decided, and never makes a second record."""

from datetime import timedelta

import polars as pl
import pytest

from assets.delivery.diff.ledger_facts import read_ledger_facts
from assets.delivery.errors import SyncError
from assets.delivery.imports.manual_links import ManualLink, possible_matches, save_manual_link
from assets.delivery.ledger.attempts import AttemptState, write_attempts
from assets.delivery.ledger.links import read_links
from assets.delivery.ledger.tables import ensure_ledger
from assets.delivery.plan.exclude import exclude
from assets.delivery.schemas import MANUAL_LINK_SCHEMA
from assets.delivery.send.staleness import DECIDED, decided_meanwhile
from assets.delivery.spec.workflow import Workflow
from resources.clock import utc_now
from resources.sandbox.sandbox import Sandbox
from resources.warehouse.warehouse import Warehouse
from tests.assets.delivery.builders import (
    actual,
    customer,
    desired,
    link,
    links,
    mart,
    one_source,
    option_tree,
    project,
    suite_customers,
    target_state,
)
from tests.assets.delivery.diff.decisions import plan_rows
from tests.assets.delivery.ledger.ledger_rows import attempt
from tests.assets.delivery.run_workflow import WorkflowRunner

STALE = DECIDED[0]


def decide(runner: WorkflowRunner, key: str, target_id: str | None) -> None:
    """Decide as `millpond link` does."""
    with runner.warehouse.writer() as con:
        save_manual_link(con, ManualLink("flow", "customers", key, target_id, "ada", utc_now(runner.clock)))


def manual(*rows: tuple[str, str | None]) -> pl.DataFrame:
    """Return manual links of customers."""
    return pl.DataFrame([("customers", *row) for row in rows], schema=MANUAL_LINK_SCHEMA, orient="row")


@pytest.mark.parametrize(
    ("action", "target_id", "matched_by", "decided", "sent"),
    [
        ("create", None, None, [("1", "905")], False),  # linked since: it would be a second record
        ("create", None, None, [("1", None)], True),
        ("create", None, None, [("2", "905")], True),
        ("adopt", "901", "name", [("1", "905")], False),
        ("adopt", "901", "name", [("1", None)], False),  # it is another record, a person says
        ("adopt", "901", "name", [("1", "901")], True),
        ("adopt", "901", "manual", [("1", "901")], True),
        ("adopt", "901", "manual", [], False),  # the link was withdrawn
        ("update", "901", "external_id", [("1", "905")], False),
        ("update", "901", "external_id", [("1", "901")], True),
        ("update", "901", "external_id", [("1", None)], True),
        ("deactivate", "901", "link", [("1", "905")], True),
    ],
)
def test_what_a_person_decided_after_a_plan_was_made_is_not_overruled_by_it(
    action: str,
    target_id: str | None,
    matched_by: str | None,
    decided: list[tuple[str, str | None]],
    sent: bool,  # noqa: FBT001
) -> None:
    """The record is left out with the reason; the next plan follows the person."""
    (row,) = plan_rows([desired()])
    plan = pl.DataFrame([{**row, "action": action, "target_id": target_id, "matched_by": matched_by}])

    (found,) = exclude(plan, decided_meanwhile(plan, manual(*decided)), *DECIDED).to_dicts()

    assert (found["action"], found["payload"] is not None) == ((action, True) if sent else ("skipped", False))
    assert sent or (found["reason_code"], found["reason"]) == DECIDED


def test_a_record_that_the_last_run_created_has_no_possible_matches() -> None:
    """The plan still says that it would be created; nor is its new record offered to others."""
    records = mart(desired("1", name="Acme"), desired("2", name="Acme"))
    there = target_state(actual("901", "1", name="Acme"), actual("905", None, name="Acme"))
    plan = pl.DataFrame(plan_rows([desired("1", name="Acme"), desired("2", name="Acme")]), infer_schema_length=None)

    stale = possible_matches(option_tree(), records, there, plan, links())
    found = possible_matches(option_tree(), records, there, plan, links(link("1", "901")))

    assert set(stale["source_id"]) == {"1", "2"}
    assert found.select("source_id", "target_id").rows() == [("2", "905")]
    gone = possible_matches(
        option_tree(), records, target_state(actual("905", None, name="Acme")), plan, links(link("1", "901"))
    )
    assert set(gone["source_id"]) == {"1", "2"}


def test_a_link_ends_an_earlier_rejection_and_an_undo_hold(warehouse: Warehouse, sandbox: Sandbox) -> None:
    """A person knows better; what happens after the decision counts again."""
    workflow, now = Workflow("flow", option_tree()), utc_now(sandbox.clock)
    before, after = now - timedelta(hours=1), now + timedelta(hours=1)
    with warehouse.writer() as con:
        ensure_ledger(con)
        for key, sent_at in (("1", before), ("2", before), ("3", after)):
            con.execute(
                "insert into sync_attempts (attempt_id, state, workflow, source, source_id, payload_hash, seen_at,"
                " position) values (?, 'rejected', 'flow', 'customers', ?, 'p', ?, 1)",
                [key, key, sent_at],
            )
            con.execute(
                "insert into sync_undo_holds (workflow, source, source_id, payload_hash, held_at)"
                " values ('flow', 'customers', ?, 'p', ?)",
                [key, sent_at],
            )
            if key != "1":
                con.execute(
                    "insert into sync_manual_links (workflow, source, source_id, target_id, decided_at)"
                    " values ('flow', 'customers', ?, '905', ?)",
                    [key, now],
                )

        facts = read_ledger_facts(con, workflow, now)

    assert sorted(facts.rejected["source_id"]) == ["1", "3"]
    assert sorted(facts.undo_holds["source_id"]) == ["1", "3"]


@pytest.mark.parametrize("set_hours", [-24, 24])
def test_a_decision_is_later_than_what_was_sent_before_it_whatever_the_clock_shows(
    warehouse: Warehouse, sandbox: Sandbox, set_hours: int
) -> None:
    """The clock is set between the rejection and the decision; what is rejected after that counts again."""
    workflow = Workflow("flow", option_tree().model_copy(update={"deleted_in_target": "report"}))
    now = utc_now(sandbox.clock)
    later = now + timedelta(hours=set_hours)
    with warehouse.writer() as con:
        ensure_ledger(con)
        con.execute("create table target_flow as select '905' as target_id, null as external_id")
        for key in ("decided before", "decided after", "decided between"):
            rejected = attempt(AttemptState.REJECTED, source_id=key, attempt_id=key, payload_hash="p", seen_at=now)
            again = attempt(AttemptState.REJECTED, source_id=key, attempt_id="again", payload_hash="p", seen_at=now)
            made = ManualLink("flow", "customers", key, None, "ada", later)
            con.execute(
                "insert into sync_links by name select 'flow' as workflow, 'customers' as source, ? as source_id,"
                " '901' as target_id, ? as confirmed_at",
                [key, now],
            )
            steps = {
                "decided before": (made, rejected), "decided after": (rejected, made),
                "decided between": (rejected, made, again),
            }  # fmt: skip
            for step in steps[key]:
                if isinstance(step, ManualLink):
                    save_manual_link(con, step)
                else:
                    write_attempts(con, [step])

        facts = read_ledger_facts(con, workflow, now)

    assert sorted(facts.rejected["source_id"]) == ["decided before", "decided between"]
    assert sorted(facts.deleted["source_id"]) == ["decided before", "decided between"]


@pytest.mark.long
def test_a_record_that_a_run_created_is_not_linked_to_another_one(
    suiteprojects: WorkflowRunner, sandbox: Sandbox
) -> None:
    """Both would carry its key; once the key is cleared in the first one, the next plan adopts the other."""
    suiteprojects.spec = suite_customers(match=["external_id"])
    other = sandbox.suiteprojects.add("Customer", name="made earlier")
    suiteprojects.stage(customer("1"), customer("2")).run()
    created = suiteprojects.warehouse.read("select target_id from sync_links where source_id = '1'").item()

    with pytest.raises(SyncError, match=f"the target's record {created} already carries our key for customers 1"):
        decide(suiteprojects, "1", str(other))
    assert suiteprojects.run()["1"] == ("unchanged", "identical")
    sandbox.suiteprojects.modify("Customer", int(created), externalid="")
    suiteprojects.plan("after clearing")
    decide(suiteprojects, "1", str(other))

    assert suiteprojects.run()["1"] == ("adopt", "matched")
    keyed = [row["id"] for row in sandbox.suiteprojects.rows("Customer") if row.get("externalid") == "1"]
    assert keyed == [str(other)]
    assert suiteprojects.run()["1"] == ("unchanged", "identical")
    with suiteprojects.warehouse.writer(transaction=False) as con:
        assert dict(read_links(con, "flow").select("source_id", "target_id").rows())["1"] == str(other)


def test_a_record_whose_key_is_in_the_target_is_not_linked_to_a_new_one(precoro: WorkflowRunner) -> None:
    """The key comes before a person's link, so that the link would have no effect."""
    precoro.spec = one_source()
    precoro.stage(customer("1")).run()
    precoro.plan("found by its key")

    with pytest.raises(SyncError, match=r"already carries our key for customers 1; clear the key there"):
        decide(precoro, "1", None)


@pytest.mark.long
def test_a_waiting_plan_does_not_create_what_a_person_linked(suiteprojects: WorkflowRunner, sandbox: Sandbox) -> None:
    """The plan was made before; the next run adopts the record."""
    suiteprojects.spec = suite_customers(match=["external_id"], guards={"create": {"rows": 0}})
    other = sandbox.suiteprojects.add("Customer", name="made earlier")
    suiteprojects.stage(customer("1"), customer("2"))
    plan_id = suiteprojects.plan("waiting").plan_id
    decide(suiteprojects, "1", str(other))

    suiteprojects.apply(plan_id, "approved")

    assert sorted(row.get("externalid", "") for row in sandbox.suiteprojects.rows("Customer")) == ["", "2"]
    assert suiteprojects.run()["1"] == ("adopt", "matched")
    assert sorted(row.get("externalid", "") for row in sandbox.suiteprojects.rows("Customer")) == ["1", "2"]


@pytest.mark.long
def test_nothing_is_created_below_a_record_that_a_person_replaced(precoro: WorkflowRunner, sandbox: Sandbox) -> None:
    """The plan that waited knows the former parent, which the target still has; the next plan knows the other one."""
    precoro.stage(customer("1")).run()
    former = int(precoro.table("target_flow").filter(external_id="1")["target_id"][0])
    other = sandbox.precoro.add_option("The right one")
    sandbox.precoro.edit_option(former, external_id=None)
    sandbox.clock.sleep(120)
    waiting = precoro.stage(customer("1"), below=(project("100"),)).plan("planned")
    decide(precoro, "1", str(other))
    precoro.apply(waiting.plan_id, "applied")
    assert not [each for each in sandbox.precoro.options() if each["external_id"] == "100"]

    sandbox.clock.sleep(120)
    precoro.run()

    (created,) = [each for each in sandbox.precoro.options() if each["external_id"] == "100"]
    assert created["parent_id"] == other
