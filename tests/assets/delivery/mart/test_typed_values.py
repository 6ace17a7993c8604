"""A custom field with one value that its type cannot hold is typed in all others, and holds back that record only."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.delivery.errors import MappingError
from assets.delivery.mart.build import make_mart, update_mart
from assets.delivery.spec.workflow import Workflow
from assets.netsuite.extract.custom_field_types import write_field_types
from assets.warehouse.custom_types import cast_custom_fields
from resources.clock import WallClock
from resources.warehouse.warehouse import Warehouse
from sql import statement
from tests.assets.delivery.builders import customer, customers, one_source

FIELD, LONG = "custentity_n", "123456789012345678901234567890.5"
Outcome = tuple[str, str | None, str | None]


def mart(folder: Path, kind: str, values: list[str | None], row: dict[str, Any], **spec: Any) -> list[Outcome]:
    """Return disposition, reason code and value of records whose field, of that kind, stayed text in staging."""
    warehouse, workflow = Warehouse(folder), flow(row, **spec)
    rows = customers(*(customer(str(number)) for number in range(1, len(values) + 1)))
    warehouse.replace("stg_netsuite__customers", rows.with_columns(pl.Series(FIELD, values, dtype=pl.String)))
    with warehouse.writer() as con:
        write_field_types(con, "customers", {FIELD: kind}, WallClock().now(), "run")
    make_mart(warehouse, workflow)
    query = "select disposition, reason_code, name from mart_flow order by source_id::int"
    found: list[Outcome] = warehouse.read(query).rows()
    for number in range(1, len(values) + 1):
        keys = pl.DataFrame({"source": ["customers"], "source_id": [str(number)]})
        update_mart(warehouse, workflow, keys, clock=WallClock())
    assert warehouse.read(query).rows() == found, "record by record as all together"
    return found


def staged_texts(folder: Path, kind: str, values: list[str], sql: str) -> list[str]:
    """Return the mart's texts of records whose field, of that kind, was staged with these values."""
    warehouse, raw = Warehouse(folder), "raw_netsuite__customers"
    rows = customers(*(customer(str(number)) for number in range(1, len(values) + 1)))
    definition = replace(statement("staging", "stg_netsuite__customers"), text=f"select * from {raw}")
    warehouse.replace(raw, rows.with_columns(pl.Series(FIELD, values, dtype=pl.String)))
    with warehouse.writer() as con:
        for table in ("raw_netsuite__prospects", "raw_netsuite__leads"):
            con.execute(f"create table {table} as from {raw} limit 0")
        write_field_types(con, "customers", {FIELD: kind}, WallClock().now(), "run")
        staged = cast_custom_fields(con, definition, {FIELD: kind}).statement.text
        con.execute(f"create table stg_netsuite__customers as {staged}")
    make_mart(warehouse, flow({"sql": sql}))
    return [*warehouse.read("select name from mart_flow order by source_id::int")["name"]]


def flow(row: dict[str, Any], **spec: Any) -> Workflow:
    """Return a workflow with this row for the field `name`."""
    key = {"field": "externalId", "from": "customer_id", "locked": True}
    return Workflow("flow", one_source(fields=[key, {"field": "name", **row}], **spec))


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        ("integer", ["2", "1.5", "-30"], ["N2/0.5", "N1.5/0.375", "N-30/-7.5"]),
        ("integer", ["2", "12345678901234567.89", "1.5"], ["N2/0.5", "N12345678901234567.89/", "N1.5/0.375"]),
        ("number", ["1.5", "99999999999999.99"], ["N1.5/0.375", "N99999999999999.99/"]),
    ],
)
def test_a_value_keeps_its_own_text(tmp_path: Path, kind: str, values: list[str], expected: list[str]) -> None:
    """One 1.5 among whole numbers gives the column a wider type: the others were written 2.0, and sent again."""
    found = staged_texts(tmp_path, kind, values, f"concat('N', {FIELD}, '/', {FIELD} / 4)")

    assert [text.startswith(own) for text, own in zip(found, expected, strict=True)] == [True] * len(values), found


BAD: Outcome = ("quarantine", "unusable_value", None)
WHERE = f"{FIELD} > 5"


@pytest.mark.parametrize(
    ("kind", "values", "row", "expected"),
    [
        ("number", ["1.5", "12 %", None, "2"], {"sql": f"{FIELD} * 2"}, ["3", BAD, None, "4"]),
        ("integer", ["3", "x", "1.5", ""], {"sql": f"{FIELD} * 2"}, ["6", BAD, "3", None]),
        ("integer", ["3", "x"], {"sql": f"'N' || cast({FIELD} as varchar)"}, ["N3", "Nx"]),
        ("number", ["1.5", "12 %"], {"from": FIELD}, ["1.5", "12 %"]),
        ("number", ["99999999999999.99", "x", "1"], {"sql": f"{FIELD} + 0"}, ["99999999999999.99", BAD, "1"]),
        ("number", [LONG, "1.5"], {"from": FIELD}, [LONG, "1.5"]),
        ("boolean", ["T", "perhaps", "F"], {"sql": f"case when {FIELD} then 'yes' else 'no' end"}, ["yes", BAD, "no"]),
        ("date", ["2026-01-31", "soon"], {"sql": f"extract(year from {FIELD})"}, ["2026", BAD]),
    ],
)  # fmt: skip
def test_only_the_record_with_the_bad_value_is_held_back(
    tmp_path: Path, kind: str, values: list[str | None], row: dict[str, Any], expected: list[Any]
) -> None:
    """The expression failed for the whole column, and with it the workflow."""
    outcomes = [each if isinstance(each, tuple) else ("deliver", None, each) for each in expected]

    assert mart(tmp_path, kind, values, row) == outcomes


def test_a_condition_over_a_bad_value_holds_back_its_record_only(tmp_path: Path) -> None:
    """It may or may not take part."""
    rows = mart(tmp_path, "number", ["7", "3", "many"], {"value": "x"}, select={"where": WHERE})

    assert [row[:2] for row in rows] == [("deliver", None), ("skip", "filtered_out"), ("quarantine", "unusable_value")]


def test_an_expression_that_fits_no_value_still_stops_the_workflow(tmp_path: Path) -> None:
    """It is an error of the file, not of a record."""
    with pytest.raises(MappingError, match="does not fit"):
        mart(tmp_path, "number", ["7", "x"], {"sql": "company_name * 2"})


NUMBERS = st.integers(-(10**6), 10**6).map(str) | st.decimals(-1000, 1000, places=2).map(str)


@settings(max_examples=8, deadline=None)
@given(values=st.lists(NUMBERS | st.sampled_from(["x", "1,5", "NaN"]) | st.none(), min_size=1, max_size=6))
def test_a_value_has_the_same_result_whatever_the_other_records_have(
    tmp_path_factory: pytest.TempPathFactory, values: list[str | None]
) -> None:
    """As it would have alone."""
    folder = tmp_path_factory.mktemp("typed")
    row = {"sql": f"{FIELD} * 2"}

    together = mart(folder / "all", "number", values, row)

    for value, found in zip(values, together, strict=True):
        if value in {"x", "1,5", "NaN"}:
            assert found == BAD
        else:
            assert found[0] == "deliver"
            assert found[2] is None if value is None else float(found[2] or "x") == pytest.approx(2 * float(value))
