"""The main job on real input: two runs, a simulated day, a third run; the sandbox shows the results."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest

from resources.sandbox.generator.seed import seed
from resources.sandbox.simulation.day import simulate_day
from tests.orchestration.conftest import Home, at_home
from tests.orchestration.expected_targets import (
    Rows,
    selected_customers,
    selected_options,
    target_customers,
    target_options,
)
from tests.real_companies import REAL_COMPANIES

pytestmark = pytest.mark.long

CUSTOMERS = 500


@dataclass(frozen=True)
class Results:
    """Both targets after a run, the expected records, write calls so far, and the ids sent by workflow."""

    succeeded: bool
    customers: list[dict[str, Any]]
    options: list[dict[str, Any]]
    expected_customers: Rows
    expected_options: Rows
    writes: tuple[int, int]
    sent: dict[str, set[str]]


@dataclass(frozen=True)
class Runs:
    """The results of three runs."""

    first: Results
    second: Results
    next_day: Results
    home: Home


def run_all(home: Home) -> Results:
    """Run all workflows; read both targets, and the run's confirmed attempts from the ledger."""
    run, sandbox, warehouse = home.run("all"), home.sandbox, home.warehouse
    attempts = warehouse.read(
        "select workflow, source_id from sync_attempts where run_id = ? and state = 'confirmed'", [run.run_id]
    )
    rejected = warehouse.read(
        "select source_id from sync_decisions where to_run is null and workflow = 'suiteprojects__customers'"
        " and action = 'quarantined'"
    )
    sent: dict[str, set[str]] = {}
    for workflow, source_id in attempts.iter_rows():
        sent.setdefault(workflow, set()).add(source_id)
    return Results(
        run.success,
        target_customers(sandbox),
        target_options(sandbox),
        selected_customers(sandbox, set(rejected["source_id"])),
        selected_options(sandbox),
        (sandbox.suiteprojects.write_calls(), sandbox.precoro.write_calls()),
        sent,
    )


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    """Run the same job three times, over real companies if their file exists, else over generated ones."""
    with at_home(tmp_path_factory.mktemp("home")) as home:
        companies: Path | None = REAL_COMPANIES if REAL_COMPANIES.exists() else None
        seed(home.sandbox, customers=CUSTOMERS, companies=companies, seed=7)
        first, second = run_all(home), run_all(home)
        simulate_day(home.sandbox, seed=7)
        yield Runs(first, second, run_all(home), home)


def compared_values(customers: list[dict[str, Any]], expected: Rows) -> Rows:
    """Return the target customers by external id, reduced to the fields of the expected ones."""
    names = next(iter(expected.values())).keys()
    return {row["externalid"]: {name: row.get(name) or None for name in names} for row in customers}


def option_values(options: list[dict[str, Any]]) -> Rows:
    """Return name, parent and level of options, by external id."""
    return {row["external_id"]: {name: row[name] for name in ("name", "parent", "level")} for row in options}


def changed_keys(before: list[dict[str, Any]], after: list[dict[str, Any]], key: str) -> set[str]:
    """Return the keys of the records that are new or differ in any field but the timestamps."""
    old = {row[key]: _without_timestamps(row) for row in before}
    return {row[key] for row in after if old.get(row[key]) != _without_timestamps(row)}


def _without_timestamps(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in {"updated", "updated_at", "updatetime"}}


def test_every_run_succeeds(runs: Runs) -> None:
    """Real input contains rejected and over-long records; they fail no run."""
    assert [runs.first.succeeded, runs.second.succeeded, runs.next_day.succeeded] == [True, True, True]


def test_exactly_the_selected_customers_are_in_suiteprojects_with_the_right_values(runs: Runs) -> None:
    """They equal an independent computation over NetSuite's own tables."""
    expected = runs.first.expected_customers

    assert len(expected) > CUSTOMERS / 4
    assert compared_values(runs.first.customers, expected) == expected


def test_exactly_the_selected_options_are_in_precoro_under_the_right_parents(runs: Runs) -> None:
    """Customers are on level 1, projects on levels 2 and 3."""
    options = option_values(runs.first.options)

    assert {row["level"] for row in options.values()} == {1, 2, 3}
    assert options == runs.first.expected_options


def test_no_target_has_duplicates(runs: Runs) -> None:
    """Each external id occurs once, after each of the three runs."""
    for run in (runs.first, runs.second, runs.next_day):
        for ids in ([row["externalid"] for row in run.customers], [row["external_id"] for row in run.options]):
            assert len(ids) == len(set(ids))


def test_a_second_run_makes_no_write_call(runs: Runs) -> None:
    """No record changed, so none is sent, not even one that was rejected before."""
    assert runs.second.writes == runs.first.writes
    assert runs.second.customers == runs.first.customers
    assert runs.second.options == runs.first.options


def test_after_a_day_exactly_the_changed_customers_are_written(runs: Runs) -> None:
    """Records were created, changed and deactivated; one that only left the selection is unchanged."""
    before, after = runs.second, runs.next_day
    expected = {key for key, row in after.expected_customers.items() if before.expected_customers.get(key) != row}
    # more fields are sent than are compared: addresses, phone numbers, sites
    changed = changed_keys(before.customers, after.customers, "externalid")

    assert expected <= changed
    assert after.sent["suiteprojects__customers"] == changed


def test_after_a_day_suiteprojects_equals_netsuite(runs: Runs) -> None:
    """Active customers have their new values; those removed from NetSuite are deactivated, never deleted."""
    after = runs.next_day
    active = compared_values([row for row in after.customers if row["active"] == "1"], after.expected_customers)

    assert {key: row for key, row in active.items() if key in after.expected_customers} == after.expected_customers
    assert {row["externalid"] for row in runs.first.customers} <= {row["externalid"] for row in after.customers}


def test_after_a_day_precoro_equals_netsuite(runs: Runs) -> None:
    """An option whose record was removed is disabled, and so are its children."""
    after = runs.next_day

    assert option_values([row for row in after.options if row["enable"]]) == after.expected_options
    changed = changed_keys(runs.second.options, after.options, "external_id")
    assert after.sent.get("precoro__options", set()) == changed


def test_projects_contacts_and_departments_belong_to_the_right_customers(runs: Runs) -> None:
    """They equal NetSuite's relations, even after a day with conversions, merges and deletions."""
    sandbox = runs.home.sandbox
    customers = {row["id"]: row for row in sandbox.suiteprojects.rows("Customer")}
    departments = {row["id"]: row["externalid"] for row in sandbox.suiteprojects.rows("HierarchyNode")
                   if row["isanode"] == "1"}  # fmt: skip
    in_netsuite = {str(row["id"]): row for row in sandbox.netsuite.rows("customer")}
    in_target = {row["externalid"] for row in customers.values()}
    for table, kind, owner in (("job", "Project", "customer"), ("contact", "Contact", "company")):
        expected = {
            str(row["id"]): str(row[owner])
            for row in sandbox.netsuite.rows(table)
            if not row["isinactive"] and row.get("custentity_oa_export_to_openair", True)
        }
        active = {row["externalid"]: row for row in sandbox.suiteprojects.rows(kind) if row["active"] == "1"}
        owners = {key: customers[row["customerid"]]["externalid"] for key, row in active.items() if key in expected}
        assert owners == {key: owner for key, owner in expected.items() if owner in in_target}, kind
    for row in customers.values():
        source = in_netsuite.get(row["externalid"])
        if row["active"] == "1" and source and row["externalid"] in runs.next_day.expected_customers:
            department = source["custentity_department"]
            node = departments.get(row.get("hierarchy_node_ids", ""))
            assert node == (f"Customer Department {department}" if department else None)


def test_precoro_is_never_called_too_fast(runs: Runs) -> None:
    """One call per second and sixty per minute are allowed; no call returned 429."""
    assert runs.home.sandbox.precoro.rate_limited_calls() == 0


def test_every_source_record_has_one_open_decision(runs: Runs) -> None:
    """No record is omitted, and none is decided twice."""
    warehouse = runs.home.warehouse
    rows = warehouse.read(
        "select workflow, source, count(*) as decisions, count(distinct source_id) as records from sync_decisions"
        " where to_run is null group by all order by all"
    ).rows()
    customers, projects, contacts, departments = (
        warehouse.table(f"stg_netsuite__{table}").height
        for table in ("customers", "projects", "contacts", "departments")
    )

    assert rows == [
        ("precoro__options", "customers", customers, customers),
        ("precoro__options", "projects", projects, projects),
        ("suiteprojects__contacts", "contacts", contacts, contacts),
        ("suiteprojects__customer_department", "departments", departments, departments),
        ("suiteprojects__customers", "customers", customers, customers),
        ("suiteprojects__projects", "projects", projects, projects),
    ]


def test_the_snapshot_has_the_results_of_the_run_with_comments(runs: Runs) -> None:
    """Every table and column is commented, and every customer without a target record has a reason."""
    with duckdb.connect(str(runs.home.warehouse.snapshot), read_only=True) as con:
        tables = con.execute("select table_name from duckdb_tables() where not internal and comment is null").fetchall()
        columns = con.execute(
            "select table_name, column_name from duckdb_columns() where not internal and comment is null"
        ).fetchall()
        unexplained = con.execute(
            "select count(*) from stg_netsuite__customers c join sync_decisions d"
            " on d.source = 'customers' and d.source_id = c.customer_id"
            " where d.workflow = 'suiteprojects__customers' and d.to_run is null and d.target_id is null"
            " and d.reason is null"
        ).fetchall()

    assert (tables, columns) == ([], [])
    assert unexplained == [(0,)]
