"""The Dagster resource of Precoro."""

import dagster as dg
import pytest

from resources.errors import CredentialsError
from resources.precoro.client import PrecoroClient
from resources.precoro.connect import open_precoro
from resources.precoro.resource import PrecoroResource
from resources.sandbox.sandbox import Sandbox


def test_assets_receive_the_plain_client(sandbox: Sandbox) -> None:
    """The client has no Dagster settings."""

    @dg.asset
    def fields(precoro: dg.ResourceParam[PrecoroClient]) -> dg.MaterializeResult[None]:
        return dg.MaterializeResult(metadata={"fields": len(precoro.fields())})

    result = dg.materialize([fields], resources={"precoro": PrecoroResource(sandbox=str(sandbox.folder))})

    assert result.success
    assert sandbox.precoro.calls_made() == 1


def test_a_second_company_needs_only_its_token(sandbox: Sandbox) -> None:
    """Each Precoro company has a resource."""
    other = sandbox.precoro.add_company("Millpond UK")

    with open_precoro(sandbox=sandbox.folder, token=other["token"], email=other["email"]) as client:
        assert other["item_custom_field_id"] in {field.field_id for field in client.fields()}


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({}, "set PRECORO_TOKEN, PRECORO_EMAIL"),
        ({"token": "t", "email": "e", "region": "eu"}, "PRECORO_REGION must be one of"),
        ({"token": "t", "email": "e", "base_url": "api.precoro.com"}, "PRECORO_BASE_URL is not an address"),
    ],
)
def test_an_invalid_setting_raises_at_the_first_call(settings: dict[str, str], text: str) -> None:
    """The text names the setting, nothing is sent, and steps that do not call Precoro run."""
    with open_precoro(**settings) as client, pytest.raises(CredentialsError, match=text):
        client.fields()
