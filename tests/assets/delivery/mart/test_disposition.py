"""Records that left, are out of scope, or are invalid have a disposition and one reason."""

from typing import Any

import pytest

from tests.assets.delivery.builders import customer
from tests.assets.delivery.mart.test_transform import customer_mart, outcomes

SELECT = {
    "stages": {"customer": "include", "lead": "skip"},
    "subsidiary": 2,
    "require_flag": "custentity_export",
    "where": "email is null",
}
ALL_WRONG: dict[str, Any] = {
    "is_deleted": True,
    "is_inactive": True,
    "stage": "lead",
    "subsidiary_id": "1",
    "subsidiary_ids": ["1"],
    "custentity_export": "F",
    "email": "x",
    "company_name": None,
}


@pytest.mark.parametrize(
    ("corrected", "expected"),
    [
        ([], ("retire", "deleted")),
        (["is_deleted"], ("retire", "inactive")),
        (["is_inactive"], ("skip", "stage_lead")),
        (["stage"], ("skip", "out_of_subsidiary")),
        (["subsidiary_id"], ("skip", "flag_not_set")),
        (["custentity_export"], ("skip", "filtered_out")),
        (["email"], ("quarantine", "required_blank")),
        (["company_name"], ("deliver", None)),
    ],
)
def test_the_first_case_that_applies_decides(corrected: list[str], expected: tuple[str, str | None]) -> None:
    """Not live, then out of scope, then invalid: one reason each, always the same one."""
    order = ["is_deleted", "is_inactive", "stage", "subsidiary_id", "custentity_export", "email", "company_name"]
    right = order[: order.index(corrected[0]) + 1] if corrected else []
    wrong = {name: value for name, value in ALL_WRONG.items() if name not in right}

    mart = customer_mart({"from": "company_name", "required": True}, customer(**wrong), select=SELECT)

    assert outcomes(mart) == [expected]


@pytest.mark.parametrize(
    ("lifecycle", "source", "expected"),
    [
        ({"deleted": "report"}, {"is_deleted": True}, "skip"),
        ({"deleted": "deactivate"}, {"is_deleted": True}, "retire"),
        ({"inactive": "report"}, {"is_inactive": True}, "skip"),
        ({"inactive": "deactivate"}, {"is_inactive": True}, "retire"),
        ({"out_of_scope": "report"}, {"email": "x"}, "skip"),
        ({"out_of_scope": "deactivate"}, {"email": "x"}, "retire"),
    ],
)
def test_the_lifecycle_decides_about_records_that_left(
    lifecycle: dict[str, str], source: dict[str, Any], expected: str
) -> None:
    """Deleted, inactive and out of scope have a policy each."""
    mart = customer_mart({"value": "x"}, customer(**source), select={"where": "email is null"}, lifecycle=lifecycle)

    assert mart["disposition"].to_list() == [expected]


@pytest.mark.parametrize(
    ("primary", "members", "expected"),
    [
        ("2", ["2"], "deliver"),
        ("1", ["1", "2"], "deliver"),
        ("2", None, "deliver"),
        (None, ["2"], "deliver"),
        ("1", ["1", "22"], "skip"),
        ("1", None, "skip"),
        (None, None, "block"),
        ("22", [], "skip"),
    ],
)
def test_a_customer_belongs_to_every_subsidiary_in_its_list(
    primary: str | None, members: list[str] | None, expected: str
) -> None:
    """The primary subsidiary is one of several; without any the role may not see them."""
    row = customer(subsidiary_id=primary, subsidiary_ids=members)

    mart = customer_mart({"value": "x"}, row, select={"subsidiary": 2})

    assert mart["disposition"].to_list() == [expected]


@pytest.mark.parametrize(("flag", "expected"), [("T", "deliver"), ("F", "skip"), (None, "skip"), ("", "skip")])
def test_only_a_checked_box_exports(flag: str | None, expected: str) -> None:
    """A box that was never touched is null in NetSuite."""
    mart = customer_mart({"value": "x"}, customer(custentity_export=flag), select={"require_flag": "custentity_export"})

    assert mart["disposition"].to_list() == [expected]


def test_a_condition_that_is_null_is_not_met() -> None:
    """SQL treats null as false in `where`."""
    mart = customer_mart({"value": "x"}, customer(email=None), select={"where": "email = 'a'"})

    assert outcomes(mart) == [("skip", "filtered_out")]


STAGES = {"customer": "include", "lead": "skip"}


@pytest.mark.parametrize(
    ("select", "field", "source", "expected"),
    [
        ({"stages": STAGES}, {"value": "x"}, {}, ("quarantine", "stage_unknown")),
        ({"where": "stage = 'lead'"}, {"value": "x"}, {}, ("quarantine", "stage_unknown")),
        (
            {},
            {"from": "stage", "values": {"customer": "C"}, "on_unmapped": "blank"},
            {},
            ("quarantine", "stage_unknown"),
        ),
        ({}, {"sql": "case when stage = 'lead' then 'L' else 'C' end"}, {}, ("quarantine", "stage_unknown")),
        ({}, {"value": "x"}, {}, ("deliver", None)),
        ({"stages": STAGES, "subsidiary": 2}, {"value": "x"}, {"subsidiary_ids": ["1"]}, ("skip", "out_of_subsidiary")),
        ({"stages": STAGES}, {"value": "x"}, {"is_deleted": True}, ("retire", "deleted")),
    ],
)
def test_an_unknown_stage_is_never_a_customer(
    select: dict[str, Any], field: dict[str, Any], source: dict[str, Any], expected: tuple[str, str | None]
) -> None:
    """It is held if the workflow depends on the stage, and neither delivered nor retired."""
    lifecycle = {"out_of_scope": "deactivate"} if "where" in select else {}
    row = customer(**{"stage": None, "subsidiary_id": "1", **source})

    mart = customer_mart(field, row, select=select, lifecycle=lifecycle)

    assert outcomes(mart) == [expected]
