"""A plan of selected records has the decisions that a plan of all records has on them."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.delivery.diff.decide import decide
from assets.delivery.diff.ledger_facts import NO_FACTS, LedgerFacts
from assets.delivery.diff.prefilter import Prefilter
from assets.delivery.diff.records import Records
from assets.delivery.ledger.tables import ensure_ledger
from assets.delivery.plan.scope import EVERYTHING, Scope, SelectedRecords
from assets.delivery.run_context import RunContext
from assets.delivery.schemas import KEY, PLAN_COLUMNS
from assets.delivery.spec.workflow import Workflow
from assets.precoro.target import OptionTarget
from resources.clock import WallClock
from resources.precoro.connect import open_precoro
from resources.sandbox.sandbox import Sandbox
from resources.warehouse.tables import insert_frame, read_frame, replace_table
from resources.warehouse.warehouse import Warehouse
from tests.assets.delivery.builders import actual, desired, link, links, mart, one_source, target_state
from tests.assets.delivery.diff.decisions import SKIP, Rows
from tests.assets.delivery.diff.test_prefilter import IDS, scenarios

EXAMPLES = int(os.environ.get("MILLPOND_EXAMPLES", "40"))  # each takes a quarter of a second of processor time


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OptionTarget]:
    """A target, for its fields; it is never called."""
    sandbox = Sandbox(tmp_path_factory.mktemp("sandbox"))
    with open_precoro(sandbox=sandbox.folder) as client:
        yield OptionTarget(client, 5144)


@pytest.fixture(scope="module")
def con(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """A writer section that all examples share; each replaces its tables."""
    with Warehouse(tmp_path_factory.mktemp("warehouse")).writer(transaction=False) as con:
        ensure_ledger(con)
        yield con


def planned(con: duckdb.DuckDBPyConnection, run: RunContext, scope: Scope, facts: LedgerFacts) -> pl.DataFrame:
    """Return the plan of the scope, without storing it."""
    comparison = scope.comparison(con, run)
    prefilter = Prefilter(con, comparison, facts)
    plan = scope.restrict(decide(run.workflow.spec, comparison.target, prefilter.read_undecided(), facts), prefilter)
    replace_table(con, "plan_flow", plan)
    con.execute("alter table plan_flow add column plan_id varchar")
    prefilter.write_unchanged("plan_flow", {"plan_id": "p"})
    return read_frame(con, "select * exclude (plan_id) from plan_flow").select(PLAN_COLUMNS).sort(KEY)


def with_ancestors(mart: pl.DataFrame, ids: set[str]) -> pl.DataFrame:
    """Return the keys of these records and of all above them: KEY."""
    above = {row["source_id"]: row["parent_source_id"] for row in mart.to_dicts()}
    pending = [key for key in ids if key in above]
    found: set[str] = set()
    while pending:
        key = pending.pop()
        if key in above and key not in found:
            found.add(key)
            pending.append(above[key])
    return mart.filter(pl.col("source_id").is_in(found)).select(KEY)


@pytest.mark.long
@settings(max_examples=EXAMPLES, deadline=None)
@given(scenarios(), st.sets(st.sampled_from(IDS), min_size=1))
def test_a_plan_of_selected_records_decides_as_the_plan_of_all(
    con: duckdb.DuckDBPyConnection, target: OptionTarget, scenario: Any, selected: set[str]
) -> None:
    """Whatever competes with them for a target record: it need not be selected."""
    spec, records, facts = scenario
    unused = Warehouse(Path())
    run = RunContext(unused, Workflow("flow", spec), target, "run", WallClock())
    fill(con, records, facts)
    keys = with_ancestors(records.mart, selected)

    complete = planned(con, run, EVERYTHING, facts).join(keys, on=KEY, how="semi").sort(KEY)

    of_selected = planned(con, run, SelectedRecords(keys), facts)
    assert of_selected.equals(complete), f"\n{of_selected}\n{complete}"


RULE = {"field": "name", "on_id_conflict": "overwrite"}
BY_NAME, SAME = desired("1", name="Same"), {"name": "Same"}


@pytest.mark.parametrize(
    ("others", "there", "linked"),
    [
        ([desired("2", **SKIP)], [actual("901", "2", **SAME)], []),
        ([desired("2", **SKIP)], [actual("901", None, **SAME)], [link("2", "901")]),
        ([desired("2", **SAME)], [actual("901", None, **SAME)], []),
        ([desired("2", externalId="1")], [actual("901", "1", **SAME)], []),
        ([], [actual("901", "77", **SAME)], []),
    ],
    ids=["key of a record that is left out", "linked record", "same name", "same key", "another system's"],
)
def test_what_competes_with_a_selected_record_is_considered(
    con: duckdb.DuckDBPyConnection, target: OptionTarget, others: Rows, there: Rows, linked: Rows
) -> None:
    """A target record is not given away because its owner was not selected."""
    spec = one_source(match=[RULE])
    fill(con, Records(mart(BY_NAME, *others), target_state(*there), links(*linked)), NO_FACTS)
    run = RunContext(Warehouse(Path()), Workflow("flow", spec), target, "run", WallClock())
    keys = pl.DataFrame([("customers", "1")], schema=dict.fromkeys(KEY, pl.String), orient="row")

    complete = planned(con, run, EVERYTHING, NO_FACTS).join(keys, on=KEY, how="semi")

    assert planned(con, run, SelectedRecords(keys), NO_FACTS).equals(complete)


def fill(con: duckdb.DuckDBPyConnection, records: Records, facts: LedgerFacts) -> None:
    """Replace the tables that are compared."""
    replace_table(con, "mart_flow", records.mart)
    replace_table(con, "target_flow", records.target_state)
    con.execute("delete from sync_links; delete from sync_manual_links")
    insert_frame(con, "sync_links", records.links.with_columns(pl.lit("flow").alias("workflow")))
    manual = facts.manual_links.rename({"manual_target_id": "target_id"})
    insert_frame(con, "sync_manual_links", manual.with_columns(pl.lit("flow").alias("workflow")))
