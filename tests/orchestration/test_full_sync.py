"""Full synchronisation: NetSuite is read again, and nothing runs without what it needs."""

from datetime import datetime, timedelta

import pytest
from rich.console import Console

from orchestration.full_sync import missing_needs, read_again
from orchestration.jobs import Group
from orchestration.running import synchronise_group
from resources.sandbox.world import Sandbox
from resources.warehouse import Warehouse
from tests.assets.suiteprojects.account import Account, shipped
from tests.orchestration.conftest import Home

pytestmark = pytest.mark.long

CUSTOMERS, PROJECTS = "suiteprojects__customers", "suiteprojects__projects"
NAMES = ("suiteprojects__customer_department", CUSTOMERS, PROJECTS)


def test_projects_without_customers_are_refused_and_nothing_runs(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message names what is missing; no pond is made."""
    code = synchronise_group(PROJECTS, None, Console(width=200))

    assert code == 2
    assert f"{PROJECTS} needs {CUSTOMERS} in the same run" in capsys.readouterr().out
    assert not home.warehouse.stage.exists()


def test_a_group_that_has_what_it_needs_may_run() -> None:
    """The shipped group has all; what is switched off needs nothing."""
    workflows = {name: shipped(name) for name in NAMES}

    assert list(missing_needs(Group(workflows=list(NAMES)), workflows)) == []
    assert list(missing_needs(Group(workflows=["suiteprojects__project_class"]), workflows)) == []
    assert len(list(missing_needs(Group(workflows=[CUSTOMERS, PROJECTS]), workflows))) == 1


@pytest.mark.parametrize("days", [None, 3], ids=["all", "since a date"])
def test_what_an_ordinary_run_does_not_see_is_read_again(
    sandbox: Sandbox, warehouse: Warehouse, days: int | None
) -> None:
    """A record that changed without its date moving as far as the watermark, as an import may leave it."""
    long_ago = sandbox.clock.now() - timedelta(days=2)
    sandbox.netsuite.insert("customer", [{"entityid": "C1", "companyname": "Before", "searchstage": "Customer"}])
    (key,) = [row["id"] for row in sandbox.netsuite.rows("customer")]
    workflow = shipped(CUSTOMERS)
    with Account(sandbox, warehouse, {}) as account:
        account.extract()
        sandbox.clock.sleep(3600)
        sandbox.netsuite.update("customer", key, companyname="After", lastmodifieddate=long_ago)
        account.extract(["customers"])
        assert names(account) == ["Before"]

        since: datetime | None = (
            None if days is None else (sandbox.clock.now() - timedelta(days=days)).replace(tzinfo=None)
        )
        assert "customer" in read_again(warehouse, [workflow], since)
        account.extract(["customers"])

    assert names(account) == ["After"]


def names(account: Account) -> list[str]:
    """Company names as staged."""
    return account.table("stg_netsuite__customers")["company_name"].to_list()
