"""What Dagster's user sees: assets that explain themselves, metadata that is true, checks that stop what must stop."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from shutil import copytree
from typing import Any

import dagster as dg
import polars as pl
import pytest

from assets.delivery.ledger.ledger import COUNTED
from assets.warehouse.catalog.catalog import page, read_dictionary
from assets.warehouse.catalog.diagram import picture
from assets.warehouse.snapshot import SNAPSHOT
from orchestration.definitions import definitions
from orchestration.settings import ROOT
from resources.sandbox.simulation.day import day
from resources.warehouse.tables import add_analytics, columns_of
from tests.orchestration.conftest import Home, at_home, edited_workflows

CUSTOMERS, OPTIONS = "suiteprojects__customers", "precoro__options"
LAYERS = ("mart", "target", "plan", "sync")
LOAD = """
import dagster as dg
from orchestration.definitions import definitions
dg.Definitions.validate_loadable(definitions())
"""


@dataclass
class Ran:
    """A home after the job `all` ran twice with a day between, and what the second run reported."""

    home: Home
    events: list[dg.DagsterEvent]

    def metadata(self, asset: str) -> dict[str, Any]:
        """What the run's materialization of an asset carries."""
        found = [each.step_materialization_data.materialization for each in self.events if each.is_step_materialization]
        return {name: entry.value for each in found if each.asset_key.to_user_string() == asset
                for name, entry in each.metadata.items()}  # fmt: skip


@pytest.fixture(scope="module")
def ran(settled_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    """The second run's plan has changes of every kind that some days bring."""
    folder = tmp_path_factory.mktemp("ran") / "home"
    copytree(settled_home, folder)
    with at_home(folder) as home:
        for number in range(5, 9):
            day(home.sandbox, seed=number)
        result = home.run("all")
        assert result.success
        yield Ran(home, list(result.all_events))


def materialized(result: dg.ExecuteInProcessResult) -> set[str]:
    """Names of the assets that were materialized."""
    return {event.asset_key.to_user_string() for event in result.get_asset_materialization_events() if event.asset_key}


def words(result: dg.ExecuteInProcessResult) -> str:
    """What the failed steps and checks say."""
    failures = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    told = [each.user_failure_data.description or "" for each in failures if each.user_failure_data]
    return "\n".join([*told, *(each.description or "" for each in result.get_asset_check_evaluations())])


def tables(ran: Ran) -> list[str]:
    """Every asset that is a table, those of workflows that are switched off left out."""
    names = [spec.key.to_user_string() for spec in definitions().resolve_all_asset_specs() if runs(spec)]
    assert len(names) > 25
    return [name for name in names if name != SNAPSHOT and ran.home]


def runs(spec: dg.AssetSpec) -> bool:
    """Whether an asset is run at all."""
    return spec.tags.get("millpond/active") != "false"


def test_the_code_location_loads_without_a_warning(tmp_path: Path) -> None:
    """A warning today is an upgrade that breaks tomorrow; Dagster's validation finds selections that fit nothing."""
    environment = {**os.environ, "MILLPOND_HOME": str(tmp_path)}
    child = subprocess.run(
        [sys.executable, "-W", "error", "-c", LOAD],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert child.returncode == 0, child.stderr
    assert "Warning" not in child.stderr


def test_every_asset_explains_itself() -> None:
    """Group, kinds, owner and description: what a person needs before materializing something."""
    for spec in definitions().resolve_all_asset_specs():
        name = spec.key.to_user_string()
        assert spec.group_name not in {None, "default"}, name
        assert spec.kinds, name
        assert spec.owners, name
        assert len(spec.description or "") > 20, name


def test_assets_are_named_by_layer_system_and_thing() -> None:
    """One name in four places: asset, table, file and test."""
    names = [spec.key.to_user_string() for spec in definitions().resolve_all_asset_specs()]
    system_and_thing = r"(netsuite|suiteprojects|precoro)(_[a-z0-9]+)*__[a-z0-9_]+"

    assert not [
        name
        for name in names
        if name != SNAPSHOT
        and not re.fullmatch(
            rf"(raw|stg|hist|mart|target|plan|sync|selection|candidates|tree)_{system_and_thing}", name
        )
    ]


def test_every_asset_is_a_table_after_a_run(ran: Ran) -> None:
    """What the graph shows can be queried under the same name."""
    assert [name for name in tables(ran) if not ran.home.warehouse.has(name)] == []


def test_metadata_tells_columns_as_the_table_has_them(ran: Ran) -> None:
    """Names, types and meaning: an analyst reads the schema in the UI."""
    with ran.home.warehouse.writer() as con:
        # a frame does not know which field names DuckDB quotes
        there = {
            name: {column: kind.replace('"', "") for column, kind in columns_of(con, name).items()}
            for name in tables(ran)
        }
    for name, columns in there.items():
        told = ran.metadata(name)["dagster/column_schema"].columns
        assert {column.name: column.type for column in told} == columns, name
        assert [column.name for column in told if not column.description] == [], name


def test_metadata_tells_the_rows_as_the_table_has_them(ran: Ran) -> None:
    """Twins are counted when they are read; sending adds to them afterwards."""
    for name in tables(ran):
        told, there = ran.metadata(name)["dagster/row_count"], ran.home.warehouse.table(name).height
        assert told == there or (name.startswith("target_") and 0 < told < there), name


@pytest.mark.parametrize("workflow", [CUSTOMERS, OPTIONS])
def test_a_mart_carries_its_column_lineage(ran: Ran, workflow: str) -> None:
    """The same in the UI and in the table `lineage_columns`."""
    rows = ran.home.warehouse.read(
        "select distinct target_field, source_table, source_column from lineage_columns"
        " where workflow = ? and source_column is not null",
        [workflow],
    ).rows()
    told = ran.metadata(f"mart_{workflow}")["dagster/column_lineage"].deps_by_column
    pairs = {(column, dep.asset_key.to_user_string(), dep.column_name) for column, deps in told.items() for dep in deps}

    assert pairs == set(rows)
    assert len(pairs) > 5


@pytest.mark.parametrize("workflow", [CUSTOMERS, OPTIONS])
def test_a_plan_is_previewed_without_anybodys_data(ran: Ran, workflow: str) -> None:
    """Counts, ids and field names help to judge a plan; names and addresses stay in the warehouse."""
    told = ran.metadata(f"plan_{workflow}")
    preview, first = told["preview"], told["first_records"]
    mart = ran.home.warehouse.table(f"mart_{workflow}")
    personal = {"name", "company", "web", "addr_email", "addr_phone", "addr_addr1", "addr_city"} & set(mart.columns)
    values = pl.concat([mart[field] for field in personal]).drop_nulls().unique()

    assert "| action | reason | records |" in preview
    assert len(preview) < 1000, "the UI would fold it away"
    assert "| source | NetSuite id | action | fields | why |" in first
    assert re.search(r"\| (customers|projects) \| \d+ \| (create|update|deactivate) \|", first)
    assert values.len() > 50
    assert [value for value in values if value in preview + first] == []


@pytest.mark.parametrize("workflow", [CUSTOMERS, OPTIONS])
def test_a_sinks_page_is_what_the_ledger_says(ran: Ran, workflow: str) -> None:
    """Outcomes, the first changes, what is held back by cause, requests and what is left of them; nobody's data."""
    told, warehouse = ran.metadata(f"sync_{workflow}"), ran.home.warehouse
    run = warehouse.read(
        "select * from sync_runs where workflow = ? order by started_at desc limit 1", [workflow]
    ).to_dicts()[0]
    held = warehouse.read(
        "select count(*) as n from sync_decisions where workflow = ? and to_run is null"
        " and action in ('quarantined', 'blocked', 'ambiguous', 'failed')", [workflow],
    )["n"][0]  # fmt: skip

    outcomes = {name: run[name] for name in COUNTED.values() if run[name]}
    assert [tuple(row.strip("| ").split(" | ")) for row in told["summary"].splitlines()[2:]] == [
        (name, str(count)) for name, count in outcomes.items()
    ]
    assert len(outcomes) > 2
    assert f"| calls | {run['calls']} |" in told["quota"]
    assert re.search(r"\| left for the day \| \d+ \|", told["quota"])
    assert re.search(
        r"\| (customers|projects) \| \d+ \| (create|update|deactivate) \| [\w, ]+ \| \w+ \|", told["changed"]
    )
    assert told["report"] == f"/reports/run-{run['run_id'][:8]}.html"
    assert len(list((warehouse.folder / "reports").glob(f"*-{run['run_id'][:8]}.html"))) == 1
    assert sum(int(row.split("|")[3]) for row in told["held_back"].splitlines()[2:]) == held
    shown = told["changed"] + told["held_back"]
    mart = warehouse.table(f"mart_{workflow}")
    names = pl.concat([mart[field] for field in {"name", "company"} & set(mart.columns)]).drop_nulls().unique()
    assert [value for value in names if value in shown] == []


def test_checks_of_a_plan_count_what_the_plan_counts(ran: Ran) -> None:
    """Warnings, not errors: what they find goes its own way in the ledger, and stops nothing."""
    found = {
        (each.asset_key.to_user_string(), each.check_name): each
        for event in ran.events
        if event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION
        and (each := event.asset_check_evaluation_data).asset_key.to_user_string().startswith(("plan_", "sync_"))
    }
    plan = ran.home.warehouse.read("select action, count(*) as n from plan_suiteprojects__projects group by all")
    blocked = dict(plan.rows()).get("blocked", 0)
    check = found["plan_suiteprojects__projects", "parents_there"]

    assert check.passed is (blocked == 0)
    assert check.metadata["records"].value == blocked
    assert {
        each.severity
        for key, each in found.items()
        if key[1] not in {"guard", "one_decision_each", "rows_accounted_for"}
    } == {dg.AssetCheckSeverity.WARN}
    assert all(each.passed for key, each in found.items() if key[1] in {"rows_accounted_for", "fates_known", "no_lag"})


def test_every_declared_check_is_evaluated(ran: Ran) -> None:
    """A check that is never evaluated blocks nothing."""
    on = {spec.key for spec in definitions().resolve_all_asset_specs() if runs(spec)}
    declared = {key for asset in definitions().assets or [] for key in asset.check_keys if key.asset_key in on}  # type: ignore[union-attr]
    evaluated = {
        event.asset_check_evaluation_data.asset_check_key: event.asset_check_evaluation_data.blocking
        for event in ran.events
        if event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION
    }

    assert set(evaluated) == declared
    blocking = {f"{key.asset_key.to_user_string()}: {key.name}" for key, blocks in evaluated.items() if blocks}
    for workflow in (CUSTOMERS, OPTIONS):
        assert {f"mart_{workflow}: key_is_unique", f"mart_{workflow}: no_row_lost"} <= blocking
        assert {f"plan_{workflow}: one_decision_each", f"plan_{workflow}: guard"} <= blocking
    assert {name for name in blocking if name.startswith("stg_netsuite__customers")}


def test_a_mart_whose_key_is_not_unique_stops_its_plan(ran: Ran, tmp_path: Path) -> None:
    """Two records under one external id would overwrite each other in the target at every run."""

    def by_currency(text: str) -> str:
        return text.replace("{field: externalid, from: customer_id, locked: true}",
                            "{field: externalid, from: currency_code, locked: true}")  # fmt: skip

    before = ran.home.warehouse.table(f"plan_{CUSTOMERS}")["plan_id"][0]
    with edited_workflows(tmp_path / "workflows", None, **{CUSTOMERS: by_currency}):
        result = ran.home.materialize(*(f"{layer}_{CUSTOMERS}" for layer in ("mart", "target", "plan")))

    assert not result.success
    assert f"plan_{CUSTOMERS}" not in materialized(result)
    assert re.search(r"\d+ delivered records share their externalid with another, 0 have none", words(result))
    assert ran.home.warehouse.table(f"plan_{CUSTOMERS}")["plan_id"][0] == before


def test_a_guard_that_trips_stops_the_sync_and_says_how_to_go_on(ran: Ran, tmp_path: Path) -> None:
    """A mistake in a filter must not switch half of the customers off; the mend is one line of the file."""

    def nobody(text: str) -> str:
        text = text.replace("prospect: include, lead: skip", "prospect: skip, lead: skip")
        text = text.replace("out_of_scope: report", "out_of_scope: deactivate")
        return text.replace("{percent: 5, rows: 50}", "{percent: 1, rows: 1}")

    writes = ran.home.sandbox.suiteprojects.write_calls()
    chain = [f"{layer}_{CUSTOMERS}" for layer in LAYERS]
    with edited_workflows(tmp_path / "workflows", None, **{CUSTOMERS: nobody}):
        stopped = ran.home.materialize(*chain)
    told = words(stopped)

    assert not stopped.success
    assert f"sync_{CUSTOMERS}" not in materialized(stopped)
    assert ran.home.sandbox.suiteprojects.write_calls() == writes
    assert re.search(r"\d+ records would be deactivated; allowed are 1 ", told)
    assert "raise guards.deactivate in the workflow file and run again" in told

    def released(text: str) -> str:
        return nobody(text).replace("rows: 1}", "rows: 1000}")

    with edited_workflows(tmp_path / "released", None, **{CUSTOMERS: released}):
        sent = ran.home.materialize(*chain)

    assert sent.success
    assert ran.home.sandbox.suiteprojects.write_calls() > writes


def test_a_workflow_that_is_switched_off_refuses(ran: Ran, tmp_path: Path) -> None:
    """It stays in the graph, so that nobody wonders where it went; materializing it by hand says why not."""
    with edited_workflows(
        tmp_path / "workflows", None, **{OPTIONS: lambda text: text.replace("active: true", "active: false")}
    ):
        results = {layer: ran.home.materialize(f"{layer}_{OPTIONS}") for layer in LAYERS}

    for layer, result in results.items():
        assert not result.success, layer
        assert f"{OPTIONS} is switched off: off, real time off (as its file says)" in words(result), layer


def test_the_page_of_tables_says_what_a_run_makes(ran: Ran) -> None:
    """Written by `millpond tables --page sql/TABLES.md --picture sql/TABLES.svg`; a new column says what it is."""
    with ran.home.warehouse.writer(transaction=False) as con:
        add_analytics(con)
        entries = read_dictionary(con)
    told = page(entries)
    assert picture(entries) == (ROOT / "sql" / "TABLES.svg").read_text(encoding="utf-8")
    assert told == (ROOT / "sql" / "TABLES.md").read_text(encoding="utf-8")
    assert not re.search(r"\| +\|$", told, re.MULTILINE), "a column says nothing of itself"
