"""The record API, which other clients use: collections, filters, one record, the catalogue; and no writing."""

import pytest

from resources.sandbox.netsuite.server import NetSuiteSandbox
from tests.resources.sandbox.netsuite.caller import Caller, Switch, utc

BASE = "https://1234567-sb1.suitetalk.api.netsuite.com/services/rest/record/v1"


@pytest.fixture(autouse=True)
def _records(account: NetSuiteSandbox) -> None:
    """A customer with everything, and a lead."""
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


def found(caller: Caller, query: str) -> list[str]:
    """Ids that a filter finds."""
    response = caller.get("/record/v1/customer", q=query)
    assert response.status_code == 200, response.text
    return [each["id"] for each in response.json()["items"]]


def test_a_collection_holds_ids_and_links_only(caller: Caller) -> None:
    """Bodies need one call each."""
    answer = caller.get("/record/v1/customer", limit="1").json()

    assert answer["items"] == [{"links": [{"rel": "self", "href": f"{BASE}/customer/107"}], "id": "107"}]
    assert (answer["count"], answer["hasMore"], answer["totalResults"]) == (1, True, 2)
    assert answer["links"][0] == {"rel": "next", "href": f"{BASE}/customer?limit=1&offset=1"}


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
def test_filters_find_records(caller: Caller, query: str, expected: list[str]) -> None:
    """A day is a day of the session's zone, here Pacific."""
    assert found(caller, query) == expected


@pytest.mark.parametrize(("meaning", "expected"), [("the_day", ["108"]), ("midnight", ["107", "108"])])
def test_after_a_day_may_mean_after_its_midnight(
    caller: Caller, switch: Switch, meaning: str, expected: list[str]
) -> None:
    """Nothing is documented; a connector that many use takes it for the midnight that begins the day."""
    switch(q_after=meaning)

    assert found(caller, 'lastModifiedDate AFTER "1/1/2026"') == expected


def test_a_date_in_another_format_is_refused(caller: Caller) -> None:
    """With the fragment that Airbyte's connector looks for."""
    response = caller.get("/record/v1/customer", q='lastModifiedDate AFTER "2026-01-01"')

    assert response.status_code == 400
    assert "failed with date format" in response.json()["o:errorDetails"][0]["detail"]


@pytest.mark.parametrize("query", ["shoeSize EQUAL 5", "id EQUAL", "(id EQUAL 5", "id EQUAL 5 5", "id CONTAIN 5", "OR"])
def test_a_broken_filter_is_refused(caller: Caller, query: str) -> None:
    """INVALID_PARAMETER, never every record."""
    response = caller.get("/record/v1/customer", q=query)

    assert response.status_code == 400
    assert response.json()["o:errorDetails"][0]["o:errorCode"] == "INVALID_PARAMETER"


def test_one_record_has_camel_case_types_and_references(caller: Caller) -> None:
    """JSON booleans and numbers, ISO dates in UTC: unlike SuiteQL."""
    answer = caller.get("/record/v1/customer/107").json()

    assert answer["companyName"] == "Acme AB"
    assert answer["isPerson"] is False
    assert answer["creditLimit"] == 10.5
    assert answer["startDate"] == "2026-01-01"
    assert answer["lastModifiedDate"] == "2026-01-02T03:04:05Z"
    assert answer["entityStatus"] == {
        "links": [{"rel": "self", "href": f"{BASE}/customerStatus/13"}],
        "id": "13",
        "refName": "CUSTOMER-Closed Won",
    }
    assert answer["subsidiary"]["refName"] == "Parent Company"


def test_a_record_can_be_asked_for_by_external_id(caller: Caller) -> None:
    """eid: stands before it."""
    assert caller.get("/record/v1/customer/eid:A1").json()["id"] == "107"


def test_fields_can_be_chosen(caller: Caller) -> None:
    """Only those, and the id."""
    answer = caller.get("/record/v1/customer/107", fields="companyName").json()

    assert answer.keys() == {"links", "id", "companyName"}


def test_the_address_book_is_a_sub_record(caller: Caller) -> None:
    """A collection, an item, the address within; or all at once."""
    items = caller.get("/record/v1/customer/107/addressBook").json()["items"]
    address = caller.get("/record/v1/customer/107/addressBook/3/addressBookAddress").json()
    whole = caller.get("/record/v1/customer/107", expandSubResources="true").json()

    assert [each["id"] for each in items] == ["3"]
    assert (address["city"], address["country"]["id"]) == ("Umeå", "SE")
    assert whole["addressBook"]["items"][0]["defaultBilling"] is True


@pytest.mark.parametrize("path", ["lead", "prospect", "project", "customer/999", "customer/107/nothing", "lead/108"])
def test_what_rest_has_not_is_not_found(caller: Caller, path: str) -> None:
    """Leads, prospects and projects are no resources of their own."""
    response = caller.get(f"/record/v1/{path}")

    assert response.status_code == 404
    assert response.json()["o:errorDetails"][0]["o:errorCode"] == "NONEXISTENT_ID"


def test_a_lead_may_be_unreadable_as_a_customer(caller: Caller, switch: Switch) -> None:
    """Expected to work, not verified."""
    assert caller.get("/record/v1/customer/108").status_code == 200

    switch(lead_readable=False)

    assert caller.get("/record/v1/customer/108").status_code == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_nothing_is_ever_written(account: NetSuiteSandbox, caller: Caller, switch: Switch, method: str) -> None:
    """403 or 405, and the record is as it was."""
    before = account.rows("customer")
    refused = caller.http.request(method, "/services/rest/record/v1/customer/107", json={"companyName": "x"})
    switch(write_answer="not_allowed")
    not_allowed = caller.http.request(method, "/services/rest/record/v1/customer/107", json={"companyName": "x"})

    assert (refused.status_code, not_allowed.status_code) == (403, 405)
    assert account.rows("customer") == before


def test_a_hidden_record_type_is_forbidden(caller: Caller, switch: Switch) -> None:
    """The role may not see it."""
    switch(hidden_tables=["subsidiary"])

    response = caller.get("/record/v1/subsidiary")

    assert response.status_code == 403
    assert response.json()["o:errorDetails"][0]["o:errorCode"] == "INSUFFICIENT_PERMISSION"


def test_the_catalogue_lists_record_types(caller: Caller) -> None:
    """With links in three media types; `select` narrows."""
    names = [each["name"] for each in caller.get("/record/v1/metadata-catalog").json()["items"]]
    chosen = caller.get("/record/v1/metadata-catalog", select="customer,job").json()["items"]

    assert {"customer", "job", "customerSubsidiaryRelationship"} <= set(names)
    assert [each["name"] for each in chosen] == ["customer", "job"]
    assert len(chosen[0]["links"]) == 4


def test_the_schema_tells_types_and_custom_fields(caller: Caller) -> None:
    """The documented way to find custentity_ fields."""
    caller.http.headers["accept"] = "application/schema+json"

    properties = caller.get("/record/v1/metadata-catalog/customer").json()["properties"]

    assert properties["isPerson"]["type"] == "boolean"
    assert properties["lastModifiedDate"]["format"] == "date-time"
    assert properties["custentity_region"]["x-ns-custom-field"] is True
    assert "entityid" not in properties


def test_an_openapi_description_can_be_had(caller: Caller) -> None:
    """The third media type."""
    caller.http.headers["accept"] = "application/swagger+json"

    answer = caller.get("/record/v1/metadata-catalog", select="job").json()

    assert answer["openapi"].startswith("3.")
    assert list(answer["components"]["schemas"]) == ["job"]
