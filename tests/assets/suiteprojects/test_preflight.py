"""The plan finds what the service is known to refuse, before anything is sent."""

import pytest

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
