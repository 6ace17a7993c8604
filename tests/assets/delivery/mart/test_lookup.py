"""Lookups become value lists, in a full build and in an update of some records alike."""

import json
from pathlib import Path

import duckdb
import polars as pl
import pytest

from assets.delivery.audit.held_back import without_values
from assets.delivery.errors import MappingError
from assets.delivery.mart.build import make_mart, update_mart
from assets.delivery.mart.lookup import as_value_list
from assets.delivery.mart.staging_check import check_shown
from assets.delivery.spec.needed_columns import needed_columns, rows_that_look_up
from assets.delivery.spec.workflow import Workflow
from resources.clock import WallClock
from resources.warehouse.masking import QUOTES_A_VALUE
from resources.warehouse.warehouse import Warehouse
from tests.assets.delivery.builders import customer, customers, mart_of, one_source

OPTION_KEY = {"field": "externalId", "from": "customer_id"}
LOOKUP = {"table": "codes", "by": "subsidiary_id", "return": "code"}
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


def test_a_value_that_is_not_found_is_named_with_the_lookup_that_lacks_it() -> None:
    """Of a chain, the one where it ends: the value that the first lookup found, not the one that it looked up."""
    chained = {**LOOKUP, "then": {"table": "stages", "by": "name", "return": "id"}}
    spec = one_source(fields=[OPTION_KEY, {"field": "code", "from": "subsidiary_id", "lookup": chained}])
    first, second = spec.lookups
    tables = {
        first: pl.DataFrame({"by": ["1", "2"], "return": ["Sales", "Closed {won}"]}),
        second: pl.DataFrame({"by": ["Sales"], "return": ["7"]}),
    }
    staged = customers(*(customer(key, subsidiary_id=key) for key in ("1", "2", "3")))

    mart = mart_of(spec, lookups=tables, customers=staged).sort("source_id")

    assert mart["reason"].to_list() == [
        None,
        "code: stages.id by name has no value for 'Closed {won}', or several",
        "code: codes.code by subsidiary_id has no value for '3', or several",
    ]
    assert mart["reason_code"].to_list() == [None, "not_looked_up", "not_looked_up"]


def test_a_value_without_an_entry_is_named() -> None:
    """In a value list and for a reference as well; a long one is cut in the reason."""
    listed = [OPTION_KEY, {"field": "code", "from": "company_name", "values": {"A": "1"}}]
    mart = mart_of(one_source(fields=listed), customers=customers(customer("1", company_name="B" * 70)))

    assert mart["reason"].to_list() == [f"code: '{'B' * 60}' is not in the value list"]


def test_a_custom_field_of_a_lookup_that_netsuite_does_not_show_is_named_with_its_row() -> None:
    """The role may have lost the field, or it is misspelled."""
    lookup = {"table": "stg_netsuite__customrecord_tier", "by": "record_id", "return": "custrecord_code"}
    flow = Workflow("flow", one_source(fields=[OPTION_KEY, {"field": "code", "from": "stage", "lookup": lookup}]))
    with duckdb.connect() as con:
        con.execute("create table netsuite_capabilities (capability varchar, answer varchar)")
        answer = json.dumps({"missing": ["custrecord_code"]})
        con.execute("insert into netsuite_capabilities values ('columns customrecord_tier', ?)", [answer])
        for record_type, names in needed_columns(flow).items():
            rows = rows_that_look_up(flow, record_type)
            if record_type == "customrecord_tier":
                expected = "flow: row of code: look-up: NetSuite shows no custrecord_code of customrecord_tier"
                with pytest.raises(MappingError, match=expected):
                    check_shown(con, record_type, names, flow.name, rows)


@pytest.mark.parametrize("code", ["not_looked_up", "value_not_in_list", "rejected_837"])
def test_a_reason_that_quotes_a_value_is_hidden_with_personal_data(code: str) -> None:
    """From plans, summaries, the console and the published tables."""
    row = {"reason": "field: 'Ada' …", "reason_code": code, "root_reason": "field: 'Ada' …", "root_code": code}
    held = pl.DataFrame([{**row, "name": "Ada", "root_name": "Ada"}])

    shown = without_values(held).row(0, named=True)

    assert shown == {**row, "name": None, "root_name": None, "reason": code, "root_reason": code}
    with duckdb.connect() as con:
        query = f"select case when not {QUOTES_A_VALUE} then 1 end from (select ? as reason_code)"
        assert con.execute(query, [code]).fetchall() == [(None,)]
        assert con.execute(query, ["too_long"]).fetchall() == [(1,)]
