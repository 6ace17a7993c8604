"""Parents and levels of a workflow's records, and the records that have no valid place."""

from typing import Any

import polars as pl

from assets.delivery.mart.hierarchy import CYCLE
from tests.assets.delivery.builders import customer, customers, mart_of, option_tree, project, projects
from tests.assets.delivery.mart.test_transform import outcomes


def chain(length: int, **first: Any) -> pl.DataFrame:
    """Return projects 1 … length, each the parent of the next."""
    rows = [project(str(i), customer_id=None, parent_project_id=str(i - 1)) for i in range(2, length + 1)]
    return projects(project("1", customer_id=None, **first), *rows)


def test_the_first_parent_that_is_not_null_counts() -> None:
    """A sub-project is below its project, a project below its customer."""
    rows = [project("100"), project("101", parent_project_id="100")]

    mart = mart_of(option_tree(), customers=customers(customer()), projects=projects(*rows))

    placed = mart.select("source_id", "parent_source", "parent_source_id", "level").rows()
    assert placed == [("1", None, None, 1), ("100", "customers", "1", 2), ("101", "projects", "100", 3)]


def test_a_record_without_its_required_parent_is_quarantined() -> None:
    """It would be created on the first level, among the customers."""
    mart = mart_of(option_tree(), customers=customers(), projects=projects(project(customer_id=None)))

    assert outcomes(mart) == [("quarantine", "no_parent")]


def test_levels_of_a_deep_chain_are_counted_to_its_end() -> None:
    """Parents are sent level by level, so a level that is capped would never be sent."""
    mart = mart_of(option_tree(parent_required=None), customers=customers(), projects=chain(100))

    assert mart["level"].to_list() == list(range(1, 101))


def test_records_deeper_than_the_targets_maximum_are_quarantined() -> None:
    """The target would reject them, or worse, move them up."""
    mart = mart_of(option_tree(max_level=3), customers=customers(), projects=chain(4, parent_project_id="0"))

    assert outcomes(mart)[-2:] == [("quarantine", "too_deep")] * 2
    assert mart["reason"][-1] == "level 5 is deeper than the target's maximum of 3"


def test_a_cycle_of_parents_is_quarantined() -> None:
    """Records in a cycle, and those below it, have no level; others do."""
    rows = [
        project("1", parent_project_id="2"),
        project("2", parent_project_id="1"),
        project("3", parent_project_id="2"),
        project("4", parent_project_id="4"),
        project("5"),
    ]

    mart = mart_of(option_tree(), customers=customers(customer()), projects=projects(*rows))

    assert mart["level"].to_list() == [1, CYCLE, CYCLE, CYCLE, CYCLE, 2]
    assert outcomes(mart) == [("deliver", None), *[("quarantine", "parent_ring")] * 4, ("deliver", None)]
    assert mart["reason"][1] == "cycle in the parent hierarchy"
