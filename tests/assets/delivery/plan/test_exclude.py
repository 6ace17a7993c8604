"""Excluded records keep their row, send nothing and give the first reason."""

import polars as pl
import pytest

from assets.delivery.plan.exclude import Exclusion, exclude, exclude_all
from assets.delivery.plan.mode import Mode, mode_exclusions
from assets.delivery.schemas import KEY, LINK_SCHEMA
from tests.assets.delivery.builders import link

CHANGE = {"field": "name", "before": "Old", "after": "New"}
ROWS = [
    ("customers", "1", "create", "new", "not in the target yet", "{}", []),
    ("customers", "2", "update", "source_changed", "differs", "{}", [CHANGE]),
    ("customers", "3", "unchanged", "identical", "equal", None, []),
    ("customers", "4", "adopt", "matched", "by name", "{}", [CHANGE]),
]
CHANGES = pl.List(pl.Struct({"field": pl.String, "before": pl.String, "after": pl.String}))
SCHEMA = dict.fromkeys([*KEY, "action", "reason_code", "reason", "payload"], pl.String) | {"changes": CHANGES}
PLAN = pl.DataFrame(ROWS, schema=SCHEMA, orient="row")


def keys(*source_ids: str) -> pl.DataFrame:
    """Keys of customers."""
    return pl.DataFrame({"source": ["customers"] * len(source_ids), "source_id": source_ids})


def test_only_rows_that_write_are_excluded() -> None:
    """The order of the rows, and the rows of other records, stay."""
    plan = exclude(PLAN, keys("2", "3", "99"), "stale_target", "edited")

    assert plan["source_id"].to_list() == ["1", "2", "3", "4"]
    assert plan.row(1)[2:] == ("skipped", "stale_target", "edited", None, [])
    assert plan.row(2) == PLAN.row(2)


def test_the_reason_may_differ_by_record() -> None:
    """It is an expression over the columns beside the keys."""
    records = keys("1", "2").with_columns(fields=pl.Series(["name", "name, phone"]))

    plan = exclude(PLAN, records, "stale_target", pl.format("edited: {}", "fields"))

    assert plan["reason"].to_list()[:2] == ["edited: name", "edited: name, phone"]


def test_the_first_exclusion_gives_the_reason() -> None:
    """Exclusions are applied in order."""
    plan = exclude_all(PLAN, [Exclusion(keys("1"), "first", "1"), Exclusion(keys("1", "2"), "second", "2")])

    assert plan["reason_code"].to_list() == ["first", "second", "identical", "matched"]


def test_an_exclusion_of_reported_records_keeps_the_reason_of_an_earlier_one() -> None:
    """A change that an import leaves for the update is not said to be left for another workflow."""
    reported = PLAN.with_columns(action=pl.lit("quarantined"), payload=pl.lit(None, pl.String)).filter(source_id="4")
    plan = pl.concat([PLAN.filter(source_id="2"), reported])
    later = Exclusion(keys("2", "4"), "second", "2", reported=True)

    plan = exclude_all(plan, [Exclusion(keys("2", "4"), "first", "1"), later])

    assert plan["reason_code"].to_list() == ["first", "second"]


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (Mode.SYNC, ["not_picked", "source_changed", "identical", "matched"]),
        (Mode.IMPORT, ["not_picked", "left_for_update", "identical", "matched"]),
        (Mode.UPDATE, ["deleted_in_target", "source_changed", "identical", "not_imported"]),
    ],
)
def test_each_mode_excludes_what_it_may_not_do(mode: Mode, expected: list[str]) -> None:
    """Record 1 is not selected, and was imported before."""
    links = pl.DataFrame([link("1")], schema=LINK_SCHEMA)

    plan = exclude_all(PLAN, mode_exclusions(PLAN, mode, links, keys("1")))

    assert plan["reason_code"].to_list() == expected
