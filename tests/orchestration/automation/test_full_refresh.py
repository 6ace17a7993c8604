"""Full refresh: NetSuite is read again, and no workflow runs without those it needs."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from assets.netsuite.extract.extract import extract
from assets.netsuite.extract.settings import ExtractionSettings
from orchestration.automation.full_refresh import missing_needs, reset_watermarks
from orchestration.automation.groups import Group
from orchestration.cli.run import run
from resources.netsuite.connect import open_netsuite
from resources.sandbox.sandbox import Sandbox
from resources.warehouse.warehouse import Warehouse
from tests.assets.suiteprojects.account import shipped
from tests.orchestration.conftest import Home

CUSTOMERS, PROJECTS = "suiteprojects__customers", "suiteprojects__projects"
FLAG = ("custentity_oa_export_to_openair",)
NAMES = ("suiteprojects__customer_department", CUSTOMERS, PROJECTS)


def test_a_full_refresh_without_a_needed_workflow_is_an_error(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """The error names the missing workflow; nothing runs."""
    code = run(PROJECTS, full=True)

    assert code == 2
    assert f"{PROJECTS} needs {CUSTOMERS} in the same run" in capsys.readouterr().out
    assert not home.warehouse.file.exists()


@pytest.mark.parametrize("since", [datetime(2099, 1, 1), datetime(2099, 1, 1, tzinfo=UTC)])  # noqa: DTZ001 - as typed
def test_a_moment_in_the_future_is_an_error(home: Home, capsys: pytest.CaptureFixture[str], since: datetime) -> None:
    """A year that is mistyped would send nothing, and look like success."""
    assert home.folder.exists()
    assert run("all", since=since) == 2
    assert "--since 2099-01-01 00:00 is in the future" in capsys.readouterr().out
    assert not home.warehouse.file.exists()


def test_a_group_with_all_needed_workflows_may_run() -> None:
    """The shipped group is complete; an inactive workflow needs nothing."""
    workflows = {name: shipped(name) for name in NAMES}

    assert list(missing_needs(Group(workflows=list(NAMES)), workflows)) == []
    assert list(missing_needs(Group(workflows=["suiteprojects__project_class"]), workflows)) == []
    assert len(list(missing_needs(Group(workflows=[CUSTOMERS, PROJECTS]), workflows))) == 1


@pytest.mark.parametrize("days", [None, 3], ids=["all", "since a date"])
def test_a_full_refresh_reads_records_that_a_normal_run_misses(
    sandbox: Sandbox, warehouse: Warehouse, days: int | None
) -> None:
    """A record whose modification date stays before the watermark, as after an import."""
    long_ago = sandbox.clock.now() - timedelta(days=2)
    arguments: dict[str, Any] = {"settings": ExtractionSettings(custom_columns={"customers": FLAG}), "run_id": "run"}
    sandbox.netsuite.insert("customer", [{"entityid": "C1", "companyname": "Before", "searchstage": "Customer"}])
    (key,) = [row["id"] for row in sandbox.netsuite.rows("customer")]
    with open_netsuite(sandbox=str(sandbox.folder)) as client:
        extract(warehouse, client, "customers", **arguments)
        sandbox.clock.sleep(3600)
        sandbox.netsuite.update("customer", key, companyname="After", lastmodifieddate=long_ago)
        extract(warehouse, client, "customers", **arguments)
        assert names(warehouse) == ["Before"]

        since: datetime | None = (
            None if days is None else (sandbox.clock.now() - timedelta(days=days)).replace(tzinfo=None)
        )
        assert "customer" in reset_watermarks(warehouse, [shipped(CUSTOMERS)], since)
        extract(warehouse, client, "customers", **arguments)

    assert names(warehouse) == ["After"]


def names(warehouse: Warehouse) -> list[str]:
    """Return the raw company names."""
    return warehouse.table("raw_netsuite__customers")["companyname"].to_list()
