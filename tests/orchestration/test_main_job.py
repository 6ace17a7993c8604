"""The main job on real input: run, run again, a day passes, run again; the sandbox is read to see what came of it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from orchestration.cli.demo import REAL_COMPANIES
from resources.sandbox.generator.seed import seed
from resources.sandbox.simulation.day import day
from tests.orchestration.conftest import Home, at_home
from tests.orchestration.expected_targets import (
    Rows,
    held_customers,
    held_options,
    selected_customers,
    selected_options,
)

pytestmark = pytest.mark.long

CUSTOMERS = 500


@dataclass
class Seen:
    """What the targets held and should hold at one moment."""

    succeeded: bool
    customers: list[dict[str, Any]]
    options: list[dict[str, Any]]
    wanted_customers: Rows
    wanted_options: Rows
    writes: tuple[int, int]
    sent: dict[str, set[str]] = field(default_factory=dict)


@dataclass
class Story:
    """Three runs."""

    first: Seen
    again: Seen
    next_day: Seen
    home: Home


def look(home: Home, *, succeeded: bool, run_id: str) -> Seen:
    """Read both targets, and what the ledger says was sent by this run."""
    sandbox, warehouse = home.sandbox, home.warehouse
    attempts = warehouse.read("select workflow, source_id, state from sync_attempts where run_id = ?", [run_id])
    refused = warehouse.read(
        "select source_id from sync_decisions where to_run is null and workflow = 'suiteprojects__customers'"
        " and action = 'quarantined'"
    )
    sent: dict[str, set[str]] = {}
    for workflow, source_id, state in attempts.iter_rows():
        if state == "confirmed":
            sent.setdefault(workflow, set()).add(source_id)
    return Seen(
        succeeded,
        held_customers(sandbox),
        held_options(sandbox),
        selected_customers(sandbox, set(refused["source_id"])),
        selected_options(sandbox),
        (sandbox.suiteprojects.write_calls(), sandbox.precoro.write_calls()),
        sent,
    )


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Real companies where they are at hand, else invented ones; the same job three times."""
    with at_home(tmp_path_factory.mktemp("home")) as home:
        companies: Path | None = REAL_COMPANIES if REAL_COMPANIES.exists() else None
        seed(home.sandbox, customers=CUSTOMERS, companies=companies, seed=7)
        seen = []
        for number in range(3):
            if number == 2:
                day(home.sandbox, seed=7)
            result = home.run("all")
            seen.append(look(home, succeeded=result.success, run_id=result.run_id))
        yield Story(*seen, home)


def values_of(customers: list[dict[str, Any]], fields: Rows) -> Rows:
    """The held customers' values of the fields that are compared, by external id."""
    names = next(iter(fields.values())).keys()
    return {row["externalid"]: {name: row.get(name) or None for name in names} for row in customers}


def test_every_run_succeeds(story: Story) -> None:
    """Refused and over-long records are part of real input and fail no run."""
    assert [story.first.succeeded, story.again.succeeded, story.next_day.succeeded] == [True, True, True]


def test_exactly_the_selected_customers_are_in_suiteprojects_with_the_right_values(story: Story) -> None:
    """The workflow's promise, against an independent computation over NetSuite's own tables."""
    assert len(story.first.wanted_customers) > CUSTOMERS / 4
    assert values_of(story.first.customers, story.first.wanted_customers) == story.first.wanted_customers


def test_exactly_the_selected_options_are_in_precoro_under_the_right_parents(story: Story) -> None:
    """Names, levels and parents; customers on level 1, projects on 2 and 3."""
    held = {
        row["external_id"]: {name: row[name] for name in ("name", "parent", "level")} for row in story.first.options
    }

    assert {row["level"] for row in held.values()} == {1, 2, 3}
    assert held == story.first.wanted_options


def test_nothing_is_twice_in_a_target(story: Story) -> None:
    """Each external id once, after three runs as after one."""
    for seen in (story.first, story.again, story.next_day):
        for ids in ([row["externalid"] for row in seen.customers], [row["external_id"] for row in seen.options]):
            assert len(ids) == len(set(ids))


def test_a_second_run_makes_no_write_call_at_all(story: Story) -> None:
    """Nothing changed, so nothing is sent: not even what was refused before."""
    assert story.again.writes == story.first.writes
    assert story.again.customers == story.first.customers
    assert story.again.options == story.first.options


def test_after_a_day_exactly_the_changed_customers_are_written(story: Story) -> None:
    """Created, changed and switched-off records; a record that only left the selection stays as it was."""
    before, after = story.again, story.next_day
    changed = {key for key, row in after.wanted_customers.items() if before.wanted_customers.get(key) != row}
    # other fields than the compared ones may have changed too: addresses, phones, sites
    held_before = {row["externalid"]: _without_stamps(row) for row in before.customers}
    held_after = {row["externalid"]: _without_stamps(row) for row in after.customers}
    differing = {key for key, row in held_after.items() if held_before.get(key) != row}

    assert changed <= differing
    assert after.sent["suiteprojects__customers"] == differing


def test_after_a_day_the_targets_are_what_netsuite_says(story: Story) -> None:
    """Live ones with their new values; those that went are off, never deleted."""
    after = story.next_day
    live = {row["externalid"]: row for row in after.customers if row["active"] == "1"}
    wanted = after.wanted_customers

    assert {key: row for key, row in values_of(list(live.values()), wanted).items() if key in wanted} == wanted
    assert {row["externalid"] for row in story.first.customers} <= {row["externalid"] for row in after.customers}


def test_after_a_day_the_enabled_options_are_the_wanted_ones(story: Story) -> None:
    """An option whose record went is disabled; its children go with it."""
    after = story.next_day
    enabled = {
        row["external_id"]: {name: row[name] for name in ("name", "parent", "level")}
        for row in after.options
        if row["enable"]
    }

    assert enabled == after.wanted_options
    before = {row["external_id"]: _without_stamps(row) for row in story.again.options}
    differing = {key for key, row in ((row["external_id"], _without_stamps(row)) for row in after.options)
                 if before.get(key) != row}  # fmt: skip
    assert after.sent.get("precoro__options", set()) == differing


def test_projects_contacts_and_departments_hang_where_netsuite_says(story: Story) -> None:
    """Of exactly those customers that are there, also after a day with conversions, merges and deletions."""
    sandbox = story.home.sandbox
    customers = {row["id"]: row for row in sandbox.suiteprojects.rows("Customer")}
    departments = {row["id"]: row["externalid"] for row in sandbox.suiteprojects.rows("HierarchyNode")
                   if row["isanode"] == "1"}  # fmt: skip
    theirs = {str(row["id"]): row for row in sandbox.netsuite.rows("customer")}
    for table, kind, owner in (("job", "Project", "customer"), ("contact", "Contact", "company")):
        wanted = {
            str(row["id"]): str(row[owner])
            for row in sandbox.netsuite.rows(table)
            if not row["isinactive"] and row.get("custentity_oa_export_to_openair", True)
        }
        there = {row["externalid"] for row in customers.values()}
        live = {row["externalid"]: row for row in sandbox.suiteprojects.rows(kind) if row["active"] == "1"}
        hanging = {key: customers[row["customerid"]]["externalid"] for key, row in live.items() if key in wanted}
        assert hanging == {key: parent for key, parent in wanted.items() if parent in there}, kind
    for row in customers.values():
        theirs_now = theirs.get(row["externalid"])
        if row["active"] == "1" and theirs_now and row["externalid"] in story.next_day.wanted_customers:
            node = departments.get(row.get("hierarchy_node_ids", ""))
            said = theirs_now["custentity_department"]
            assert node == (f"Customer Department {said}" if said else None)


def test_precoro_is_never_called_too_fast(story: Story) -> None:
    """A second apart, sixty a minute, and so on: not one 429."""
    assert story.home.sandbox.precoro.refusals() == 0


def test_every_source_record_has_one_open_decision(story: Story) -> None:
    """The promise of the whole system: none forgotten, none decided twice."""
    warehouse = story.home.warehouse
    rows = warehouse.read(
        "select workflow, source, count(*) as decisions, count(distinct source_id) as records from sync_decisions"
        " where to_run is null group by all order by all"
    ).rows()
    customers = warehouse.table("stg_netsuite__customers").height
    projects = warehouse.table("stg_netsuite__projects").height

    contacts = warehouse.table("stg_netsuite__contacts").height
    departments = warehouse.table("stg_netsuite__departments").height
    assert rows == [
        ("precoro__options", "customers", customers, customers),
        ("precoro__options", "projects", projects, projects),
        ("suiteprojects__contacts", "contacts", contacts, contacts),
        ("suiteprojects__customer_department", "departments", departments, departments),
        ("suiteprojects__customers", "customers", customers, customers),
        ("suiteprojects__projects", "projects", projects, projects),
    ]


def test_analysts_read_the_state_after_the_run(story: Story) -> None:
    """The snapshot is a file of its own, with a comment on every table."""
    import duckdb

    with duckdb.connect(str(story.home.warehouse.snapshot), read_only=True) as con:
        uncommented = con.execute(
            "select table_name from duckdb_tables() where not internal and comment is null"
        ).fetchall()
        bare = con.execute(
            "select table_name, column_name from duckdb_columns() where not internal and comment is null"
        ).fetchall()
        not_there = con.execute(
            "select count(*) from stg_netsuite__customers c join sync_decisions d"
            " on d.source = 'customers' and d.source_id = c.customer_id"
            " where d.workflow = 'suiteprojects__customers' and d.to_run is null and d.target_id is null"
            " and d.reason is null"
        ).fetchall()

    assert (uncommented, bare) == ([], [])
    assert not_there == [(0,)]


def _without_stamps(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in {"updated", "updated_at", "updatetime"}}
