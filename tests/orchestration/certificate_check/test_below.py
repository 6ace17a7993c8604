"""A certificate claims a record below others only where those above it let it be in the target."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration.certificate_check.check import CONFIRMED, HELD, LATER, OPEN, REFUTED, UNDATED, check_certificate
from orchestration.certificate_check.read_outs import ReadOutError
from tests.orchestration.certificate_check.tables import table

THROUGH = datetime(2026, 11, 17, 6, 0)  # noqa: DTZ001 - the warehouse's timestamps are naive UTC
BEFORE, AFTER = "2026-11-01 12:00:00", "2026-11-17 12:00:00"
IDS = {"customers": "customer_id", "projects": "project_id", "departments": "department_id"}
Row = Mapping[str, Any]


def row(**values: Any) -> dict[str, Any]:
    """Return a live record of NetSuite."""
    dates = {"modified_at": BEFORE, "created_at": "2026-10-01 12:00:00"}
    return values | {"is_inactive": False, "is_deleted": False, "is_missing": False} | dates


CUSTOMER = row(customer_id="1", subsidiary_id="2")
PROJECT = row(project_id="100", parent_project_id=None, customer_id="1")
SUB_PROJECT = row(project_id="101", parent_project_id="100", customer_id="1")
OUTSIDE = CUSTOMER | {"subsidiary_id": "3"}


def attributes(out_of_scope: str = "deactivate", **changes: Any) -> dict[str, Any]:
    """Return customers with their projects below, as in the shipped Precoro workflow; `changes` are of the projects."""
    return {
        "max_level": 3,
        "records": [
            {
                "source": "customers",
                "select": {"subsidiary": 2},
                "fields": [{"field": "key", "from": "customer_id"}],
                "lifecycle": {"out_of_scope": out_of_scope},
            },
            {
                "source": "projects",
                "parent": {"projects": "parent_project_id", "customers": "customer_id"},
                "parent_required": True,
                "fields": [{"field": "key", "from": "project_id"}],
                **changes,
            },
        ],
    }


class Tree:
    """A warehouse with one certificate: every record of NetSuite is read, and the target has those with these keys."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.con = duckdb.connect()
        certificate = {"workflow": "flow", "verified_through": str(THROUGH), "position": "1"}
        table(self.con, "sync_certificates", certificate, types={"verified_through": "timestamp", "position": "bigint"})
        decided = {"workflow": "", "source": "", "source_id": "", "action": "", "to_run": None}
        table(self.con, "sync_decisions", decided)
        named = {"workflow": "", "source": "", "source_id": "", "kind": "", "through": None}
        table(self.con, "sync_unverified", named, types={"through": "timestamp"})

    def read(self, *, warehouse: bool = True, **rows: list[Row]) -> None:
        """Write NetSuite's read-out; the warehouse has the same rows unless it read them never."""
        for source, each in rows.items():
            self._write(f"stg_netsuite__{source}", *each)
            if warehouse:
                table(self.con, f"stg_netsuite__{source}", *each)

    def shows(self, *keys: str, before: tuple[str, ...] | None = None) -> None:
        """Write the target's read-out; `before`: what it showed when the certificate was made, if not the same."""
        types = {"is_active": "boolean"}
        table(self.con, "target_flow", *map(_target, ("0", *(keys if before is None else before))), types=types)
        self._write("target", *map(_target, ("0", *keys)), types=types)
        table(self.con, "mart_flow", {"source": "none", "source_id": "none", "key": "none"})

    def hold(self, source: str, source_id: str, action: str) -> None:
        """Add a decision of the ledger."""
        self.con.execute("insert into sync_decisions values ('flow', ?, ?, ?, null)", [source, source_id, action])

    def outcomes(self, of: Mapping[str, Any]) -> dict[str, str]:
        """Return the outcome of each record by NetSuite's id."""
        found = check_certificate(self.con, "flow", of, self.folder, key_field="key", ids=IDS)
        assert sum(found.counts.values()) == sum(map(len, found.examples.values()))
        assert found.is_confirmed is (REFUTED not in found.counts)
        return {each: outcome for outcome, ids in found.examples.items() for each in ids}

    def _write(self, name: str, *rows: Row, **types: Any) -> None:
        with duckdb.connect() as con:
            table(con, name, *rows, **types)
            con.execute(f"copy {name} to '{self.folder / name}.parquet'")


def _target(key: str) -> dict[str, Any]:
    return {"target_id": f"t{key}", "external_id": key, "is_active": True, "key": key}


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Tree]:
    """A warehouse with one certificate."""
    made = Tree(tmp_path)
    yield made
    made.con.close()


@pytest.mark.parametrize(
    ("customer", "of"),
    [
        (OUTSIDE, attributes("deactivate")),
        (OUTSIDE, attributes("report")),
        (CUSTOMER | {"is_missing": True}, attributes()),
        (CUSTOMER | {"customer_id": "2"}, attributes()),
        (OUTSIDE, attributes(parent_required=False)),
    ],
    ids=["retired", "not_selected", "missing", "unknown", "parent_not_required"],
)
def test_nothing_is_required_below_a_parent_that_is_not_there(tree: Tree, customer: Row, of: Row) -> None:
    """Neither of its child nor of the child's child."""
    tree.read(customers=[customer], projects=[PROJECT, SUB_PROJECT])
    tree.shows(*({"2"} & {customer["customer_id"]}))

    found = tree.outcomes(of)

    assert (found["100"], found["101"]) == (OPEN, OPEN)


@pytest.mark.parametrize("change", ["is_inactive", "is_deleted"])
def test_what_is_below_a_retired_parent_must_be_inactive(tree: Tree, change: str) -> None:
    """The workflow file deactivates a parent, and the engine all that is below it."""
    tree.read(customers=[CUSTOMER | {change: True}], projects=[PROJECT, SUB_PROJECT])
    tree.shows()
    assert set(tree.outcomes(attributes()).values()) == {CONFIRMED}

    tree.shows("101")
    assert tree.outcomes(attributes()) == {"1": CONFIRMED, "100": CONFIRMED, "101": REFUTED}


def test_what_is_below_a_parent_that_netsuite_no_longer_shows_must_be_inactive(tree: Tree) -> None:
    """The warehouse has it as deleted, and the target as inactive."""
    tree.read(customers=[CUSTOMER | {"customer_id": "2"}], projects=[PROJECT])
    table(tree.con, "stg_netsuite__customers", CUSTOMER | {"is_deleted": True}, CUSTOMER | {"customer_id": "2"})
    tree.shows("2")
    assert tree.outcomes(attributes()) == {"2": CONFIRMED, "100": CONFIRMED}

    tree.shows("2", "100")
    assert tree.outcomes(attributes()) == {"2": CONFIRMED, "100": REFUTED}


@pytest.mark.parametrize("outcome", [LATER, UNDATED])
def test_a_parent_that_was_retired_after_the_certificate(tree: Tree, outcome: str) -> None:
    """Its child had to be there before."""
    retired = CUSTOMER | {"is_inactive": True} | ({"modified_at": AFTER} if outcome == LATER else {})
    tree.read(customers=[CUSTOMER], projects=[PROJECT, SUB_PROJECT])
    tree.read(warehouse=False, customers=[retired])
    tree.shows("1", "100", "101")

    assert tree.outcomes(attributes()) == dict.fromkeys(("1", "100", "101"), outcome)


def test_a_missing_child_of_a_parent_that_is_there_refutes_the_certificate(tree: Tree) -> None:
    """Its child too; with both of them there it is confirmed."""
    tree.read(customers=[CUSTOMER], projects=[PROJECT, SUB_PROJECT])
    tree.shows("1")
    assert tree.outcomes(attributes()) == {"1": CONFIRMED, "100": REFUTED, "101": REFUTED}

    tree.shows("1", "100", "101")
    assert set(tree.outcomes(attributes()).values()) == {CONFIRMED}


@pytest.mark.parametrize(("before", "outcome"), [((), OPEN), (("100",), REFUTED)])
def test_a_workflow_that_creates_nothing_requires_no_missing_record(
    tree: Tree, before: tuple[str, ...], outcome: str
) -> None:
    """The target never had it; what it had is compared as ever."""
    of = attributes(fields=[{"field": "key", "from": "project_id"}, {"field": "is_active", "value": "no"}])
    tree.read(customers=[CUSTOMER], projects=[PROJECT])
    tree.shows("1", *before)
    table(tree.con, "mart_flow", {"source": "none", "source_id": "none", "key": "none", "is_active": "none"})

    assert tree.outcomes(of | {"create": False})["100"] == outcome
    assert tree.outcomes(of)["100"] == REFUTED


def test_a_missing_parent_that_is_required_excuses_nothing(tree: Tree) -> None:
    """All of them are claimed."""
    tree.read(customers=[CUSTOMER], projects=[PROJECT])
    tree.shows()

    assert tree.outcomes(attributes()) == {"1": REFUTED, "100": REFUTED}


@pytest.mark.parametrize(("out_of_scope", "outcome"), [("report", REFUTED), ("deactivate", OPEN)])
def test_a_parent_that_was_left_in_the_target_has_children(tree: Tree, out_of_scope: str, outcome: str) -> None:
    """It is no longer selected, and stays active, unless the workflow file deactivates it."""
    tree.read(customers=[OUTSIDE], projects=[PROJECT])
    tree.shows("1")
    assert tree.outcomes(attributes(out_of_scope))["100"] == outcome

    tree.shows("1", before=())
    assert tree.outcomes(attributes(out_of_scope))["100"] == OPEN


def test_what_is_below_a_blocked_record_that_the_target_has_is_required(tree: Tree) -> None:
    """The customer is not selected; the project was delivered before, and its sub-project is missing."""
    tree.read(customers=[OUTSIDE], projects=[PROJECT, SUB_PROJECT])
    tree.shows("100")

    found = tree.outcomes(attributes("report"))
    assert (found["100"], found["101"]) == (OPEN, REFUTED)
    assert tree.outcomes(attributes("deactivate"))["101"] == OPEN


@pytest.mark.parametrize(("required", "outcome"), [(True, OPEN), (False, REFUTED)])
def test_a_record_without_a_parent(tree: Tree, required: object, outcome: str) -> None:
    """It is on the first level, unless a parent is required."""
    tree.read(customers=[CUSTOMER], projects=[PROJECT | {"customer_id": None}])
    tree.shows("1")

    assert tree.outcomes(attributes(parent_required=required))["100"] == outcome


@pytest.mark.parametrize(("deepest", "outcome"), [(2, OPEN), (3, REFUTED), (None, REFUTED)])
def test_nothing_is_required_below_the_deepest_level(tree: Tree, deepest: int | None, outcome: str) -> None:
    """The third level is required if the target has it."""
    tree.read(customers=[CUSTOMER], projects=[PROJECT, SUB_PROJECT])
    tree.shows("1", "100")

    assert tree.outcomes(attributes() | {"max_level": deepest})["101"] == outcome


def test_nothing_is_required_in_or_below_a_cycle(tree: Tree) -> None:
    """Two projects are above each other, and a third one below them."""
    cycle = [PROJECT | {"parent_project_id": "101"}, SUB_PROJECT, SUB_PROJECT | {"project_id": "102"}]
    tree.read(customers=[CUSTOMER], projects=cycle)
    tree.shows("1")

    assert tree.outcomes(attributes()) == {"1": CONFIRMED, "100": OPEN, "101": OPEN, "102": OPEN}


def test_what_waits_for_a_quarantined_parent_is_held_back(tree: Tree) -> None:
    """The ledger says so of both; of a child that it does not name, the certificate claims too much."""
    tree.read(customers=[CUSTOMER], projects=[PROJECT, SUB_PROJECT])
    tree.shows()
    tree.hold("customers", "1", "quarantined")
    tree.hold("projects", "100", "blocked")

    assert tree.outcomes(attributes()) == {"1": HELD, "100": HELD, "101": REFUTED}


@pytest.mark.parametrize("was_there", [False, True])
@pytest.mark.parametrize("outcome", [LATER, UNDATED])
def test_a_parent_that_came_after_the_certificate(tree: Tree, outcome: str, was_there: object) -> None:
    """Its child could not be there before it, whether or not the parent was delivered since."""
    tree.read(customers=[OUTSIDE], projects=[PROJECT, SUB_PROJECT])
    new = CUSTOMER | ({"modified_at": AFTER} if outcome == LATER else {})
    tree.read(warehouse=False, customers=[new])
    tree.shows(*(["1"] if was_there else []), before=("1",) if was_there else ())
    found = tree.outcomes(attributes("report"))
    assert (found["100"], found["101"]) == ((REFUTED, REFUTED) if was_there else (outcome, outcome))

    tree.shows("1", before=())
    found = tree.outcomes(attributes("report"))
    assert found == {"1": CONFIRMED, "100": outcome, "101": outcome}


@pytest.mark.parametrize(("action", "outcome"), [("blocked", HELD), ("unchanged", REFUTED)])
def test_the_ledger_decides_below_records_of_another_workflow(tree: Tree, action: str, outcome: str) -> None:
    """As projects in SuiteProjects Pro: the customers are no part of these read-outs."""
    one = {"source": "projects", "parent": {"customers": "customer_id"}, "parent_required": True}
    tree.read(projects=[PROJECT])
    tree.shows()
    tree.hold("projects", "100", action)

    assert tree.outcomes(one | {"fields": [{"field": "key", "from": "project_id"}]}) == {"100": outcome}


def test_nodes_of_a_hierarchy_are_below_nodes(tree: Tree) -> None:
    """With keys of their own, and in the short form of a workflow file."""
    nodes = {
        "source": "departments",
        "parent": {"departments": "parent_id"},
        "fields": [{"field": "key", "sql": "concat('Node ', department_id)"}],
        "lifecycle": {"inactive": "report"},
    }
    top, below = row(department_id="1", parent_id=None), row(department_id="2", parent_id="1")
    tree.read(departments=[top | {"is_inactive": True}, below])
    tree.shows()
    assert tree.outcomes(nodes) == {"1": OPEN, "2": OPEN}

    tree.shows("Node 1")
    assert tree.outcomes(nodes) == {"1": OPEN, "2": REFUTED}


def test_a_read_out_needs_the_column_of_the_parent(tree: Tree) -> None:
    """Without it, every record would seem to be at the top."""
    tree.read(customers=[CUSTOMER], projects=[{name: PROJECT[name] for name in PROJECT if name != "customer_id"}])
    tree.shows("1")

    with pytest.raises(ReadOutError, match="stg_netsuite__projects has no column customer_id"):
        tree.outcomes(attributes())
