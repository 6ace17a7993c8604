"""Values looked up in a table that was never read are unknown: the record waits and is never sent blank."""

import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import sql
from assets.delivery.ledger.decisions import write_decisions
from assets.delivery.ledger.tables import ensure_ledger, upsert
from assets.delivery.mart.blanks import TAKEN_FROM
from assets.delivery.mart.build import make_mart, update_mart
from assets.delivery.mart.unread import never_read_columns
from assets.delivery.spec.workflow import Workflow
from assets.netsuite.extract.raw_queries import ensure_raw_table
from assets.netsuite.record_types import RECORD_TYPES
from resources.clock import WallClock, utc_now
from resources.warehouse.tables import ensure_table, replace_table
from resources.warehouse.warehouse import Warehouse
from tests.assets.delivery.builders import customer, customers, one_source

KEY_ROW = {"field": "externalId", "from": "customer_id"}
DECIDED = ["source", "source_id", "action", "reason_code", "reason", "target_id"]
DECISION = {"source": "departments", "action": "unchanged", "reason_code": "identical", "reason": "", "target_id": None}
Rows = dict[str, tuple[str, str | None, str | None]]


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    """A warehouse with one customer of department 7 and one without a department, and two departments."""
    warehouse = Warehouse(tmp_path)
    warehouse.replace("stg_netsuite__customers", customers(customer("1"), customer("2", subsidiary_id=None)))
    departments = pl.DataFrame({"department_id": ["2", "3"], "name": ["Sales", None], "is_deleted": [False, False]})
    warehouse.replace("stg_netsuite__departments", departments)
    return warehouse


def referring(**row: Any) -> Workflow:
    """Return a workflow whose field `code` is the target id of the customer's department in workflow `nodes`."""
    code = {"field": "code", "from": "subsidiary_id", "reference": "nodes", "on_unmapped": "blank", **row}
    return Workflow("flow", one_source(fields=[KEY_ROW, code]))


def looking_up(**lookup: Any) -> Workflow:
    """Return a workflow whose field `code` is looked up by the customer's subsidiary."""
    settings = {"table": "stg_netsuite__customrecord_code", "by": "record_id", "return": "record_name", **lookup}
    code = {"field": "code", "from": "subsidiary_id", "lookup": settings, "on_unmapped": "blank"}
    return Workflow("flow", one_source(fields=[KEY_ROW, code]))


def made(warehouse: Warehouse, workflow: Workflow, **settings: Any) -> Rows:
    """Make the mart, in full and again record by record; return disposition, reason and value by customer."""
    make_mart(warehouse, workflow, **settings)
    query = "select source_id, disposition, reason, code from mart_flow order by source_id"
    rows = warehouse.read(query).rows()
    for key in ("1", "2"):
        keys = pl.DataFrame({"source": ["customers"], "source_id": [key]})
        update_mart(warehouse, workflow, keys, clock=WallClock(), **settings)
    assert warehouse.read(query).rows() == rows
    return {key: (disposition, reason, code) for key, disposition, reason, code in rows}


def deliver_nodes(warehouse: Warehouse, *decisions: dict[str, Any], shown: tuple[str, ...] = ()) -> None:
    """Record decisions of the workflow `nodes`, with a link for each target id; the target shows some of them."""
    rows = pl.DataFrame([{**DECISION, **each} for each in decisions], schema=dict.fromkeys(DECIDED, pl.String))
    linked = rows.filter(pl.col("target_id").is_not_null()).select(
        pl.lit("nodes").alias("workflow"), "source", "source_id", "target_id"
    )
    with warehouse.writer() as con:
        ensure_ledger(con)
        write_decisions(con, "nodes", "version", "run", utc_now(WallClock()), rows)
        upsert(con, "sync_links", linked)
        schema = {"target_id": pl.String, "is_active": pl.Boolean}
        replace_table(con, "target_nodes", pl.DataFrame([(each, True) for each in shown], schema=schema, orient="row"))


WAITS_FOR_NODES = {
    "1": ("block", "code: nodes has not run", None),
    "2": ("deliver", None, None),  # a blank value refers to nothing
}


@pytest.mark.parametrize("on_unmapped", ["blank", "keep", "error"])
def test_a_reference_to_a_workflow_that_never_ran_blocks_the_record(warehouse: Warehouse, on_unmapped: str) -> None:
    """Whatever the row does with values that have no entry: whether this one has is unknown."""
    rows = made(warehouse, referring(on_unmapped=on_unmapped))

    assert {key: row[:2] for key, row in rows.items()} == {key: row[:2] for key, row in WAITS_FOR_NODES.items()}


def test_a_workflow_that_only_read_its_target_has_not_run(warehouse: Warehouse) -> None:
    """As after `millpond plan`: the records are in the target, and no link says which is which."""
    warehouse.replace("target_nodes", pl.DataFrame({"target_id": ["70"], "is_active": [True]}))

    assert made(warehouse, referring()) == WAITS_FOR_NODES


def test_a_reference_is_read_from_the_target_state_and_the_ledger(warehouse: Warehouse) -> None:
    """Both are there: the record is delivered with the target id."""
    deliver_nodes(warehouse, {"source_id": "2", "target_id": "70"}, shown=("70",))

    assert made(warehouse, referring())["1"] == ("deliver", None, "70")


def test_a_reference_without_the_target_state_of_its_workflow_blocks(warehouse: Warehouse) -> None:
    """The ledger alone does not show whether the record is still there."""
    deliver_nodes(warehouse, {"source_id": "2", "target_id": "70"}, shown=("70",))
    with warehouse.writer() as con:
        con.execute("drop table target_nodes")

    assert made(warehouse, referring())["1"] == ("block", "code: target_nodes has not been read", None)


@pytest.mark.parametrize(
    "decision",
    [
        {"source_id": "3"},  # 2 is staged, but newer than the last run
        {"source_id": "2", "action": "deferred"},
        {"source_id": "2", "action": "failed"},
        {"source_id": "2", "target_id": "71"},  # linked; the last read did not show it
        {"source_id": "2", "action": "quarantined", "reason_code": "not_shown_in_target"},  # it may be hidden
    ],
)
def test_a_referenced_record_without_an_outcome_blocks(warehouse: Warehouse, decision: dict[str, Any]) -> None:
    """The next run of its workflow decides on it."""
    deliver_nodes(warehouse, decision, shown=("70",))

    assert made(warehouse, referring())["1"] == ("block", "code: nodes has not delivered departments 2 yet", None)


@pytest.mark.parametrize("decision", [{"source_id": "2", "action": "skipped"}, {"source_id": "2", "action": "blocked"}])
def test_a_referenced_record_that_is_known_to_be_absent_is_a_blank(
    warehouse: Warehouse, decision: dict[str, Any]
) -> None:
    """Its workflow has decided, so `on_unmapped` does as well."""
    deliver_nodes(warehouse, decision, shown=("70",))

    assert made(warehouse, referring())["1"] == ("deliver", None, None)


def test_a_referenced_record_that_is_not_staged_is_a_blank(warehouse: Warehouse) -> None:
    """The id leads nowhere in NetSuite, and the workflow has decided on every department."""
    warehouse.replace("stg_netsuite__customers", customers(customer("1", subsidiary_id="99"), customer("2")))
    deliver_nodes(warehouse, {"source_id": "2"}, {"source_id": "3"}, shown=("70",))

    assert made(warehouse, referring())["1"] == ("deliver", None, None)


@pytest.mark.parametrize("table", ["stg_netsuite__customrecord_code", "mart_nodes", "target_nodes"])
@pytest.mark.parametrize("is_empty", [True, False])
def test_a_lookup_in_a_table_that_was_never_read_blocks(warehouse: Warehouse, table: str, *, is_empty: bool) -> None:
    """An empty table without a record of its reading is the same as none."""
    if is_empty:
        warehouse.replace(table, pl.DataFrame(schema={"record_id": pl.String, "record_name": pl.String}))

    rows = made(warehouse, looking_up(table=table))

    assert rows == {"1": ("block", f"code: {table} has not been read", None), "2": ("deliver", None, None)}


@pytest.mark.parametrize("shown", ["none", "deleted"])
def test_a_lookup_in_a_table_that_was_read_and_shows_no_record(warehouse: Warehouse, shown: str) -> None:
    """The customer names one, so that the role may not see it; that all of them were deleted is known."""
    table, schema = "stg_netsuite__customrecord_code", {"record_id": pl.String, "record_name": pl.String}
    rows = [("2", "Gold", True)] if shown == "deleted" else []
    warehouse.replace(table, pl.DataFrame(rows, schema={**schema, "is_deleted": pl.Boolean}, orient="row"))
    with warehouse.writer() as con:
        ensure_table(con, sql.statement("ledger", "stg_builds"), sql.statement("ledger", "sync_watermarks"))
        con.execute("insert into stg_builds (staging_table, raw_table) values (?, 'raw')", [table])
        con.execute("insert into sync_watermarks (source_table) values ('customrecord_code')")

    hidden = ("block", f"code: no record of {table} shows record_id and record_name", None)
    assert made(warehouse, looking_up()) == {
        "1": ("deliver", None, None) if shown == "deleted" else hidden,
        "2": ("deliver", None, None),
    }


def test_a_lookup_in_an_empty_table_of_someone_else_is_a_blank(warehouse: Warehouse) -> None:
    """Such a table has no role that may hide its records."""
    warehouse.replace("codes", pl.DataFrame(schema={"record_id": pl.String, "record_name": pl.String}))

    assert made(warehouse, looking_up(table="codes"))["1"] == ("deliver", None, None)


def test_a_lookup_by_a_column_without_any_value_blocks(warehouse: Warehouse) -> None:
    """A role that may not see the field gets the rows all the same."""
    table = "stg_netsuite__customrecord_code"
    warehouse.replace(table, pl.DataFrame({"record_id": ["2"], "record_name": pl.Series([None], dtype=pl.String)}))

    rows = made(warehouse, looking_up())

    assert rows["1"] == ("block", f"code: no record of {table} shows record_id and record_name", None)


def test_a_lookup_chained_to_a_table_that_was_never_read_blocks(warehouse: Warehouse) -> None:
    """The first table has the value, the second one is not there."""
    then = {"table": "target_nodes", "by": "name", "return": "target_id"}
    lookup = {"table": "stg_netsuite__departments", "by": "department_id", "return": "name", "then": then}

    rows = made(warehouse, looking_up(**lookup))

    assert rows["1"] == ("block", "code: target_nodes has not been read", None)


@pytest.mark.parametrize("found", [{"name": [], "id": []}, {"name": ["2"], "id": [None]}])
def test_a_lookup_of_target_records_that_shows_none_blocks(warehouse: Warehouse, found: dict[str, list[Any]]) -> None:
    """Without a permission the service may answer with no records, or with records without the field."""
    answer = pl.DataFrame(found, schema={"name": pl.String, "id": pl.String})
    workflow = looking_up(table="suiteprojects.Projectstage", by="name", **{"return": "id"})

    rows = made(warehouse, workflow, read_system=lambda _kind, _columns: answer)

    assert rows["1"] == ("block", "code: no record of suiteprojects.Projectstage shows name and id", None)


def with_cities(warehouse: Warehouse) -> Workflow:
    """Stage an address column of the customers, of whose table no row is there; return a workflow that maps it."""
    cities = pl.Series("city", ["Lund", None], dtype=pl.String)
    warehouse.replace("stg_netsuite__customers", customers(customer("1"), customer("2")).with_columns(cities))
    warehouse.replace("raw_netsuite__addresses", pl.DataFrame(schema={"internalid": pl.String}))
    return Workflow("flow", one_source(fields=[KEY_ROW, {"field": "code", "from": "city"}]))


def read_addresses(warehouse: Warehouse) -> None:
    """Record that NetSuite's addresses were read; there were none."""
    with warehouse.writer() as con:
        ensure_table(con, sql.statement("ledger", "sync_watermarks"))
        con.execute("insert into sync_watermarks (source_table) values ('customeraddressbook')")


def test_a_value_joined_from_a_table_that_was_never_read_blocks(warehouse: Warehouse) -> None:
    """As in an account, or with a role, that lacked the table at the first read: whether there is a city is unknown."""
    rows = made(warehouse, with_cities(warehouse))

    assert rows == {
        "1": ("deliver", None, "Lund"),
        "2": ("block", "city: NetSuite's addresses was never read", None),
    }


def test_a_value_joined_from_a_table_that_was_read_and_is_empty_is_a_blank(warehouse: Warehouse) -> None:
    """NetSuite has no such rows; the watermark says so."""
    workflow = with_cities(warehouse)
    read_addresses(warehouse)

    assert made(warehouse, workflow)["2"] == ("deliver", None, None)


def test_a_lookup_of_a_value_joined_from_a_table_that_was_never_read_blocks(warehouse: Warehouse) -> None:
    """The table of the lookup has rows; the column that it returns has no source."""
    with_cities(warehouse)
    lookup = {"table": "stg_netsuite__customers", "by": "subsidiary_id", "return": "city"}

    assert made(warehouse, looking_up(**lookup))["1"] == ("block", "code: NetSuite's addresses was never read", None)


@pytest.mark.parametrize("source", ["customers", "projects", "contacts"])
def test_every_value_that_staging_joins_is_unknown_until_it_was_read(warehouse: Warehouse, source: str) -> None:
    """A column that a staging file takes from another table blocks, whichever it is: by that table, or by its key."""
    definition = sql.statement("staging", f"stg_netsuite__{source}")
    own = RECORD_TYPES[source]
    others = [each for each in RECORD_TYPES.values() if each is not own and {*each.raw_tables} & {*definition.reads}]
    with warehouse.writer() as con:
        for record_type in (own, *others):
            for table in record_type.raw_tables:
                ensure_raw_table(con, table, record_type.query)
    joined = {*re.findall(r"^        \w+\.(?:\w+ as )?(\w+),?  --", definition.text, re.MULTILINE)}
    assert joined
    with warehouse.writer() as con:
        found = never_read_columns(con, source, joined)
    assert joined - found.keys() <= TAKEN_FROM.keys()
