"""The settings for Dagster, and what they open."""

from pathlib import Path

import dagster as dg
import pytest

from resources.precoro.client import PrecoroClient
from resources.precoro.connect import open_precoro
from resources.precoro.resource import PrecoroResource
from resources.sandbox.world import Sandbox


def test_assets_get_the_plain_client(sandbox: Sandbox) -> None:
    """The asset knows nothing of hosts and tokens."""

    @dg.asset
    def fields(precoro: dg.ResourceParam[PrecoroClient]) -> dg.MaterializeResult[None]:
        return dg.MaterializeResult(metadata={"fields": len(precoro.fields())})

    result = dg.materialize([fields], resources={"precoro": PrecoroResource(sandbox=str(sandbox.folder))})

    assert result.success
    assert sandbox.precoro.calls_made() == 1


def test_the_second_company_needs_its_token_only(sandbox: Sandbox) -> None:
    """One resource for each Precoro company."""
    other = sandbox.precoro.add_company("Millpond UK")

    with open_precoro(sandbox=sandbox.folder, token=other["token"], email=other["email"]) as client:
        assert other["item_custom_field_id"] in {field.field_id for field in client.fields()}


def test_nothing_is_opened_without_credentials_or_with_an_unknown_region(tmp_path: Path) -> None:
    """A clear text before any call."""
    with pytest.raises(ValueError, match="token and email"), open_precoro(budget_file=tmp_path / "b"):
        pass
    with pytest.raises(ValueError, match="region"), open_precoro(token="t", email="e", region="eu"):
        pass
