"""The mart of selected records is those rows of the mart of all records, whatever the workflow reads."""

from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.delivery.ledger.decisions import write_decisions
from assets.delivery.ledger.tables import ensure_ledger, upsert
from assets.delivery.mart.build import make_mart, update_mart
from assets.delivery.schemas import KEY
from assets.delivery.spec.workflow import Workflow
from assets.delivery.spec.workflow_spec import WorkflowSpec
from resources.clock import WallClock
from resources.warehouse.tables import replace_table
from resources.warehouse.warehouse import Warehouse
from tests.assets.delivery.builders import customer, customers, project, projects

IDS = ["1", "2", "3", "4"]
IDS_BELOW = ["11", "12", "13", "14"]
CODES = ["2", "3", None]


def lookup(on_multiple: str, **then: Any) -> dict[str, Any]:
    """Return a lookup of a subsidiary's code, of which there may be several."""
    return {"table": "codes", "by": "subsidiary_id", "return": "code", "on_multiple": on_multiple, **then}


CHAINED = {"table": "stg_netsuite__departments", "by": "department_id", "return": "name"}
CODE_ROWS: list[dict[str, Any]] = [
    {"lookup": lookup("first"), "on_unmapped": "blank"},
    {"lookup": lookup("none"), "on_unmapped": "error"},
    {"lookup": lookup("first"), "on_unmapped": "keep"},
    {"lookup": lookup("first", then=CHAINED), "on_unmapped": "blank"},
    {"values": {"2": "two"}, "on_unmapped": "error"},
    {"values": {"2": "two"}, "on_unmapped": "keep", "required": True},
    {"reference": "nodes", "on_unmapped": "blank"},
    {"reference": "nodes", "on_unmapped": "error", "required": True},
]
NAMES = ["company_name", "case when _today > date('2026-01-01') then company_name else 'old' end"]
SELECTS: list[dict[str, Any]] = [
    {},
    {"where": "company_name <> 'Skipped'"},
    {"stages": {"lead": "skip"}},
    {"subsidiary": 2, "require_flag": "custentity_export"},
]


def workflow(name: str, code: dict[str, Any], select: dict[str, Any], max_level: int | None) -> Workflow:
    """Return a workflow of customers below customers, and of projects below both."""
    key = {"field": "externalId", "from": "customer_id", "locked": True}
    above = {
        "source": "customers",
        "parent": {"customers": "parent_customer_id"},
        "select": select,
        "fields": [key, {"field": "name", "sql": name}, {"field": "code", "from": "subsidiary_id", **code}],
    }
    below = {
        "source": "projects",
        "parent": {"projects": "parent_project_id", "customers": "customer_id"},
        "parent_required": True,
        "fields": [{**key, "from": "project_id"}, {"field": "name", "from": "project_name"}],
    }
    given = {"target": "precoro.Option", "records": [above, below], "max_level": max_level}
    return Workflow("flow", WorkflowSpec.model_validate(given))


@st.composite
def workflows(draw: st.DrawFn) -> Workflow:
    """Any of the ways in which a row, a selection or a hierarchy depends on other rows."""
    levels = st.sampled_from([None, 1, 2, 3])
    rows = (draw(st.sampled_from(each)) for each in (NAMES, CODE_ROWS, SELECTS))
    return workflow(*rows, draw(levels))  # type: ignore[arg-type]


@st.composite
def accounts(draw: st.DrawFn) -> dict[str, pl.DataFrame]:
    """The tables that the workflow reads; parents may be missing, deleted, or form a cycle."""
    above, flags = st.sampled_from([None, *IDS]), st.sampled_from([False, False, True])
    staged = [
        customer(
            key, company_name=draw(st.sampled_from(["A", "B", "Skipped", None])), is_deleted=draw(flags),
            subsidiary_id=draw(st.sampled_from([*CODES, "4"])), parent_customer_id=draw(above),
            stage=draw(st.sampled_from(["customer", "lead"])), custentity_export=draw(st.sampled_from(["T", "F"])),
        )
        for key in draw(st.lists(st.sampled_from(IDS), unique=True, min_size=1))
    ]  # fmt: skip
    below = [
        project(key, customer_id=draw(above), parent_project_id=draw(st.sampled_from([None, *IDS_BELOW])))
        for key in draw(st.lists(st.sampled_from(IDS_BELOW), unique=True))
    ]
    codes = draw(st.lists(st.tuples(st.sampled_from(CODES), st.sampled_from(["9", "10", "b", None]))))
    departments = draw(st.lists(st.sampled_from(["2", "3", "9"]), unique=True))
    return {
        "stg_netsuite__customers": customers(*staged),
        "stg_netsuite__projects": projects(*below),
        "codes": pl.DataFrame(codes, schema=dict.fromkeys(["subsidiary_id", "code"], pl.String), orient="row"),
        "stg_netsuite__departments": pl.DataFrame(
            [(key, f"D{key}") for key in departments], schema=dict.fromkeys(["department_id", "name"], pl.String),
            orient="row",
        ),
    }  # fmt: skip


@st.composite
def delivered_nodes(draw: st.DrawFn) -> pl.DataFrame:
    """Decisions of the departments' workflow; there may be none yet."""
    names = ["source", "source_id", "action", "reason_code", "reason", "target_id"]
    outcomes = st.sampled_from([("unchanged", "70"), ("unchanged", "71"), ("deferred", None), ("skipped", None)])
    keys = draw(st.lists(st.sampled_from(["2", "3"]), unique=True))
    rows = [("departments", key, action, "", "", target) for key in keys for action, target in [draw(outcomes)]]
    return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")


def fill(warehouse: Warehouse, tables: dict[str, pl.DataFrame], nodes: pl.DataFrame) -> None:
    """Replace the tables that the workflow reads."""
    links = nodes.drop_nulls("target_id").select(pl.lit("nodes").alias("workflow"), *KEY, "target_id")
    with warehouse.writer() as con:
        ensure_ledger(con)
        con.execute("delete from sync_decisions; delete from sync_links")
        write_decisions(con, "nodes", "version", "run", datetime(2026, 11, 1, tzinfo=UTC), nodes)
        upsert(con, "sync_links", links)
        replace_table(con, "target_nodes", pl.DataFrame({"target_id": ["70"], "is_active": [True]}))
        for name, table in tables.items():
            replace_table(con, name, table)


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """A warehouse that all examples share; each replaces its tables."""
    return Warehouse(tmp_path_factory.mktemp("warehouse"))


@pytest.mark.long
@settings(max_examples=20, deadline=None)
@given(workflows(), accounts(), accounts(), delivered_nodes(), st.sets(st.sampled_from([*IDS, *IDS_BELOW]), min_size=1))
def test_a_mart_of_selected_records_is_those_rows_of_the_mart_of_all(
    warehouse: Warehouse,
    flow: Workflow,
    before: dict[str, pl.DataFrame],
    after: dict[str, pl.DataFrame],
    nodes: pl.DataFrame,
    selected: set[str],
) -> None:
    """The records were saved since the last full run; the selection need not contain their ancestors."""
    keys = pl.DataFrame(
        [("customers" if key in IDS else "projects", key) for key in sorted(selected)],
        schema=dict.fromkeys(KEY, pl.String), orient="row",
    )  # fmt: skip
    fill(warehouse, before, nodes)
    make_mart(warehouse, flow)
    fill(warehouse, after, nodes)
    update_mart(warehouse, flow, keys, clock=WallClock())
    updated = warehouse.table("mart_flow").join(keys, on=KEY, how="semi").sort(KEY)

    make_mart(warehouse, flow)

    complete = warehouse.table("mart_flow").join(keys, on=KEY, how="semi").sort(KEY)
    assert updated.equals(complete), f"\n{updated}\n{complete}"


@pytest.mark.parametrize("row", CODE_ROWS)
def test_every_kind_of_row_gives_a_selected_record_its_value(warehouse: Warehouse, row: dict[str, Any]) -> None:
    """Its value list, reference and hierarchy are those of all records, whichever record is selected."""
    flow = workflow("company_name", row, {}, 2)
    codes = pl.DataFrame(
        [("2", "9"), ("2", "10"), ("3", "b"), ("4", "3")], schema=["subsidiary_id", "code"], orient="row"
    )
    names = ["source", "source_id", "action", "reason_code", "reason", "target_id"]
    nodes = [("departments", key, "unchanged", "", "", "70") for key in ("2", "3")]
    staged = [customer(key, subsidiary_id=code) for key, code in zip(IDS, ["2", "3", "4", None], strict=True)]
    staged[1]["parent_customer_id"] = "1"
    tables = {
        "stg_netsuite__customers": customers(*staged),
        "stg_netsuite__projects": projects(project("11", customer_id="2"), project("12", parent_project_id="11")),
        "codes": codes,
        "stg_netsuite__departments": pl.DataFrame({"department_id": ["3", "9"], "name": ["D3", "D9"]}),
    }
    fill(warehouse, tables, pl.DataFrame(nodes, schema=names, orient="row"))
    make_mart(warehouse, flow)
    complete = warehouse.table("mart_flow").sort(KEY)
    with warehouse.writer() as con:
        con.execute("update mart_flow set code = 'outdated', level = 7")

    for source, key in complete.select(KEY).rows():
        keys = pl.DataFrame([(source, key)], schema=dict.fromkeys(KEY, pl.String), orient="row")
        update_mart(warehouse, flow, keys, clock=WallClock())

    assert warehouse.table("mart_flow").sort(KEY).equals(complete)
