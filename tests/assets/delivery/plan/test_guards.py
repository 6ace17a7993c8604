"""How much one run may change before a person is asked."""

import polars as pl
import pytest

from assets.delivery.ledger.plans import SyncError
from assets.delivery.plan.guards import check
from assets.delivery.schemas import PARENT
from assets.delivery.spec.policies import Guards, Limit
from resources.sandbox.sandbox import Sandbox
from tests.assets.delivery.builders import OPTION_ROWS, customer, one_source, option_tree, project, suite_customers
from tests.assets.delivery.run_workflow import Flow


def plan(**counts: int) -> pl.DataFrame:
    """A plan with so many rows of each action."""
    writing = {"create", "update", "deactivate", "adopt", "reactivate"}
    rows = [
        (action, "{}" if action in writing else None, [], None)
        for action, count in counts.items()
        for _ in range(count)
    ]
    change = pl.Struct({"field": pl.String, "before": pl.String, "after": pl.String})
    schema = {"action": pl.String, "payload": pl.String, "changes": pl.List(change), "matched_by": pl.String}
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


def changing(*changes: tuple[str, str | None, str | None], rows: int = 1, payload: str | None = "{}") -> pl.DataFrame:
    """A plan of updates with these changes each."""
    struct = [dict(zip(("field", "before", "after"), change, strict=True)) for change in changes]
    return plan(update=0).vstack(
        pl.DataFrame([("update", payload, struct, None)] * rows, schema=plan().schema, orient="row")
    )


@pytest.mark.parametrize(
    ("change", "guard"),
    [
        (("notes", "text", None), "blank"),
        (("notes", None, "text"), None),
        (("notes", "text", "other"), None),
        (("externalid", "1", "2"), "rekey"),
        (("externalid", None, "2"), None),
        (("externalid", "1", None), "blank"),
        ((PARENT, "901", "902"), "reparent"),
        ((PARENT, "901", None), "reparent"),
        ((PARENT, None, "902"), None),
    ],
)
def test_what_is_lost_replaced_or_moved_has_its_limit(
    change: tuple[str, str | None, str | None], guard: str | None
) -> None:
    """A mapping that yields nothing empties a field of every record, and each is only an update."""
    none = Limit(percent=0, rows=0)
    strict = Guards(blank=none, rekey=none, reparent=none)

    found = [each.guard for each in check(strict, changing(change), ours=100, key_field="externalid")]

    assert guard in found if guard else found == []


def test_a_record_counts_once_however_many_fields_it_loses() -> None:
    """The limit is in records; what is not written loses nothing."""
    guards = Guards(blank=Limit(percent=0, rows=2))
    lost = (("notes", "a", None), ("phone", "b", None))

    assert not check(guards, changing(*lost, rows=2), ours=0)
    assert check(guards, changing(*lost, rows=3), ours=0)[0].rows == 3
    assert not check(guards, changing(*lost, rows=9, payload=None), ours=0)


def test_emptied_fields_stop_a_run(precoro: Flow, sandbox: Sandbox) -> None:
    """NetSuite's role lost a permission: every number comes back blank."""
    code = {"field": "code", "from": "entity_number"}
    precoro.spec = one_source(fields=[*OPTION_ROWS, code], guards={"blank": {"percent": 0, "rows": 1}})
    precoro.stage(customer("1"), customer("2")).run()
    before = sandbox.precoro.options()

    planned = precoro.stage(customer("1", entity_number=None), customer("2", entity_number=None)).plan("emptied")

    assert [each.guard for each in planned.tripped] == ["blank"]
    with pytest.raises(SyncError, match="2 records would lose the value of a field"):
        precoro.send("emptied")
    assert sandbox.precoro.options() == before


def test_moved_records_stop_a_run(precoro: Flow) -> None:
    """Everything under one customer: a join went wrong."""
    precoro.spec = option_tree(guards={"reparent": {"percent": 0, "rows": 0}})
    precoro.stage(customer("1"), customer("2"), below=(project("100"),)).run()

    planned = precoro.stage(customer("1"), customer("2"), below=(project("100", customer_id="2"),)).plan("moved")

    assert [each.guard for each in planned.tripped] == ["reparent"]


def crowd(count: int) -> list[dict[str, object]]:
    """So many customers."""
    return [customer(str(number)) for number in range(1, count + 1)]


def test_a_halved_source_stops(suiteprojects: Flow, sandbox: Sandbox) -> None:
    """Half of a reading is a whole table, to the eye."""
    suiteprojects.spec = suite_customers()
    suiteprojects.stage(*crowd(40)).run()
    before = sandbox.suiteprojects.rows("Customer")

    planned = suiteprojects.stage(*crowd(19)).plan("halved")

    assert [each.guard for each in planned.tripped] == ["halved_source"]
    assert planned.tripped[0].reason == "the source has 19 records, last time it had 40"
    with pytest.raises(SyncError, match="waits for a person"):
        suiteprojects.send("halved")
    assert sandbox.suiteprojects.rows("Customer") == before


def test_half_of_the_source_is_still_allowed_and_so_is_a_small_one(suiteprojects: Flow) -> None:
    """A limit is a limit; and of five customers three may well go."""
    suiteprojects.spec = suite_customers()
    suiteprojects.stage(*crowd(40)).run()
    assert suiteprojects.stage(*crowd(20)).plan("half").tripped == []

    suiteprojects.name = "small"
    suiteprojects.stage(*crowd(19)).run()
    assert suiteprojects.stage(*crowd(2)).plan("few").tripped == []


def test_a_released_halving_is_the_new_measure(suiteprojects: Flow) -> None:
    """Somebody said that it is meant; asking again would teach to say yes."""
    suiteprojects.spec = suite_customers()
    suiteprojects.stage(*crowd(40)).run()
    planned = suiteprojects.stage(*crowd(19)).plan("halved")
    suiteprojects.release(planned.plan_id, "released")

    assert suiteprojects.plan("next").tripped == []


def test_an_undo_does_not_blind_the_guard(suiteprojects: Flow) -> None:
    """Its plan has few rows; the source is as large as before."""
    suiteprojects.spec = suite_customers()
    suiteprojects.stage(*crowd(40)).run()
    suiteprojects.release(suiteprojects.undo("run 0", "1").plan_id, "undone")

    planned = suiteprojects.stage(*crowd(19)).plan("halved")

    assert [each.guard for each in planned.tripped] == ["halved_source"]
