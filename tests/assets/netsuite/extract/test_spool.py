"""Rows on disk are the rows that arrived, or the read stops."""

import traceback
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assets.netsuite.extract import spool as spool_module
from assets.netsuite.extract.spool import Spool, SpoolLayout, spool_query
from resources.errors import ContractError
from resources.netsuite.pages import RawPage, scan_page
from resources.netsuite.parallel_fetch import FetchedPage
from resources.scratch import scratch

LAYOUT = SpoolLayout("id", ("id", "name", "note"), "'raw_x'", "raw_x")
TEXT = st.one_of(st.none(), st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"), max_size=20))


@pytest.fixture(autouse=True, params=[0, spool_module.PARSED_PAGE_BYTES], ids=["DuckDB", "Python"])
def parsed_bytes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Let DuckDB read the pages, as it does large ones, or Python, which parses small ones."""
    monkeypatch.setattr(spool_module, "PARSED_PAGE_BYTES", request.param)
    return int(request.param)


def page(*rows: dict[str, Any]) -> RawPage:
    """Return rows as NetSuite sends them: no nulls, empty links."""
    items = [{"links": [], **{name: value for name, value in row.items() if value is not None}} for row in rows]
    response = {"links": [], "count": len(items), "hasMore": False, "items": items, "offset": 0}
    return scan_page(orjson.dumps(response), "id", "query customer")


def rows_of(spool: Spool) -> list[dict[str, Any]]:
    """Return the rows on disk."""
    with duckdb.connect() as con:
        cursor = con.execute(spool_query([spool]) + " order by id::bigint")
        names = [each[0] for each in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=8))
def test_values_are_stored_unchanged(tmp_path: Path, values: list[tuple[str | None, str | None]]) -> None:
    """Quotation marks, backslashes, other scripts: none may change; a blank text is null."""
    rows = [{"id": str(number), "name": name, "note": note} for number, (name, note) in enumerate(values, 1)]
    with scratch(tmp_path, "test") as folder:
        spool = Spool(folder, LAYOUT)
        spool.add([FetchedPage(page(*rows), 0, None)])

        assert [{name: row[name] for name in LAYOUT.columns} for row in rows_of(spool)] == [
            {name: value or None for name, value in row.items()} for row in rows
        ]


def test_only_equal_rows_have_equal_hashes(tmp_path: Path) -> None:
    """An empty column and one that was not requested are the same; a value in another column is not."""
    rows = [{"id": "1", "name": "a"}, {"id": "2", "note": "a"}, {"id": "3", "name": "a", "note": ""}]
    with scratch(tmp_path, "test") as folder:
        wide = Spool(folder, LAYOUT)
        wide.add([FetchedPage(page(*rows), 0, None)])
        hashes = [row["_row_hash"] for row in rows_of(wide)]
        (folder / "narrow").mkdir()
        narrow = Spool(folder / "narrow", SpoolLayout("id", ("id", "name"), "'x'", "x"))
        narrow.add([FetchedPage(page(rows[0]), 0, None)])

        assert len(set(hashes)) == 3
        assert rows_of(narrow)[0]["_row_hash"] == hashes[0]


def test_names_in_another_case_and_numbers_are_normalized(tmp_path: Path) -> None:
    """The documentation does not specify the case; DuckDB alone would find such columns empty."""
    upper, number = page({"id": "1", "NAME": "a"}), page({"id": 2, "note": True})
    with scratch(tmp_path, "test") as folder:
        spool = Spool(folder, LAYOUT)
        spool.add([FetchedPage(upper, 0, None), FetchedPage(number, 1, None)])

        rows = [(row["id"], row["name"], row["note"]) for row in rows_of(spool)]
        assert rows == [("1", "a", None), ("2", None, "T")]


def test_rows_of_another_id_range_are_left_out(tmp_path: Path) -> None:
    """The range was split while the page was on its way."""
    with scratch(tmp_path, "test") as folder:
        spool = Spool(folder, LAYOUT)
        spool.add([FetchedPage(page({"id": "1"}, {"id": "2"}, {"id": "3"}), 0, 2)])

        assert ([row["id"] for row in rows_of(spool)], spool.rows) == (["1", "2"], 2)


@pytest.mark.parametrize(
    ("rows", "after"),
    [
        ([{"id": "3"}, {"id": "2"}], 0),
        ([{"id": "2"}, {"id": "2"}], 0),
        ([{"id": "2"}, {"id": "3"}], 2),
        ([{"id": "x"}, {"id": "3"}], 0),
        ([{"name": "x"}, {"id": "3"}], 0),
    ],
    ids=["descending", "duplicate", "before the range", "not a number", "no key"],
)
def test_an_inconsistent_page_stops_the_read(tmp_path: Path, rows: list[Any], after: int) -> None:
    """Rows could be lost or repeated silently."""
    with scratch(tmp_path, "test") as folder, pytest.raises(ContractError, match=r"do(es)? not ascend"):
        Spool(folder, LAYOUT).add([FetchedPage(page(*rows), after, None)])


def test_a_page_that_ends_with_another_key_stops_the_read(tmp_path: Path) -> None:
    """The next call has begun after the announced key, so that rows in between would be lost."""
    with scratch(tmp_path, "test") as folder, pytest.raises(ContractError, match=r"holds other rows"):
        Spool(folder, LAYOUT).add([FetchedPage(replace(page({"id": "1"}, {"id": "2"}), last_key=3), 0, None)])


def test_a_column_that_was_not_requested_is_left_out_and_named(tmp_path: Path) -> None:
    """The other columns are as they came, on this page and on the others."""
    pages = [page({"id": "1", "name": "a", "newInNetSuite": "b"}), page({"id": "2", "note": {"refName": "c"}})]
    with scratch(tmp_path, "test") as folder:
        spool = Spool(folder, LAYOUT)
        spool.add([FetchedPage(pages[0], 0, None), FetchedPage(pages[1], 1, None)])

        rows = [(row["id"], row["name"], row["note"]) for row in rows_of(spool)]
    assert rows == [("1", "a", None), ("2", None, '{"refName":"c"}')]
    assert (spool.left_out, spool.repaired) == ({"newinnetsuite"}, [("2", "note")])


def test_half_a_page_stops_the_read(tmp_path: Path) -> None:
    """The response is cut between rows, so that the rest looks complete."""
    whole = page({"id": "1"}, {"id": "2"})
    cut = replace(whole, body=whole.body.replace(b',{"links":[],"id":"2"}', b""), end=whole.end - 22)

    with scratch(tmp_path, "test") as folder, pytest.raises(ContractError, match="announces 2 rows and holds 1"):
        Spool(folder, LAYOUT).add([FetchedPage(cut, 0, None)])


DAMAGE = (b"\xff", b"\x00", b'"', b"\\", b"{", b"[", b"}", b"]", b"\\ud800", b"\\u0000", b"\xc3", b",", b":", b"1e999")


def error_text(folder: Path, body: bytes) -> str:
    """Return what a log would show of a response that cannot be stored; empty if it can."""
    try:
        Spool(folder, LAYOUT).add([FetchedPage(scan_page(body, "id", "query customer"), 0, None)])
    except ContractError as error:
        return "".join(traceback.format_exception(error))
    return ""


def test_no_error_contains_values_of_a_row(tmp_path: Path) -> None:
    """DuckDB quotes the lines that it cannot read: names and addresses, which a log would keep for years."""
    rows = [{"id": str(each), "name": "Anna Secret", "note": "anna.secret@example.com"} for each in range(1, 6)]
    whole, random, errors = page(*rows), Random(1), 0
    for number in range(40):
        body = bytearray(whole.body)
        place = random.randrange(whole.begin, whole.end - 1)
        body[place : place + random.choice((0, 1, 9))] = random.choice(DAMAGE)
        folder = tmp_path / str(number)
        folder.mkdir()
        text = error_text(folder, bytes(body))
        errors += bool(text)
        assert "ecret" not in text
    assert 8 < errors < 40


def test_the_scratch_folder_is_private_and_removed(tmp_path: Path) -> None:
    """The files contain names and addresses."""
    with scratch(tmp_path, "test") as folder:
        assert folder.stat().st_mode & 0o077 == 0
        (folder / "x").write_text("x")

    assert list((tmp_path / "scratch").iterdir()) == []
