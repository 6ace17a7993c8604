"""Every source record gets exactly one action, with its reason."""

import json
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.delivery.diff.decide import decide
from assets.delivery.diff.ledger_facts import LedgerFacts
from assets.delivery.diff.records import Records
from assets.delivery.schemas import MANUAL_LINK_SCHEMA, PARENT, PLAN_COLUMNS
from assets.delivery.spec.workflow_spec import WorkflowSpec
from assets.delivery.target import WRITING
from tests.assets.delivery.builders import (
    OPTION_ROWS,
    OPTIONS,
    actual,
    desired,
    link,
    links,
    mart,
    one_source,
    option_tree,
    target_state,
)
from tests.assets.delivery.diff.decisions import INACTIVE, QUARANTINE, RETIRE, SKIP, Rows, actions, changes, plan_rows


@pytest.mark.parametrize(
    ("record", "there", "linked", "expected"),
    [
        (desired(), [], [], ("create", "new")),
        (desired(), [actual()], [], ("unchanged", "identical")),
        (desired(name="New"), [actual()], [], ("update", "source_changed")),
        (desired(), [actual(**INACTIVE)], [], ("reactivate", "live_again")),
        (desired(**RETIRE), [actual()], [], ("deactivate", "deleted")),
        (desired(**RETIRE), [actual(**INACTIVE)], [], ("unchanged", "deleted")),
        (desired(**RETIRE), [], [], ("skipped", "deleted")),
        (desired(**SKIP), [actual()], [], ("quarantined", "stage_lead")),
        (desired(**QUARANTINE), [actual()], [], ("quarantined", "too_long")),
        (desired(name="n" * 21), [], [], ("quarantined", "too_long")),
        (desired(name=None), [actual()], [], ("quarantined", "required_blank")),
        (desired(externalId=None), [], [], ("quarantined", "key_blank")),
        (desired(), [actual(), actual("902")], [], ("ambiguous", "several_candidates")),
        (desired(), [actual(external_id=None)], [link()], ("update", "workflow_changed")),
    ],
)
def test_each_situation_has_its_action(record: dict[str, Any], there: Rows, linked: Rows, expected: Any) -> None:
    """Desired, actual and last confirmed values decide."""
    plan = plan_rows([record], there, linked)

    assert actions(plan) == [expected]
    assert plan[0]["reason"]


def test_a_create_has_the_whole_record() -> None:
    """A person can read in the plan what will be sent."""
    row = plan_rows([desired()])[0]

    assert json.loads(row["payload"]) == {"externalId": "1", "name": "Company 1", "enable": "1"}
    assert (row["target_id"], row["changes"]) == (None, [])


def test_an_update_has_the_values_before_and_after() -> None:
    """An undo needs the values before."""
    row = plan_rows([desired(name="New", enable=None)], [actual(enable="0")])[0]

    assert changes(row) == {"name": ("Company 1", "New"), "enable": ("0", None)}
    assert row["target_id"] == "901"


def test_deactivating_changes_no_other_field() -> None:
    """A deleted customer keeps its name in the target."""
    row = plan_rows([desired(name="Renamed", **RETIRE)], [actual()])[0]

    assert changes(row) == {"enable": ("1", "0")}
    assert json.loads(row["payload"]) == {"externalId": "1", "name": "Company 1", "enable": "0"}


def test_a_record_that_cannot_be_deactivated_is_reported() -> None:
    """Without a row for the active field nothing would happen, and "already inactive" would be false."""
    spec = one_source(fields=list(OPTION_ROWS[:2]))
    table = mart(desired(**RETIRE)).drop("enable")

    plan = decide(spec, OPTIONS, Records(table, target_state(actual()), links())).to_dicts()

    assert actions(plan) == [("quarantined", "cannot_deactivate")]
    assert "map the field enable" in plan[0]["reason"]


@pytest.mark.parametrize(
    ("linked", "expected"),
    [
        ({"workflow_version": "now"}, "drift"),
        ({"workflow_version": "now", "payload_hash": "earlier"}, "source_changed"),
        ({"workflow_version": "earlier"}, "workflow_changed"),
        ({"workflow_version": "earlier", "payload_hash": "earlier"}, "workflow_changed"),
        (None, "source_changed"),
    ],
)
def test_an_update_names_its_cause(linked: dict[str, str] | None, expected: str) -> None:
    """An edit in the target, an edit in NetSuite, a new mapping: three different people to ask."""
    spec = one_source()
    versions = {"now": spec.version, "earlier": "earlier"}
    known = [link(**{**each, "workflow_version": versions[each["workflow_version"]]}) for each in [linked] if each]

    row = plan_rows([desired()], [actual(name="other")], known, spec=spec)[0]

    assert (row["action"], row["reason_code"]) == ("update", expected)
    assert "name" in row["reason"]


def test_an_empty_source_makes_an_empty_plan() -> None:
    """Deciding does not fail; the guard stops it."""
    plan = decide(option_tree(), OPTIONS, Records(mart(), target_state(actual()), links()))

    assert (plan.height, plan.columns) == (0, PLAN_COLUMNS)


def test_every_action_that_writes_is_listed() -> None:
    """A new action must be decided somewhere and counted somewhere."""
    assert {"create", "adopt", "update", "deactivate", "reactivate"} == WRITING


# --- properties that hold for any frames -------------------------------------------------------------------------

IDS = [str(number) for number in range(1, 7)]
NAMES = st.none() | st.sampled_from(["Acme", "ACME", "Beta", "Company 1", "n" * 21])
DISPOSITIONS = st.sampled_from([{}, {}, {}, RETIRE, SKIP, QUARANTINE])


@st.composite
def marts(draw: st.DrawFn) -> Rows:
    """Customers, projects and sub-projects; now and then a key that is shared or missing."""
    rows = []
    for source_id in draw(st.lists(st.sampled_from(IDS), unique=True)):
        level = draw(st.integers(1, 3))
        above = {} if level == 1 else {"parent_source_id": draw(st.sampled_from(IDS)), "level": level}
        above |= {2: {"parent_source": "customers"}, 3: {"parent_source": "projects"}}.get(level, {})
        key = draw(st.sampled_from([source_id, source_id, source_id, "1", None]))
        source = "customers" if level == 1 else "projects"
        values = {"name": draw(NAMES), "enable": draw(st.sampled_from(["1", "1", None])), "externalId": key}
        rows.append(desired(source_id, source=source, **values, **above, **draw(DISPOSITIONS)))
    return rows


@st.composite
def target_states(draw: st.DrawFn) -> Rows:
    """Records of ours, of others and of no one, with keys that may occur twice."""
    rows = []
    for target_id in draw(st.lists(st.sampled_from(["901", "902", "903", "904", "905"]), unique=True)):
        key = draw(st.sampled_from([*IDS, None, None, "crm-7"]))
        state = draw(st.sampled_from([{}, INACTIVE]))
        parent = draw(st.sampled_from([None, None, "901", "999"]))
        rows.append(actual(target_id, key, name=draw(NAMES), parent_id=parent, **state))
    return rows


@st.composite
def link_rows(draw: st.DrawFn) -> Rows:
    """At most one link per source record, to any target record, deleted ones included."""
    rows = []
    for source_id in draw(st.lists(st.sampled_from(IDS), unique=True)):
        target_id = draw(st.sampled_from(["901", "902", "903", "999"]))
        source = draw(st.sampled_from(["customers", "projects"]))
        parent = draw(st.sampled_from([None, "901"]))
        rows.append(link(source_id, target_id, source=source, parent_target_id=parent))
    return rows


ANY_SPEC = option_tree(match=[{"field": "name", "ignore_case": True}])


def apply_plan(plan: pl.DataFrame, there: pl.DataFrame) -> pl.DataFrame:
    """Return the target state after everything in the plan was done."""
    rows = {row["target_id"]: row for row in there.to_dicts()}
    ids: dict[tuple[str, str], str] = {}
    for number, row in enumerate(plan.sort("level").to_dicts()):
        key = (row["source"], row["source_id"])
        target_id = row["target_id"] or f"new {number}"
        if row["target_id"] or row["action"] == "create":
            ids[key] = target_id
        if row["action"] not in WRITING:
            continue
        values = json.loads(row["payload"])
        old = rows.get(target_id, {"parent_id": None, "updated_at": None})
        parent_id = ids.get((row["parent_source"], row["parent_source_id"]))
        moves = row["action"] != "deactivate" and (parent_id or any(each["field"] == PARENT for each in row["changes"]))
        rows[target_id] = {
            **old,
            **values,
            "target_id": target_id,
            "external_id": values["externalId"],
            "is_active": values["enable"] != "0",
            "parent_id": parent_id if moves else old["parent_id"],
        }
    return target_state(*rows.values())


@settings(max_examples=25, deadline=None)
@given(marts(), target_states(), link_rows())
def test_any_frames_keep_the_invariants(desired_rows: Rows, there: Rows, linked: Rows) -> None:
    """One decision each, always the same, none about records of others, none twice; a second run changes nothing."""
    desired_frame, actual_frame, known = mart(*desired_rows), target_state(*there), links(*linked)

    plan = decide(ANY_SPEC, OPTIONS, Records(desired_frame, actual_frame, known))

    assert sorted(plan.select("source", "source_id").rows()) == sorted(
        desired_frame.select("source", "source_id").rows()
    )
    assert plan["action"].null_count() == plan["reason_code"].null_count() == plan["reason"].null_count() == 0
    again = decide(
        ANY_SPEC,
        OPTIONS,
        Records(desired_frame.reverse(), actual_frame.reverse(), known.sample(fraction=1, shuffle=True)),
    )
    assert plan.equals(again)
    written = plan.filter(pl.col("action").is_in([*WRITING]))
    ours = set(desired_frame["externalId"].drop_nulls())
    keys = {row["target_id"]: row["external_id"] for row in there}
    assert all(keys[each] in {*ours, None} for each in written["target_id"].drop_nulls())
    assert plan["target_id"].drop_nulls().is_unique().all()
    deactivated = plan.filter(pl.col("action").is_in(["deactivate"]))
    assert set(deactivated["matched_by"]) <= {"external_id", "link"}
    second = decide(ANY_SPEC, OPTIONS, Records(desired_frame, apply_plan(plan, actual_frame), known))
    assert not set(second["action"]) & {*WRITING}


@st.composite
def manual_link_rows(draw: st.DrawFn) -> Rows:
    """At most one manual link per source record, to any target record, deleted ones and none included."""
    chosen = draw(st.lists(st.sampled_from(IDS), unique=True, max_size=4))
    target_ids = st.sampled_from(["901", "902", "903", "999", None])
    sources = st.sampled_from(["customers", "projects"])
    return [{"source": draw(sources), "source_id": each, "manual_target_id": draw(target_ids)} for each in chosen]


SPECS_WITH_RULES = [
    option_tree(match=[{"field": "name", "ignore_case": True, "on_id_conflict": conflict}, "external_id"])
    for conflict in ("skip", "ask", "overwrite")
]


@pytest.mark.long
@settings(max_examples=60, deadline=None)
@given(marts(), target_states(), link_rows(), manual_link_rows(), st.sampled_from(SPECS_WITH_RULES))
def test_any_manual_links_keep_the_invariants(
    desired_rows: Rows, there: Rows, linked: Rows, chosen: Rows, spec: WorkflowSpec
) -> None:
    """One decision each, no target record for two, no key taken from its owner; a second run changes nothing."""
    desired_frame, actual_frame, known = mart(*desired_rows), target_state(*there), links(*linked)
    facts = LedgerFacts(manual_links=pl.DataFrame(chosen, schema=MANUAL_LINK_SCHEMA))

    plan = decide(spec, OPTIONS, Records(desired_frame, actual_frame, known), facts)

    assert plan.height == desired_frame.height
    assert plan["target_id"].drop_nulls().is_unique().all()
    manual = plan.filter(pl.col("matched_by") == "manual", pl.col("target_id").is_not_null())
    named = {(row["source"], row["source_id"]): row["manual_target_id"] for row in chosen}
    assert all(named[row["source"], row["source_id"]] == row["target_id"] for row in manual.to_dicts())
    keys = {row["target_id"]: row["external_id"] for row in there}
    owned = set(desired_frame["externalId"].drop_nulls())
    assert not {keys[each] for each in manual["target_id"]} & owned
    second = decide(spec, OPTIONS, Records(desired_frame, apply_plan(plan, actual_frame), known), facts)
    assert not set(second["action"]) & {*WRITING}
