"""Every source record gets exactly one action, with its reason."""

import json
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.delivery.diff.decide import decide
from assets.delivery.schemas import PARENT, PIN_SCHEMA, PLAN_COLUMNS, REFUSED_SCHEMA
from assets.delivery.spec.workflow_spec import WorkflowSpec
from assets.delivery.target import WRITING, Action
from tests.assets.delivery.builders import (
    OPTION_ROWS,
    OPTIONS,
    actual,
    below,
    desired,
    link,
    links,
    mart,
    one_source,
    option_tree,
    target_state,
)

Rows = list[dict[str, Any]]


def planned(
    wanted: Rows, there: Rows | None = None, linked: Rows | None = None, *, spec: WorkflowSpec | None = None
) -> Rows:
    """The plan as rows."""
    plan = decide(spec or option_tree(), OPTIONS, mart(*wanted), target_state(*(there or [])), links(*(linked or [])))
    assert plan.columns == PLAN_COLUMNS
    return plan.to_dicts()


def actions(plan: Rows) -> list[tuple[str, str]]:
    """Action and reason code of each row."""
    return [(row["action"], row["reason_code"]) for row in plan]


def changed(row: dict[str, Any]) -> dict[str, tuple[str | None, str | None]]:
    """What one row would change."""
    return {change["field"]: (change["before"], change["after"]) for change in row["changes"]}


OFF: dict[str, Any] = {"is_active": False, "enable": "0"}
RETIRE = {"disposition": "retire", "reason_code": "deleted", "reason": "deleted in NetSuite"}
SKIP = {"disposition": "skip", "reason_code": "stage_lead", "reason": "leads are not part"}
BAD = {"disposition": "quarantine", "reason_code": "too_long", "reason": "name is longer"}


@pytest.mark.parametrize(
    ("wanted", "there", "linked", "expected"),
    [
        (desired(), [], [], ("create", "new")),
        (desired(), [actual()], [], ("unchanged", "identical")),
        (desired(name="New"), [actual()], [], ("update", "source_changed")),
        (desired(), [actual(**OFF)], [], ("reactivate", "live_again")),
        (desired(**RETIRE), [actual()], [], ("deactivate", "deleted")),
        (desired(**RETIRE), [actual(**OFF)], [], ("unchanged", "deleted")),
        (desired(**RETIRE), [], [], ("skipped", "deleted")),
        (desired(**SKIP), [actual()], [], ("skipped", "stage_lead")),
        (desired(**BAD), [actual()], [], ("quarantined", "too_long")),
        (desired(name="n" * 21), [], [], ("quarantined", "too_long")),
        (desired(name=None), [actual()], [], ("quarantined", "required_blank")),
        (desired(externalId=None), [], [], ("quarantined", "key_blank")),
        (desired(), [actual(), actual("902")], [], ("ambiguous", "several_candidates")),
        (desired(), [actual(external_id=None)], [link()], ("update", "workflow_changed")),
    ],
)
def test_each_situation_has_its_action(wanted: dict[str, Any], there: Rows, linked: Rows, expected: Any) -> None:
    """The table of what may be: desired, actual, last confirmed."""
    plan = planned([wanted], there, linked)

    assert actions(plan) == [expected]
    assert plan[0]["reason"]


def test_a_limit_is_counted_in_characters() -> None:
    """Twenty characters fit into twenty, whatever their bytes."""
    assert actions(planned([desired(name="é" * 20)])) == [("create", "new")]


def test_a_create_says_the_whole_record() -> None:
    """What is sent is in the plan, so that a person can read it before."""
    row = planned([desired()])[0]

    assert json.loads(row["payload"]) == {"externalId": "1", "name": "Company 1", "enable": "1"}
    assert (row["target_id"], row["changes"]) == (None, [])


def test_an_update_says_what_was_and_what_will_be() -> None:
    """The before-image is what an undo needs."""
    row = planned([desired(name="New", enable=None)], [actual(enable="0")])[0]

    assert changed(row) == {"name": ("Company 1", "New"), "enable": ("0", None)}
    assert row["target_id"] == "901"


def test_switching_off_changes_nothing_else() -> None:
    """A deleted customer keeps its name in the target."""
    row = planned([desired(name="Renamed", **RETIRE)], [actual()])[0]

    assert changed(row) == {"enable": ("1", "0")}
    assert json.loads(row["payload"]) == {"externalId": "1", "name": "Company 1", "enable": "0"}


def test_what_cannot_be_switched_off_is_told() -> None:
    """Without a row for the active field nothing would happen, and "already off" would be a lie."""
    spec = one_source(fields=list(OPTION_ROWS[:2]))
    table = mart(desired(**RETIRE)).drop("enable")

    plan = decide(spec, OPTIONS, table, target_state(actual()), links()).to_dicts()

    assert actions(plan) == [("quarantined", "cannot_deactivate")]
    assert "map the field enable" in plan[0]["reason"]


# --- who is who ------------------------------------------------------------------------------------------------


def test_a_record_without_a_key_is_adopted_by_the_workflows_rule() -> None:
    """Somebody made it by hand before the first run; a second one would be a duplicate."""
    spec = one_source(match=["name"])

    row = planned([desired()], [actual(external_id=None, name="Company 1")], spec=spec)[0]

    assert (row["action"], row["reason_code"], row["target_id"], row["matched_by"]) == (
        "adopt", "matched", "901", "name",
    )  # fmt: skip
    assert changed(row) == {"externalId": (None, "1")}


@pytest.mark.parametrize(("ignore_case", "expected"), [(True, "adopt"), (False, "create")])
def test_case_matters_unless_the_rule_says_otherwise(ignore_case: bool, expected: str) -> None:  # noqa: FBT001
    """ACME and Acme are one company to people, two values to a system."""
    spec = one_source(match=[{"field": "name", "ignore_case": ignore_case}])

    plan = planned([desired(name="Müller")], [actual(external_id=None, name="MÜLLER")], spec=spec)

    assert plan[0]["action"] == expected


def test_the_rules_are_tried_in_order() -> None:
    """The first that finds one record decides."""
    spec = one_source(match=["name", "enable"])
    there = [actual("901", None, name="other"), actual("902", None, name="Company 1", enable=None)]

    assert planned([desired()], there, spec=spec)[0]["target_id"] == "902"


def test_several_candidates_are_never_guessed() -> None:
    """Two companies of one name in the target, or in NetSuite."""
    spec = one_source(match=["name"])
    two_there = [actual("901", None, name="Twin"), actual("902", None, name="Twin")]

    there_twice = planned([desired(name="Twin")], two_there, spec=spec)
    here_twice = planned([desired("1", name="Twin"), desired("2", name="Twin")], two_there[:1], spec=spec)

    assert actions(there_twice) == [("ambiguous", "several_candidates")]
    assert actions(here_twice) == [("ambiguous", "several_candidates")] * 2
    told = "2 records claim the same name ({}); `millpond link` says which is it"
    assert there_twice[0]["reason"] == told.format("target 901, 902")
    assert here_twice[0]["reason"] == told.format("target 901; NetSuite 1, 2")


def test_two_source_records_with_one_key_are_ambiguous_before_anything_is_made() -> None:
    """Both would be created under one key, and no later run could tell them apart."""
    assert actions(planned([desired("1"), desired("2", externalId="1")])) == [("ambiguous", "several_candidates")] * 2


def test_a_key_that_a_skipped_record_shares_does_not_stop_the_live_one() -> None:
    """Only what is to be delivered or switched off contends for a record."""
    plan = planned([desired("1"), desired("2", externalId="1", **SKIP)], [actual()])

    assert actions(plan) == [("unchanged", "identical"), ("skipped", "stage_lead")]
    assert [row["target_id"] for row in plan] == ["901", None]


def test_a_skipped_record_knows_its_target_record() -> None:
    """So that the story of the record can be told, and its children know where they hang."""
    row = planned([desired(**SKIP)], [actual(name="other")])[0]

    assert (row["target_id"], row["matched_by"], row["changes"]) == ("901", "external_id", [])


def test_a_record_with_somebody_elses_key_is_never_written() -> None:
    """Not by a rule, and not by a link either: who re-keyed it has taken it over."""
    spec = one_source(match=["name"])
    foreign = actual(external_id="crm-7", name="Company 1")

    by_rule = planned([desired()], [foreign], spec=spec)
    by_link = planned([desired()], [foreign], [link()], spec=spec)

    assert actions(by_rule) == [("create", "new")]
    assert actions(by_link) == [("ambiguous", "several_candidates")]
    assert by_link[0]["target_id"] is None


def test_a_linked_record_that_was_taken_over_is_not_switched_off() -> None:
    """It is no longer ours to switch off."""
    assert actions(planned([desired(**RETIRE)], [actual(external_id="crm-7")], [link()])) == [("skipped", "deleted")]


def test_a_linked_record_that_lost_its_key_gets_it_back() -> None:
    """Somebody emptied the field by hand; the link still knows whose it is."""
    row = planned([desired()], [actual(external_id=None, name="Company 1")], [link()])[0]

    assert (row["matched_by"], changed(row)) == ("link", {"externalId": (None, "1")})


def test_a_record_that_another_source_record_is_linked_to_is_not_adopted() -> None:
    """It is out of scope at the moment, not free."""
    spec = one_source(match=["name"])
    lost_key = actual(external_id=None, name="Twin")

    plan = planned([desired("1", name="Twin", **SKIP), desired("2", name="Twin")], [lost_key], [link()], spec=spec)

    assert actions(plan) == [("skipped", "stage_lead"), ("create", "new")]


def test_retiring_never_adopts() -> None:
    """A deleted customer has no claim on a record that a person made."""
    spec = one_source(match=["name"])
    there = [actual(external_id=None, name="Company 1")]

    assert actions(planned([desired(**RETIRE)], there, spec=spec)) == [("skipped", "deleted")]


def test_retiring_with_the_parent_never_adopts_either() -> None:
    """A live child matches a stranger by name, then its parent retires it."""
    spec = option_tree(match=["name"])
    there = [actual(), actual("902", None, name="Twin")]

    plan = planned([desired(**RETIRE), below("100", "1", name="Twin")], there, spec=spec)

    assert actions(plan) == [("deactivate", "deleted"), ("skipped", "parent_inactive")]


# --- what belongs to whom --------------------------------------------------------------------------------------


def test_a_field_that_is_written_once_is_left_alone_afterwards() -> None:
    """Initial only: people work on in the target."""
    once = {"field": "name", "from": "company_name", "on": "create"}
    spec = one_source(fields=[OPTION_ROWS[0], once, OPTION_ROWS[2]])

    there = planned([desired(name="New")], [actual()], spec=spec)[0]
    new = planned([desired(name="New")], [], spec=spec)[0]

    assert (there["action"], there["payload"]) == ("unchanged", None)
    assert json.loads(new["payload"])["name"] == "New"


def test_a_field_that_this_source_does_not_map_is_left_alone() -> None:
    """It is in the mart for the other source's sake; blanking it would be an edit nobody asked for."""
    tree = option_tree()
    narrow = [row for row in OPTION_ROWS if row["field"] != "name"]
    projects = tree.records[1].model_dump(by_alias=True)
    spec = option_tree(records=[{"source": "customers", "fields": narrow}, projects])

    row = planned([desired(name=None)], [actual(name="by hand")], spec=spec)

    assert actions(row) == [("quarantined", "required_blank")]  # a new one could not be made without
    unlimited = OPTIONS.__class__("externalId", "enable", {})
    plan = decide(spec, unlimited, mart(desired(name=None)), target_state(actual(name="by hand")), links()).to_dicts()
    assert actions(plan) == [("unchanged", "identical")]


def test_only_monitored_fields_make_a_record_changed() -> None:
    """The rest goes along when one of them did."""
    spec = option_tree(monitored=["enable"])
    there = [actual(name="old", enable=None), actual("902", "2", name="old"), actual("903", "3", name="old", **OFF)]

    plan = planned([desired("1"), desired("2"), desired("3")], there, spec=spec)

    assert [row["action"] for row in plan] == ["update", "unchanged", "reactivate"]
    assert changed(plan[0]).keys() == {"name", "enable"}


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
def test_an_update_says_who_caused_it(linked: dict[str, str] | None, expected: str) -> None:
    """Edited in the target, edited in NetSuite, or another rule: three different people to ask."""
    spec = one_source()
    versions = {"now": spec.version, "earlier": "earlier"}
    known = [link(**{**each, "workflow_version": versions[each["workflow_version"]]}) for each in [linked] if each]

    row = planned([desired()], [actual(name="other")], known, spec=spec)[0]

    assert (row["action"], row["reason_code"]) == ("update", expected)
    assert "name" in row["reason"]


# --- parents ---------------------------------------------------------------------------------------------------


def test_a_child_of_a_new_parent_is_created_after_it() -> None:
    """Parents come first in the plan; the child's place is filled in while sending."""
    plan = planned([below("100", "1"), desired()])

    assert [(row["source_id"], row["action"], row["parent_target_id"]) for row in plan] == [
        ("1", "create", None),
        ("100", "create", None),
    ]


def test_a_child_below_a_parent_that_is_there_knows_its_place() -> None:
    """The parent's id in the target is in the plan."""
    assert planned([desired(), below("100", "1")], [actual()])[1]["parent_target_id"] == "901"


@pytest.mark.parametrize(
    ("parent", "there", "expected"),
    [
        ([], [], "blocked"),
        ([desired(**BAD)], [], "blocked"),
        ([desired(**SKIP)], [], "blocked"),
        ([desired()], [actual(), actual("902")], "blocked"),
        ([desired(**BAD)], [actual()], "create"),
        ([desired(**SKIP)], [actual()], "create"),
        ([desired(**RETIRE)], [actual()], "skipped"),
    ],
)
def test_what_happens_to_the_parent_decides_for_the_child(parent: Rows, there: Rows, expected: str) -> None:
    """Without a parent in the target there is no place; a parent that is there is one, whatever is wrong with it."""
    plan = planned([*parent, below("100", "1")], there)

    assert plan[-1]["action"] == expected


def test_a_block_reaches_every_level() -> None:
    """The grandchild of a missing parent waits as well."""
    plan = planned([below("100", "1"), below("101", "100", parent_source="projects", level=3)])

    assert actions(plan) == [("blocked", "parent_missing")] * 2


def test_a_child_is_switched_off_with_its_parent() -> None:
    """A project of an inactive customer cannot be picked any more, down to the last level."""
    wanted = [desired(**RETIRE), below("100", "1"), below("101", "100", parent_source="projects", level=3)]

    plan = planned(wanted, [actual(), actual("902", "100"), actual("903", "101")])

    assert actions(plan) == [("deactivate", "deleted"), *[("deactivate", "parent_inactive")] * 2]


def test_a_parent_that_is_only_about_to_be_adopted_and_blocked_is_no_place() -> None:
    """The record is not ours yet and will not be."""
    spec = option_tree(match=["name"])
    wanted = [below("100", "1", name="Twin"), below("101", "100", parent_source="projects", level=3)]

    plan = planned(wanted, [actual(external_id=None, name="Twin")], spec=spec)

    assert [row["action"] for row in plan] == ["blocked", "blocked"]


@pytest.mark.parametrize(
    ("told", "linked", "expected"),
    [("901", [], {}), ("905", [], {PARENT: ("905", "901")}), (None, ["905"], {PARENT: ("905", "901")}), (None, [], {})],
)
def test_a_moved_parent_is_a_change(told: str | None, linked: list[str], expected: dict[str, Any]) -> None:
    """By what the target tells, else by what was last confirmed; nothing is assumed where both are silent."""
    child = actual("902", "100", parent_id=told)
    known = [link("100", "902", source="projects", parent_target_id=parent) for parent in linked]

    plan = planned([desired(), below("100", "1")], [actual(), child], known)

    assert changed(plan[1]) == expected
    assert plan[1]["action"] == ("update" if expected else "unchanged")


def test_a_child_moves_to_a_parent_that_is_yet_to_be_made() -> None:
    """Its id is not known while planning; the move must not be forgotten for that."""
    plan = planned([desired("2"), below("100", "2")], [actual("902", "100", parent_id="901")])

    assert [row["action"] for row in plan] == ["create", "update"]
    assert changed(plan[1]) == {PARENT: ("901", None)}


def test_a_child_moves_to_the_top() -> None:
    """When NetSuite knows no parent any more and the workflow's file says that parents are ours."""
    wanted = desired("100", source="projects")

    assert changed(planned([wanted], [actual("902", "100", parent_id="901")])[0]) == {PARENT: ("901", None)}


def test_the_place_of_records_without_mapped_parents_is_not_ours() -> None:
    """People may sort customers into folders."""
    assert actions(planned([desired()], [actual(parent_id="555")])) == [("unchanged", "identical")]


# --- refusals that are remembered --------------------------------------------------------------------------------


def refusal(spec: WorkflowSpec, source_id: str = "1", **changes: str) -> pl.DataFrame:
    """What the target said to `desired(source_id)`."""
    row = {
        "source": "customers",
        "source_id": source_id,
        "refused_hash": f"payload of {source_id}",
        "refused_version": spec.version,
        "refused_code": "12",
        "refused_reason": "no such thing",
    }
    return pl.DataFrame([row | changes], schema=REFUSED_SCHEMA)


@pytest.mark.parametrize(
    ("there", "changes", "expected"),
    [
        ([], {}, ("quarantined", "rejected_12")),
        ([], {"refused_code": ""}, ("quarantined", "rejected")),
        ([actual(name="old")], {}, ("quarantined", "rejected_12")),
        ([actual(name="old")], {"refused_request": "from another name"}, ("update", "source_changed")),
        ([actual()], {}, ("unchanged", "identical")),
        ([], {"refused_hash": "other"}, ("create", "new")),
        ([], {"refused_version": "other"}, ("create", "new")),
    ],
)
def test_a_refused_record_is_not_sent_again_until_something_changed(
    there: Rows, changes: dict[str, str], expected: tuple[str, str]
) -> None:
    """The same bytes would be refused again, and calls are few."""
    spec = option_tree()

    plan = decide(spec, OPTIONS, mart(desired()), target_state(*there), links(), refusal(spec, **changes)).to_dicts()

    assert actions(plan) == [expected]


def test_a_remembered_refusal_blocks_the_children() -> None:
    """The plan says what will happen: no parent, no place."""
    spec = option_tree()
    table = mart(desired(), below("100", "1"))

    plan = decide(spec, OPTIONS, table, target_state(), links(), refusal(spec)).to_dicts()

    assert actions(plan) == [("quarantined", "rejected_12"), ("blocked", "parent_missing")]


# --- for any frames ----------------------------------------------------------------------------------------------

IDS = [str(number) for number in range(1, 7)]
NAMES = st.none() | st.sampled_from(["Acme", "ACME", "Beta", "Company 1", "n" * 21])
DISPOSITIONS = st.sampled_from([{}, {}, {}, RETIRE, SKIP, BAD])


@st.composite
def marts(draw: st.DrawFn) -> Rows:
    """Customers, projects below them, sub-projects below those; now and then a key that is shared or missing."""
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
    """Ours, others' and nobody's records, with keys that may occur twice."""
    rows = []
    for target_id in draw(st.lists(st.sampled_from(["901", "902", "903", "904", "905"]), unique=True)):
        key = draw(st.sampled_from([*IDS, None, None, "crm-7"]))
        state = draw(st.sampled_from([{}, OFF]))
        parent = draw(st.sampled_from([None, None, "901", "999"]))
        rows.append(actual(target_id, key, name=draw(NAMES), parent_id=parent, **state))
    return rows


@st.composite
def linkings(draw: st.DrawFn) -> Rows:
    """One link per source record at most, to any record of the target, gone ones included."""
    rows = []
    for source_id in draw(st.lists(st.sampled_from(IDS), unique=True)):
        target_id = draw(st.sampled_from(["901", "902", "903", "999"]))
        source = draw(st.sampled_from(["customers", "projects"]))
        parent = draw(st.sampled_from([None, "901"]))
        rows.append(link(source_id, target_id, source=source, parent_target_id=parent))
    return rows


ANY_SPEC = option_tree(match=[{"field": "name", "ignore_case": True}])


def after(plan: pl.DataFrame, there: pl.DataFrame) -> pl.DataFrame:
    """The target state when everything that the plan wants was done."""
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
        place = ids.get((row["parent_source"], row["parent_source_id"]))
        moves = row["action"] != "deactivate" and (place or any(each["field"] == PARENT for each in row["changes"]))
        rows[target_id] = {
            **old,
            **values,
            "target_id": target_id,
            "external_id": values["externalId"],
            "is_active": values["enable"] != "0",
            "parent_id": place if moves else old["parent_id"],
        }
    return target_state(*rows.values())


@settings(max_examples=25, deadline=None)
@given(marts(), target_states(), linkings())
def test_whatever_the_frames_the_promises_hold(wanted: Rows, there: Rows, linked: Rows) -> None:
    """One decision each, the same each time, nothing of others, no record twice, and an end to it."""
    desired_frame, actual_frame, known = mart(*wanted), target_state(*there), links(*linked)

    plan = decide(ANY_SPEC, OPTIONS, desired_frame, actual_frame, known)

    assert sorted(plan.select("source", "source_id").rows()) == sorted(
        desired_frame.select("source", "source_id").rows()
    )
    assert plan["action"].null_count() == plan["reason_code"].null_count() == plan["reason"].null_count() == 0
    again = decide(
        ANY_SPEC, OPTIONS, desired_frame.reverse(), actual_frame.reverse(), known.sample(fraction=1, shuffle=True)
    )
    assert plan.equals(again)
    written = plan.filter(pl.col("action").is_in([*WRITING]))
    ours = set(desired_frame["externalId"].drop_nulls())
    keys = {row["target_id"]: row["external_id"] for row in there}
    assert all(keys[each] in {*ours, None} for each in written["target_id"].drop_nulls())
    assert plan["target_id"].drop_nulls().is_unique().all()
    retiring = plan.filter(pl.col("action").is_in(["deactivate"]))
    assert set(retiring["matched_by"]) <= {"external_id", "link"}
    settled = decide(ANY_SPEC, OPTIONS, desired_frame, after(plan, actual_frame), known)
    assert not set(settled["action"]) & {*WRITING}


@st.composite
def pinnings(draw: st.DrawFn) -> Rows:
    """At most one decision of a person per source record, to any record, gone ones and none included."""
    chosen = draw(st.lists(st.sampled_from(IDS), unique=True, max_size=4))
    there = st.sampled_from(["901", "902", "903", "999", None])
    return [
        {"source": draw(st.sampled_from(["customers", "projects"])), "source_id": each, "pinned_id": draw(there)}
        for each in chosen
    ]


PINNED_SPECS = [
    option_tree(match=[{"field": "name", "ignore_case": True, "other_id": other}, "external_id"])
    for other in ("skip", "ask", "overwrite")
]


@settings(max_examples=60, deadline=None)
@given(marts(), target_states(), linkings(), pinnings(), st.sampled_from(PINNED_SPECS))
def test_whatever_a_person_says_no_record_is_given_twice(
    wanted: Rows, there: Rows, linked: Rows, said: Rows, spec: WorkflowSpec
) -> None:
    """One decision each, no record for two, nobody's key taken from him, and an end to it."""
    desired_frame, actual_frame, known = mart(*wanted), target_state(*there), links(*linked)
    pins = pl.DataFrame(said, schema=PIN_SCHEMA)

    plan = decide(spec, OPTIONS, desired_frame, actual_frame, known, pins=pins)

    assert plan.height == desired_frame.height
    assert plan["target_id"].drop_nulls().is_unique().all()
    by_hand = plan.filter(pl.col("matched_by") == "hand", pl.col("target_id").is_not_null())
    named = {(row["source"], row["source_id"]): row["pinned_id"] for row in said}
    assert all(named[row["source"], row["source_id"]] == row["target_id"] for row in by_hand.to_dicts())
    keys = {row["target_id"]: row["external_id"] for row in there}
    others = set(desired_frame["externalId"].drop_nulls())
    assert not {keys[each] for each in by_hand["target_id"]} & others
    settled = decide(spec, OPTIONS, desired_frame, after(plan, actual_frame), known, pins=pins)
    assert not set(settled["action"]) & {*WRITING}


def test_an_empty_source_makes_an_empty_plan() -> None:
    """The guard judges it; deciding does not fail."""
    plan = decide(option_tree(), OPTIONS, mart(), target_state(actual()), links())

    assert (plan.height, plan.columns) == (0, PLAN_COLUMNS)


def test_every_action_that_writes_is_known_to_the_plan() -> None:
    """A new action must be decided somewhere and counted somewhere."""
    assert {action for action in Action if action.writes} == {"create", "adopt", "update", "deactivate", "reactivate"}
