"""Lookups become value lists, in a full build and in an update of some records alike."""

from pathlib import Path

import polars as pl
import pytest

from assets.delivery.errors import MappingError
from assets.delivery.mart.build import make_mart, update_mart
from assets.delivery.mart.lookup import as_value_list
from assets.delivery.spec.workflow import Workflow
from resources.clock import WallClock
from resources.warehouse.warehouse import Warehouse
from tests.assets.delivery.builders import customer, customers, one_source

CODES = pl.DataFrame({"subsidiary_id": ["2", "2", "3"], "code": ["10", "9", "7"]})


@pytest.mark.parametrize(
    ("values", "on_multiple", "expected"),
    [
        (["10", "9"], "none", {}),
        (["10", "9"], "first", {"a": "9"}),
        (["b", "a"], "first", {"a": "a"}),
        (["x", "7"], "first", {"a": "7"}),
        (["9", "9"], "none", {"a": "9"}),
        (["9", None], "none", {"a": "9"}),
    ],
)
def test_several_values_of_a_key_follow_the_setting(
    values: list[str | None], on_multiple: str, expected: dict[str, str]
) -> None:
    """Numbers are before texts; equal values are one value."""
    table = pl.DataFrame({"by": ["a"] * len(values), "return": values})

    assert as_value_list(table, "first" if on_multiple == "first" else "none") == expected


def workflow(**lookup: str) -> Workflow:
    """Return a workflow with a row that looks up the customer's subsidiary."""
    settings = {"table": "codes", "by": "subsidiary_id", "return": "code", **lookup}
    rows = [
        {"field": "externalId", "from": "customer_id"},
        {"field": "code", "from": "subsidiary_id", "lookup": settings},
    ]
    return Workflow("flow", one_source(fields=rows))


def test_an_update_looks_up_the_same_values_as_a_full_build(tmp_path: Path) -> None:
    """A real-time update must not change what the last full run decided."""
    warehouse, flow = Warehouse(tmp_path), workflow(on_multiple="first")
    warehouse.replace("stg_netsuite__customers", customers(customer("1"), customer("2", subsidiary_id="3")))
    warehouse.replace("codes", CODES)
    make_mart(warehouse, flow)
    built = warehouse.table("mart_flow").sort("source_id")

    keys = pl.DataFrame({"source": ["customers"], "source_id": ["1"]})
    update_mart(warehouse, flow, keys, clock=WallClock())

    assert built["code"].to_list() == ["9", "7"]
    assert warehouse.table("mart_flow").sort("source_id").equals(built)


@pytest.mark.parametrize(
    ("lookup", "problem"),
    [
        ({"table": "nowhere"}, "the warehouse has no table nowhere yet; materialize it first"),
        ({"by": "nope"}, "the table has no column nope; correct the workflow file"),
        ({"table": "suiteprojects.User"}, "records of precoro can only be read in a run"),
    ],
)
def test_a_lookup_without_its_table_is_an_error(tmp_path: Path, lookup: dict[str, str], problem: str) -> None:
    """The text names the workflow, the row and the lookup."""
    warehouse = Warehouse(tmp_path)
    warehouse.replace("stg_netsuite__customers", customers(customer("1")))
    warehouse.replace("codes", CODES)

    with pytest.raises(MappingError, match=f"flow: row of code: lookup of .*: {problem}"):
        make_mart(warehouse, workflow(**lookup))
