"""A scanned page equals the parsed page."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources.errors import ContractError
from resources.netsuite.pages import parse_page, scan_page

ROWS = [{"links": [], "id": "5", "name": 'a":"b"}],"id":"77"'}, {"links": [], "name": "x\\", "id": "9"}]


def body(items: list[Any], **changes: Any) -> dict[str, Any]:
    """Return a well-formed page."""
    plain = {"links": [{"rel": "self", "href": "x"}], "count": len(items), "hasMore": False, "items": items}
    return {**plain, "offset": 0, "totalResults": len(items), **changes}


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(orjson.dumps(body(ROWS)), id="as documented"),
        pytest.param(orjson.dumps(body(ROWS), option=orjson.OPT_INDENT_2), id="indented"),
        pytest.param(orjson.dumps({"items": ROWS, **body(ROWS)}), id="rows first"),
        pytest.param(orjson.dumps({**body(ROWS), "links": [{"rel": "self"}], "z": [1]}), id="a list after the rows"),
        pytest.param(orjson.dumps(body([{"id": 5}, {"id": 9, "name": None}])), id="numbers"),
        pytest.param(orjson.dumps(body([{"id": "5"}, {"id": "9", "name": "n" * 100_000}])), id="a long last row"),
    ],
)
def test_the_last_key_is_found_in_any_valid_response(answer: bytes) -> None:
    """The next page begins after it; texts may contain anything, even what looks like a key."""
    page = scan_page(answer, "id", "query")

    assert (page.count, page.last_key, page.has_more) == (2, 9, False)
    assert page.normalized().cells is not None


@given(st.lists(st.one_of(st.text(max_size=30), st.text(alphabet=':"\\,[]', max_size=6)), min_size=1, max_size=5))
def test_cells_are_counted_whatever_the_texts_contain(texts: list[str]) -> None:
    """DuckDB's count is compared with it: a wrong one would make each page be parsed in Python."""
    rows = [{"links": [], "id": str(number), "text": text} for number, text in enumerate(texts)]

    assert scan_page(orjson.dumps(body(rows)), "id", "query").cells == 2 * len(texts)


@pytest.mark.parametrize("value", [3, True, {"refName": "x"}, [1], [], None])
def test_a_page_with_other_values_than_texts_is_parsed(value: Any) -> None:
    """A number is accepted, a nested value is not; neither is counted as a text."""
    page = scan_page(orjson.dumps(body([{"links": [], "id": "1", "x": value}])), "id", "query")

    assert page.cells is None
    if isinstance(value, dict | list):
        with pytest.raises(ContractError, match="x is not a scalar"):
            page.normalized()
    else:
        assert page.normalized().cells == (1 if value is None else 2)


@pytest.mark.parametrize(
    "answer",
    [
        orjson.dumps(body(ROWS))[:60],
        b"<html>Down for maintenance</html>",
        b"",
        orjson.dumps([]),
        orjson.dumps(body(ROWS, hasMore=True)),
        orjson.dumps(body(ROWS, totalResults=5)),
        orjson.dumps(body(ROWS, offset=1000)),
        orjson.dumps(body(ROWS, hasMore="no")),
    ],
)
def test_scanning_rejects_what_parsing_rejects(answer: bytes) -> None:
    """Rows missing here would look deleted later."""
    for read in (lambda: scan_page(answer, "id", "query"), lambda: parse_page(answer, "query")):
        with pytest.raises(ContractError, match="netsuite: query"):
            read()


def test_a_normalized_page_is_not_parsed_again() -> None:
    """Its rows have lower-case names and text values."""
    page = scan_page(orjson.dumps(body([{"ID": 1, "id": "1", "Name": "x"}])), "id", "query").normalized()

    assert (page.count, page.last_key, page.cells) == (1, 1, 2)
    assert page.normalized() is page
