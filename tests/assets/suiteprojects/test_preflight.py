"""The plan finds what the service is known to refuse, before anything is sent."""

import pytest

from resources.sandbox.suiteprojects.switches import SuiteProjectsSwitches
from tests.assets.suiteprojects.account import Account, shipped
from tests.assets.suiteprojects.staged import Row, customer, stage

CUSTOMERS = "suiteprojects__customers"


@pytest.mark.parametrize(
    ("changed", "options", "code", "reason"),
    [
        ({"company_name": "Bell\x07 & Sons"}, {}, "illegal_character", "company contains a control character"),
        ({"address_line1": "Ulica\x00"}, {}, "illegal_character", "addr_addr1 contains a control character"),
        ({"company_name": "Łódź"}, {"charset": "latin-1"}, "foreign_character", "company contains a character that"),
    ],
)
def test_a_record_that_cannot_be_sent_is_quarantined_by_the_plan(
    account: Account, changed: Row, options: dict[str, str], code: str, reason: str
) -> None:
    """The reason names the field and the kind of value, never the value; the other record is sent."""
    account.use(shipped(CUSTOMERS, lambda given: given.update(options=options)))
    stage(account.warehouse, departments=[], customers=[customer("10", **changed), customer("11")])

    account.plan(CUSTOMERS)
    plan = account.warehouse.table(f"plan_{CUSTOMERS}").sort("source_id")

    assert plan["action"].to_list() == ["quarantined", "create"]
    assert plan["reason_code"][0] == code
    assert plan["reason"][0].startswith(reason)


def test_a_type_that_the_service_does_not_know_is_quarantined_by_the_plan(account: Account) -> None:
    """It takes C and P only."""

    def wrong(given: dict[str, list[Row]]) -> None:
        for row in given["fields"]:
            if row["field"] == "type":
                row["values"] = {"customer": "Customer", "prospect": "P"}

    account.use(shipped(CUSTOMERS, wrong))
    stage(account.warehouse, departments=[], customers=[customer("10"), customer("11", stage="prospect")])

    account.plan(CUSTOMERS)
    plan = account.warehouse.table(f"plan_{CUSTOMERS}").sort("source_id")

    assert plan["action"].to_list() == ["quarantined", "create"]
    assert (plan["reason_code"][0], plan["reason"][0][:5]) == ("not_in_list", "type ")


def test_a_currency_that_is_not_enabled_is_quarantined_by_the_plan(account: Account) -> None:
    """Not by refusals in the run; a record that has it already stays as it is, and is still updated."""
    account.use(shipped(CUSTOMERS))
    account.sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, currencies=["EUR", "GBP"])
    euros, pounds = customer("10", currency_code="EUR"), customer("11", currency_code="GBP")
    stage(account.warehouse, departments=[], customers=[euros, pounds])
    account.deliver(CUSTOMERS)
    account.sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, currencies=["EUR"])
    stage(
        account.warehouse,
        departments=[],
        customers=[euros, {**pounds, "company_name": "Renamed"}, customer("12", currency_code="GBP")],
    )

    account.plan(CUSTOMERS)
    plan = account.warehouse.table(f"plan_{CUSTOMERS}").sort("source_id")

    assert plan["action"].to_list() == ["unchanged", "update", "quarantined"]
    assert plan["reason_code"][2] == "not_in_list"
    assert plan["reason"][2] == "currency is not one of the currencies that are enabled in the target"


@pytest.mark.long
@pytest.mark.parametrize("options", [{"currencies": "any"}, {}])
def test_currencies_are_not_checked_if_the_account_shows_none(account: Account, options: dict[str, str]) -> None:
    """Or if the file says so: then the run finds out."""
    account.use(shipped(CUSTOMERS, lambda given: given.update(options=options)))
    account.sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, currencies=["EUR"] if options else [])
    stage(account.warehouse, departments=[], customers=[customer("10", currency_code="GBP")])

    account.plan(CUSTOMERS)

    assert account.warehouse.table(f"plan_{CUSTOMERS}")["action"].to_list() == ["create"]
