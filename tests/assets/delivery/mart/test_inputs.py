"""A mart whose inputs changed a little is what making it anew would give, and only what changed is transformed."""

from collections.abc import Callable
from datetime import date
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings

from assets.delivery.mart import inputs
from assets.delivery.mart.build import MadeMart, write_mart
from assets.delivery.mart.lookup import read_lookups
from assets.delivery.schemas import KEY
from assets.delivery.spec.workflow import Workflow
from resources.warehouse.warehouse import Warehouse
from tests.assets.delivery.builders import customer, customers, project, projects
from tests.assets.delivery.mart.test_selected import accounts, delivered_nodes, fill, lookup, workflow, workflows

TODAY = date(2026, 11, 29)
CODES = pl.DataFrame([("2", "9"), ("3", "b")], schema=["subsidiary_id", "code"], orient="row")
DEPARTMENTS = pl.DataFrame({"department_id": ["9"], "name": ["D9"]})
NODES = pl.DataFrame(
    [("departments", key, "unchanged", "", "", "70") for key in ("2", "3")],
    schema=["source", "source_id", "action", "reason_code", "reason", "target_id"],
    orient="row",
)
FIRST = {"lookup": lookup("first"), "on_unmapped": "blank"}
NAMED = workflow("company_name", FIRST, {}, 2)
DATED = workflow("case when _today > date('2026-01-01') then company_name end", FIRST, {}, 2)
REFERRING = workflow("company_name", {"reference": "nodes", "on_unmapped": "blank"}, {}, 2)


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """A warehouse that all examples share; each replaces its tables."""
    return Warehouse(tmp_path_factory.mktemp("warehouse"))


def tables(**changed: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Return the staging tables of three customers, the third below the second, and two projects of theirs."""
    staged = [customer("1"), customer("2", subsidiary_id="3"), customer("3", parent_customer_id="2")]
    return {
        "stg_netsuite__customers": customers(*staged),
        "stg_netsuite__projects": projects(project("11", customer_id="1"), project("12", customer_id="3")),
        "codes": CODES,
        "stg_netsuite__departments": DEPARTMENTS,
        **changed,
    }


def made(warehouse: Warehouse, flow: Workflow, today: date = TODAY) -> MadeMart:
    """Bring the mart up to date."""
    lookups = read_lookups(warehouse, flow)
    with warehouse.writer() as con:
        return write_mart(con, flow, lookups, today)


def rows(warehouse: Warehouse) -> pl.DataFrame:
    """Return the mart's rows in order of their keys."""
    return warehouse.table("mart_flow").sort(KEY, maintain_order=True)


def anew(warehouse: Warehouse, flow: Workflow, today: date = TODAY) -> pl.DataFrame:
    """Return the mart as made without the one that is there."""
    with warehouse.writer() as con:
        con.execute("drop table if exists mart_flow")
    made(warehouse, flow, today)
    return rows(warehouse)


def test_a_subsidiary_that_is_no_longer_shown_is_a_changed_input(warehouse: Warehouse) -> None:
    """It leaves one list of the customer and enters the other."""
    transformed = []
    for shown, missing in ((["1", "2"], None), (["1"], ["2"])):
        lists = {"subsidiary_ids": shown, "missing_subsidiary_ids": missing}
        columns = [pl.Series(name, [ids], dtype=pl.List(pl.String)) for name, ids in lists.items()]
        one = customers(customer("1")).with_columns(columns)
        fill(warehouse, tables(stg_netsuite__customers=one), NODES)
        transformed.append(made(warehouse, NAMED).transformed)

    assert transformed[-1] == 1


@pytest.mark.long
@settings(max_examples=60, deadline=None)
@given(workflows(), workflows(), accounts(), accounts(), delivered_nodes(), delivered_nodes())
def test_a_mart_brought_up_to_date_is_the_mart_made_anew(
    warehouse: Warehouse,
    flow: Workflow,
    other: Workflow,
    before: dict[str, pl.DataFrame],
    after: dict[str, pl.DataFrame],
    nodes: pl.DataFrame,
    later_nodes: pl.DataFrame,
) -> None:
    """Whatever changed in between: rows, parents, looked-up tables, other workflows' records, the workflow file."""
    for file in (flow, other):
        fill(warehouse, before, nodes)
        anew(warehouse, flow)
        fill(warehouse, after, later_nodes)
        made(warehouse, file)

        brought_up_to_date = rows(warehouse)

        complete = anew(warehouse, file)
        assert brought_up_to_date.equals(complete), f"\n{brought_up_to_date}\n{complete}"


def staged(*customers_: dict[str, Any]) -> dict[str, pl.DataFrame]:
    """Return the tables with other customers."""
    return tables(stg_netsuite__customers=customers(*customers_))


ONE, TWO, THREE = customer("1"), customer("2", subsidiary_id="3"), customer("3", parent_customer_id="2")
CHANGES: dict[str, tuple[dict[str, pl.DataFrame], int]] = {
    "nothing": (tables(), 0),
    "a value": (staged({**ONE, "company_name": "New"}, TWO, THREE), 1),
    "a blank": (staged({**ONE, "company_name": None}, TWO, THREE), 1),
    "a column that no row maps": (staged({**ONE, "email": "a@example.com"}, TWO, THREE), 1),
    "a record": (staged(ONE, TWO, THREE, customer("4")), 1),
    "a record that is gone": (staged(ONE, TWO, {**THREE, "parent_customer_id": None}, customer("4")), 3),
    "the level of a record below": (staged(ONE, {**TWO, "parent_customer_id": "1"}, THREE), 3),
    "a cycle": (staged(ONE, {**TWO, "parent_customer_id": "3"}, THREE), 3),
    "the order": (staged(THREE, TWO, ONE), 0),
    "two values exchanged": (staged({**ONE, "subsidiary_id": "3"}, {**TWO, "subsidiary_id": "1"}, THREE), 2),
    "a looked-up value": (tables(codes=CODES.with_columns(code=pl.lit("z"))), 5),
    "another order of a looked-up table": (tables(codes=CODES.reverse()), 0),
}


@pytest.mark.parametrize("change", CHANGES)
def test_only_what_changed_is_transformed(warehouse: Warehouse, change: str) -> None:
    """A value that all rows share changes all of them; a parent also changes the records below it."""
    after, transformed = CHANGES[change]
    fill(warehouse, tables(), NODES)
    anew(warehouse, NAMED)
    fill(warehouse, after, NODES)

    assert made(warehouse, NAMED).transformed == transformed

    assert rows(warehouse).equals(anew(warehouse, NAMED))


def test_another_day_changes_only_a_mart_that_reads_the_day(warehouse: Warehouse) -> None:
    """The others are as they were."""
    fill(warehouse, tables(), NODES)
    next_day = TODAY.replace(day=30)
    for flow, transformed in ((DATED, 5), (NAMED, 0)):
        anew(warehouse, flow)
        assert made(warehouse, flow).transformed == 0
        assert made(warehouse, flow, next_day).transformed == transformed


def test_a_target_id_of_another_workflow_changes_the_rows(warehouse: Warehouse) -> None:
    """A reference is a value list of target ids."""
    fill(warehouse, tables(), NODES)
    anew(warehouse, REFERRING)
    fill(warehouse, tables(), NODES.with_columns(target_id=pl.lit("71")))

    assert made(warehouse, REFERRING).transformed == 5
    assert rows(warehouse).equals(anew(warehouse, REFERRING))


def test_an_unread_table_that_was_read_since_changes_the_rows(warehouse: Warehouse) -> None:
    """Its values were unknown, which blocked them."""
    fill(warehouse, tables(codes=CODES.with_columns(code=pl.lit(None, dtype=pl.String))), NODES)
    anew(warehouse, NAMED)
    assert set(rows(warehouse)["reason_code"]) > {"not_read"}
    fill(warehouse, tables(), NODES)

    made(warehouse, NAMED)

    assert "not_read" not in set(rows(warehouse)["reason_code"])


def test_other_code_makes_all_rows_again(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """An upgrade may map the same record to another value."""
    fill(warehouse, tables(), NODES)
    anew(warehouse, NAMED)
    monkeypatch.setattr(inputs, "_code_version", lambda: "other code")

    assert made(warehouse, NAMED).transformed == 5


def test_another_type_of_a_column_makes_all_rows_again(warehouse: Warehouse) -> None:
    """The same value is mapped to another text."""
    fill(warehouse, tables(), NODES)
    anew(warehouse, NAMED)
    whole = tables()["stg_netsuite__customers"]
    fill(warehouse, tables(stg_netsuite__customers=whole.with_columns(pl.col("subsidiary_id").cast(pl.Int64))), NODES)

    assert made(warehouse, NAMED).transformed == 5


@pytest.mark.parametrize(
    "spoil",
    [
        lambda frame: pl.concat([frame, frame.head(1)]),
        lambda frame: frame.with_columns(customer_id=pl.lit(None, dtype=pl.String)),
    ],
    ids=["repeated", "without an id"],
)
def test_repeated_and_missing_keys_are_as_in_a_mart_made_anew(
    warehouse: Warehouse, spoil: Callable[[pl.DataFrame], pl.DataFrame]
) -> None:
    """The plan refuses such a mart; bringing it up to date must not hide the reason."""
    fill(warehouse, tables(), NODES)
    anew(warehouse, NAMED)
    spoilt = tables(stg_netsuite__customers=spoil(tables()["stg_netsuite__customers"]))
    for after in (spoilt, spoilt, tables()):
        fill(warehouse, after, NODES)
        made(warehouse, NAMED)
        brought_up_to_date = rows(warehouse)
        assert brought_up_to_date.equals(anew(warehouse, NAMED))


def test_many_changed_rows_make_the_mart_anew(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deleting most rows one by one would take longer."""
    monkeypatch.setattr(inputs, "MIN_ROWS", 0)
    fill(warehouse, tables(), NODES)
    anew(warehouse, NAMED)
    assert made(warehouse, NAMED).transformed == 0
    fill(warehouse, staged({**ONE, "company_name": "New"}, {**TWO, "company_name": "New"}, THREE), NODES)

    assert made(warehouse, NAMED) == (5, 5)
