"""Records are held back by the decision at the end of the chain of parents, not the blocked record above them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sql
from assets.delivery.audit.held_back import (
    HELD_BACK_COMMENTS,
    HELD_RECORD_COMMENTS,
    ROOT_STATES,
    cause_rows,
    cause_texts,
    held_back,
    held_records,
    waits_for,
)
from assets.delivery.ledger.tables import ensure_ledger
from assets.delivery.spec.workflow import Workflow
from assets.delivery.target import HELD, Action
from resources.warehouse.tables import insert_frame, replace_table
from resources.warehouse.warehouse import Warehouse
from tests.assets.delivery.builders import customers, option_tree, suite_customers

NOW = datetime(2026, 11, 16, 6)  # noqa: DTZ001 - the warehouse's timestamps are naive UTC
BELOW = Workflow("below", option_tree(needs=["above"]))
ABOVE = Workflow("above", suite_customers())
WORKFLOWS = {"below": BELOW, "above": ABOVE}
PLAN = dict.fromkeys(
    ["plan_id", "source", "source_id", "action", "reason_code", "reason", "parent_source", "parent_source_id"],
    pl.String,
)


def planned(source_id: str, action: str, code: str = "", parent: str = "", **changes: Any) -> dict[str, Any]:
    """Return a plan row of a project, below another one or a customer (`c1`)."""
    row = {
        "plan_id": "p", "source": "projects", "source_id": source_id, "action": action, "reason_code": code or None,
        "reason": f"because {code}" if code else None, "parent_source": None, "parent_source_id": None,
    }  # fmt: skip
    if parent:
        is_customer = parent.startswith("c")
        row |= {
            "parent_source": "customers" if is_customer else "projects",
            "parent_source_id": parent.removeprefix("c"),
        }
    return row | changes


def blocked(source_id: str, parent: str) -> dict[str, Any]:
    """Return a plan row of a project that waits for its parent."""
    return planned(source_id, "blocked", "parent_missing", parent)


@pytest.fixture
def con() -> Any:
    """A warehouse with the ledger's decisions, and a customer to be named."""
    with duckdb.connect() as opened:
        opened.execute(sql.statement("ledger", "sync_decisions").text)
        replace_table(opened, "stg_netsuite__customers", customers({"customer_id": "1", "company_name": "Rosbank"}))
        yield opened


def roots(con: duckdb.DuckDBPyConnection, *rows: Mapping[str, Any], **more: Any) -> dict[str, tuple[str, str]]:
    """Return root source id and root code of each held record of the plan."""
    replace_table(con, "plan_below", pl.DataFrame(list(rows), schema=PLAN))
    found = held_records(con, [BELOW], WORKFLOWS, {"below": "p", **more}, NOW)
    return {row["source_id"]: (row["root_source_id"], row["root_code"]) for row in found.iter_rows(named=True)}


def test_a_chain_of_parents_ends_with_the_record_that_a_person_can_change(con: duckdb.DuckDBPyConnection) -> None:
    """A sub-project waits for its project, which waits for a customer that another workflow does not select."""
    customer = planned("1", "skipped", "flag_not_set", source="customers")
    replace_table(con, "plan_above", pl.DataFrame([customer], schema=PLAN))

    found = roots(con, blocked("10", "c1"), blocked("11", "10"), blocked("12", "11"), above="p")

    assert found == dict.fromkeys(["10", "11", "12"], ("1", "flag_not_set"))


def test_of_two_workflows_with_the_parent_the_records_own_counts(con: duckdb.DuckDBPyConnection) -> None:
    """The workflow itself comes before those that it needs."""
    own, other = (planned("1", "quarantined", code, source="customers") for code in ("name_too_long", "flag_not_set"))
    replace_table(con, "plan_above", pl.DataFrame([other], schema=PLAN))

    found = roots(con, own, blocked("10", "c1"), above="p")

    assert found["10"] == ("1", "name_too_long")


def test_without_a_plan_the_decisions_of_the_last_run_count(con: duckdb.DuckDBPyConnection) -> None:
    """The other workflow was not planned now; only its open decision counts, and the mart knows its parents."""
    con.execute(
        "insert into sync_decisions by name select 'above' as workflow, 'customers' as source, '1' as source_id,"
        " unnest(['skipped', 'quarantined']) as action, unnest(['stage_lead', 'rejected_837']) as reason_code,"
        " unnest(['now', null]) as to_run, 'a run' as from_run, timestamp '2026-11-01' as from_at"
    )
    replace_table(con, "mart_above", pl.DataFrame(schema=PLAN))

    assert roots(con, blocked("10", "c1")) == {"10": ("1", "rejected_837")}


@pytest.mark.parametrize(
    ("action", "state"),
    [
        ("create", "is in the target by now; the next run sends what waits for it"),
        ("update", "is in the target by now; the next run sends what waits for it"),
        ("deactivate", "is not active in the target"),
    ],
)
def test_a_parent_that_the_last_run_sent_is_in_the_target(
    con: duckdb.DuckDBPyConnection, action: str, state: str
) -> None:
    """Nothing is left to approve: `is sent first, by the same run` is of a plan."""
    con.execute(
        "insert into sync_decisions by name select 'above' as workflow, 'customers' as source, '1' as source_id,"
        " ? as action, 'inactive' as reason_code, 'a run' as from_run, timestamp '2026-11-01' as from_at",
        [action],
    )
    replace_table(con, "mart_above", pl.DataFrame(schema=PLAN))
    replace_table(con, "plan_below", pl.DataFrame([blocked("10", "c1")], schema=PLAN))

    (cause,) = held_back(held_records(con, [BELOW], WORKFLOWS, {"below": "p"}, NOW)).to_dicts()

    assert waits_for(cause) == f"its customer {state}"


def test_a_record_without_a_known_parent_is_its_own_cause(con: duckdb.DuckDBPyConnection) -> None:
    """Nothing is claimed of a record without a decision; a cycle ends."""
    found = roots(con, blocked("10", "99"), blocked("20", "21"), blocked("21", "20"), planned("30", "ambiguous", "two"))

    assert found == {
        "10": ("10", "parent_missing"), "20": ("20", "parent_missing"), "21": ("21", "parent_missing"),
        "30": ("30", "two"),
    }  # fmt: skip


@pytest.mark.parametrize("above", ["", "p"], ids=["last run", "planned"])
def test_records_of_several_workflows_are_found_together_as_one_by_one(
    con: duckdb.DuckDBPyConnection, above: str
) -> None:
    """The decisions of the other workflow are those of a plan or of its last run; names are found as well."""
    customers = [
        planned("1", "quarantined", "too_long", source="customers"),
        planned("2", "blocked", "parent_missing", source="customers", parent_source="customers", parent_source_id="1"),
        planned("3", "skipped", "flag_not_set", source="customers"),
    ]
    replace_table(con, "plan_below", pl.DataFrame([blocked("10", "c2"), blocked("11", "c3")], schema=PLAN))
    replace_table(con, "plan_above" if above else "mart_above", pl.DataFrame(customers, schema=PLAN))
    if not above:
        decided = "select 'above' as workflow, source, source_id, action, reason_code, reason from mart_above"
        con.execute(f"insert into sync_decisions by name {decided}")
    plans = {"below": "p"} | ({"above": above} if above else {})

    together = held_records(con, [BELOW, ABOVE], WORKFLOWS, plans, NOW)

    assert together.equals(pl.concat(held_records(con, [each], WORKFLOWS, plans, NOW) for each in (BELOW, ABOVE)))
    assert together.select("workflow", "source_id", "root_source_id", "root_name", "root_code").rows() == [
        ("below", "10", "1", "Rosbank", "too_long"),
        ("below", "11", "3", None, "flag_not_set"),
        ("above", "1", "1", "Rosbank", "too_long"),
        ("above", "2", "1", "Rosbank", "too_long"),
    ]


@settings(max_examples=25)
@given(
    st.dictionaries(
        st.integers(0, 11),
        st.tuples(st.sampled_from(["blocked", "skipped", "quarantined", "create"]), st.integers(0, 11)),
        max_size=12,
    )
)
def test_the_root_is_found_by_following_parents_one_by_one(tree: dict[int, tuple[str, int]]) -> None:
    """Whatever the tree: also with cycles, and with parents that are not there."""
    rows = [
        blocked(str(each), str(above)) if action == "blocked" else planned(str(each), action, f"of {each}", str(above))
        for each, (action, above) in tree.items()
    ]

    def root(each: int) -> int:
        seen = {each}
        at = each
        while tree[at][0] == "blocked" and tree[at][1] in tree:
            at = tree[at][1]
            if at in seen:
                return each
            seen.add(at)
        return at

    with duckdb.connect() as con:
        replace_table(con, "plan_below", pl.DataFrame(rows, schema=PLAN))
        found = held_records(con, [BELOW], WORKFLOWS, {"below": "p"}, NOW)

    expected = {str(each): str(root(each)) for each, (action, _) in tree.items() if action in HELD}
    assert dict(found.select("source_id", "root_source_id").iter_rows()) == expected
    assert held_back(found)["records"].sum() == len(expected)


def test_the_shape_is_documented(con: duckdb.DuckDBPyConnection) -> None:
    """Other pages read these columns."""
    replace_table(con, "plan_below", pl.DataFrame([planned("1", "ambiguous", "two")], schema=PLAN))

    found = held_records(con, [BELOW], WORKFLOWS, {"below": "p"}, NOW)

    assert found.columns == [*HELD_RECORD_COMMENTS]
    assert held_back(found).columns == [*HELD_BACK_COMMENTS]
    assert held_back(found.clear()).columns == [*HELD_BACK_COMMENTS]
    assert set(ROOT_STATES) == set(Action)


def test_records_that_were_held_back_before_are_known(con: duckdb.DuckDBPyConnection) -> None:
    """A record that is held back for another reason is new again."""
    decision = pl.DataFrame(
        [("below", "projects", "1", "ambiguous", "two"), ("below", "projects", "2", "ambiguous", "other")],
        schema=["workflow", "source", "source_id", "action", "reason_code"],
        orient="row",
    )
    insert_frame(con, "sync_decisions", decision.with_columns(from_at=pl.datetime(2026, 11, 1)))
    ended = "'3' as source_id, 'another run' as to_run"
    con.execute(f"insert into sync_decisions select * replace ({ended}) from sync_decisions where source_id = '1'")
    rows = [planned(each, "ambiguous", "two") for each in ("1", "2", "3")]
    replace_table(con, "plan_below", pl.DataFrame(rows, schema=PLAN))

    found = held_records(con, [BELOW], WORKFLOWS, {"below": "p"}, NOW)

    assert found.filter(pl.col("since").is_null())["source_id"].to_list() == ["2", "3"]


def test_causes_are_sentences_with_counts(con: duckdb.DuckDBPyConnection) -> None:
    """The largest group first; singular and plural are right; ids are there where a person must look."""
    rows = [
        planned("1", "skipped", "flag_not_set", source="customers"),
        planned("2", "skipped", "stage_lead", source="customers"),
        planned("3", "create", "new", source="customers"),
        planned("4", "unchanged", "identical", source="customers"),
        planned("5", "unchanged", "inactive", source="customers"),
        *(blocked(str(number), "c1") for number in range(10, 12)),
        *(blocked(str(number + 10), f"c{number}") for number in range(2, 6)),
        *(planned(str(number), "quarantined", "too_long") for number in range(20, 27)),
    ]
    replace_table(con, "plan_below", pl.DataFrame(rows, schema=PLAN))

    found = cause_texts(held_back(held_records(con, [BELOW], WORKFLOWS, {"below": "p"}, NOW)))

    assert found == [
        "7 projects quarantined: because too_long (20, 21, 22, 23, 24, …)",
        "3 projects blocked: their customer is not selected (because flag_not_set: 2; because stage_lead: 1)",
        "1 project blocked: its customer is in the target by now; the next run sends what waits for it",
        "1 project blocked: its customer is not active in the target (because inactive)",
        "1 project blocked: its customer is sent first, by the same run",
    ]


def test_reasons_that_differ_within_one_cause_are_all_named(con: duckdb.DuckDBPyConnection) -> None:
    """Each ambiguous record has other candidates: the reason of the first one said something wrong of the others."""
    reasons = [f"2 records share the same name (target {number}, {number + 1})" for number in range(1, 8)]
    rows = [planned(str(number), "ambiguous", "two", reason=reason) for number, reason in enumerate(reasons, 1)]
    below = blocked("20", "1")
    replace_table(con, "plan_below", pl.DataFrame([*rows, planned("9", "ambiguous", "two", reason=reasons[1]), below],
                                                  schema=PLAN))  # fmt: skip

    found = cause_texts(held_back(held_records(con, [BELOW], WORKFLOWS, {"below": "p"}, NOW)))

    listed = "; ".join(f"{reason}: 1" for reason in (reasons[0], *reasons[2:5]))
    assert found == [
        f"8 projects ambiguous: {reasons[1]}: 2; {listed}; other reasons: 2 (1, 2, 3, 4, 5, …)",
        f"1 project blocked: its project matches several records of the target ({reasons[0]})",
    ]


def test_each_limit_is_its_own_reason(warehouse: Warehouse) -> None:
    """A name of 83 characters and a text of 256 are too long: both limits are listed, with their numbers of records."""
    reasons = {"1": "name is longer than 83 characters", "2": "notes is longer than 256 characters"}
    rows = [
        ("below", "projects", each, "quarantined", "too_long", reasons["1" if each != "4" else "2"])
        for each in ("1", "2", "4")
    ] + [("below", "projects", "9", "blocked", "parent_missing", "waits")]  # fmt: skip
    names = ["workflow", "source", "source_id", "action", "reason_code", "reason"]
    with warehouse.writer() as opened:
        ensure_ledger(opened)
        parents = [planned("9", "blocked", "parent_missing", "2")]
        replace_table(opened, "mart_below", pl.DataFrame(parents, schema=PLAN))
        insert_frame(opened, "sync_decisions", pl.DataFrame(rows, schema=names, orient="row"))

    found = cause_rows(warehouse, WORKFLOWS, NOW, hides=False)
    hidden = cause_rows(warehouse, WORKFLOWS, NOW, hides=True)

    assert [(row["records"], row["action"], row["cause"], row["reasons"]) for row in found] == [
        (3, "quarantined", "", [(reasons["1"], 2), (reasons["2"], 1)]),
        (1, "blocked", "its project needs a correction", [(reasons["1"], 1)]),
    ]
    assert [row["records"] for row in hidden] == [3, 1]
