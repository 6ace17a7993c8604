"""The prefilter decides exactly as the decision engine does."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.delivery.diff.compared_fields import kept_when_blank
from assets.delivery.diff.decide import decide
from assets.delivery.diff.ledger_facts import NO_FACTS, LedgerFacts
from assets.delivery.diff.prefilter import Comparison, Prefilter
from assets.delivery.diff.records import Records
from assets.delivery.ledger.links import value_hash
from assets.delivery.ledger.tables import ensure_ledger
from assets.delivery.plan.keep import data_version
from assets.delivery.schemas import (
    KEY,
    MANUAL_LINK_SCHEMA,
    PLAN_COLUMNS,
    REJECTED_SCHEMA,
    UNDO_HOLD_SCHEMA,
    UPSTREAM_SCHEMA,
)
from assets.delivery.spec.workflow import Workflow
from assets.delivery.spec.workflow_spec import WorkflowSpec
from assets.delivery.target import TOP, TargetField
from resources.warehouse.tables import insert_frame, read_frame, replace_table
from resources.warehouse.warehouse import Warehouse
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
from tests.assets.delivery.diff.decisions import BLOCK, INACTIVE, RETIRE, SKIP, Rows

# a target that accepts a blank name, for workflows in which a blank one keeps the target's
NAMELESS = replace(OPTIONS, fields={**OPTIONS.fields, "name": TargetField("name", max_length=20)})


@pytest.fixture(scope="module")
def con(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """A writer section that all examples share; each replaces its tables."""
    with Warehouse(tmp_path_factory.mktemp("warehouse")).writer(transaction=False) as con:
        ensure_ledger(con)
        yield con


def both(
    con: duckdb.DuckDBPyConnection,
    spec: WorkflowSpec,
    records: Records,
    facts: LedgerFacts = NO_FACTS,
) -> tuple[pl.DataFrame, pl.DataFrame, int]:
    """Return the plan without the prefilter, the plan with it, and the number of records that it found unchanged.

    Args:
        con: An open writer section.
        spec: The workflow.
        records: Mart, target state and links.
        facts: What the ledger knows.
    """
    target = NAMELESS if kept_when_blank(spec) else OPTIONS
    comparison = Comparison(Workflow("flow", spec), target, "mart_flow", "target_flow")
    replace_table(con, comparison.mart, records.mart)
    replace_table(con, comparison.target_state, records.target_state)
    con.execute("delete from sync_links")
    insert_frame(con, "sync_links", records.links.with_columns(pl.lit("flow").alias("workflow")))
    without = decide(spec, target, records, facts)
    prefilter = Prefilter(con, comparison, facts)
    decided = decide(spec, target, prefilter.read_undecided(), facts)
    replace_table(con, "plan_flow", decided)
    con.execute("alter table plan_flow add column plan_id varchar")
    prefilter.write_unchanged("plan_flow", {"plan_id": "p"})
    with_prefilter = read_frame(con, "select * exclude (plan_id) from plan_flow")
    unchanged = with_prefilter.height - decided.height
    assert sum(prefilter.count_unchanged().values()) == unchanged
    ours = pl.col("external_id").is_in(records.mart["externalId"].drop_nulls().implode())
    ours |= pl.col("target_id").is_in(records.links["target_id"].drop_nulls().implode())
    assert prefilter.count_ours() == records.target_state.filter(ours).height
    order = ["level", *KEY]
    return without.sort(order), with_prefilter.select(PLAN_COLUMNS).sort(order), unchanged


def test_a_blank_value_that_keeps_the_targets_is_unchanged(con: duckdb.DuckDBPyConnection) -> None:
    """Otherwise each run would decide on it again; but a value of ours must not be overlooked."""
    spec = projects_named(on_blank="keep", required=False)
    records = [desired(), below("2", "1", name=None), below("3", "1", name="Ours")]
    there = [actual(), actual("902", "2", name="Theirs"), actual("903", "3", name="Theirs")]

    without, plan, unchanged = both(con, spec, Records(mart(*records), target_state(*there), links()))

    assert unchanged == len(["1", "2"])
    assert dict(plan.select("source_id", "action").iter_rows()) == {"1": "unchanged", "2": "unchanged", "3": "update"}
    assert without.equals(plan)


def test_limits_of_fields_that_are_written_on_creation_only_count(con: duckdb.DuckDBPyConnection) -> None:
    """The decision engine quarantines such a record, so the prefilter must not call it unchanged."""
    once = {**OPTION_ROWS[1], "on": "create"}
    spec = one_source(fields=[OPTION_ROWS[0], once, OPTION_ROWS[2]])

    without, plan, unchanged = both(con, spec, Records(mart(desired(name="n" * 21)), target_state(actual()), links()))

    assert (unchanged, plan["reason_code"].to_list()) == (0, ["too_long"])
    assert without.equals(plan)


@pytest.mark.parametrize(
    ("record", "there", "linked", "expected"),
    [
        (desired(), actual(), link(), 1),
        (desired(), actual(), None, 1),
        (desired(**RETIRE), actual(**INACTIVE), link(), 1),
        (desired(**RETIRE), None, None, 1),
        (desired(**SKIP), actual(), None, 0),  # reported
        (desired(**SKIP), actual(**INACTIVE), None, 1),
        (desired(**SKIP), None, None, 1),
        (desired(**BLOCK, name=None), actual(), link(), 1),
        (desired(), None, None, 0),
        (desired(name="New"), actual(), link(), 0),
        (desired(name="n" * 21), actual(name="n" * 21), link(), 0),
        (desired(**RETIRE), actual(), link(), 0),
        (desired(), actual(), link(target_id="902"), 0),
        (desired(), actual(external_id=None), link(), 0),
    ],
)
def test_only_records_that_cannot_change_are_unchanged(
    con: duckdb.DuckDBPyConnection,
    record: dict[str, Any],
    there: dict[str, Any] | None,
    linked: dict[str, Any] | None,
    expected: int,
) -> None:
    """Too few would cost time; too many would lose changes."""
    frames = Records(mart(record), target_state(*filter(None, [there])), links(*filter(None, [linked])))

    without, plan, unchanged = both(con, option_tree(), frames)

    assert unchanged == expected
    assert without.equals(plan)


PARENT = actual()
CHILD = below("2", "1")


@pytest.mark.parametrize(
    ("records", "there", "linked", "expected"),
    [
        ([desired(), CHILD], [PARENT, actual("902", "2", parent_id="901")], [], [True, True]),
        ([desired(), CHILD], [PARENT, actual("902", "2")], [], [True, True]),
        ([desired(), CHILD], [PARENT, actual("902", "2", parent_id="903")], [], [True, "update"]),
        ([desired(), CHILD], [PARENT, actual("902", "2")],
         [link("2", "902", source="projects", parent_target_id="903")], [True, "update"]),
        ([desired(), CHILD], [PARENT, actual("902", "2")], [link("2", "902", source="projects")], [True, "update"]),
        ([desired(), CHILD], [PARENT, actual("902", "2", parent_id=TOP)],
         [link("2", "902", source="projects", parent_target_id="901")], [True, "update"]),
        ([desired(source="projects")], [actual(parent_id=TOP)], [], [True]),
        ([desired(**RETIRE)], [actual(**INACTIVE, parent_id=TOP)], [], [True]),
        ([desired(), below("2", "1", **RETIRE)], [PARENT, actual("902", "2", **INACTIVE, parent_id=TOP)], [],
         [True, True]),
        ([desired(), below("2", "1", **RETIRE)], [PARENT, actual("902", "2", **INACTIVE)],
         [link("2", "902", source="projects")], [True, True]),
        ([desired(name="New"), CHILD], [PARENT, actual("902", "2", parent_id="901")], [], ["update", "unchanged"]),
        ([desired(**RETIRE), CHILD], [actual(**INACTIVE), actual("902", "2")], [], [True, "deactivate"]),
        ([desired(**SKIP), CHILD], [actual("902", "2")], [], [True, "blocked"]),
        ([desired(**BLOCK), CHILD], [PARENT, actual("902", "2", parent_id="901")], [], [True, True]),
        ([desired(**BLOCK), CHILD], [], [], [True, "blocked"]),
        ([desired(**SKIP), below("2", "1", **SKIP)], [], [], [True, True]),
        ([desired(), CHILD], [PARENT], [], [True, "create"]),
        ([desired(), below("2", "1", level=1)], [PARENT, actual("902", "2")], [], [True, "blocked"]),
        ([desired(source="projects")], [actual(parent_id="901")], [], ["update"]),
        ([desired()], [actual(parent_id="901")], [], [True]),
        ([desired(), desired("2")], [PARENT], [link(), link("2", "901")], [True, "create"]),
        ([desired(), desired("2")], [PARENT], [link("2", "901")], ["ambiguous", "ambiguous"]),
        ([desired(), desired("2", **SKIP)], [PARENT], [link("2", "901")], ["unchanged", "skipped"]),
        ([desired()], [actual(external_id="crm")], [link()], ["ambiguous"]),
        ([desired()], [actual(external_id=None, name="Company 1")], [], ["adopt"]),
        ([desired(**RETIRE)], [actual(enable="0")], [], ["quarantined"]),
        ([desired(**RETIRE)], [actual(**INACTIVE, parent_id="900")], [], [True]),
        ([desired(), desired("2", externalId="1")], [PARENT], [], ["ambiguous", "ambiguous"]),
        ([desired()], [PARENT, actual("902", "1")], [], ["ambiguous"]),
    ],
)  # fmt: skip
def test_parents_and_competing_records_are_considered(
    con: duckdb.DuckDBPyConnection, records: Rows, there: Rows, linked: Rows, expected: list[bool | str]
) -> None:
    """A record is not unchanged if its parent or another candidate is not; True stands for unchanged."""
    spec = option_tree(match=["name"])

    without, plan, unchanged = both(con, spec, Records(mart(*records), target_state(*there), links(*linked)))

    assert without.equals(plan)
    assert unchanged == expected.count(True)
    actions = plan.sort("source_id")["action"].to_list()
    assert [action for action, each in zip(actions, expected, strict=True) if each is not True] == [
        each for each in expected if each is not True
    ]


@pytest.mark.parametrize("state", [RETIRE, SKIP, BLOCK])
@pytest.mark.parametrize("was_below", ["901", None])
def test_a_record_that_was_moved_manually_and_is_not_delivered_was_edited(
    con: duckdb.DuckDBPyConnection, state: dict[str, Any], was_below: str | None
) -> None:
    """It is not moved back, so that the reason is the only place that says so; also if it was at the top."""
    spec = option_tree()
    there = [PARENT, actual("903", "3", name="Other"), actual("902", "2", parent_id="903")]
    linked = link("2", "902", source="projects", parent_target_id=was_below, workflow_version=spec.version)
    child = below("2", "1", **state) if was_below else desired("2", source="projects", **state)
    records = mart(desired(), desired("3", name="Other"), child)

    without, plan, _ = both(con, spec, Records(records, target_state(*there), links(linked)))

    assert without.equals(plan)
    (reason,) = plan.filter(source_id="2")["reason"]
    assert reason.endswith("edited in the target: (parent)")


def test_a_rule_before_the_key_leaves_a_record_undecided(con: duckdb.DuckDBPyConnection) -> None:
    """Another record meets the first rule: a person decides, unless a run has confirmed the match by key."""
    spec = option_tree(match=["name", "external_id"])
    records, there = mart(desired()), target_state(actual(), actual("902", None, name="Company 1"))

    without, plan, unchanged = both(con, spec, Records(records, there, links()))
    assert (unchanged, plan["action"].to_list(), without.equals(plan)) == (0, ["ambiguous"], True)

    without, plan, unchanged = both(con, spec, Records(records, there, links(link(workflow_version=spec.version))))
    assert (unchanged, plan["action"].to_list(), without.equals(plan)) == (1, ["unchanged"], True)


def test_a_manual_link_leaves_a_record_undecided(con: duckdb.DuckDBPyConnection) -> None:
    """It may contradict the key."""
    facts = LedgerFacts(manual_links=pl.DataFrame([["customers", "1", "902"]], schema=MANUAL_LINK_SCHEMA, orient="row"))
    there = target_state(actual(), actual("902", None))

    without, plan, unchanged = both(con, option_tree(), Records(mart(desired()), there, links()), facts)

    assert (unchanged, plan["target_id"].to_list(), without.equals(plan)) == (0, ["902"], True)


def test_the_data_version_depends_on_the_records_and_not_on_their_order(con: duckdb.DuckDBPyConnection) -> None:
    """Two plans made from the same records have the same one."""
    versions = []
    for frame in (mart(desired("1"), desired("2")), mart(desired("2"), desired("1")), mart(desired("1"))):
        replace_table(con, "mart_flow", frame)
        versions.append(data_version(con, "mart_flow"))

    assert versions[0] == versions[1] != versions[2]


# --- for any frames ----------------------------------------------------------------------------------------------


def projects_named(**row: Any) -> WorkflowSpec:
    """The tree, with more settings in the row of a project's name."""
    tree = option_tree().model_dump(mode="json", by_alias=True, exclude_none=True)
    tree["records"][1]["fields"][1].update(row)
    return WorkflowSpec.model_validate(tree)


SPECS = [
    option_tree(),
    option_tree(match=[{"field": "name", "ignore_case": True}]),
    option_tree(drift="report", monitored_fields=["name"]),
    option_tree(drift="adopt"),
    projects_named(on="create"),
    projects_named(on_blank="keep", required=False),
    *(
        option_tree(match=[{"field": "name", "ignore_case": True, "on_id_conflict": conflict}, "external_id"])
        for conflict in ("skip", "ask", "overwrite")
    ),
    option_tree(match=["external_id", {"field": "name", "on_id_conflict": "ask"}]),
]
IDS = ["1", "2", "3", "4", "5", "6"]
NAMES = st.sampled_from(["same", "same", "same", "same", "Same", "other", "n" * 21, None])
DISPOSITIONS = st.sampled_from([{}, {}, {}, {}, RETIRE, SKIP, BLOCK])
RARE = st.integers(0, 4).map(lambda number: number == 0)


def desired_row(draw: st.DrawFn, source_id: str, records: Rows) -> dict[str, Any]:
    """A customer, or a record below one of the others; rarely at an impossible level or below an unknown parent."""
    above = draw(st.sampled_from([None, *records]))
    position: dict[str, Any] = {"source": "customers"}
    if above:
        level = draw(st.integers(0, 3)) if draw(RARE) else above["level"] + 1
        parent_id = draw(st.sampled_from(IDS)) if draw(RARE) else above["source_id"]
        position = {"source": "projects", "level": level, "parent_source": above["source"]}
        position["parent_source_id"] = parent_id
    key = draw(st.sampled_from(["1", None])) if draw(RARE) else source_id
    return desired(source_id, externalId=key, name=draw(NAMES), **position, **draw(DISPOSITIONS))


def actual_row(draw: st.DrawFn, row: dict[str, Any], target_id: str, there: Rows) -> dict[str, Any]:
    """Its target record; rarely with other values than desired."""
    key = draw(st.sampled_from([None, "1", "crm"])) if draw(RARE) else row["source_id"]
    inactive = (row["disposition"] == "retire") != draw(RARE)
    above = [each["target_id"] for each in there if each["external_id"] == row["parent_source_id"]]
    parent_id = draw(st.sampled_from([None, TOP, "999"])) if draw(RARE) else (above or [None])[0]
    name = draw(NAMES) if draw(RARE) else row["name"]
    return actual(target_id, key, name=name, parent_id=parent_id, **(INACTIVE if inactive else {}))


def link_row(draw: st.DrawFn, row: dict[str, Any], target_id: str, version: str) -> dict[str, Any]:
    """Its confirmed link; rarely to another record."""
    linked_id = draw(st.sampled_from(["900", "901", "950", "999", None])) if draw(RARE) else target_id
    return link(
        row["source_id"],
        linked_id,
        source=row["source"],
        parent_target_id=draw(st.sampled_from([None, None, None, "900", "901"])),
        workflow_version="earlier" if draw(RARE) else version,
        value_hashes=draw(st.sampled_from([None, _confirmed(row), _confirmed({**row, "name": draw(NAMES)})])),
    )


def _confirmed(row: dict[str, Any]) -> str:
    """Return the fingerprints of the values that were confirmed."""
    return json.dumps({name: value_hash(row[name]) for name in ("name", "externalId", "enable") if name in row})


@st.composite
def scenarios(draw: st.DrawFn) -> tuple[Any, ...]:
    """Mostly unchanged records, and now and then everything that may be wrong with them."""
    spec = draw(st.sampled_from(SPECS))
    records: Rows = []
    there: Rows = []
    linked, rejected, holds, manual = [], [], [], []
    for number, source_id in enumerate(draw(st.lists(st.sampled_from(IDS), unique=True, min_size=2))):
        row, target_id = desired_row(draw, source_id, records), f"90{number}"
        key = [row["source"], source_id, row["payload_hash"]]
        records.append(row)
        if not draw(RARE):
            there.append(actual_row(draw, row, target_id, there))
        if not draw(RARE):
            linked.append(link_row(draw, row, target_id, spec.version))
        if draw(RARE):
            rejected.append([*key, spec.version, draw(st.sampled_from([None, "sent"])), "601", "no"])
        if draw(RARE):
            holds.append([*key, row["disposition"], spec.version, "run 1"])
        if draw(RARE) and draw(RARE):
            manual.append([*key[:2], draw(st.sampled_from(["900", "901", "950", "999", None]))])
    if draw(RARE):
        there.append(actual("950", draw(st.sampled_from([*IDS, None])), name="same"))
    elsewhere = [each for each in IDS if each not in {row["source_id"] for row in records}]
    upstream = [
        ["customers", each, draw(st.sampled_from([None, "777"])), "leads are skipped", draw(RARE)] for each in elsewhere
    ]
    facts = LedgerFacts(
        rejected=pl.DataFrame(rejected, schema=REJECTED_SCHEMA, orient="row"),
        undo_holds=pl.DataFrame(holds, schema=UNDO_HOLD_SCHEMA, orient="row"),
        manual_links=pl.DataFrame(manual, schema=MANUAL_LINK_SCHEMA, orient="row"),
        upstream=pl.DataFrame(upstream if draw(RARE) else [], schema=UPSTREAM_SCHEMA, orient="row"),
    )
    return spec, Records(mart(*records), target_state(*there), links(*linked)), facts


@pytest.mark.long
@settings(max_examples=200, deadline=None)
@given(scenarios())
def test_the_prefilter_decides_as_the_decision_engine(con: duckdb.DuckDBPyConnection, scenario: Any) -> None:
    """Every column of every row of the plan is equal, for any mart, target state, links, facts and policies."""
    without, plan, _ = both(con, *scenario)

    assert without.equals(plan), f"\n{without}\n{plan}"
