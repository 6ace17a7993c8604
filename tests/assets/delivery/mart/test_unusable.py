"""A value that an expression cannot use holds back its own record, and no other."""

from typing import Any

import pytest

from assets.delivery.errors import MappingError
from resources.sandbox.sandbox import Sandbox
from tests.assets.delivery.builders import customer, customers, mart_of, one_source, suite_customers
from tests.assets.delivery.run_workflow import WorkflowRunner

BAD, GOOD = "2026-13-45 SECRET", "2026-02-03"
EXPRESSIONS = {
    "number": ("cast(email as bigint)", "12", "twelve SECRET"),
    "rounded": ("round(cast(email as double) * 2, 1)", "1.5", "1,5 SECRET"),
    "date": ("date(email)", GOOD, BAD),
    "time": ("strptime(email, '%Y-%m-%d')", GOOD, BAD),
    "argument": ("substr(company_name, 1, cast(email as int))", "3", "three SECRET"),
    "overflow": ("cast(cast(email as double) as bigint)", "5", "1e22"),
    "in a case": ("case when email is null then 'x' else cast(cast(email as bigint) as varchar) end", "12", "SECRET"),
}


def mart(sql: str, *emails: str | None, **select: Any) -> list[dict[str, Any]]:
    """Return the mart rows of customers with these texts, in the order of their ids."""
    spec = suite_customers({"field": "addr_zip", "sql": sql}, **select)
    rows = mart_of(spec, customers=customers(*(customer(str(n), email=each) for n, each in enumerate(emails, 1))))
    return rows.sort("source_id").to_dicts()


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_one_value_quarantines_one_record(name: str) -> None:
    """The reason names the field and not the value; all other records are as they are without it."""
    sql, good, bad = EXPRESSIONS[name]

    rows = mart(sql, good, bad, None, good)

    assert [row["disposition"] for row in rows] == ["deliver", "quarantine", "deliver", "deliver"]
    assert rows[1]["reason_code"] == "unusable_value"
    assert rows[1]["reason"].startswith("addr_zip: the expression cannot use a value")
    assert bad not in str(rows[1]).replace(str(rows[1]["source_hash"]), "")
    assert [rows[0], rows[2], rows[3]] == [row for row in mart(sql, good, None, None, good) if row["source_id"] != "2"]


def test_a_panic_of_polars_quarantines_the_records() -> None:
    """It is no `Exception`, and would end the run of all workflows."""
    rows = mart("array_get(string_to_array(email, ''), -9223372036854775808)", "12", "13")

    assert {(row["disposition"], row["reason_code"]) for row in rows} == {("quarantine", "unusable_value")}


def test_a_condition_that_cannot_be_judged_quarantines_one_record() -> None:
    """The record is neither delivered nor left out."""
    rows = mart("company_name", "5", "x", "50", select={"where": "cast(email as bigint) > 9"})

    assert [row["disposition"] for row in rows] == ["skip", "quarantine", "deliver"]
    assert "select.where: " in rows[1]["reason"]


def test_a_record_that_is_no_longer_live_needs_no_usable_value() -> None:
    """Its values are not sent, so its deactivation does not wait for them."""
    spec = suite_customers({"field": "addr_zip", "sql": "cast(email as bigint)"})
    rows = mart_of(spec, customers=customers(customer("1", email="x", is_inactive=True), customer("2", email="x")))

    assert dict(rows.select("source_id", "disposition").rows()) == {"1": "retire", "2": "quarantine"}


def test_an_expression_that_fits_no_value_is_still_the_files_error() -> None:
    """It fails in a record without any value as well."""
    with pytest.raises(MappingError, match="the mapping does not fit"):
        mart("company_name - 1", "5")


def test_the_target_keeps_its_value_until_the_record_is_corrected(precoro: WorkflowRunner, sandbox: Sandbox) -> None:
    """A fault in one record is no reason to blank it, or to stop the others."""
    sql = "concat(company_name, ' ', cast(cast(email as bigint) as varchar))"
    key = {"field": "externalId", "from": "customer_id", "locked": True}
    enabled = {"field": "enable", "value": True}
    precoro.spec = one_source(fields=[key, {"field": "name", "sql": sql, "required": True}, enabled])

    def delivered(*emails: str) -> tuple[list[str], list[str]]:
        decisions = precoro.stage(*(customer(str(n), email=each) for n, each in enumerate(emails, 1))).run()
        names = sorted(each["name"] for each in sandbox.precoro.options() if each["external_id"])
        return [decisions[key][0] for key in sorted(decisions)], names

    assert delivered("1", "2")[1] == ["Company 1 1", "Company 2 2"]
    assert delivered("9", "two") == (["update", "quarantined"], ["Company 1 9", "Company 2 2"])
    assert delivered("9", "3") == (["unchanged", "update"], ["Company 1 9", "Company 2 3"])
