"""The raw tables belong to one NetSuite account: the same internal ids mean other records in another."""

import pytest

from resources.account import account_of
from resources.errors import ContractError
from resources.warehouse.bindings import NETSUITE, unbind
from tests.assets.netsuite.conftest import NetSuiteAccount


def test_another_netsuite_account_is_not_read(account: NetSuiteAccount) -> None:
    """The same home first with a sandbox account, then live; nothing is asked, nothing is changed."""
    account.customers(1, 2)
    account.extract("customers")
    before, calls = account.warehouse.table("raw_netsuite__customers"), account.client.calls
    live, sandbox = account_of("", account="7654321"), account.client.account
    account.client.account = live

    with pytest.raises(ContractError, match=r"was read from account .* but the settings name account 7654321.*rebind"):
        account.extract("customers")
    assert account.client.calls == calls
    assert account.warehouse.table("raw_netsuite__customers").equals(before)

    account.client.account = sandbox
    account.extract("customers")
    account.client.account = live
    with account.warehouse.writer() as con:
        unbind(con, NETSUITE)
    account.extract("customers")
    assert '"7654321"' in account.warehouse.table("sync_accounts")["account"][0]
