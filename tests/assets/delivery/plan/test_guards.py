"""Guards limit how much one run may change without approval."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.delivery.errors import SyncError
from assets.delivery.plan.guards import Tripped, check
from assets.delivery.schemas import PARENT
from assets.delivery.spec.policies import Guards, Limit
from resources.sandbox.sandbox import Sandbox
from tests.assets.delivery.builders import OPTION_ROWS, customer, one_source, option_tree, project, suite_customers
from tests.assets.delivery.run_workflow import WorkflowRunner


def plan(**counts: int) -> pl.DataFrame:
    """Return a plan with so many rows of each action."""
    writing = {"create", "update", "deactivate", "adopt", "reactivate"}
    rows = [
        (action, "{}" if action in writing else None, [], None)
        for action, count in counts.items()
        for _ in range(count)
    ]
    change = pl.Struct({"field": pl.String, "before": pl.String, "after": pl.String})
    schema = {"action": pl.String, "payload": pl.String, "changes": pl.List(change), "matched_by": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row")


def tripped_by(guards: Guards, rows: pl.DataFrame, *, ours: int, key_field: str = "") -> list[Tripped]:
    """Return the limits that a plan of these rows exceeds."""
    return check(guards, rows, ours=ours, records=max(rows.height, 1), key_field=key_field)


def test_a_limit_is_written_as_people_read_numbers() -> None:
    """As on every page."""
    limit = Limit(percent=5, rows=2000)

    assert limit.describe(27_440) == "5 % of 27,440, at least 5, at most 2,000"


@pytest.mark.parametrize(
    ("deactivated", "ours", "tripped"),
    [
        (5, 30, False), (6, 30, True), (18, 30, True), (31, 160, True), (8, 160, False), (9, 160, True),
        (50, 2000, False), (51, 2000, True), (0, 0, False), (6, 0, True),
    ],
)  # fmt: skip
def test_rows_and_percent_each_limit_a_run_above_the_floor(deactivated: int, ours: int, tripped: bool) -> None:  # noqa: FBT001
    """Fifty rows protect a large target, five percent a small one; a few records are always allowed."""
    found = tripped_by(
        Guards(deactivate=Limit(percent=5, rows=50, floor=5)), plan(deactivate=deactivated, unchanged=9), ours=ours
    )

    assert bool(found) == tripped


LIMITED = {
    "deactivate": lambda rows: plan(deactivate=rows),
    "reactivate": lambda rows: plan(reactivate=rows),
    "clear_values": lambda rows: changing(("notes", "text", None), rows=rows),
    "key_change": lambda rows: changing(("externalid", "1", "2"), rows=rows),
    "reparent": lambda rows: changing((PARENT, "901", "902"), rows=rows),
}


@pytest.mark.parametrize("guard", LIMITED)
@given(ours=st.integers(1, 100_000), share=st.floats(0, 1), data=st.data())
def test_by_default_no_size_of_target_loses_more_than_a_share(
    guard: str, ours: int, share: float, data: st.DataObject
) -> None:
    """The limits hold for thirty records as for a hundred thousand."""
    limit: Limit = getattr(Guards(), guard)
    assert limit.percent is not None
    assert limit.rows is not None
    assert limit.percent <= 20
    assert limit.floor <= 5
    edge = max(limit.floor, ours * limit.percent / 100)
    rows = min(data.draw(st.sampled_from([round(ours * share), int(edge), int(edge) + 1, limit.rows, 1])), 300)

    found = tripped_by(Guards(), LIMITED[guard](rows), ours=ours, key_field="externalid")

    found = [each for each in found if each.guard != "emptied_field"]
    exceeded = rows > limit.rows or (rows > limit.floor and rows * 100 > limit.percent * ours)
    assert [each.guard for each in found] == ([guard] if exceeded else [])


def test_a_limit_of_rows_holds_below_the_floor() -> None:
    """A person who writes `rows: 0` wants to see each one."""
    guards = Guards(deactivate=Limit(percent=5, rows=0, floor=5))

    assert tripped_by(guards, plan(deactivate=1), ours=1000)[0].allowed == 0


def test_records_of_others_that_are_adopted_count_as_ours() -> None:
    """The first run into a filled target clears a few values of many records."""
    rows = pl.concat([plan(adopt=1000), changing(("notes", "text", None), rows=8)])

    guards = Guards(emptied_field=Limit())
    assert not tripped_by(guards, rows, ours=0)
    assert tripped_by(guards, changing(("notes", "text", None), rows=8), ours=0)


def test_the_reason_explains_what_to_do() -> None:
    """The person who decides needs the numbers and the options."""
    (found,) = tripped_by(Guards(deactivate=Limit(percent=5, rows=9, floor=1)), plan(deactivate=3), ours=40)

    assert (found.guard, found.rows, found.allowed) == ("deactivate", 3, 2)
    assert found.reason == (
        "3 records would be deactivated; the limit is 2 (5 % of 40, at least 1, at most 9). If this is intended,"
        " apply the plan, or raise guards.deactivate in the workflow file and run again"
    )


def test_counts_in_a_reason_read_like_those_of_the_run() -> None:
    """The summary above it says `1,527 deactivate`."""
    none = Limit(percent=0, rows=0)
    guards = Guards(deactivate=none, create=none)
    rows = pl.concat([plan(deactivate=1527, create=1), changing(("notes", "text", None), rows=1200)])

    found = {each.guard: each.reason.partition(";")[0] for each in tripped_by(guards, rows, ours=3000)}
    (shrunk,) = check(Guards(), plan(unchanged=1), ours=3000, records=1200, size_before=5000)

    assert found["deactivate"] == "1,527 records would be deactivated"
    assert found["create"] == "1 record would be created"
    assert found["emptied_field"] == "the field `notes` would lose 1,200 of 1,200 values"
    assert shrunk.reason == "the source has 1,200 records, down from 5,000 in the last run"


def test_each_kind_of_write_has_a_limit() -> None:
    """A wrong mapping updates everything, a wrong filter creates everything."""
    none = Limit(percent=0, rows=0)
    guards = Guards(deactivate=none, reactivate=none, update=none, create=none)

    found = tripped_by(guards, plan(create=1, update=1, deactivate=1, reactivate=1, adopt=1, unchanged=1), ours=10)

    assert sorted(each.guard for each in found) == ["create", "deactivate", "reactivate", "update"]


def test_the_default_limits_allow_an_initial_load() -> None:
    """Filling an empty target needs no approval."""
    assert not tripped_by(Guards(), plan(create=5000), ours=0)


def test_an_empty_source_trips_the_guard(precoro: WorkflowRunner) -> None:
    """A failed extraction looks like a NetSuite without customers; the links show that there were some."""
    precoro.stage(customer("1")).run()

    planned = precoro.stage().plan("emptied")

    assert [each.guard for each in planned.tripped] == ["empty_source"]
    assert "the target has 1 of ours" in planned.tripped[0].reason


def test_an_empty_source_before_the_first_load_trips_no_guard(precoro: WorkflowRunner) -> None:
    """There is nothing to lose; records of others do not count."""
    assert precoro.stage().plan("first").tripped == []


def changing(*changes: tuple[str, str | None, str | None], rows: int = 1, payload: str | None = "{}") -> pl.DataFrame:
    """Return a plan of updates with these changes each."""
    struct = [dict(zip(("field", "before", "after"), change, strict=True)) for change in changes]
    return plan(update=0).vstack(
        pl.DataFrame([("update", payload, struct, None)] * rows, schema=plan().schema, orient="row")
    )


@pytest.mark.parametrize(
    ("change", "guard"),
    [
        (("notes", "text", None), "clear_values"),
        (("notes", None, "text"), None),
        (("notes", "text", "other"), None),
        (("externalid", "1", "2"), "key_change"),
        (("externalid", None, "2"), None),
        (("externalid", "1", None), "clear_values"),
        ((PARENT, "901", "902"), "reparent"),
        ((PARENT, "901", None), "reparent"),
        ((PARENT, None, "902"), None),
    ],
)
def test_cleared_values_replaced_keys_and_moves_have_limits(
    change: tuple[str, str | None, str | None], guard: str | None
) -> None:
    """A broken mapping clears a field of every record, and each of these is only an update."""
    none = Limit(percent=0, rows=0)
    strict = Guards(clear_values=none, key_change=none, reparent=none)

    found = [each.guard for each in tripped_by(strict, changing(change), ours=100, key_field="externalid")]

    assert guard in found if guard else found == []


def test_a_record_with_several_cleared_fields_counts_once() -> None:
    """The limit counts records that are written."""
    guards = Guards(clear_values=Limit(percent=0, rows=2))
    lost = (("notes", "a", None), ("phone", "b", None))

    assert not tripped_by(guards, changing(*lost, rows=2), ours=0)
    assert tripped_by(guards, changing(*lost, rows=3), ours=0)[0].rows == 3
    assert not tripped_by(guards, changing(*lost, rows=9, payload=None), ours=0)


def test_cleared_values_stop_a_run(precoro: WorkflowRunner, sandbox: Sandbox) -> None:
    """NetSuite's role lost a permission, so every number comes back blank."""
    code = {"field": "code", "from": "entity_number"}
    precoro.spec = one_source(fields=[*OPTION_ROWS, code], guards={"clear_values": {"percent": 0, "rows": 1}})
    precoro.stage(customer("1"), customer("2")).run()
    before = sandbox.precoro.options()

    planned = precoro.stage(customer("1", entity_number=None), customer("2", entity_number=None)).plan("emptied")

    assert [each.guard for each in planned.tripped] == ["clear_values"]
    with pytest.raises(SyncError, match="2 records would lose the value of a field"):
        precoro.send("emptied")
    assert sandbox.precoro.options() == before


WITH_CODE = [*OPTION_ROWS, {"field": "code", "from": "entity_number"}]
# limits that clearing the code of a few records does not reach
GENEROUS = {"clear_values": {"percent": 100, "rows": 1000}, "update": {"rows": 1000}}


@pytest.mark.long
@pytest.mark.parametrize(
    ("lost", "blank_before", "tripped"),
    [(3, 0, []), (3, 27, ["emptied_field"]), (2, 28, []), (23, 0, ["emptied_field"]), (22, 0, [])],
)
def test_a_field_that_empties_as_a_whole_stops_a_run(
    precoro: WorkflowRunner, lost: int, blank_before: int, tripped: list[str]
) -> None:
    """NetSuite's role lost the permission to one field; few records or many, its values do not come back.

    Three of thirty values are everyday work; the only three of an account are all that it has.
    """
    precoro.spec = one_source(fields=WITH_CODE, guards=GENEROUS)

    def numbered(key: int, blanks: int) -> dict[str, object]:
        return customer(str(key), entity_number=None if key < blanks else f"C{key}")

    precoro.stage(*(numbered(key, blank_before) for key in range(30))).run()

    planned = precoro.stage(*(numbered(key, blank_before + lost) for key in range(30))).plan("emptied")

    assert [each.guard for each in planned.tripped] == tripped
    assert not tripped or f"`code` would lose {lost} of {30 - blank_before} values" in planned.tripped[0].reason


@pytest.mark.long
@pytest.mark.parametrize(
    ("lost", "values", "tripped"),
    [(30, 30, ["emptied_field"]), (23, 30, ["emptied_field"]), (22, 30, []), (3, 3, ["emptied_field"]), (30, 2, [])],
)
def test_a_field_that_gets_one_value_everywhere_stops_a_run(
    precoro: WorkflowRunner, lost: int, values: int, tripped: list[str]
) -> None:
    """A placeholder for what the role may not see, or a lookup that gives one answer, loses as much as a blank.

    A field of two values is a type or a switch, which a decision may well set everywhere.
    """
    precoro.spec = one_source(fields=WITH_CODE, guards=GENEROUS)
    size = max(lost, min(values, 30))
    before = [customer(str(key), entity_number=f"C{key % values}") for key in range(size)]
    precoro.stage(*before).run()

    after = [customer(str(key), entity_number="-" if key < lost else f"C{key % values}") for key in range(size)]
    planned = precoro.stage(*after).plan("constant")

    assert [each.guard for each in planned.tripped] == tripped
    assert not tripped or "values to one and the same" in planned.tripped[0].reason


LOST = {
    "from": ({"from": "email"}, {"email": None}),
    "custom": ({"from": "custentity_export"}, {"custentity_export": None}),
    "sql": ({"sql": "upper(alt_name)"}, {"alt_name": None}),
    "values": (
        {"from": "subsidiary_id", "values": {str(key): f"S{key}" for key in range(30)}, "on_unmapped": "blank"},
        {"subsidiary_id": None},
    ),
}


@pytest.mark.long
@pytest.mark.parametrize("row", LOST)
@pytest.mark.parametrize("share", ["all", "half"])
def test_a_column_that_is_no_longer_shown_stops_a_run_of_thirty_records(
    precoro: WorkflowRunner, row: str, share: str
) -> None:
    """By default, however it is mapped, and also if it empties in one subsidiary only."""
    mapped, blank = LOST[row]
    precoro.spec = one_source(fields=[*OPTION_ROWS, {"field": "code", **mapped}])

    def given(key: int, **changes: object) -> dict[str, object]:
        names = {"email": f"{key}@x.example", "custentity_export": f"E{key}", "alt_name": f"N{key}"}
        return customer(str(key), **({**names, "subsidiary_id": str(key)} | changes))

    precoro.stage(*(given(key) for key in range(30))).run()
    hidden = range(0, 30, 1 if share == "all" else 2)

    planned = precoro.stage(*(given(key, **(blank if key in hidden else {})) for key in range(30))).plan("lost")

    tripped = {each.guard for each in planned.tripped}
    assert tripped == ({"clear_values", "emptied_field"} if share == "all" else {"clear_values"})


def test_moved_records_stop_a_run(precoro: WorkflowRunner) -> None:
    """A broken join puts every project under one customer."""
    precoro.spec = option_tree(guards={"reparent": {"percent": 0, "rows": 0}})
    precoro.stage(customer("1"), customer("2"), below=(project("100"),)).run()

    planned = precoro.stage(customer("1"), customer("2"), below=(project("100", customer_id="2"),)).plan("moved")

    assert [each.guard for each in planned.tripped] == ["reparent"]


def customers(count: int) -> list[dict[str, object]]:
    """Return so many customers."""
    return [customer(str(number)) for number in range(1, count + 1)]


def test_a_source_that_lost_half_of_its_records_stops_a_run(suiteprojects: WorkflowRunner, sandbox: Sandbox) -> None:
    """Half of a table looks like a complete one."""
    suiteprojects.spec = suite_customers()
    suiteprojects.stage(*customers(40)).run()
    before = sandbox.suiteprojects.rows("Customer")

    planned = suiteprojects.stage(*customers(19)).plan("halved")

    assert [each.guard for each in planned.tripped] == ["source_shrunk"]
    assert planned.tripped[0].reason == "the source has 19 records, down from 40 in the last run"
    with pytest.raises(SyncError, match="waits for approval"):
        suiteprojects.send("halved")
    assert sandbox.suiteprojects.rows("Customer") == before


@pytest.mark.long
def test_losing_exactly_half_or_a_few_records_is_allowed(suiteprojects: WorkflowRunner) -> None:
    """Three of five customers may well be deleted, but not ten of twelve."""
    suiteprojects.spec = suite_customers()
    suiteprojects.stage(*customers(40)).run()
    assert suiteprojects.stage(*customers(20)).plan("half").tripped == []

    suiteprojects.name = "small"
    suiteprojects.stage(*customers(5)).run()
    assert suiteprojects.stage(*customers(2)).plan("few").tripped == []

    suiteprojects.name = "twelve"
    suiteprojects.stage(*customers(12)).run()
    assert [each.guard for each in suiteprojects.stage(*customers(2)).plan("lost").tripped] == ["source_shrunk"]


@pytest.mark.long
def test_an_applied_plan_sets_the_new_size(suiteprojects: WorkflowRunner) -> None:
    """Asking again would teach people to approve without reading."""
    suiteprojects.spec = suite_customers()
    suiteprojects.stage(*customers(40)).run()
    planned = suiteprojects.stage(*customers(19)).plan("halved")
    suiteprojects.apply(planned.plan_id, "applied")

    assert suiteprojects.plan("next").tripped == []


@pytest.mark.long
def test_an_undo_does_not_change_the_size(suiteprojects: WorkflowRunner) -> None:
    """Its plan has few rows, but the source is as large as before."""
    suiteprojects.spec = suite_customers()
    suiteprojects.stage(*customers(40)).run()
    suiteprojects.apply(suiteprojects.undo("run 0", "1").plan_id, "undone")

    planned = suiteprojects.stage(*customers(19)).plan("halved")

    assert [each.guard for each in planned.tripped] == ["source_shrunk"]
