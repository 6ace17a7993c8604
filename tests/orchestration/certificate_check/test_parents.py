"""Nothing is required of a record below one that is not required, whatever the workflow file selects."""

import duckdb
import pytest

from orchestration.certificate_check.expected import Rules
from orchestration.certificate_check.parents import parents_of
from orchestration.simulation.truth import ACTIVE, INACTIVE, OPEN, state_below

CUSTOMER, PROJECT, BELOW = ("customers", "1"), ("projects", "100"), ("projects", "101")
PARENTS = {PROJECT: CUSTOMER, BELOW: PROJECT}


def rules_for(source: str, id_column: str, **parent: str) -> Rules:
    """Return the rules of a source, of which only the parent counts here."""
    return Rules(source, id_column, ("null", "null"), "null", "'active'", retires_deleted=True, parent=parent)


def test_the_first_parent_that_is_not_blank_counts() -> None:
    """In the order of the file; a record without one has no parent."""
    projects = rules_for("projects", "project_id", projects="parent_project_id", customers="customer_id")
    with duckdb.connect() as con:
        con.execute(
            "create table read_stg_netsuite__projects as select * from (values (100, null, 1), (101, '100', 1),"
            " (102, null, null)) as rows (project_id, parent_project_id, customer_id)"
        )
        assert parents_of(con, projects) == PARENTS


def test_records_at_the_top_have_none() -> None:
    """Their table is not even read."""
    with duckdb.connect() as con:
        assert parents_of(con, rules_for("customers", "customer_id")) == {}


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ({}, ACTIVE),
        ({CUSTOMER: INACTIVE}, INACTIVE),
        ({PROJECT: INACTIVE}, INACTIVE),
        ({PROJECT: OPEN, CUSTOMER: INACTIVE}, OPEN),
        ({PROJECT: INACTIVE, CUSTOMER: OPEN}, INACTIVE),
        ({CUSTOMER: OPEN}, OPEN),
    ],
)
def test_the_nearest_record_above_that_is_not_active_decides(states: dict[tuple[str, str], str], expected: str) -> None:
    """Below one that is deactivated everything is; below one that is left out, nothing is required."""
    assert state_below(BELOW, PARENTS, lambda each: states.get(each, ACTIVE)) == expected


def test_a_record_at_the_top_is_required_by_itself() -> None:
    """It has nothing above it."""
    assert state_below(CUSTOMER, PARENTS, lambda _: INACTIVE) == ACTIVE


def test_nothing_is_required_in_a_ring() -> None:
    """A project may be above itself in NetSuite after two moves."""
    circle = {PROJECT: BELOW, BELOW: PROJECT}

    assert state_below(PROJECT, circle, lambda _: ACTIVE) == OPEN
