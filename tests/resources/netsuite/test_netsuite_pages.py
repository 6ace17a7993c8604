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


@given(
    st.lists(
        st.one_of(
            st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=30),
            st.text(alphabet=':"\\,[]', min_size=1, max_size=6),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_cells_are_counted_whatever_the_texts_contain(texts: list[str]) -> None:
    """DuckDB's count is compared with it: a wrong one would make each page be parsed in Python."""
    rows = [{"links": [], "id": str(number), "text": text} for number, text in enumerate(texts)]

    assert scan_page(orjson.dumps(body(rows)), "id", "query").cells == 2 * len(texts)


@pytest.mark.parametrize("value", [3, True, {"refName": "x"}, [1], [], None, ""])
def test_a_page_with_other_values_than_texts_is_parsed(value: Any) -> None:
    """A number is read as text, a nested value as its JSON, and named; neither counts as a text, nor does a blank."""
    page = scan_page(orjson.dumps(body([{"links": [], "id": "1", "x": value}])), "id", "query")

    assert page.cells is None
    read = page.normalized()
    assert read.cells == (1 if value in (None, [], "") else 2)
    is_nested = isinstance(value, dict | list) and bool(value)
    assert [(row["id"], column) for row, column in read.repaired] == ([("1", "x")] if is_nested else [])


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
        orjson.dumps(body(ROWS, hasMore="perhaps")),
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


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("99999999999999.99", "99999999999999.99"),
        ("12345678901234567.89", "12345678901234567.89"),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
        ("1E+2", "100"),
        ("1e-7", "0.0000001"),
        ("1.50", "1.50"),
        ("1001.0", "1001"),
        ("2.00", "2"),
        pytest.param("7" * 5000, "7" * 5000, id="5000 digits"),
    ],
)
def test_a_number_keeps_its_digits(number: str, expected: str) -> None:
    """The documentation promises strings; a number is read digit by digit, never as a binary fraction."""
    answer = orjson.dumps(body([{"links": [], "id": "1", "x": "@"}])).replace(b'"@"', number.encode())

    assert parse_page(answer, "query").rows == [{"id": "1", "x": expected}]
    assert orjson.loads(scan_page(answer, "id", "query").normalized().items)[0]["x"] == expected


def test_an_id_is_a_whole_number_in_every_form() -> None:
    """A library may write whole numbers as 1001.0; keys and the columns that refer to them must stay alike."""
    rows: list[dict[str, Any]] = [{"links": [], "id": 1001.0, "parent": 7.0}, {"links": [], "id": 1002, "parent": "7"}]

    for items, last in (rows, 1002), (rows[::-1], 1001):
        page = scan_page(orjson.dumps(body(items)), "id", "query")
        assert page.last_key == last
        assert {(row["id"], row["parent"]) for row in orjson.loads(page.normalized().items)} == {
            ("1001", "7"),
            ("1002", "7"),
        }


BAD_TEXTS = {
    "half of a pair": b"a\\ud83d",
    "the other half": b"\\ude00a",
    "halves in reverse": b"\\ude00\\ud83d",
    "a Latin-1 byte": "Ö".encode("latin-1"),
    "a cut character": "Ö".encode()[:1],
    "a surrogate in UTF-8": b"\xed\xa0\xbd",
    "NUL": b"a\\u0000b",
}


@pytest.mark.parametrize("bad", BAD_TEXTS.values(), ids=BAD_TEXTS)
def test_a_value_that_is_not_text_is_repaired_and_named(bad: bytes) -> None:
    """The other values of the page are unchanged."""
    items = [{"links": [], "id": "1", "x": "fine \U0001f600"}, {"links": [], "id": "2", "x": "@", "y": "Ö"}]
    answer = orjson.dumps(body(items)).replace(b"@", bad)

    page = scan_page(answer, "id", "query").normalized()

    first, second = orjson.loads(page.items)
    assert (first["x"], second["y"]) == ("fine \U0001f600", "Ö")
    assert set(second["x"]) <= {"a", "b", "\ufffd"}
    assert "\ufffd" in second["x"]
    assert [(row["id"], column) for row, column in page.repaired] == [("2", "x")]


@pytest.mark.parametrize("depth", [300, 900])
def test_a_value_nested_too_deeply_is_replaced_and_named(depth: int) -> None:
    """It stops neither its page nor the run."""
    items = [{"links": [], "id": "1", "x": "a"}, {"links": [], "id": "2", "x": "@"}]
    answer = orjson.dumps(body(items)).replace(b'"@"', b"[" * depth + b"]" * depth)

    page = scan_page(answer, "id", "query").normalized()

    assert [row["x"] for row in orjson.loads(page.items)] == ["a", "\ufffd"]
    assert [(row["id"], column) for row, column in page.repaired] == [("2", "x")]


def test_a_key_of_any_length_is_read_or_rejected() -> None:
    """Python converts no number of more than 4300 digits."""
    answer = orjson.dumps(body([{"links": [], "id": "7" * 5000}]))

    with pytest.raises(ContractError, match="a row has no whole number in id"):
        scan_page(answer, "id", "query")


def test_a_byte_order_mark_is_skipped() -> None:
    """Some proxies add it."""
    page = scan_page(b"\xef\xbb\xbf" + orjson.dumps(body(ROWS)), "id", "query").normalized()

    assert (page.count, page.last_key, page.repaired) == (2, 9, ())


@pytest.mark.parametrize("name", [b"x\\ud83d", b"x\\u0000", b"x\xff", b"Something New", b"name"])
def test_a_column_that_was_not_asked_for_is_left_out_and_named(name: bytes) -> None:
    """Whatever its name: a new one of NetSuite must not stop a table, nor be stored."""
    answer = orjson.dumps(body([{"links": [], "id": "1", "x": "a", "@": "b"}])).replace(b"@", name)

    page = scan_page(answer, "id", "query").normalized(("id", "x"))

    assert orjson.loads(page.items) == [{"id": "1", "x": "a"}]
    (left_out,) = page.left_out
    assert left_out.startswith(name[:1].decode().lower())
    assert left_out.encode().decode() == left_out
