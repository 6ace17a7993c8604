"""The Dagster resource of SuiteProjects Pro."""

import dagster as dg
import pytest

from resources.errors import CredentialsError
from resources.sandbox.sandbox import Sandbox
from resources.suiteprojects.client import SuiteProjectsClient
from resources.suiteprojects.connect import open_suiteprojects
from resources.suiteprojects.resource import SuiteProjectsResource


def test_an_asset_receives_the_plain_client(sandbox: Sandbox) -> None:
    """The client has no Dagster settings."""
    times: list[str] = []

    @dg.asset
    def server_time(suiteprojects: dg.ResourceParam[SuiteProjectsClient]) -> None:
        """Read the server time."""
        times.append(suiteprojects.server_time())

    resource = SuiteProjectsResource(sandbox=str(sandbox.folder))
    result = dg.materialize(
        [server_time], resources={"suiteprojects": resource}, instance=dg.DagsterInstance.ephemeral()
    )

    assert result.success
    assert times[0].startswith("2026-11-16")


def test_the_base_url_is_required() -> None:
    """Accounts have their own domain, so there is no default; only a call fails."""
    with open_suiteprojects(key="k") as client, pytest.raises(CredentialsError, match="set SUITEPROJECTS_BASE_URL"):
        client.server_time()
