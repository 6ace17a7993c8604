"""The settings for Dagster, and what they open."""

import dagster as dg
import pytest

from resources.errors import CredentialsError
from resources.precoro.client import PrecoroClient
from resources.precoro.connect import open_precoro
from resources.precoro.resource import PrecoroResource
from resources.sandbox.sandbox import Sandbox


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


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({}, "set PRECORO_TOKEN, PRECORO_EMAIL"),
        ({"token": "t", "email": "e", "region": "eu"}, "PRECORO_REGION is one of"),
        ({"token": "t", "email": "e", "base_url": "api.precoro.com"}, "PRECORO_BASE_URL is no address"),
    ],
)
def test_a_setting_that_cannot_be_used_is_told_to_those_who_call(settings: dict[str, str], told: str) -> None:
    """A clear text, nothing is sent, and nobody else is held up."""
    with open_precoro(**settings) as client, pytest.raises(CredentialsError, match=told):
        client.fields()
