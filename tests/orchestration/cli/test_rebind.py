"""`millpond rebind` is the way out when a warehouse is to belong to another account."""

import pytest

from tests.orchestration.cli.test_activation import run_command
from tests.orchestration.conftest import Home

OPTIONS = "precoro__options"


def names(home: Home) -> set[str]:
    """Return what is bound to an account."""
    return set(home.warehouse.table("sync_accounts")["name"])


@pytest.mark.long
def test_a_workflow_and_netsuite_can_be_given_other_accounts(synced: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """The links of the workflow are forgotten, others stay; NetSuite is read completely again."""
    links = synced.warehouse.read("select workflow, count(*) from sync_links group by all order by all")
    assert {"netsuite", OPTIONS, "suiteprojects__customers"} <= names(synced)

    assert run_command("rebind", OPTIONS, "--same-account") == 0
    assert "nothing is forgotten" in capsys.readouterr().out
    assert synced.warehouse.read("select workflow, count(*) from sync_links group by all order by all").equals(links)
    assert run_command("rebind", OPTIONS) == 0
    assert "no account is recorded yet" in capsys.readouterr().out
    assert run_command("rebind", "suiteprojects__customers") == 0
    assert "links are forgotten" in " ".join(capsys.readouterr().out.split())
    assert run_command("rebind", "netsuite") == 0
    assert run_command("rebind", "unknown") == 2

    assert names(synced).isdisjoint({"netsuite", OPTIONS, "suiteprojects__customers"})
    left = synced.warehouse.read("select distinct workflow from sync_links")["workflow"].to_list()
    assert OPTIONS in left
    assert "suiteprojects__customers" not in left
    assert synced.warehouse.table("sync_watermarks").is_empty()
    assert synced.warehouse.table("netsuite_capabilities").is_empty()
