"""How much one run may change before a person is asked."""

import polars as pl
import pytest

from assets.delivery.guard import check
from assets.delivery.spec import Guards, Limit
from tests.assets.delivery.builders import customer
from tests.assets.delivery.flow import Flow


def plan(**counts: int) -> pl.DataFrame:
    """A plan with so many rows of each action."""
    writing = {"create", "update", "deactivate", "adopt", "reactivate"}
    rows = [(action, "{}" if action in writing else None, []) for action, count in counts.items() for _ in range(count)]
    change = pl.Struct({"field": pl.String, "before": pl.String, "after": pl.String})
    schema = {"action": pl.String, "payload": pl.String, "changes": pl.List(change)}
    return pl.DataFrame(rows, schema=schema, orient="row")


@pytest.mark.parametrize(
    ("off", "ours", "tripped"),
    [(50, 100, False), (51, 100, True), (51, 2000, False), (100, 2000, False), (101, 2000, True), (0, 0, False)],
)
def test_both_numbers_must_be_passed(off: int, ours: int, tripped: bool) -> None:  # noqa: FBT001
    """Five percent of a small target is nothing, fifty rows of a large one neither."""
    found = check(Guards(deactivate=Limit(percent=5, rows=50)), plan(deactivate=off, unchanged=9), ours=ours)

    assert bool(found) == tripped


def test_the_reason_says_what_to_do() -> None:
    """Who is asked must be able to answer."""
    (found,) = check(Guards(deactivate=Limit(percent=5, rows=1)), plan(deactivate=3), ours=40)

    assert (found.guard, found.rows, found.allowed) == ("deactivate", 3, 2)
    assert found.reason == (
        "3 records would be deactivated; allowed are 2 (1 rows or 5 % of 40). If that is"
        " meant, release the plan, or raise guards.deactivate in the workflow file and run again."
    )


def test_every_kind_of_write_has_its_limit() -> None:
    """A wrong mapping updates everything, a wrong filter creates everything."""
    none = Limit(percent=0, rows=0)
    guards = Guards(deactivate=none, update=none, create=none)

    found = check(guards, plan(create=1, update=1, deactivate=1, adopt=1, unchanged=1), ours=10)

    assert sorted(each.guard for each in found) == ["create", "deactivate", "update"]


def test_the_defaults_let_a_first_load_pass() -> None:
    """An empty target is filled without asking."""
    assert not check(Guards(), plan(create=5000), ours=0)


def test_a_source_that_lost_everything_trips_the_guard(precoro: Flow) -> None:
    """An extraction that brought nothing looks like a NetSuite without customers; the links know better."""
    precoro.stage(customer("1")).run()

    planned = precoro.stage().plan("emptied")

    assert [each.guard for each in planned.tripped] == ["empty_source"]
    assert "the target has 1 of ours" in planned.tripped[0].reason


def test_an_empty_source_before_the_first_load_is_no_alarm(precoro: Flow) -> None:
    """Nothing is there, nothing can be lost; records of others do not count."""
    assert precoro.stage().plan("first").tripped == []
