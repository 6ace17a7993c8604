"""The code location in Dagster: it loads, its assets are documented, their metadata is true, their checks block."""

import os
import re
import subprocess
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from shutil import copytree
from typing import Any

import dagster as dg
import polars as pl
import pytest

from assets.components import SyncWorkflow
from assets.delivery.ledger.runs import COUNT_COLUMNS
from assets.delivery.spec.switches import Switches
from assets.netsuite.assets import READS
from assets.warehouse.catalog.catalog import page, read_catalog
from assets.warehouse.catalog.diagram import mermaid
from assets.warehouse.snapshot import SNAPSHOT
from assets.warehouse.source_tables import CHECK
from orchestration.automation.groups import RECONCILE
from orchestration.configuration.settings import ROOT
from orchestration.definitions import definitions
from resources.sandbox.simulation.day import simulate_day
from resources.warehouse.analytics import add_analytics
from resources.warehouse.tables import columns_of
from tests.orchestration.conftest import Home, at_home, edited_workflows

CUSTOMERS, OPTIONS, CLASSES = "suiteprojects__customers", "precoro__options", "suiteprojects__customer_class"
PROJECT_CLASSES = "suiteprojects__project_class"
LAYERS = ("mart", "target", "plan", "sync")
GROUPS = {"netsuite", "warehouse", "history", "suiteprojects", "hierarchies", "precoro", "analysts"}
LOAD = """
import dagster as dg
from orchestration.definitions import definitions
dg.Definitions.validate_loadable(definitions())
"""


@dataclass
class DailyRun:
    """A home after two runs of the job `all` with several days between them, and the events of the second run."""

    home: Home
    events: list[dg.DagsterEvent]

    def metadata(self, asset: str) -> dict[str, Any]:
        """Return the metadata of an asset's materialization."""
        return metadata(self.events, asset)


@pytest.fixture(scope="module")
def daily_run(synced_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DailyRun]:
    """Several days bring every kind of change to the second run's plan."""
    folder = tmp_path_factory.mktemp("daily_run") / "home"
    copytree(synced_home, folder)
    with at_home(folder) as home:
        for number in range(5, 8):
            simulate_day(home.sandbox, seed=number)
        result = home.run("all")
        assert result.success
        yield DailyRun(home, list(result.all_events))


def metadata(events: list[dg.DagsterEvent], asset: str) -> dict[str, Any]:
    """Return the metadata of an asset's materialization."""
    found = [each.step_materialization_data.materialization for each in events if each.is_step_materialization]
    return {
        name: entry.value
        for each in found
        if each.asset_key.to_user_string() == asset
        for name, entry in each.metadata.items()
    }


def materialized(result: dg.ExecuteInProcessResult) -> set[str]:
    """Return the names of the assets that were materialized."""
    return {event.asset_key.to_user_string() for event in result.get_asset_materialization_events() if event.asset_key}


def failure_texts(result: dg.ExecuteInProcessResult) -> str:
    """Return the descriptions of failed steps and of checks."""
    failures = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    texts = [each.user_failure_data.description or "" for each in failures if each.user_failure_data]
    return "\n".join([*texts, *(each.description or "" for each in result.get_asset_check_evaluations())])


def specs() -> dict[str, dg.AssetSpec]:
    """Return the spec of every asset by name."""
    return {spec.key.to_user_string(): spec for spec in definitions().resolve_all_asset_specs()}


def executable() -> set[str]:
    """Return the names of the assets that a run can include."""
    return {key.to_user_string() for key in definitions().resolve_asset_graph().executable_asset_keys}


def tables() -> list[str]:
    """Return every asset that is a table, without those of inactive workflows."""
    names = sorted(executable() - {SNAPSHOT})
    assert len(names) > 25
    return names


def inactive(text: str) -> str:
    """Return a workflow file with the workflow switched off."""
    return text.replace("active: true", "active: false")


# --- the code location ----------------------------------------------------------------------------------------------


def test_the_code_location_loads_without_warnings(tmp_path: Path) -> None:
    """A warning today is a failed upgrade tomorrow; validation finds selections that match nothing."""
    child = subprocess.run(
        [sys.executable, "-W", "error", "-c", LOAD],
        cwd=ROOT,
        env={**os.environ, "MILLPOND_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert child.returncode == 0, child.stderr
    assert "Warning" not in child.stderr


def test_dagster_validates_the_code_location(tmp_path: Path) -> None:
    """The command loads the module as a code server does, from the name in workspace.yaml."""
    child = subprocess.run(
        [str(Path(sys.executable).with_name("dagster")), "definitions", "validate", "-m", "orchestration.definitions"],
        cwd=ROOT,
        env={**os.environ, "MILLPOND_HOME": str(tmp_path), "DAGSTER_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert child.returncode == 0, child.stdout + child.stderr
    assert "All code locations passed validation" in child.stdout + child.stderr


@pytest.mark.filterwarnings("ignore::dagster._utils.warnings.BetaWarning", "ignore::DeprecationWarning")
def test_workflow_files_load_as_dagster_components() -> None:
    """Dagster finds files and component through [tool.dg] of pyproject.toml, as `dg check yaml` and editors do."""
    tree = dg.ComponentTree.for_project(ROOT)
    shipped = sorted(path.parent.name for path in (ROOT / "orchestration" / "workflows").glob("*/defs.yaml"))
    components = {name: tree.load_component(name) for name in shipped}

    assert len(components) > 10
    assert {type(each) for each in components.values()} == {SyncWorkflow}
    for name in (CUSTOMERS, OPTIONS, CLASSES):
        built = {key.to_user_string() for asset in tree.build_defs_at_path(name).assets or [] for key in asset.keys}  # type: ignore[union-attr]
        assert built == {asset for asset in specs() if asset.split("_", 1)[1] == name}


def test_the_editor_schema_accepts_unquoted_scalars() -> None:
    """`value: true` and `subsidiary: 2` are text to a workflow; an editor must not mark them as errors."""
    schema = SyncWorkflow.get_model_cls().model_json_schema()
    value = schema["$defs"]["FieldRow"]["properties"]["value"]

    assert {"string", "boolean", "integer", "number", "null"} <= {each.get("type") for each in value["anyOf"]}


# --- assets ---------------------------------------------------------------------------------------------------------


def test_every_asset_is_documented() -> None:
    """Group, kinds, owner and description: what a person needs before materializing something."""
    for name, spec in specs().items():
        assert spec.group_name not in {None, "default"}, name
        assert spec.kinds, name
        assert spec.owners, name
        assert len(spec.description or "") > 20, name


def test_assets_are_in_few_groups() -> None:
    """The collapsed graph has one readable node per group."""
    assert {spec.group_name for spec in specs().values()} == GROUPS


def test_asset_names_consist_of_layer_system_and_records() -> None:
    """Asset, table, SQL file and test have one name."""
    system_and_records = r"(netsuite|suiteprojects|precoro)(_[a-z0-9]+)*__[a-z0-9_]+"
    layers = r"(raw|stg|hist|mart|target|plan|sync|selection|candidates|tree)"

    assert [
        name
        for name in specs()
        if name not in {SNAPSHOT, READS} and not re.fullmatch(rf"{layers}_{system_and_records}", name)
    ] == []


def test_every_asset_is_a_table_after_a_run(daily_run: DailyRun) -> None:
    """An asset of the graph can be queried by its name."""
    assert [name for name in tables() if not daily_run.home.warehouse.has(name)] == []


def test_metadata_has_the_columns_of_the_table(daily_run: DailyRun) -> None:
    """Names, types and comments: an analyst reads the schema in the UI."""
    with daily_run.home.warehouse.writer() as con:
        stored = {name: columns_of(con, name) for name in tables()}
    for name, columns in stored.items():
        listed = daily_run.metadata(name)["dagster/column_schema"].columns
        assert {column.name: column.type for column in listed} == columns, name
        assert [column.name for column in listed if not column.description] == [], name


def test_metadata_has_the_row_count_of_the_table(daily_run: DailyRun) -> None:
    """Target states are counted when they are read; sending adds rows later."""
    for name in tables():
        listed, stored = daily_run.metadata(name)["dagster/row_count"], daily_run.home.warehouse.table(name).height
        assert listed == stored or (name.startswith("target_") and 0 < listed < stored), name


@pytest.mark.parametrize("workflow", [CUSTOMERS, OPTIONS])
def test_a_mart_has_its_column_lineage(daily_run: DailyRun, workflow: str) -> None:
    """The UI and the table `lineage_columns` show the same lineage."""
    rows = daily_run.home.warehouse.read(
        "select distinct target_field, source_table, source_column from lineage_columns"
        " where workflow = ? and source_column is not null",
        [workflow],
    ).rows()
    lineage = daily_run.metadata(f"mart_{workflow}")["dagster/column_lineage"].deps_by_column
    pairs = {
        (column, dep.asset_key.to_user_string(), dep.column_name) for column, deps in lineage.items() for dep in deps
    }

    assert pairs == set(rows)
    assert len(pairs) > 5
    for layer, above in (("plan", "mart"), ("sync", "plan")):
        passed_on = daily_run.metadata(f"{layer}_{workflow}")["dagster/column_lineage"].deps_by_column
        assert set(lineage) <= set(passed_on), "from NetSuite's column to the target's field"
        assert {
            (field, dep.asset_key.to_user_string(), dep.column_name)
            for field, deps in passed_on.items()
            for dep in deps
        } == {(field, f"{above}_{workflow}", field) for field in passed_on}


@pytest.mark.parametrize("workflow", [CUSTOMERS, OPTIONS])
def test_a_plan_preview_has_no_personal_data(daily_run: DailyRun, workflow: str) -> None:
    """Counts, ids and field names help to judge a plan; names and addresses stay in the warehouse."""
    shown = daily_run.metadata(f"plan_{workflow}")
    preview, first = shown["preview"], shown["first_records"]
    mart = daily_run.home.warehouse.table(f"mart_{workflow}")
    personal = {"name", "company", "web", "addr_email", "addr_phone", "addr_addr1", "addr_city"} & set(mart.columns)
    values = pl.concat([mart[field] for field in personal]).drop_nulls().unique()

    assert "| action | reason | records |" in preview
    assert len(preview) < 1000, "the UI would collapse it"
    assert "| source | NetSuite id | action | fields | why |" in first
    assert re.search(r"\| (customers|projects) \| \d+ \| (create|update|deactivate) \|", first)
    assert values.len() > 50
    assert [value for value in values if value in preview + first] == []


@pytest.mark.parametrize("workflow", [CUSTOMERS, OPTIONS])
def test_a_sync_summary_matches_the_ledger(daily_run: DailyRun, workflow: str) -> None:
    """Outcomes, first changes, held-back records by cause, calls and the rest of the quota; no personal data."""
    shown, warehouse = daily_run.metadata(f"sync_{workflow}"), daily_run.home.warehouse
    run = warehouse.read(
        "select * from sync_runs where workflow = ? order by started_at desc limit 1", [workflow]
    ).to_dicts()[0]
    held = warehouse.read(
        "select count(*) as n from sync_decisions where workflow = ? and to_run is null"
        " and action in ('quarantined', 'blocked', 'ambiguous', 'failed')", [workflow],
    )["n"][0]  # fmt: skip

    outcomes = {name: run[name] for name in COUNT_COLUMNS.values() if run[name]}
    assert [tuple(row.strip("| ").split(" | ")) for row in shown["summary"].splitlines()[2:]] == [
        (name, str(count)) for name, count in outcomes.items()
    ]
    assert len(outcomes) > 2
    assert f"| calls | {run['calls']} |" in shown["quota"]
    assert re.search(r"\| left for the day \| \d+ \|", shown["quota"])
    assert re.search(
        r"\| (customers|projects) \| \d+ \| ((update|deactivate) \| [\w, ]+|create \| [\w, ]*) \| \w+ \|",
        shown["changed"],
    )
    assert shown["report"] == f"/reports/run-{run['run_id'][:8]}.html"
    assert len(list((warehouse.folder / "reports").glob(f"*-{run['run_id'][:8]}.html"))) == 1
    assert sum(int(row.split("|")[3]) for row in shown["held_back"].splitlines()[2:]) == held
    previews = shown["changed"] + shown["held_back"]
    mart = warehouse.table(f"mart_{workflow}")
    names = pl.concat([mart[field] for field in {"name", "company"} & set(mart.columns)]).drop_nulls().unique()
    assert [value for value in names if value in previews] == []


# --- checks ---------------------------------------------------------------------------------------------------------


def test_plan_checks_count_the_plans_records(daily_run: DailyRun) -> None:
    """Most checks of plan and sync only warn: the records that they find are in the ledger, and stop nothing."""
    found = {
        (each.asset_key.to_user_string(), each.check_name): each
        for event in daily_run.events
        if event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION
        and (each := event.asset_check_evaluation_data).asset_key.to_user_string().startswith(("plan_", "sync_"))
    }
    plan = daily_run.home.warehouse.read("select action, count(*) as n from plan_suiteprojects__projects group by all")
    counts = dict(plan.rows())
    check = found["plan_suiteprojects__projects", "every_record_fits"]

    assert check.metadata["records"].value == counts.get("blocked", 0) + counts.get("quarantined", 0)
    assert check.passed is (check.metadata["records"].value == 0)
    assert {
        each.severity
        for key, each in found.items()
        if key[1] not in {"guard", "one_decision_each", "rows_accounted_for"}
    } == {dg.AssetCheckSeverity.WARN}
    passing = {"rows_accounted_for", "outcomes_known", "no_lag"}
    assert all(each.passed for key, each in found.items() if key[1] in passing)


def test_every_declared_check_is_evaluated(daily_run: DailyRun) -> None:
    """A check that is never evaluated blocks nothing."""
    declared = {key for asset in definitions().assets or [] for key in asset.check_keys}  # type: ignore[union-attr]
    evaluated = {
        event.asset_check_evaluation_data.asset_check_key: event.asset_check_evaluation_data.blocking
        for event in daily_run.events
        if event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION
    }

    declared.add(dg.AssetCheckKey(dg.AssetKey(READS), CHECK))  # in a step of its own
    assert set(evaluated) == declared
    blocking = {f"{key.asset_key.to_user_string()}: {key.name}" for key, blocks in evaluated.items() if blocks}
    for workflow in (CUSTOMERS, OPTIONS):
        assert {f"mart_{workflow}: key_is_unique", f"mart_{workflow}: rows_accounted_for"} <= blocking
        assert {f"plan_{workflow}: one_decision_each", f"plan_{workflow}: guard"} <= blocking
    # a staging or history table stops what reads it without failing the step that makes them all: its own tests show it
    assert not {name for name in blocking if name.startswith(("stg_", "hist_"))}


def test_a_mart_with_duplicate_keys_blocks_its_plan(daily_run: DailyRun, tmp_path: Path) -> None:
    """Two records under one external id would overwrite each other in the target in every run."""

    def by_first_digit(text: str) -> str:
        return text.replace("{field: externalid, from: customer_id, locked: true}",
                            '{field: externalid, sql: "left(customer_id, 1)", locked: true}')  # fmt: skip

    before = daily_run.home.warehouse.table(f"plan_{CUSTOMERS}")["plan_id"][0]
    with edited_workflows(tmp_path / "workflows", None, **{CUSTOMERS: by_first_digit}):
        result = daily_run.home.materialize(*(f"{layer}_{CUSTOMERS}" for layer in ("mart", "target", "plan")))

    assert not result.success
    assert f"plan_{CUSTOMERS}" not in materialized(result)
    assert re.search(r"\d+ delivered records share their key with another, 0 have none", failure_texts(result))
    assert daily_run.home.warehouse.table(f"plan_{CUSTOMERS}")["plan_id"][0] == before


def test_a_tripped_guard_stops_the_sync_and_names_the_fix(daily_run: DailyRun, tmp_path: Path) -> None:
    """A mistake in a filter must not deactivate half of the customers; the fix is one line of the file."""

    def deactivating(text: str) -> str:
        text = text.replace("prospect: include, lead: skip", "prospect: skip, lead: skip")
        text = text.replace("out_of_scope: report", "out_of_scope: deactivate")
        return text.replace("{percent: 5, rows: 50}", "{percent: 1, rows: 1}")

    writes = daily_run.home.sandbox.suiteprojects.write_calls()
    chain = [f"{layer}_{CUSTOMERS}" for layer in LAYERS]
    with edited_workflows(tmp_path / "workflows", None, **{CUSTOMERS: deactivating}):
        stopped = daily_run.home.materialize(*chain)
    texts = failure_texts(stopped)

    assert not stopped.success
    assert f"sync_{CUSTOMERS}" not in materialized(stopped)
    assert daily_run.home.sandbox.suiteprojects.write_calls() == writes
    assert re.search(r"\d+ records would be deactivated; the limit is 1 ", texts)
    assert "raise guards.deactivate in the workflow file and run again" in texts
    assert re.search(r"Plan (\w+) waits for approval: send it with `millpond apply \1`", texts)

    def raised(text: str) -> str:
        return deactivating(text).replace("percent: 1, rows: 1}", "percent: 100, rows: 1000}")

    with edited_workflows(tmp_path / "raised", None, **{CUSTOMERS: raised}):
        sent = daily_run.home.materialize(*chain)

    assert sent.success
    assert daily_run.home.sandbox.suiteprojects.write_calls() > writes


# --- workflows that are switched off --------------------------------------------------------------------------------


@pytest.mark.usefixtures("home")
def test_assets_of_an_inactive_workflow_are_marked_as_inactive(tmp_path: Path) -> None:
    """They stay in the graph, so that no one wonders where they went."""
    with edited_workflows(tmp_path / "workflows", None, **{OPTIONS: inactive}):
        found, runnable = specs(), executable()

    off = {f"{layer}_{OPTIONS}" for layer in (*LAYERS, "selection", "candidates", "tree")}
    assert off <= set(found)
    for name, spec in found.items():
        is_off = spec.tags.get("millpond/active") == "false"
        assert ("inactive" in spec.kinds) is is_off, name
        assert ((spec.description or "").startswith("**Switched off**")) is is_off, name
        assert (name in runnable) is not is_off, name
    assert {name for name in off if found[name].tags["millpond/active"] == "false"} == off
    assert f"`millpond activate {OPTIONS}` switches it on" in (found[f"sync_{OPTIONS}"].description or "")


@pytest.mark.long
def test_a_run_of_all_assets_leaves_inactive_workflows_out(synced: Home) -> None:
    """The UI command "Materialize all" selects what is executable; the run neither fails nor warns."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = synced.materialize()

    assert result.success
    assert f"sync_{CLASSES}" in specs()
    assert materialized(result) == executable()
    assert not [name for name in materialized(result) if CLASSES in name]


def test_a_workflow_switched_on_while_running_is_runnable(synced: Home) -> None:
    """Definitions follow the file and the overrides: what `millpond activate` switches on can be materialized."""
    Switches(synced.warehouse.folder).override(CLASSES, active=True)

    chain = [f"{layer}_{CLASSES}" for layer in LAYERS]
    result = synced.materialize(*chain)

    assert result.success
    assert materialized(result) == set(chain)
    assert specs()[f"sync_{CLASSES}"].tags["millpond/active"] == "true"
    nightly = definitions().resolve_job_def(RECONCILE).asset_layer.asset_graph.asset_check_keys
    assert {f"sync_{CLASSES}", f"sync_{OPTIONS}"} <= {key.asset_key.to_user_string() for key in nightly}
    checks = definitions().resolve_asset_graph().asset_check_keys
    assert not {key for key in checks if key.asset_key.path == [f"sync_{PROJECT_CLASSES}"]}  # it is off


def test_a_workflow_switched_off_while_running_does_nothing_and_fails_nothing(synced: Home) -> None:
    """Runs of definitions loaded earlier still include it: its steps report that it is off, and the others continue."""
    Switches(synced.warehouse.folder).override(OPTIONS, active=False, reason="year-end closing")
    calls = synced.sandbox.precoro.calls_made()

    result = synced.materialize(*(f"{layer}_{OPTIONS}" for layer in LAYERS))

    assert result.success
    for layer in LAYERS:
        shown = metadata(list(result.all_events), f"{layer}_{OPTIONS}")
        assert shown["action"].startswith("nothing was done")
        assert shown["switch"].startswith("off, real time off (since 20")
        assert "year-end closing" in shown["switch"]
    assert all(each.passed for each in result.get_asset_check_evaluations())
    assert synced.sandbox.precoro.calls_made() == calls


# --- the page of tables ---------------------------------------------------------------------------------------------


def test_the_tables_page_matches_the_tables_of_a_run(daily_run: DailyRun) -> None:
    """Regenerate it with `millpond tables --page docs/tables.md`; every column has a comment."""
    with daily_run.home.warehouse.writer(transaction=False) as con:
        add_analytics(con)
        entries = read_catalog(con)
    written = page(entries, mermaid(entries))
    assert written == (ROOT / "docs" / "tables.md").read_text(encoding="utf-8")
    assert not re.search(r"\| +\|$", written, re.MULTILINE), "a column has no comment"
