"""Nothing is required of a record below one that is not required, whatever the workflow file selects."""

import duckdb
import pytest

from orchestration.certificate_check.expected import Rules
from orchestration.certificate_check.parents import has_active_line, parents_of

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
    ("active", "expected"),
    [({CUSTOMER, PROJECT}, True), ({PROJECT}, False), ({CUSTOMER}, False), (set(), False)],
)
def test_every_record_above_must_be_active(active: set[tuple[str, str]], expected: object) -> None:
    """Also the one above its parent."""
    assert has_active_line(BELOW, PARENTS, active.__contains__) is expected


def test_a_record_at_the_top_needs_none() -> None:
    """It has nothing above it."""
    assert has_active_line(CUSTOMER, PARENTS, lambda _: False)


def test_a_circle_has_no_active_line() -> None:
    """A project may be above itself in NetSuite after two moves."""
    circle = {PROJECT: BELOW, BELOW: PROJECT}

    assert not has_active_line(PROJECT, circle, lambda _: True)
