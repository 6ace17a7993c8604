"""Patterns in many records name their evidence; unrelated differences have none."""

import random
from datetime import datetime, timedelta

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.delivery.schemas import SourceKey
from assets.delivery.shadow.causes import explain
from assets.delivery.shadow.earlier import Earlier
from assets.delivery.shadow.evidence import Cause, damage, is_cut, restyled
from assets.delivery.shadow.facts import Difference, Setting, caught_up, span
from assets.delivery.shadow.patterns import field_pattern, selection_pattern
from resources.warehouse.tables import replace_table

TABLE = "stg_netsuite__customers"
NOW = datetime(2026, 11, 20, 6)  # noqa: DTZ001 - the warehouse's timestamps are naive UTC
Pair = tuple[str | None, str | None]


def staged(rows: int, **columns: list[str | None]) -> duckdb.DuckDBPyConnection:
    """Return a warehouse with so many customers."""
    con = duckdb.connect()
    frame = pl.DataFrame(
        {"customer_id": [str(each) for each in range(rows)], **columns},
        schema={"customer_id": pl.String, **dict.fromkeys(columns, pl.String)},
    )
    replace_table(con, TABLE, frame)
    return con


def pairs(*values: Pair) -> pl.DataFrame:
    """Return the values of a field, by customer."""
    rows = [(str(place), *pair) for place, pair in enumerate(values)]
    return pl.DataFrame(rows, schema=dict.fromkeys(["source_id", "wanted", "found"], pl.String), orient="row")


def kind(*values: Pair, **columns: list[str | None]) -> tuple[str, int] | None:
    """Return the kind of the pattern of a field, and how many records it explains."""
    with staged(len(values), **columns) as con:
        found = field_pattern(con, TABLE, "customers", "addr_state", pairs(*values))
    return (found.cause.kind, len(found.ids)) if found else None


def alike(count: int) -> list[Pair]:
    """Return values that are alike, each another one."""
    return [(f"v{each}", f"v{each}") for each in range(count)]


def test_another_column_explains_what_it_fits() -> None:
    """The records that are alike must have it as well; records that it does not fit are not explained."""
    values: list[Pair] = [*alike(20), ("a", "x"), ("b", "y"), ("c", "unrelated")]
    shipping = [found for _, found in values[:-1]]
    assert kind(*values, shipping=[*shipping, "z"], other=["o"] * 23) == ("other_column", 2)
    blank: list[Pair] = [*values, ("d", None)]
    assert kind(*blank, shipping=[*shipping, "z", None]) == ("other_column", 3)
    only_blank: list[Pair] = [*alike(20), ("a", None), ("b", None)]
    assert kind(*only_blank, shipping=[found for _, found in only_blank]) is None
    same: list[Pair] = [("1", "1")] * 4 + [("2", "1")] * 3
    assert kind(*same, status=["1"] * 7) != ("other_column", 3)  # every record has it, whatever the connector does
    contradicted = ["other"] * 20 + ["x", "y", "z"]
    assert kind(*values, shipping=contradicted) is None


def test_one_record_shows_no_pattern() -> None:
    """It may be anything."""
    values: list[Pair] = [*alike(20), ("a", "x")]
    assert kind(*values, shipping=[found for _, found in values]) is None


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([(f"v{each}", None) for each in range(6)], ("not_filled", 6)),
        ([(None, f"v{each}") for each in range(6)], ("ours_blank", 6)),
        ([(f"v{each}", "same") for each in range(6)], ("constant", 6)),
        ([("same", f"v{each}") for each in range(6)], ("ours_constant", 6)),
        ([(f"Name {each}", f"NAME {each}") for each in range(6)], ("style", 6)),
        ([("DE", "Germany"), ("SE", "Sweden"), ("FR", "FR")] * 4, ("value_list", 8)),
        ([(f"a{each}", f"b{each * 7}") for each in range(12)], ("throughout", 12)),
        ([*alike(10), ("a", None), ("b", "c")], None),
        ([(f"v{each}", None) for each in range(3)], None),
    ],
)
def test_a_row_that_differs_as_a_whole_is_recognized(values: list[Pair], expected: tuple[str, int] | None) -> None:
    """By what the values of all records have in common."""
    assert kind(*values) == expected


@given(seed=st.integers(0, 10_000), differing=st.integers(2, 8))
@settings(max_examples=10)
def test_unrelated_edits_are_not_explained(seed: int, differing: int) -> None:
    """Values that people typed follow no column, list or style."""
    words = random.Random(seed)
    values: list[Pair] = [*alike(30), *((f"w{each}", f"{words.getrandbits(60):x}") for each in range(differing))]
    columns = {f"c{each}": [f"{words.getrandbits(60):x}" for _ in values] for each in range(3)}
    assert kind(*values, **columns) is None  # type: ignore[arg-type]


def selected(rows: list[tuple[str | None, bool]], first: list[str]) -> set[str]:
    """Return the ids that a column sets apart, of records with a stage that the target has or lacks."""
    with staged(len(rows), stage=[stage for stage, _ in rows], category=["1"] * len(rows)) as con:
        states = pl.DataFrame(
            [(str(place), there) for place, (_, there) in enumerate(rows)],
            schema={"source_id": pl.String, "is_there": pl.Boolean}, orient="row",
        )  # fmt: skip
        return set(selection_pattern(con, TABLE, "customers", states, first))


def test_a_kind_of_record_that_is_never_brought_is_a_filter() -> None:
    """None of the kind is there; a kind of which one is there, or of one record alone, shows nothing."""
    others = [("customer", True)] * 10
    assert selected([*others, ("prospect", False), ("prospect", False)], ["stage"]) == {"10", "11"}
    assert selected([*others, ("prospect", False), ("prospect", True)], ["stage"]) == set()
    assert selected([*others, ("prospect", False), ("lead", False)], ["stage"]) == set()
    assert selected([*others, ("prospect", False), ("prospect", False)], []) == set()  # two may be chance
    assert selected([*others, *[("prospect", False)] * 3], []) == {"10", "11", "12"}
    half = [("customer", bool(each % 2)) for each in range(8)]
    assert selected([*half, *[("prospect", False)] * 4], []) == set()  # half of the others are missing as well
    assert selected([*half, *[("prospect", False)] * 4], ["stage"]) == set()


@given(st.text(min_size=1))
def test_damage_is_no_other_text(value: str) -> None:
    """Equal and blank values are not damaged; what was read in another encoding is."""
    assert damage(value, value) is None
    assert damage(value, None) is None
    assert damage(None, value) is None
    misread = value.encode("utf-8", "surrogatepass").decode("latin-1")
    found = damage(value, misread) if misread != value else None
    assert found is None or found.cause == "incumbent_error"


@pytest.mark.parametrize(
    ("wanted", "found", "expected"),
    [
        ("Åkerström", "Ã\u0085kerstrÃ¶m", "wrong_encoding"),
        ("Åkerström", "?kerstr?m", "lost_letters"),
        ("Åkerström", "kerstrm", "lost_letters"),
        ("Åkerström", "Akerstrom", "lost_accents"),
        ("A & B", "A &amp; B", "escaped"),
        ("A & B", "A &amp;amp; B", "escaped"),
        ("O'Brien", "O&apos;Brien", "escaped"),
    ],
)
def test_each_kind_of_damage_is_named(wanted: str, found: str, expected: str) -> None:
    """The evidence is in the two values."""
    cause = damage(wanted, found)
    assert cause is not None
    assert cause.kind == expected
    assert wanted not in cause.evidence


def test_a_beginning_and_a_style_are_recognized() -> None:
    """Of the value that we would write."""
    assert is_cut("Company Name", "Company")
    assert not is_cut("Company", "Company Name")
    assert not is_cut(None, "x")
    assert restyled("Name", "NAME") == ["upper"]
    assert restyled(None, None) == []


def cause_of(each: Difference, setting: Setting, *earlier: Earlier) -> Cause:
    """Return the cause of one difference."""
    with staged(3) as con:
        (found,) = explain(
            con, [each], {each.key: list(earlier)}, setting, lambda *_: pairs(("a", "a"), ("b", "c")),
            lambda _: pl.DataFrame(schema={"source_id": pl.String, "is_there": pl.Boolean, "created_at": pl.Datetime}),
        )  # fmt: skip
    return found


@pytest.mark.parametrize(
    ("hours", "interval_h", "declared", "arrived_h", "expected"),
    [
        (2, 4, False, None, ("timing", "young")),
        (6, 4, True, None, ("incumbent_error", "stale")),
        (6, 4, False, 5, ("incumbent_error", "stale")),  # a change after that time has arrived
        (6, 4, False, 7, ("unknown", "timing_unproven")),
        (6, 4, False, None, ("unknown", "timing_unproven")),
        (2, None, False, None, ("unknown", "timing_unproven")),
        (400, None, False, None, ("unknown", "timing_unproven")),
    ],
)
def test_time_explains_what_is_young_and_what_later_changes_have_overtaken(
    hours: int, interval_h: int | None, *, declared: bool, arrived_h: int | None, expected: tuple[str, str]
) -> None:
    """An observed interval shows nothing of what is older: a slower run may still come."""
    changed = NOW - timedelta(hours=hours)
    before = Earlier({"addr_city": "old"}, is_selected=True, changed_at=changed)
    each = Difference(SourceKey("customers", "1"), "900", "addr_city", "new", "old", modified_at=NOW)
    arrived = NOW - timedelta(hours=arrived_h) if arrived_h else None
    interval_s = interval_h and interval_h * 3600.0
    setting = Setting(NOW, interval_s, declared, arrived, tables={"customers": TABLE})
    found = cause_of(each, setting, before)
    assert (found.cause, found.kind) == expected
    assert found.changed_at == changed
    other = Earlier({"addr_city": "something else"}, is_selected=True, changed_at=changed)
    assert cause_of(each, setting, other).kind == "unknown"


def test_an_edit_is_claimed_only_if_it_was_seen_to_happen() -> None:
    """A difference that was there in the first comparison may have any cause."""
    key, setting = SourceKey("customers", "1"), Setting(NOW, 3600.0, tables={"customers": TABLE})
    unseen = Difference(key, "900", "company", "Ours", "Theirs")
    seen = Difference(key, "900", "company", "Ours", "Theirs", was_alike=True)
    later = Difference(
        key, "900", "company", "Ours", "Theirs", known=Cause("edited", "changed_in_target", "seen before")
    )
    assert [cause_of(each, setting).cause for each in (unseen, seen, later)] == ["unknown", "edited", "edited"]


def test_a_value_that_went_back_has_two_possible_causes() -> None:
    """The connector may have written an old version, or a person may have: neither is claimed."""
    before = Earlier({"company": "Old"}, is_selected=True, changed_at=NOW - timedelta(days=2))
    each = Difference(SourceKey("customers", "1"), "900", "company", "New", "Old", was_alike=True)
    found = cause_of(each, Setting(NOW, 3600.0, tables={"customers": TABLE}), before)
    assert (found.cause, found.kind) == ("unknown", "went_back")


def test_a_mapping_that_changes_between_two_nights_is_no_edit_in_many_records() -> None:
    """Three records that take another column's value at once; with other values each is an edit."""

    def causes(*shipping: str) -> set[str]:
        values: list[Pair] = [*alike(12), ("a", "x"), ("b", "y"), ("c", "z")]
        found = [
            Difference(SourceKey("customers", str(place)), "t", "addr_state", *values[place], was_alike=True)
            for place in (12, 13, 14)
        ]
        with staged(15, shipping=[*(each for each, _ in alike(12)), *shipping]) as con:
            made = explain(
                con, found, {}, Setting(NOW, None, tables={"customers": TABLE}), lambda *_: pairs(*values),
                lambda _: pl.DataFrame(),
            )  # fmt: skip
        return {each.cause for each in made}

    assert causes("x", "y", "z") == {"mapping_row"}
    assert causes("k", "l", "m") == {"edited"}


def test_the_interval_is_the_longest_time_that_was_seen() -> None:
    """A clock that was set back shows nothing."""
    at = NOW - timedelta(hours=3)
    assert caught_up([at, NOW + timedelta(hours=1)], NOW, 60.0) == 3 * 3600
    assert caught_up([], NOW, None) is None
    assert caught_up([at], None, 60.0) == 60.0
    assert [span(each) for each in (60, 5400, 3 * 86_400)] == ["1 min", "1.5 h", "3 days"]
