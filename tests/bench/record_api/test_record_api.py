"""The record API: collections, filters, single records; nothing can be written."""

from pathlib import Path

import pytest

from resources.sandbox.netsuite.server import NetSuiteSandbox
from resources.sandbox.netsuite.switches import NetSuiteSwitches
from tests.bench.record_api.record_filter import After
from tests.bench.record_api.sandbox import RecordApiSandbox
from tests.resources.sandbox.netsuite.api_client import ApiClient, authenticated, utc

BASE = "https://1234567-sb1.suitetalk.api.netsuite.com/services/rest/record/v1"


@pytest.fixture
def sandbox(tmp_path: Path) -> RecordApiSandbox:
    """A sandbox with the record API."""
    return RecordApiSandbox(tmp_path / "sandbox")


@pytest.fixture
def account(sandbox: RecordApiSandbox) -> NetSuiteSandbox:
    """The NetSuite account of this test."""
    return sandbox.netsuite


@pytest.fixture
def client(sandbox: RecordApiSandbox) -> ApiClient:
    """A client with an access token."""
    return authenticated(sandbox)


@pytest.fixture(autouse=True)
def _records(account: NetSuiteSandbox) -> None:
    """Insert a customer with all details, and a lead."""
    account.insert("entitystatus", [{"key": 13, "name": "CUSTOMER-Closed Won"}])
    account.insert("subsidiary", [{"id": 1, "name": "Parent Company"}])
    account.insert(
        "customer",
        [
            {
                "id": 107,
                "entityid": "CUST-107",
                "companyname": "Acme AB",
                "externalid": "A1",
                "isperson": False,
                "entitystatus": 13,
                "searchstage": "Customer",
                "creditlimit": 10.5,
                "startdate": "2026-01-01",
                "lastmodifieddate": utc("2026-01-02 03:04:05"),
            },
            {"id": 108, "searchstage": "Lead", "isperson": True, "lastmodifieddate": utc("2026-01-03 12:00:00")},
        ],
    )
    account.insert("customersubsidiaryrelationship", [{"entity": 107, "subsidiary": 1, "isprimarysub": True}])
    account.insert(
        "customeraddressbookentityaddress", [{"nkey": 5, "city": "Umeå", "country": "SE", "recordowner": 107}]
    )
    account.insert(
        "customeraddressbook", [{"internalid": 3, "entity": 107, "addressbookaddress": 5, "defaultbilling": True}]
    )


def found(client: ApiClient, query: str) -> list[str]:
    """Return the ids that a filter finds."""
    response = client.get("/record/v1/customer", q=query)
    assert response.status_code == 200, response.text
    return [each["id"] for each in response.json()["items"]]


def test_a_collection_has_ids_and_links_only(client: ApiClient) -> None:
    """The content of each record needs a request of its own."""
    content = client.get("/record/v1/customer", limit="1").json()

    assert content["items"] == [{"links": [{"rel": "self", "href": f"{BASE}/customer/107"}], "id": "107"}]
    assert (content["count"], content["hasMore"], content["totalResults"]) == (1, True, 2)
    assert content["links"][0] == {"rel": "next", "href": f"{BASE}/customer?limit=1&offset=1"}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ('companyName CONTAIN "cme"', ["107"]),
        ("companyName START_WITH Acme", ["107"]),
        ("companyName EMPTY", ["108"]),
        ("isPerson IS true", ["108"]),
        ("id ANY_OF [107,108]", ["107", "108"]),
        ("id BETWEEN [100,107]", ["107"]),
        ("id GREATER 107", ["108"]),
        ("id GREATER_NOT 107", ["107"]),
        ('lastModifiedDate ON_OR_AFTER "1/2/2026"', ["108"]),
        ('lastModifiedDate ON "1/1/2026"', ["107"]),
        ('lastModifiedDate ON_OR_AFTER "1/1/2026" AND lastModifiedDate BEFORE "1/3/2026"', ["107"]),
        ("(isPerson IS true OR id EQUAL 107) AND companyName EMPTY_NOT", ["107"]),
    ],
)
def test_filters_find_records(client: ApiClient, query: str, expected: list[str]) -> None:
    """A day is a day in the time zone of the session, here Pacific."""
    assert found(client, query) == expected


@pytest.mark.parametrize(("meaning", "expected"), [("the_day", ["108"]), ("midnight", ["107", "108"])])
def test_after_a_day_may_mean_after_its_midnight(
    client: ApiClient, sandbox: RecordApiSandbox, meaning: After, expected: list[str]
) -> None:
    """The meaning is undocumented; a widely used connector takes it for the midnight at which the day begins."""
    sandbox.options.after = meaning

    assert found(client, 'lastModifiedDate AFTER "1/1/2026"') == expected


def test_a_date_in_another_format_is_rejected(client: ApiClient) -> None:
    """The error has the text that Airbyte's connector looks for."""
    response = client.get("/record/v1/customer", q='lastModifiedDate AFTER "2026-01-01"')

    assert response.status_code == 400
    assert "failed with date format" in response.json()["o:errorDetails"][0]["detail"]


@pytest.mark.parametrize("query", ["shoeSize EQUAL 5", "id EQUAL", "(id EQUAL 5", "id EQUAL 5 5", "id CONTAIN 5", "OR"])
def test_an_invalid_filter_is_rejected(client: ApiClient, query: str) -> None:
    """It never returns all records."""
    response = client.get("/record/v1/customer", q=query)

    assert response.status_code == 400
    assert response.json()["o:errorDetails"][0]["o:errorCode"] == "INVALID_PARAMETER"


def test_a_record_has_camel_case_names_json_types_and_references(client: ApiClient) -> None:
    """Unlike SuiteQL: JSON booleans and numbers, ISO dates in UTC."""
    content = client.get("/record/v1/customer/107").json()

    assert content["companyName"] == "Acme AB"
    assert content["isPerson"] is False
    assert content["creditLimit"] == 10.5
    assert content["startDate"] == "2026-01-01"
    assert content["lastModifiedDate"] == "2026-01-02T03:04:05Z"
    assert content["entityStatus"] == {
        "links": [{"rel": "self", "href": f"{BASE}/customerStatus/13"}],
        "id": "13",
        "refName": "CUSTOMER-Closed Won",
    }
    assert content["subsidiary"]["refName"] == "Parent Company"


def test_a_record_can_be_read_by_external_id(client: ApiClient) -> None:
    """With the prefix eid:."""
    assert client.get("/record/v1/customer/eid:A1").json()["id"] == "107"


def test_fields_can_be_selected(client: ApiClient) -> None:
    """Only the selected fields and the id are returned."""
    content = client.get("/record/v1/customer/107", fields="companyName").json()

    assert content.keys() == {"links", "id", "companyName"}


def test_the_address_book_is_a_sub_record(client: ApiClient) -> None:
    """As a collection, as an entry, as its address, or expanded within the record."""
    items = client.get("/record/v1/customer/107/addressBook").json()["items"]
    address = client.get("/record/v1/customer/107/addressBook/3/addressBookAddress").json()
    whole = client.get("/record/v1/customer/107", expandSubResources="true").json()

    assert [each["id"] for each in items] == ["3"]
    assert (address["city"], address["country"]["id"]) == ("Umeå", "SE")
    assert whole["addressBook"]["items"][0]["defaultBilling"] is True


@pytest.mark.parametrize("path", ["lead", "prospect", "project", "customer/999", "customer/107/nothing", "lead/108"])
def test_unknown_record_types_and_records_are_not_found(client: ApiClient, path: str) -> None:
    """Leads, prospects and projects are not record types of their own."""
    response = client.get(f"/record/v1/{path}")

    assert response.status_code == 404
    assert response.json()["o:errorDetails"][0]["o:errorCode"] == "NONEXISTENT_ID"


def test_a_lead_may_be_unreadable_as_a_customer(client: ApiClient, sandbox: RecordApiSandbox) -> None:
    """That it is readable is expected but not verified."""
    assert client.get("/record/v1/customer/108").status_code == 200

    sandbox.options.lead_readable = False

    assert client.get("/record/v1/customer/108").status_code == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_records_cannot_be_written(
    account: NetSuiteSandbox, client: ApiClient, sandbox: RecordApiSandbox, method: str
) -> None:
    """403 or 405, and the record stays unchanged."""
    before = account.rows("customer")
    rejected = client.http.request(method, "/services/rest/record/v1/customer/107", json={"companyName": "x"})
    sandbox.options.write_response = "not_allowed"
    not_allowed = client.http.request(method, "/services/rest/record/v1/customer/107", json={"companyName": "x"})

    assert (rejected.status_code, not_allowed.status_code) == (403, 405)
    assert account.rows("customer") == before


def test_a_hidden_record_type_is_forbidden(client: ApiClient, sandbox: RecordApiSandbox) -> None:
    """The role may not see it."""
    sandbox.switches.set("netsuite", NetSuiteSwitches, hidden_tables=["subsidiary"])

    response = client.get("/record/v1/subsidiary")

    assert response.status_code == 403
    assert response.json()["o:errorDetails"][0]["o:errorCode"] == "INSUFFICIENT_PERMISSION"
