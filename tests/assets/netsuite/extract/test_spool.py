"""Rows on disk are the rows that came, or the reading stops."""

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

from assets.netsuite.extract.spool import Shape, Spool, relation, scratch
from resources.errors import ContractError
from resources.netsuite.pages import RawPage, look_at
from resources.netsuite.parallel_fetch import SweptPage

SHAPE = Shape("id", ("id", "name", "note"), "'raw_x'", "raw_x")
TEXT = st.one_of(st.none(), st.text(alphabet=st.characters(codec="utf-8"), max_size=20))


def page(*rows: dict[str, Any], **changes: Any) -> RawPage:
    """Rows as NetSuite sends them: no nulls, empty links."""
    items = [{"links": [], **{name: value for name, value in row.items() if value is not None}} for row in rows]
    answer = {"links": [], "count": len(items), "hasMore": False, "items": items, "offset": 0, **changes}
    return look_at(orjson.dumps(answer), "id", "query customer")


def kept(spool: Spool) -> list[dict[str, Any]]:
    """What is on disk."""
    with duckdb.connect() as con:
        cursor = con.execute(relation([spool]) + " order by id::bigint")
        names = [each[0] for each in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=8))
def test_values_stay_as_they_came(tmp_path: Path, values: list[tuple[str | None, str | None]]) -> None:
    """Quotation marks, backslashes, other scripts, empty texts: none passes through Python, none may change."""
    rows = [{"id": str(number), "name": name, "note": note} for number, (name, note) in enumerate(values, 1)]
    with scratch(tmp_path) as folder:
        spool = Spool(folder, SHAPE)
        spool.take([SweptPage(page(*rows), 0, None)])

        assert [{name: row[name] for name in SHAPE.columns} for row in kept(spool)] == rows


def test_equal_rows_have_equal_fingerprints_and_others_not(tmp_path: Path) -> None:
    """An empty column and one that was not asked for are the same; a value in another column is not."""
    rows = [{"id": "1", "name": "a"}, {"id": "2", "note": "a"}, {"id": "3", "name": "a", "note": ""}]
    with scratch(tmp_path) as folder:
        wide, narrow = Spool(folder, SHAPE), Spool(folder, Shape("id", ("id", "name"), "'x'", "x"))
        wide.take([SweptPage(page(*rows), 0, None)])
        hashes = [row["_row_hash"] for row in kept(wide)]
        (folder / "narrow").mkdir()
        narrow = Spool(folder / "narrow", Shape("id", ("id", "name"), "'x'", "x"))
        narrow.take([SweptPage(page(rows[0]), 0, None)])

        assert len(set(hashes)) == 3
        assert kept(narrow)[0]["_row_hash"] == hashes[0]


def test_names_in_another_case_and_numbers_are_mended(tmp_path: Path) -> None:
    """The documentation does not promise the case; DuckDB alone would find such columns empty."""
    with scratch(tmp_path) as folder:
        spool = Spool(folder, SHAPE)
        spool.take(
            [SweptPage(page({"id": "1", "NAME": "a"}), 0, None), SweptPage(page({"id": 2, "note": True}), 1, None)]
        )

        assert [(row["id"], row["name"], row["note"]) for row in kept(spool)] == [("1", "a", None), ("2", None, "T")]


def test_rows_that_belong_to_another_shard_are_left_to_it(tmp_path: Path) -> None:
    """The range was halved while the page was on its way."""
    with scratch(tmp_path) as folder:
        spool = Spool(folder, SHAPE)
        spool.take([SweptPage(page({"id": "1"}, {"id": "2"}, {"id": "3"}), 0, 2)])

        assert ([row["id"] for row in kept(spool)], spool.rows) == (["1", "2"], 2)


@pytest.mark.parametrize(
    ("rows", "after"),
    [
        ([{"id": "3"}, {"id": "2"}], 0),
        ([{"id": "2"}, {"id": "2"}], 0),
        ([{"id": "2"}, {"id": "3"}], 2),
        ([{"id": "x"}, {"id": "3"}], 0),
        ([{"name": "x"}, {"id": "3"}], 0),
        ([{"id": "2", "other": "a column that nobody asked for"}], 0),
    ],
    ids=["descending", "twice", "before the range", "no number", "no key", "a foreign column"],
)
def test_a_page_that_cannot_be_trusted_stops_the_reading(tmp_path: Path, rows: list[Any], after: int) -> None:
    """Rows could be lost or repeated in silence."""
    with scratch(tmp_path) as folder, pytest.raises(ContractError, match=r"do(es)? not ascend"):
        Spool(folder, SHAPE).take([SweptPage(page(*rows), after, None)])


def test_half_a_page_stops_the_reading(tmp_path: Path) -> None:
    """The answer is cut inside the rows, and what is left looks whole."""
    whole = page({"id": "1"}, {"id": "2"})
    cut = replace(whole, body=whole.body.replace(b',{"links":[],"id":"2"}', b""), end=whole.end - 22)

    with scratch(tmp_path) as folder, pytest.raises(ContractError, match="1 rows came where 2 were announced"):
        Spool(folder, SHAPE).take([SweptPage(cut, 0, None)])


ODD = (b"\xff", b"\x00", b'"', b"\\", b"{", b"[", b"}", b"]", b"\\ud800", b"\\u0000", b"\xc3", b",", b":", b"1e999")


def refusal(folder: Path, body: bytes) -> str:
    """What a log would show of an answer that cannot be kept; empty when it can."""
    try:
        Spool(folder, SHAPE).take([SweptPage(look_at(body, "id", "query customer"), 0, None)])
    except ContractError as error:
        return "".join(traceback.format_exception(error))
    return ""


def test_no_error_shows_what_a_row_holds(tmp_path: Path) -> None:
    """DuckDB quotes the lines that it cannot read, and these are names and addresses; a log keeps them for years."""
    rows = [{"id": str(each), "name": "Anna Secret", "note": "anna.secret@example.com"} for each in range(1, 6)]
    whole, random, refused = page(*rows), Random(1), 0
    for number in range(40):
        body = bytearray(whole.body)
        place = random.randrange(whole.begin, whole.end - 1)
        body[place : place + random.choice((0, 1, 9))] = random.choice(ODD)
        folder = tmp_path / str(number)
        folder.mkdir()
        told = refusal(folder, bytes(body))
        refused += bool(told)
        assert "ecret" not in told
    assert 8 < refused < 40


def test_nothing_is_left_behind_and_nobody_else_may_look(tmp_path: Path) -> None:
    """The files hold names and addresses."""
    with scratch(tmp_path) as folder:
        assert folder.stat().st_mode & 0o077 == 0
        (folder / "x").write_text("x")

    assert list((tmp_path / "scratch").iterdir()) == []
