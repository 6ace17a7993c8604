"""A column that NetSuite never leaves blank and that becomes blank is a lost permission, not a value."""

import pytest

from resources.errors import ContractError
from tests.assets.netsuite.conftest import NetSuiteAccount


@pytest.fixture
def mixed(account: NetSuiteAccount) -> NetSuiteAccount:
    """An account with active and inactive records, extracted once."""
    account.customers(1, 2)
    account.customers(3, isinactive=True)
    account.customers(4, stage="Lead", isinactive=True)
    account.extract()
    account.later(3600)
    return account


@pytest.mark.parametrize(
    ("column", "options"),
    [
        ("isinactive", {}),
        ("isinactive", {"reconcile": True}),
        ("isinactive", {"full": True}),
        ("lastmodifieddate", {}),
        ("lastmodifieddate", {"reconcile": True}),
        ("lastmodifieddate", {"full": True}),
    ],
)
@pytest.mark.parametrize("changed", [3, 4])
def test_nothing_is_loaded_until_the_field_is_shown_again(
    mixed: NetSuiteAccount, column: str, options: dict[str, bool], changed: int
) -> None:
    """An inactive record would count as active, and be created or reactivated in the targets."""
    before = mixed.raw("customers"), mixed.raw("leads")
    mixed.switch(blank_columns=[f"customer.{column}"])
    mixed.sandbox.netsuite.update("customer", changed, comments="saved")

    with pytest.raises(ContractError, match=f"no longer show {column}, .* give the role access to the field"):
        mixed.extract(**options)

    assert (mixed.raw("customers"), mixed.raw("leads")) == before
    mixed.switch(blank_columns=[])
    mixed.extract()
    row = {**mixed.raw("customers"), **mixed.raw("leads")}[str(changed)]
    assert (row["comments"], row["isinactive"]) == ("saved", "T")


def test_other_columns_may_become_blank(mixed: NetSuiteAccount) -> None:
    """A person may clear them; the guards of the workflows judge how many."""
    mixed.sandbox.netsuite.update("customer", 1, companyname=None)
    assert mixed.extract().updated == 1
