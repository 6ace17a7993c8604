"""What Dagster hands to an asset."""

import dagster as dg
import pytest

from resources.errors import CredentialsError
from resources.sandbox.sandbox import Sandbox
from resources.suiteprojects.client import SuiteProjectsClient
from resources.suiteprojects.connect import open_suiteprojects
from resources.suiteprojects.resource import SuiteProjectsResource


def test_an_asset_gets_the_plain_client(sandbox: Sandbox) -> None:
    """Settings stay with the resource."""
    seen: list[str] = []

    @dg.asset
    def ask(suiteprojects: dg.ResourceParam[SuiteProjectsClient]) -> None:
        """Ask for the time."""
        seen.append(suiteprojects.server_time())

    resource = SuiteProjectsResource(sandbox=str(sandbox.folder))
    ended = dg.materialize([ask], resources={"suiteprojects": resource}, instance=dg.DagsterInstance.ephemeral())

    assert ended.success
    assert seen[0].startswith("2026-11-16")


def test_an_address_is_needed() -> None:
    """Accounts have their own domain, so there is no default; only those who call are told."""
    with open_suiteprojects(key="k") as client, pytest.raises(CredentialsError, match="set SUITEPROJECTS_BASE_URL"):
        client.server_time()
