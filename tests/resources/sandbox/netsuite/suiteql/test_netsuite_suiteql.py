"""The SuiteQL endpoint: its envelope, its pages, and what it wants of a call."""

from typing import Any

import httpx
import pytest

from resources.sandbox.netsuite.server import NetSuiteSandbox
from tests.resources.sandbox.netsuite.caller import SUITEQL, Caller, Switch


def customers(account: NetSuiteSandbox, count: int) -> None:
    """Fill in customers with the ids 1 to count."""
    account.insert("customer", ({"entityid": f"C{number}"} for number in range(1, count + 1)))


def test_values_are_texts_and_boxes_are_t_or_f(account: NetSuiteSandbox, caller: Caller) -> None:
    """A client that expects JSON numbers or booleans would break on the real system."""
    account.insert("customer", [{"id": 107, "entityid": "CUST-107", "isperson": False, "creditlimit": 100.0}])

    rows = caller.rows("SELECT ID, EntityId, isPerson, creditlimit FROM customer")

    assert rows == [{"id": "107", "entityid": "CUST-107", "isperson": "F", "creditlimit": "100"}]


def test_a_null_column_is_left_out_of_its_row(account: NetSuiteSandbox, caller: Caller) -> None:
    """And a row of nulls alone is still a row."""
    account.insert("customer", [{"id": 1}])

    response = caller.post("SELECT companyname FROM customer")

    assert response.json()["items"] == [{"links": []}]
    assert response.json()["count"] == 1


def test_an_empty_text_is_null(account: NetSuiteSandbox, caller: Caller) -> None:
    """Oracle knows no empty text."""
    account.insert("customer", [{"id": 1, "companyname": ""}])

    assert caller.column("SELECT id FROM customer WHERE companyname IS NULL") == ["1"]
    assert caller.column("SELECT id FROM customer WHERE companyname <> ''") == []


def test_the_envelope_is_the_documented_one(account: NetSuiteSandbox, caller: Caller) -> None:
    """Links to the next, last and own page; counts; the collection's media type."""
    customers(account, 6)

    response = caller.post("SELECT id FROM customer ORDER BY id ASC", limit=2)

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


def test_the_last_page_links_back(account: NetSuiteSandbox, caller: Caller) -> None:
    """No next, but first and prev."""
    customers(account, 5)

    answer = caller.post("SELECT id FROM customer ORDER BY id ASC", limit=2, offset=4).json()

    assert [each["rel"] for each in answer["links"]] == ["first", "prev", "self"]
    assert (answer["count"], answer["hasMore"], answer["totalResults"]) == (1, False, 5)


def test_an_empty_result_has_only_a_link_to_itself(caller: Caller) -> None:
    """As clients of the real system have seen."""
    answer = caller.post("SELECT id FROM customer").json()

    assert [each["rel"] for each in answer["links"]] == ["self"]
    assert (answer["count"], answer["hasMore"], answer["items"], answer["totalResults"]) == (0, False, [], 0)


def test_prefer_transient_is_needed(caller: Caller) -> None:
    """The header is mandatory."""
    del caller.http.headers["prefer"]

    response = caller.post("SELECT id FROM customer")

    assert response.status_code == 400
    assert response.json()["o:errorDetails"][0]["o:errorHeader"] == "Prefer"


def test_only_post_runs_a_query(caller: Caller) -> None:
    """Another verb gets 405."""
    assert caller.http.get(SUITEQL).status_code == 405


@pytest.mark.parametrize(("limit", "offset"), [(0, 0), (1001, 0), (10, 5), (1000, 100_000), ("x", 0), (10, -10)])
def test_pages_outside_the_limits_are_refused(caller: Caller, limit: Any, offset: int) -> None:
    """At most 1,000 rows a page, whole pages, 100,000 rows a query."""
    response = caller.post("SELECT id FROM customer", limit=limit, offset=offset)

    assert response.status_code == 400
    assert response.json()["o:errorDetails"][0]["o:errorCode"] == "INVALID_PARAMETER"


def test_the_row_cap_can_be_lifted(caller: Caller, switch: Switch) -> None:
    """Accounts with SuiteAnalytics Connect have none."""
    switch(row_cap=0, page_cap=0)

    assert caller.post("SELECT id FROM customer", offset=200_000).status_code == 200


def test_binds_are_taken_in_order(account: NetSuiteSandbox, caller: Caller) -> None:
    """Newer accounts take positional parameters; they come as texts in Oracle's example."""
    customers(account, 9)

    ids = caller.column("SELECT id FROM customer WHERE id >= ? AND id < ? AND id > 3 ORDER BY id ASC", "2", 6)

    assert ids == ["4", "5"]


def test_too_few_binds_are_refused(caller: Caller) -> None:
    """A missing value is not null."""
    assert caller.post("SELECT id FROM customer WHERE id > ? AND id < ?", 1).status_code == 400


def test_broken_json_is_refused(caller: Caller) -> None:
    """INVALID_CONTENT, as documented."""
    response = caller.http.post(SUITEQL, content=b"{")

    assert response.json()["o:errorDetails"][0]["o:errorCode"] == "INVALID_CONTENT"


def test_offset_pages_miss_a_row_when_one_before_them_is_deleted(account: NetSuiteSandbox, caller: Caller) -> None:
    """Each page is a fresh execution: the reason why extraction pages by id."""
    customers(account, 6)
    query = "SELECT id FROM customer ORDER BY id ASC"
    first = caller.column(query, limit=3)

    account.delete("customer", "customer", 1)
    second = caller.column(query, limit=3, offset=3)

    assert first + second == ["1", "2", "3", "5", "6"]


def test_keyset_pages_miss_nothing_when_rows_move(account: NetSuiteSandbox, caller: Caller) -> None:
    """The same deletion, with pages by id."""
    customers(account, 6)
    query = "SELECT id FROM customer WHERE id > {} ORDER BY id ASC"
    first = caller.column(query.format(0), limit=3)

    account.delete("customer", "customer", 1)
    second = caller.column(query.format(first[-1]), limit=3)

    assert first + second == ["1", "2", "3", "4", "5", "6"]


def test_pages_without_order_repeat_rows(account: NetSuiteSandbox, caller: Caller) -> None:
    """Rows come in another order at each page, so pages overlap and leave gaps."""
    customers(account, 100)

    seen = [
        key for offset in range(0, 100, 10) for key in caller.column("SELECT id FROM customer", limit=10, offset=offset)
    ]

    assert len(seen) == 100
    assert len(set(seen)) < 100


def test_rows_that_the_order_does_not_tell_apart_are_strewn(account: NetSuiteSandbox, caller: Caller) -> None:
    """An ORDER BY that is not unique is not enough to page by."""
    customers(account, 100)
    query = "SELECT id FROM customer ORDER BY lastmodifieddate ASC"

    seen = [key for offset in range(0, 100, 10) for key in caller.column(query, limit=10, offset=offset)]

    assert len(set(seen)) < 100


def test_the_strewn_order_is_the_same_at_each_run(account: NetSuiteSandbox, caller: Caller) -> None:
    """It is seeded: a failing test fails again."""
    customers(account, 50)

    assert caller.column("SELECT id FROM customer") == caller.column("SELECT id FROM customer")
    assert caller.column("SELECT id FROM customer") != [str(number) for number in range(1, 51)]


def test_an_order_without_asc_may_not_order(account: NetSuiteSandbox, caller: Caller, switch: Switch) -> None:
    """One project saw that paging needs an explicit ASC."""
    customers(account, 50)
    switch(order_needs_asc=True)
    expected = [str(number) for number in range(1, 51)]

    assert caller.column("SELECT id FROM customer ORDER BY id") != expected
    assert caller.column("SELECT id FROM customer ORDER BY id ASC") == expected


def test_a_hint_at_the_cause_is_in_a_header_of_our_own(caller: Caller) -> None:
    """NetSuite does not say what it minds; whoever writes a query against the stand-in wants to know."""
    response: httpx.Response = caller.post("SELECT id FROM customer LIMIT 5")

    assert response.headers["x-sandbox-reason"] == "LIMIT is not supported"


def test_prefer_can_be_left_out_where_it_is_not_wanted(caller: Caller, switch: Switch) -> None:
    """And its refusal can be worded otherwise: the real text is not known."""
    del caller.http.headers["prefer"]
    switch(prefer_text="Missing preference.")
    assert caller.refusal("SELECT id FROM customer") == "Missing preference."

    switch(prefer_required=False)

    assert caller.post("SELECT id FROM customer").status_code == 200


def test_the_strewn_order_follows_its_seed(account: NetSuiteSandbox, caller: Caller, switch: Switch) -> None:
    """Another seed is another order; without strewing rows come as they lie."""
    customers(account, 50)
    first = caller.column("SELECT id FROM customer")
    switch(shuffle_seed=2)
    second = caller.column("SELECT id FROM customer")
    switch(shuffle_unordered=False)

    assert first != second
    assert caller.column("SELECT id FROM customer") == [str(number) for number in range(1, 51)]


def test_older_answers_link_to_the_w3c(caller: Caller, switch: Switch) -> None:
    """The type of an error is a link; a client must not depend on it."""
    assert caller.post("SELECT 1").json()["type"] == "https://www.rfc-editor.org/rfc/rfc9110.html#section-15.5.1"

    switch(error_type_uri="w3c")

    assert caller.post("SELECT 1").json()["type"].startswith("https://www.w3.org/Protocols/rfc2616/")


def test_top_may_be_unsupported(account: NetSuiteSandbox, caller: Caller, switch: Switch) -> None:
    """It works but is slow, as others report."""
    customers(account, 3)
    assert caller.column("SELECT TOP 2 id FROM customer ORDER BY id DESC") == ["3", "2"]

    switch(top_allowed=False)

    assert caller.post("SELECT TOP 2 id FROM customer").status_code == 400
