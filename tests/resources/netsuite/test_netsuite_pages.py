"""A page looked at in passing is the page read with care."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources.errors import ContractError
from resources.netsuite.pages import look_at, raw_page, read_page

ROWS = [{"links": [], "id": "5", "name": 'a":"b"}],"id":"77"'}, {"links": [], "name": "x\\", "id": "9"}]


def body(items: list[Any], **changes: Any) -> dict[str, Any]:
    """A well-formed page."""
    plain = {"links": [{"rel": "self", "href": "x"}], "count": len(items), "hasMore": False, "items": items}
    return {**plain, "offset": 0, "totalResults": len(items), **changes}


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(orjson.dumps(body(ROWS)), id="as documented"),
        pytest.param(orjson.dumps(body(ROWS), option=orjson.OPT_INDENT_2), id="indented"),
        pytest.param(orjson.dumps({"items": ROWS, **body(ROWS)}), id="rows first"),
        pytest.param(orjson.dumps({**body(ROWS), "links": [{"rel": "self"}], "z": [1]}), id="a list behind the rows"),
        pytest.param(orjson.dumps(body([{"id": 5}, {"id": 9, "name": None}])), id="numbers"),
        pytest.param(orjson.dumps(body([{"id": "5"}, {"id": "9", "name": "n" * 100_000}])), id="a long last row"),
    ],
)
def test_the_last_key_is_found_whatever_the_answer_looks_like(answer: bytes) -> None:
    """The next page begins behind it; texts may hold anything, even what looks like a key."""
    page = look_at(answer, "id", "query")

    assert (page.count, page.last_key, page.has_more) == (2, 9, False)
    assert page.careful().cells is not None


@given(st.lists(st.one_of(st.text(max_size=30), st.text(alphabet=':"\\,[]', max_size=6)), min_size=1, max_size=5))
def test_cells_are_counted_whatever_the_texts_hold(texts: list[str]) -> None:
    """The count is compared with what DuckDB finds: a wrong one would send each page the slow way."""
    rows = [{"links": [], "id": str(number), "text": text} for number, text in enumerate(texts)]

    assert look_at(orjson.dumps(body(rows)), "id", "query").cells == 2 * len(texts)


@pytest.mark.parametrize("value", [3, True, {"refName": "x"}, [1], [], None])
def test_anything_but_texts_goes_the_careful_way(value: Any) -> None:
    """A number is harmless, a nested value is not understood; neither is counted as a text."""
    page = look_at(orjson.dumps(body([{"links": [], "id": "1", "x": value}])), "id", "query")

    assert page.cells is None
    if isinstance(value, dict | list):
        with pytest.raises(ContractError, match="x is not a scalar"):
            page.careful()
    else:
        assert page.careful().cells == (1 if value is None else 2)


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
def test_what_the_careful_reading_refuses_is_refused_in_passing(answer: bytes) -> None:
    """Whatever is missing here would look deleted later."""
    for look in (lambda: look_at(answer, "id", "query"), lambda: read_page(answer, "query")):
        with pytest.raises(ContractError, match="netsuite: query"):
            look()


def test_rows_become_a_page_among_others() -> None:
    """Small readings go through the same spool."""
    page = raw_page([{"id": "1", "name": "x"}], "id")

    assert (page.count, page.last_key, page.cells) == (1, 1, 2)
