"""The SuiteQL endpoint: response body, pages, and required parts of a request."""

from typing import Any

import httpx
import pytest

from resources.sandbox.netsuite.server import NetSuiteSandbox
from tests.resources.sandbox.netsuite.api_client import SUITEQL, ApiClient, SetSwitches


def customers(account: NetSuiteSandbox, count: int) -> None:
    """Insert customers with the ids 1 to count."""
    account.insert("customer", ({"entityid": f"C{number}"} for number in range(1, count + 1)))


def test_values_are_strings_and_booleans_are_t_or_f(account: NetSuiteSandbox, client: ApiClient) -> None:
    """A client that expects JSON numbers or booleans would fail with the real system."""
    account.insert("customer", [{"id": 107, "entityid": "CUST-107", "isperson": False, "creditlimit": 100.0}])

    rows = client.rows("SELECT ID, EntityId, isPerson, creditlimit FROM customer")

    assert rows == [{"id": "107", "entityid": "CUST-107", "isperson": "F", "creditlimit": "100"}]


def test_null_values_are_omitted(account: NetSuiteSandbox, client: ApiClient) -> None:
    """A row with null values only is still a row."""
    account.insert("customer", [{"id": 1}])

    response = client.post("SELECT companyname FROM customer")

    assert response.json()["items"] == [{"links": []}]
    assert response.json()["count"] == 1


def test_an_empty_string_is_null(account: NetSuiteSandbox, client: ApiClient) -> None:
    """Oracle has no empty strings."""
    account.insert("customer", [{"id": 1, "companyname": ""}])

    assert client.column("SELECT id FROM customer WHERE companyname IS NULL") == ["1"]
    assert client.column("SELECT id FROM customer WHERE companyname <> ''") == []


def test_the_response_body_is_the_documented_one(account: NetSuiteSandbox, client: ApiClient) -> None:
    """Links to the next, last and own page; counts; the media type of a collection."""
    customers(account, 6)

    response = client.post("SELECT id FROM customer ORDER BY id ASC", limit=2)

    base = f"https://1234567-sb1.suitetalk.api.netsuite.com{SUITEQL}?limit=2&offset="
    assert response.headers["content-type"] == "application/vnd.oracle.resource+json; type=collection"
    assert response.json() == {
        "links": [
            {"rel": "next", "href": f"{base}2"},
            {"rel": "last", "href": f"{base}4"},
            {"rel": "self", "href": f"{base}0"},
        ],
        "count": 2,
        "hasMore": True,
        "items": [{"links": [], "id": "1"}, {"links": [], "id": "2"}],
        "offset": 0,
        "totalResults": 6,
    }


def test_the_last_page_links_back(account: NetSuiteSandbox, client: ApiClient) -> None:
    """It has first and prev instead of next."""
    customers(account, 5)

    page = client.post("SELECT id FROM customer ORDER BY id ASC", limit=2, offset=4).json()

    assert [each["rel"] for each in page["links"]] == ["first", "prev", "self"]
    assert (page["count"], page["hasMore"], page["totalResults"]) == (1, False, 5)


def test_an_empty_result_has_only_a_link_to_itself(client: ApiClient) -> None:
    """As observed with the real system."""
    page = client.post("SELECT id FROM customer").json()

    assert [each["rel"] for each in page["links"]] == ["self"]
    assert (page["count"], page["hasMore"], page["items"], page["totalResults"]) == (0, False, [], 0)


def test_prefer_transient_is_required(client: ApiClient) -> None:
    """The header is mandatory."""
    del client.http.headers["prefer"]

    response = client.post("SELECT id FROM customer")

    assert response.status_code == 400
    assert response.json()["o:errorDetails"][0]["o:errorHeader"] == "Prefer"


def test_only_post_runs_a_query(client: ApiClient) -> None:
    """Another method gets 405."""
    assert client.http.get(SUITEQL).status_code == 405


@pytest.mark.parametrize(("limit", "offset"), [(0, 0), (1001, 0), (10, 5), (1000, 100_000), ("x", 0), (10, -10)])
def test_pages_outside_the_limits_are_rejected(client: ApiClient, limit: Any, offset: int) -> None:
    """At most 1,000 rows per page, whole pages, 100,000 rows per query."""
    response = client.post("SELECT id FROM customer", limit=limit, offset=offset)

    assert response.status_code == 400
    assert response.json()["o:errorDetails"][0]["o:errorCode"] == "INVALID_PARAMETER"


def test_the_row_cap_can_be_disabled(client: ApiClient, switch: SetSwitches) -> None:
    """Accounts with SuiteAnalytics Connect have none."""
    switch(row_cap=0, page_cap=0)

    assert client.post("SELECT id FROM customer", offset=200_000).status_code == 200


def test_binds_are_taken_in_order(account: NetSuiteSandbox, client: ApiClient) -> None:
    """Newer accounts accept positional parameters; in Oracle's example they are strings."""
    customers(account, 9)

    ids = client.column("SELECT id FROM customer WHERE id >= ? AND id < ? AND id > 3 ORDER BY id ASC", "2", 6)

    assert ids == ["4", "5"]


def test_missing_binds_are_rejected(client: ApiClient) -> None:
    """A missing value is not null."""
    assert client.post("SELECT id FROM customer WHERE id > ? AND id < ?", 1).status_code == 400


def test_invalid_json_is_rejected(client: ApiClient) -> None:
    """INVALID_CONTENT, as documented."""
    response = client.http.post(SUITEQL, content=b"{")

    assert response.json()["o:errorDetails"][0]["o:errorCode"] == "INVALID_CONTENT"


def test_offset_pages_miss_a_row_when_one_before_them_is_deleted(account: NetSuiteSandbox, client: ApiClient) -> None:
    """Each page is a new execution; therefore extraction pages by id."""
    customers(account, 6)
    query = "SELECT id FROM customer ORDER BY id ASC"
    first = client.column(query, limit=3)

    account.delete("customer", "customer", 1)
    second = client.column(query, limit=3, offset=3)

    assert first + second == ["1", "2", "3", "5", "6"]


def test_keyset_pages_miss_no_row_when_rows_are_deleted(account: NetSuiteSandbox, client: ApiClient) -> None:
    """The same deletion, with pages by id."""
    customers(account, 6)
    query = "SELECT id FROM customer WHERE id > {} ORDER BY id ASC"
    first = client.column(query.format(0), limit=3)

    account.delete("customer", "customer", 1)
    second = client.column(query.format(first[-1]), limit=3)

    assert first + second == ["1", "2", "3", "4", "5", "6"]


def test_pages_without_order_repeat_rows(account: NetSuiteSandbox, client: ApiClient) -> None:
    """Each page has another order of rows, so pages overlap and leave gaps."""
    customers(account, 100)

    seen = [
        key for offset in range(0, 100, 10) for key in client.column("SELECT id FROM customer", limit=10, offset=offset)
    ]

    assert len(seen) == 100
    assert len(set(seen)) < 100


def test_rows_with_equal_order_keys_are_shuffled(account: NetSuiteSandbox, client: ApiClient) -> None:
    """An ORDER BY that is not unique is not sufficient for paging."""
    customers(account, 100)
    query = "SELECT id FROM customer ORDER BY lastmodifieddate ASC"

    seen = [key for offset in range(0, 100, 10) for key in client.column(query, limit=10, offset=offset)]

    assert len(set(seen)) < 100


def test_the_shuffled_order_is_repeatable(account: NetSuiteSandbox, client: ApiClient) -> None:
    """It is seeded: a failing test fails again."""
    customers(account, 50)

    assert client.column("SELECT id FROM customer") == client.column("SELECT id FROM customer")
    assert client.column("SELECT id FROM customer") != [str(number) for number in range(1, 51)]


def test_an_order_without_asc_may_have_no_effect(
    account: NetSuiteSandbox, client: ApiClient, switch: SetSwitches
) -> None:
    """One project reports that paging needs an explicit ASC."""
    customers(account, 50)
    switch(order_needs_asc=True)
    expected = [str(number) for number in range(1, 51)]

    assert client.column("SELECT id FROM customer ORDER BY id") != expected
    assert client.column("SELECT id FROM customer ORDER BY id ASC") == expected


def test_the_reason_of_an_error_is_in_a_header(client: ApiClient) -> None:
    """NetSuite does not report the reason; the author of a query needs it."""
    response: httpx.Response = client.post("SELECT id FROM customer LIMIT 5")

    assert response.headers["x-sandbox-reason"] == "LIMIT is not supported"


def test_prefer_can_be_optional(client: ApiClient, switch: SetSwitches) -> None:
    """The error text can be changed as well, because the real one is unknown."""
    del client.http.headers["prefer"]
    switch(prefer_text="Missing preference.")
    assert client.error_text("SELECT id FROM customer") == "Missing preference."

    switch(prefer_required=False)

    assert client.post("SELECT id FROM customer").status_code == 200


def test_the_shuffled_order_depends_on_its_seed(
    account: NetSuiteSandbox, client: ApiClient, switch: SetSwitches
) -> None:
    """Without shuffling, rows are in the order of their ids."""
    customers(account, 50)
    first = client.column("SELECT id FROM customer")
    switch(shuffle_seed=2)
    second = client.column("SELECT id FROM customer")
    switch(shuffle_unordered=False)

    assert first != second
    assert client.column("SELECT id FROM customer") == [str(number) for number in range(1, 51)]


def test_older_errors_link_to_the_w3c(client: ApiClient, switch: SetSwitches) -> None:
    """The type of an error is a link; clients must not depend on it."""
    assert client.post("SELECT 1").json()["type"] == "https://www.rfc-editor.org/rfc/rfc9110.html#section-15.5.1"

    switch(error_type_uri="w3c")

    assert client.post("SELECT 1").json()["type"].startswith("https://www.w3.org/Protocols/rfc2616/")


def test_top_may_be_unsupported(account: NetSuiteSandbox, client: ApiClient, switch: SetSwitches) -> None:
    """Others report that it works but is slow."""
    customers(account, 3)
    assert client.column("SELECT TOP 2 id FROM customer ORDER BY id DESC") == ["3", "2"]

    switch(top_allowed=False)

    assert client.post("SELECT TOP 2 id FROM customer").status_code == 400
