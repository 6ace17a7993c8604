"""A blank in a column that NetSuite never leaves blank was not shown: the record waits, and no blank decides on it."""

from typing import Any

import polars as pl
import pytest

from assets.delivery.mart.blanks import ADDRESS, TAKEN_FROM
from assets.delivery.spec.workflow_spec import WorkflowSpec
from tests.assets.delivery.builders import customer, customers, mart_of, one_source, option_tree, project, projects
from tests.assets.delivery.mart.test_transform import customer_mart, outcomes

BY_PERSON = {"sql": "case when is_person then alt_name else company_name end"}
LIFECYCLES: list[dict[str, str]] = [{}, {"inactive": "report", "out_of_scope": "deactivate", "missing": "deactivate"}]


@pytest.mark.parametrize("lifecycle", LIFECYCLES)
@pytest.mark.parametrize(
    ("source", "field", "select", "reason"),
    [
        ({"is_inactive": None}, {"value": "x"}, {}, "is_inactive"),
        ({"is_inactive": None, "company_name": None}, {"from": "company_name", "required": True}, {}, "is_inactive"),
        ({"is_inactive": None, "stage": "lead"}, {"value": "x"}, {"where": "stage = 'customer'"}, "is_inactive"),
        ({"is_person": None}, BY_PERSON, {}, "is_person"),
        ({"is_person": None}, {"value": "x"}, {"where": "not is_person"}, "is_person"),
        ({"modified_at": None}, {"value": "x"}, {"where": "modified_at > cast('2026-01-01' as date)"}, "modified_at"),
        ({"subsidiary_id": None, "subsidiary_ids": None}, {"value": "x"}, {"subsidiary": 2}, "subsidiary"),
        ({"subsidiary_id": None, "subsidiary_ids": ["3"]}, {"value": "x"}, {"subsidiary": 2}, "subsidiary"),
    ],
)
def test_what_netsuite_never_leaves_blank_is_unknown(
    source: dict[str, Any], field: dict[str, Any], select: dict[str, Any], reason: str, lifecycle: dict[str, str]
) -> None:
    """As if the role may not see the field, from the first day on: neither delivered, nor left out, nor retired."""
    mart = customer_mart(field, customer(**source), select=select, lifecycle=lifecycle)

    assert outcomes(mart) == [("block", "not_read")]
    assert reason in mart["reason"][0]


@pytest.mark.parametrize(
    ("source", "field", "expected"),
    [
        ({"is_person": None}, {"from": "company_name"}, ("deliver", None)),  # nothing depends on it
        ({"is_deleted": True, "is_inactive": None}, {"value": "x"}, ("retire", "deleted")),
        ({"subsidiary_id": None, "subsidiary_ids": None}, {"from": "subsidiary_id"}, ("deliver", None)),  # one company
    ],
)
def test_a_blank_on_which_nothing_depends_holds_nothing(
    source: dict[str, Any], field: dict[str, Any], expected: tuple[str, str | None]
) -> None:
    """A deleted record stays deleted; an account without subsidiaries has none."""
    assert outcomes(customer_mart(field, customer(**source))) == [expected]


@pytest.mark.parametrize("flag", [None, "", " "])
@pytest.mark.parametrize(
    ("lifecycle", "expected"),
    [
        ({}, ("skip", "flag_not_set")),
        ({"out_of_scope": "deactivate"}, ("hold", "flag_blank")),
        ({"out_of_scope": "deactivate", "missing": "deactivate"}, ("retire", "flag_blank")),
        ({"out_of_scope": "deactivate", "missing": "report"}, ("skip", "flag_blank")),
    ],
)
def test_a_blank_export_box_switches_nothing_off(
    flag: str | None, lifecycle: dict[str, str], expected: tuple[str, str]
) -> None:
    """A box that was never touched is blank, and so is one that the role may no longer see; F is a person's answer."""
    select = {"require_flag": "custentity_export"}
    mart = customer_mart({"value": "x"}, customer(custentity_export=flag), select=select, lifecycle=lifecycle)
    assert outcomes(mart) == [expected]

    cleared = customer_mart({"value": "x"}, customer(custentity_export="F"), select=select, lifecycle=lifecycle)
    assert cleared["reason_code"].to_list() == ["flag_not_set"]


@pytest.mark.parametrize(
    ("where", "lifecycle", "expected"),
    [
        ("email = 'a'", {}, ("skip", "filtered_out")),
        ("email = 'a'", {"out_of_scope": "deactivate"}, ("hold", "condition_blank")),
        ("email in ('a', 'b')", {"out_of_scope": "deactivate"}, ("hold", "condition_blank")),
        ("not starts_with(email, 'a')", {"out_of_scope": "deactivate"}, ("hold", "condition_blank")),
        ("email = 'a'", {"out_of_scope": "deactivate", "missing": "deactivate"}, ("retire", "condition_blank")),
        ("email = 'a'", {"out_of_scope": "deactivate", "missing": "report"}, ("skip", "condition_blank")),
        ("email = 'a' and company_name = 'b'", {"out_of_scope": "deactivate"}, ("retire", "filtered_out")),
        ("email = 'a' or company_name = 'A'", {"out_of_scope": "deactivate"}, ("deliver", None)),
        ("coalesce(email, '') = 'a'", {"out_of_scope": "deactivate"}, ("retire", "filtered_out")),
        ("email is not null", {"out_of_scope": "deactivate"}, ("retire", "filtered_out")),
    ],
)
def test_a_condition_that_a_blank_leaves_open_switches_nothing_off(
    where: str, lifecycle: dict[str, str], expected: tuple[str, str | None]
) -> None:
    """A column that a role no longer sees is blank in every row that is read again: one record after the other."""
    record = customer(email=None, company_name="A")
    assert outcomes(customer_mart({"value": "x"}, record, select={"where": where}, lifecycle=lifecycle)) == [expected]


def with_column(field: dict[str, Any], **columns: list[Any]) -> list[tuple[str, str | None]]:
    """Return the outcome of records that have other columns as well."""
    height = len(next(iter(columns.values())))
    table = customers(*(customer(str(number + 1)) for number in range(height)))
    table = table.with_columns(pl.Series(name, values, dtype=pl.String) for name, values in columns.items())
    spec = one_source(fields=[{"field": "externalId", "from": "customer_id"}, {"field": "name", **field}])
    return outcomes(mart_of(spec, customers=table))


@pytest.mark.parametrize(("column", "key"), list(TAKEN_FROM.items()))
def test_a_value_of_a_record_that_is_not_shown_is_unknown(column: str, key: str) -> None:
    """The customer names its currency; what the currency is called was not read."""
    values = {column: ["SEK", None, None], key: ["4", "5", None]}

    assert with_column({"from": column}, **values) == [("deliver", None), ("block", "not_read"), ("deliver", None)]
    assert with_column({"from": key}, **values) == [("deliver", None)] * 3


def test_a_parent_that_is_not_shown_moves_no_sub_project_to_its_customer() -> None:
    """A role may see the sub-project and the customer, and never the project between them."""
    above, below = customer("1"), [project("100"), project("101"), project("102", parent_project_id="100")]
    unshown = pl.Series("unshown_parent_id", [None, "99", None], dtype=pl.String)

    mart = mart_of(option_tree(), customers=customers(above), projects=projects(*below).with_columns(unshown))

    held = dict(mart.select("source_id", "disposition").iter_rows())
    assert held == {"1": "deliver", "100": "deliver", "101": "block", "102": "deliver"}


@pytest.mark.parametrize(("prefix", "key"), [("", "shipping_address_id"), ("billing_", "billing_address_id")])
def test_an_address_that_is_not_shown_is_unknown(prefix: str, key: str) -> None:
    """The customer names its default address; a role may be shown no addresses, as if there were none."""
    blank: dict[str, list[Any]] = {f"{prefix}{name}": [None] * 3 for name in ADDRESS}
    keys: dict[str, list[Any]] = dict.fromkeys(("billing_address_id", "shipping_address_id"), [None] * 3)
    shown = {f"{prefix}country_code": ["SE", None, None], key: ["7", "8", None]}

    rows = with_column({"from": f"{prefix}city"}, **{**blank, **keys, **shown})

    assert rows == [("deliver", None), ("block", "not_read"), ("deliver", None)]


def test_a_parent_that_only_the_full_name_shows_is_unknown() -> None:
    """A department below another one would move to the top level."""
    spec = WorkflowSpec.model_validate(
        {
            "target": "precoro.Option",
            "records": [
                {
                    "source": "departments",
                    "parent": {"departments": "parent_id"},
                    "fields": [{"field": "externalId", "from": "department_id"}, {"field": "name", "from": "name"}],
                }
            ],
        }
    )
    names = ["Sales", "Nordics", "A : B"]
    departments = pl.DataFrame(
        {
            "department_id": ["1", "2", "3"],
            "parent_id": pl.Series([None, None, None], dtype=pl.String),
            "name": names,
            "full_name": ["Sales", "Sales : Nordics", "A : B"],
            "is_inactive": [False] * 3,
            "is_deleted": [False] * 3,
        }
    )

    assert outcomes(mart_of(spec, departments=departments)) == [
        ("deliver", None), ("block", "not_read"), ("deliver", None)
    ]  # fmt: skip
