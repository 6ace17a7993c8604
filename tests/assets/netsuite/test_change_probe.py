"""The cheap poll that starts runs."""

from typing import Any

import pytest

from assets.netsuite.change_probe import changed_since
from tests.assets.netsuite.conftest import NetSuiteAccount


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata"])
def test_a_poll_lists_the_changed_tables_in_one_call(account: NetSuiteAccount, zone: str) -> None:
    """The sensor polls every minute: few calls, no rows."""
    account.switch(session_zone=zone)
    account.customers(1, 2)
    account.add("job", {"id": 10, "entityid": "P", "customer": 1})
    account.later()
    since = account.sandbox.clock.now()
    account.later(60)

    unchanged = changed_since(account.client, since)
    account.sandbox.netsuite.update("job", 10, companyname="x")
    account.sandbox.netsuite.delete("customer", "customer", 2)
    calls = account.client.calls
    changed = changed_since(account.client, since)

    assert unchanged == {}
    assert list(changed) == ["job", "deletedrecord"]
    assert account.client.calls - calls == 1


@pytest.mark.parametrize(
    ("switches", "calls"),
    [
        ({"union_allowed": False}, 5),
        ({"hidden_tables": ("contact",)}, 5),
        ({"hidden_tables": ("contact",), "hidden_table_text": "Ogiltig sökning."}, 7),
        ({"hidden_tables": ("contact",), "hidden_table_text": "Nej.", "hidden_table_status": 403}, 7),
        ({}, 1),
    ],
)
def test_tables_are_polled_one_by_one_if_the_joint_query_is_rejected(
    account: NetSuiteAccount, switches: dict[str, Any], calls: int
) -> None:
    """A role without contacts, or an account that rejects UNION, must not stop the sensor."""
    account.switch(**switches)
    account.customers(1)
    account.later()
    since = account.sandbox.clock.now()
    account.later(60)
    changed_since(account.client, since)
    account.sandbox.netsuite.update("customer", 1, companyname="x")
    before = account.client.calls

    assert list(changed_since(account.client, since)) == ["customer"]
    assert account.client.calls - before == calls
