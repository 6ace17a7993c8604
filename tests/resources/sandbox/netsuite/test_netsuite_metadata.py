"""The metadata catalog; other record paths do not exist, and nothing can be written."""

import pytest

from resources.sandbox.netsuite.server import NetSuiteSandbox
from tests.resources.sandbox.netsuite.api_client import ApiClient, SetSwitches

CATALOG = "/record/v1/metadata-catalog"


def test_the_catalog_lists_record_types(client: ApiClient) -> None:
    """Each entry has links in three media types; `select` filters."""
    names = [each["name"] for each in client.get(CATALOG).json()["items"]]
    selected = client.get(CATALOG, select="customer,job").json()["items"]

    assert {"customer", "job", "customerSubsidiaryRelationship"} <= set(names)
    assert [each["name"] for each in selected] == ["customer", "job"]
    assert len(selected[0]["links"]) == 4


def test_the_schema_has_types_and_custom_fields(client: ApiClient) -> None:
    """This is the documented way to find custentity_ fields."""
    client.http.headers["accept"] = "application/schema+json"

    properties = client.get(f"{CATALOG}/customer").json()["properties"]

    assert properties["isPerson"]["type"] == "boolean"
    assert properties["lastModifiedDate"]["format"] == "date-time"
    assert properties["custentity_region"]["x-ns-custom-field"] is True
    assert "entityid" not in properties


def test_an_openapi_description_is_available(client: ApiClient) -> None:
    """The third media type."""
    client.http.headers["accept"] = "application/swagger+json"

    description = client.get(CATALOG, select="job").json()

    assert description["openapi"].startswith("3.")
    assert list(description["components"]["schemas"]) == ["job"]


def test_a_hidden_record_type_is_not_in_the_catalog(client: ApiClient, switch: SetSwitches) -> None:
    """The role may not see it."""
    switch(hidden_tables=["subsidiary"])

    assert "subsidiary" not in {each["name"] for each in client.get(CATALOG).json()["items"]}
    assert client.get(f"{CATALOG}/subsidiary").status_code == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_records_cannot_be_written(account: NetSuiteSandbox, client: ApiClient, method: str) -> None:
    """The response is an error, and the record stays unchanged."""
    account.insert("customer", [{"id": 107, "companyname": "Acme AB"}])
    before = account.rows("customer")

    response = client.http.request(method, "/services/rest/record/v1/customer/107", json={"companyName": "x"})

    assert response.status_code == 404
    assert account.rows("customer") == before
