"""Full synchronisation: NetSuite is read again, and nothing runs without what it needs."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from rich.console import Console

from assets.netsuite.extract.extract import ExtractionSettings, extract
from orchestration.automation.full_refresh import missing_needs, read_again
from orchestration.automation.jobs import Group
from orchestration.cli.run import synchronise_group
from resources.netsuite.resource import open_netsuite
from resources.sandbox.sandbox import Sandbox
from resources.warehouse.warehouse import Warehouse
from tests.assets.suiteprojects.account import shipped
from tests.orchestration.conftest import Home

CUSTOMERS, PROJECTS = "suiteprojects__customers", "suiteprojects__projects"
FLAG = ("custentity_oa_export_to_openair",)
NAMES = ("suiteprojects__customer_department", CUSTOMERS, PROJECTS)


def test_projects_without_customers_are_refused_and_nothing_runs(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message names what is missing; no warehouse is made."""
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
    run: dict[str, Any] = {"settings": ExtractionSettings(custom_columns={"customers": FLAG}), "run_id": "run"}
    sandbox.netsuite.insert("customer", [{"entityid": "C1", "companyname": "Before", "searchstage": "Customer"}])
    (key,) = [row["id"] for row in sandbox.netsuite.rows("customer")]
    with open_netsuite(sandbox=str(sandbox.folder)) as client:
        extract(warehouse, client, "customers", **run)
        sandbox.clock.sleep(3600)
        sandbox.netsuite.update("customer", key, companyname="After", lastmodifieddate=long_ago)
        extract(warehouse, client, "customers", **run)
        assert names(warehouse) == ["Before"]

        since: datetime | None = (
            None if days is None else (sandbox.clock.now() - timedelta(days=days)).replace(tzinfo=None)
        )
        assert "customer" in read_again(warehouse, [shipped(CUSTOMERS)], since)
        extract(warehouse, client, "customers", **run)

    assert names(warehouse) == ["After"]


def names(warehouse: Warehouse) -> list[str]:
    """Company names as they came."""
    return warehouse.table("raw_netsuite__customers")["companyname"].to_list()
