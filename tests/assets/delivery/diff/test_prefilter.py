"""Setting aside what is settled decides exactly as looking at every record does."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.delivery.diff.compare import kept_when_blank
from assets.delivery.diff.decide import decide
from assets.delivery.diff.prefilter import (
    Sides,
    count_ours,
    count_settled,
    data_version,
    part,
    read_open,
    write_settled,
)
from assets.delivery.ledger.ledger import ensure_ledger
from assets.delivery.schemas import HOLD_SCHEMA, KEY, PIN_SCHEMA, PLAN_COLUMNS, REFUSED_SCHEMA
from assets.delivery.spec.workflow_spec import WorkflowSpec
from assets.delivery.target import TargetField
from resources.warehouse.tables import insert_frame, read_frame, replace_table
from resources.warehouse.warehouse import Warehouse
from tests.assets.delivery.builders import (
    OPTIONS,
    actual,
    below,
    desired,
    link,
    links,
    mart,
    option_tree,
    target_state,
)

Rows = list[dict[str, Any]]
RETIRE = {"disposition": "retire", "reason_code": "deleted", "reason": "deleted in NetSuite"}
SKIP = {"disposition": "skip", "reason_code": "stage_lead", "reason": "leads are not part"}
OFF: dict[str, Any] = {"is_active": False, "enable": "0"}
# a target that takes a blank name, for workflows in which a blank one leaves the name as it is
NAMELESS = replace(OPTIONS, fields={**OPTIONS.fields, "name": TargetField("name", max_length=20)})


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """A warehouse that all examples share; each writes its tables anew."""
    with Warehouse(tmp_path_factory.mktemp("warehouse")).writer(transaction=False) as con:
        ensure_ledger(con)
        yield con


def both(
    con: duckdb.DuckDBPyConnection,
    spec: WorkflowSpec,
    wanted: pl.DataFrame,
    there: pl.DataFrame,
    linked: pl.DataFrame,
    refused: pl.DataFrame,
    holds: pl.DataFrame,
    pins: pl.DataFrame | None = None,
    places: pl.DataFrame | None = None,
) -> tuple[pl.DataFrame, pl.DataFrame, int]:
    """The plan made by looking at every record, the plan made by setting aside first, and how many were set aside."""
    target = NAMELESS if kept_when_blank(spec) else OPTIONS
    sides = Sides("flow", spec, target, "mart_flow", "target_flow")
    replace_table(con, sides.mart, wanted)
    replace_table(con, sides.target_state, there)
    con.execute("delete from sync_links")
    insert_frame(con, "sync_links", linked.with_columns(pl.lit("flow").alias("workflow")))
    slow = decide(spec, target, wanted, there, linked, refused, holds, pins, places)
    part(con, sides, refused, holds, places, pins)
    left = read_open(con, sides)
    looked = decide(spec, target, left.mart, left.target_state, left.links, refused, holds, pins, places, left.above)
    replace_table(con, "plan_flow", looked)
    con.execute("alter table plan_flow add column plan_id varchar")
    write_settled(con, sides, "plan_flow", {"plan_id": "p"})
    fast = read_frame(con, "select * exclude (plan_id) from plan_flow")
    assert sum(count_settled(con).values()) == fast.height - looked.height
    ours = pl.col("external_id").is_in(wanted["externalId"].drop_nulls().implode())
    ours |= pl.col("target_id").is_in(linked["target_id"].drop_nulls().implode())
    assert count_ours(con, "flow") == there.filter(ours).height
    order = ["level", *KEY]
    return slow.sort(order), fast.select(PLAN_COLUMNS).sort(order), fast.height - looked.height


NOTHING = pl.DataFrame(schema=REFUSED_SCHEMA), pl.DataFrame(schema=HOLD_SCHEMA)


def test_a_blank_value_that_keeps_theirs_is_settled_whatever_theirs_is(warehouse: duckdb.DuckDBPyConnection) -> None:
    """Were it looked at, each run would look at it again; were a value of ours overlooked, it would never arrive."""
    spec = projects_named(blank="keep", required=False)
    wanted = [desired(), below("2", "1", name=None), below("3", "1", name="Ours")]
    there = [actual(), actual("902", "2", name="Theirs"), actual("903", "3", name="Theirs")]

    slow, fast, aside = both(warehouse, spec, mart(*wanted), target_state(*there), links(), *NOTHING)

    assert aside == len(["1", "2"])
    assert dict(fast.select("source_id", "action").iter_rows()) == {"1": "unchanged", "2": "unchanged", "3": "update"}
    assert slow.equals(fast)


@pytest.mark.parametrize(
    ("wanted", "there", "linked", "settled"),
    [
        (desired(), actual(), link(), 1),
        (desired(), actual(), None, 1),
        (desired(**RETIRE), actual(**OFF), link(), 1),
        (desired(**RETIRE), None, None, 1),
        (desired(**SKIP), actual(), None, 1),
        (desired(**SKIP), None, None, 1),
        (desired(), None, None, 0),
        (desired(name="New"), actual(), link(), 0),
        (desired(name="n" * 21), actual(name="n" * 21), link(), 0),
        (desired(**RETIRE), actual(), link(), 0),
        (desired(), actual(), link(target_id="902"), 0),
        (desired(), actual(external_id=None), link(), 0),
    ],
)
def test_only_what_cannot_be_otherwise_is_settled(
    warehouse: duckdb.DuckDBPyConnection,
    wanted: dict[str, Any],
    there: dict[str, Any] | None,
    linked: dict[str, Any] | None,
    settled: int,
) -> None:
    """Were nothing settled, planning would cost as much as before; were too much, a change would be overlooked."""
    frames = mart(wanted), target_state(*filter(None, [there])), links(*filter(None, [linked]))

    slow, fast, aside = both(warehouse, option_tree(), *frames, *NOTHING)

    assert aside == settled
    assert slow.equals(fast)


HERE = actual()
CHILD = below("2", "1")


@pytest.mark.parametrize(
    ("wanted", "there", "linked", "expected"),
    [
        ([desired(), CHILD], [HERE, actual("902", "2", parent_id="901")], [], [True, True]),
        ([desired(), CHILD], [HERE, actual("902", "2")], [], [True, True]),
        ([desired(), CHILD], [HERE, actual("902", "2", parent_id="903")], [], [True, "update"]),
        ([desired(), CHILD], [HERE, actual("902", "2")], [link("2", "902", source="projects", parent_target_id="903")],
         [True, "update"]),
        ([desired(name="New"), CHILD], [HERE, actual("902", "2", parent_id="901")], [], ["update", "unchanged"]),
        ([desired(**RETIRE), CHILD], [actual(**OFF), actual("902", "2")], [], [True, "deactivate"]),
        ([desired(**SKIP), CHILD], [actual("902", "2")], [], [True, "blocked"]),
        ([desired(**SKIP), below("2", "1", **SKIP)], [], [], [True, True]),
        ([desired(), CHILD], [HERE], [], [True, "create"]),
        ([desired(), below("2", "1", level=1)], [HERE, actual("902", "2")], [], [True, "blocked"]),
        ([desired(source="projects")], [actual(parent_id="901")], [], ["update"]),
        ([desired()], [actual(parent_id="901")], [], [True]),
        ([desired(), desired("2")], [HERE], [link("2", "901")], [True, "create"]),
        ([desired()], [actual(external_id="crm")], [link()], ["ambiguous"]),
        ([desired()], [actual(external_id=None, name="Company 1")], [], ["adopt"]),
        ([desired(**RETIRE)], [actual(enable="0")], [], ["quarantined"]),
        ([desired(), desired("2", externalId="1")], [HERE], [], ["ambiguous", "ambiguous"]),
        ([desired()], [HERE, actual("902", "1")], [], ["ambiguous"]),
    ],
)  # fmt: skip
def test_relatives_and_rivals_are_looked_at_together(
    warehouse: duckdb.DuckDBPyConnection, wanted: Rows, there: Rows, linked: Rows, expected: list[bool | str]
) -> None:
    """What happens to a parent, or to another record that could be meant, decides as well; True stands for settled."""
    spec = option_tree(match=["name"])

    slow, fast, aside = both(warehouse, spec, mart(*wanted), target_state(*there), links(*linked), *NOTHING)

    assert slow.equals(fast)
    assert aside == expected.count(True)
    actions = fast.sort("source_id")["action"].to_list()
    assert [action for action, told in zip(actions, expected, strict=True) if told is not True] == [
        told for told in expected if told is not True
    ]


def test_what_a_rule_before_the_key_may_contradict_is_looked_at(warehouse: duckdb.DuckDBPyConnection) -> None:
    """Another record meets the first rule: a person is asked, until a run has confirmed which one it is."""
    spec = option_tree(match=["name", "external_id"])
    wanted, there = mart(desired()), target_state(actual(), actual("902", None, name="Company 1"))

    slow, fast, aside = both(warehouse, spec, wanted, there, links(), *NOTHING)
    assert (aside, fast["action"].to_list(), slow.equals(fast)) == (0, ["ambiguous"], True)

    slow, fast, aside = both(warehouse, spec, wanted, there, links(link(workflow_version=spec.version)), *NOTHING)
    assert (aside, fast["action"].to_list(), slow.equals(fast)) == (1, ["unchanged"], True)


def test_what_a_person_linked_is_looked_at(warehouse: duckdb.DuckDBPyConnection) -> None:
    """The word may say something else than the key."""
    pins = pl.DataFrame([["customers", "1", "902"]], schema=PIN_SCHEMA, orient="row")
    there = target_state(actual(), actual("902", None))

    slow, fast, aside = both(warehouse, option_tree(), mart(desired()), there, links(), *NOTHING, pins)

    assert (aside, fast["target_id"].to_list(), slow.equals(fast)) == (0, ["902"], True)


def test_the_data_version_follows_the_records_and_not_their_order(warehouse: duckdb.DuckDBPyConnection) -> None:
    """Two plans made from the same records say so."""
    frames = mart(desired("1"), desired("2")), mart(desired("2"), desired("1")), mart(desired("1"))
    told = []
    for frame in frames:
        replace_table(warehouse, "mart_flow", frame)
        told.append(data_version(warehouse, "mart_flow"))

    assert told[0] == told[1] != told[2]


# --- whatever the frames ---------------------------------------------------------------------------------------------


def projects_named(**row: Any) -> WorkflowSpec:
    """The tree, in which the row of a project's name says something more."""
    said = option_tree().model_dump(mode="json", by_alias=True, exclude_none=True)
    said["records"][1]["fields"][1].update(row)
    return WorkflowSpec.model_validate(said)


SPECS = [
    option_tree(),
    option_tree(match=[{"field": "name", "ignore_case": True}]),
    option_tree(drift="report", monitored=["name"]),
    option_tree(drift="adopt"),
    projects_named(on="create"),
    projects_named(blank="keep", required=False),
    *(
        option_tree(match=[{"field": "name", "ignore_case": True, "other_id": other}, "external_id"])
        for other in ("skip", "ask", "overwrite")
    ),
    option_tree(match=["external_id", {"field": "name", "other_id": "ask"}]),
]
IDS = ["1", "2", "3", "4", "5", "6"]
NAMES = st.sampled_from(["same", "same", "same", "same", "Same", "other", "n" * 21, None])
DISPOSITIONS = st.sampled_from([{}, {}, {}, {}, RETIRE, SKIP])
RARE = st.integers(0, 4).map(lambda number: number == 0)


def wanted_row(draw: st.DrawFn, source_id: str, wanted: Rows) -> dict[str, Any]:
    """A customer, or a record below one that is there already; seldom at a place that cannot be."""
    above = draw(st.sampled_from([None, *wanted]))
    place: dict[str, Any] = {"source": "customers"}
    if above:
        level = draw(st.integers(0, 3)) if draw(RARE) else above["level"] + 1
        parent_id = draw(st.sampled_from(IDS)) if draw(RARE) else above["source_id"]
        place = {"source": "projects", "level": level, "parent_source": above["source"], "parent_source_id": parent_id}
    key = draw(st.sampled_from(["1", None])) if draw(RARE) else source_id
    return desired(source_id, externalId=key, name=draw(NAMES), **place, **draw(DISPOSITIONS))


def shown_row(draw: st.DrawFn, row: dict[str, Any], target_id: str, there: Rows) -> dict[str, Any]:
    """What became of it in the target; seldom otherwise than it shall be."""
    key = draw(st.sampled_from([None, "1", "crm"])) if draw(RARE) else row["source_id"]
    off = (row["disposition"] == "retire") != draw(RARE)
    above = [each["target_id"] for each in there if each["external_id"] == row["parent_source_id"]]
    parent_id = draw(st.sampled_from([None, "999"])) if draw(RARE) else (above or [None])[0]
    name = draw(NAMES) if draw(RARE) else row["name"]
    return actual(target_id, key, name=name, parent_id=parent_id, **(OFF if off else {}))


def link_row(draw: st.DrawFn, row: dict[str, Any], target_id: str, version: str) -> dict[str, Any]:
    """What was confirmed of it; seldom something else."""
    linked_id = draw(st.sampled_from(["900", "901", "950", "999", None])) if draw(RARE) else target_id
    return link(
        row["source_id"],
        linked_id,
        source=row["source"],
        parent_target_id=draw(st.sampled_from([None, None, None, "900", "901"])),
        workflow_version="earlier" if draw(RARE) else version,
    )


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Any, ...]:
    """Mostly settled records, and now and then everything that may be wrong with them."""
    spec = draw(st.sampled_from(SPECS))
    wanted: Rows = []
    there: Rows = []
    linked, refused, holds, pins = [], [], [], []
    for number, source_id in enumerate(draw(st.lists(st.sampled_from(IDS), unique=True, min_size=2))):
        row, target_id = wanted_row(draw, source_id, wanted), f"90{number}"
        key = [row["source"], source_id, row["payload_hash"]]
        wanted.append(row)
        if not draw(RARE):
            there.append(shown_row(draw, row, target_id, there))
        if not draw(RARE):
            linked.append(link_row(draw, row, target_id, spec.version))
        if draw(RARE):
            refused.append([*key, spec.version, draw(st.sampled_from([None, "sent"])), "601", "no"])
        if draw(RARE):
            holds.append([*key, row["disposition"], spec.version, "run 1"])
        if draw(RARE) and draw(RARE):
            pins.append([*key[:2], draw(st.sampled_from(["900", "901", "950", "999", None]))])
    if draw(RARE):
        there.append(actual("950", draw(st.sampled_from([*IDS, None])), name="same"))
    remembered = (
        pl.DataFrame(rows, schema=schema, orient="row")
        for rows, schema in ((refused, REFUSED_SCHEMA), (holds, HOLD_SCHEMA), (pins, PIN_SCHEMA))
    )
    return spec, mart(*wanted), target_state(*there), links(*linked), *remembered


@settings(max_examples=60, deadline=None)
@given(worlds())
def test_setting_aside_decides_as_looking_at_every_record(warehouse: duckdb.DuckDBPyConnection, world: Any) -> None:
    """Every column of every row of the plan is the same, whatever the marts, target states, links and policies."""
    slow, fast, _ = both(warehouse, *world)

    assert slow.equals(fast), f"\n{slow}\n{fast}"
