"""Values are found in texts however a file spells them."""

import bz2
import gzip
import html
import json
import lzma
import re
import sqlite3
import time
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape, quoteattr

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2.filters import do_forceescape
from jinja2.utils import htmlsafe_json_dumps

from assets.delivery.forget.texts import contains, found_by
from orchestration.forgetting.home_files import Searched, erase_in_files, remaining
from orchestration.forgetting.texts import Spelled
from resources.warehouse.forgotten import TEXT

NAME = "Zoë O'Brien & “Söhne”"
FORMS = {
    "as it is": NAME,
    "in capitals": NAME.upper(),
    "JSON": json.dumps({"name": NAME}),
    "JSON with letters beyond ASCII": json.dumps({"name": NAME}, ensure_ascii=False),
    "JSON in JSON": json.dumps(json.dumps({"name": NAME})),
    "HTML": f"<td>{html.escape(NAME)}</td>",
    "an address": f"https://x.example/?q={quote(NAME)}",
    "a form": f"q={quote_plus(NAME)}",
    "XML in ASCII": f"<name>{html.escape(NAME)}</name>".encode("ascii", "xmlcharrefreplace").decode(),
    "letters and accents apart": unicodedata.normalize("NFD", NAME),
    "JSON with letters and accents apart": json.dumps({"name": unicodedata.normalize("NFD", NAME)}),
    "JSON in a page, as reports have it": str(htmlsafe_json_dumps({"name": NAME})),
    "XML": f"<name>{escape(NAME)}</name>",
    "XML in ASCII, with its apostrophe": f"<name>{escape(NAME)}</name>".encode("ascii", "xmlcharrefreplace").decode(),
    "HTML in JSON": json.dumps({"name": html.escape(NAME)}),
    "HTML of JSON": html.escape(json.dumps(NAME)),
    "a program's text": repr([NAME]),
    "a program's text in ASCII": ascii([NAME]),
    "SQL": NAME.replace("'", "''"),
    "an address in an address": quote(quote(NAME)),
    "wrapped lines": NAME.replace(" ", "\n    "),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_value_is_replaced_in_every_form(form: str) -> None:
    """Around it nothing changes, so JSON stays JSON."""
    spelled, text = Spelled([NAME]), FORMS[form]
    assert spelled.found(text)
    after = spelled.replaced(text)
    assert TEXT in after
    assert not spelled.found(after)
    if form.startswith("JSON"):
        assert TEXT in str(json.loads(after))


@pytest.mark.parametrize("write", [do_forceescape, json.dumps, repr, quoteattr, lambda each: each.replace('"', '""')])
def test_a_value_with_quotation_marks_is_replaced(write: Callable[[str], str]) -> None:
    """Each format has its own way to write them."""
    spelled = Spelled([name := 'Robert "Bob" O\'Hara'])
    assert spelled.replaced(f"met {write(name)}").count(TEXT) == 1


MARKED = [
    'Disk 5"', "Acme 'Nord'", '"Nord" Acme', "'t Hooft", '12" ""', "C:\\New dir\\", "\\\\server\\a b", "it's \\\"'",
]  # fmt: skip


@pytest.mark.parametrize("value", MARKED)
def test_the_marks_around_a_value_are_kept(value: str) -> None:
    """Else the rest of the file, or of Dagster's event, could not be read any more."""
    after = {"name": TEXT, "y": ""}
    spelled, plain = Spelled([value]), json.dumps({"name": value, "y": ""})
    assert json.loads(spelled.replaced(plain)) == after
    assert json.loads(json.loads(spelled.replaced(json.dumps(plain)))) == after
    assert json.loads(html.unescape(spelled.replaced(html.escape(plain)))) == after
    assert spelled.replaced(f"<a title={quoteattr(value)}/>")[10:-3] == TEXT


@pytest.mark.parametrize("value", ["\\\\ server x", "'" * 20 + " end", '"\\"\\"\\ server'])
def test_marks_in_a_row_take_no_time(value: str) -> None:
    """Each could be part of the value: that many divisions of them must not be tried."""
    text = value[0] * 3000 + "\\" * 300 + value[-3:]
    began = time.process_time()
    Spelled([value]).replaced(text)
    assert time.process_time() - began < 1


@settings(max_examples=60, deadline=None)
@given(value=st.text(min_size=4, max_size=30).filter(str.strip), around=st.text(max_size=10))
def test_any_value_is_found_in_json(value: str, around: str) -> None:
    """Quotes, backslashes, controls and letters of any script included."""
    spelled = Spelled([f"{value} and more"])
    for ascii_only in (False, True):
        document = json.dumps([around, f"{value} and more", around], ensure_ascii=ascii_only)
        assert spelled.found(document)
        assert isinstance(json.loads(spelled.replaced(document)), list)


@pytest.mark.parametrize(
    ("word", "text", "is_found"),
    [
        ("Mark", "met Mark.", True),
        ("Mark", "MARK was here", True),
        ("Mark", "<mark>the market</mark> Marks Mark_x", False),
        ("Will", "nothing will be sent", False),
        ("12345", '{"at": 1712345.5, "id": "a12345"}', False),
        ("12345", '"zip": "12345"', True),
        ("Zoë", json.dumps({"name": "Zoë"}), True),
        ("Zoë", json.dumps({"notes": "today\nZoë called"}), True),
        ("O'Hara", str(htmlsafe_json_dumps({"name": "O'Hara"})), True),
        ("Mark", "?q=met%20Mark", True),
        ("Борис", html.escape("met Борис").encode("ascii", "xmlcharrefreplace").decode(), True),
        ("Zoë", unicodedata.normalize("NFD", "met Zoë"), True),
        (unicodedata.normalize("NFD", "Zoë"), "met Zoë", True),
    ],
)
def test_a_word_is_found_as_a_whole_and_as_it_is_spelled(word: str, text: str, *, is_found: bool) -> None:
    """In a file and in SQL: it may be a part of keys, numbers and other words."""
    spelled = Spelled([word])
    assert spelled.found(text) == is_found
    assert (spelled.replaced(text) != text) == is_found
    if not re.search(r"\\[nu]|%20|&#", text):
        with duckdb.connect() as con:
            query = f"select {contains('given')} from (select $given as given)"
            assert con.execute(query, {**found_by([word]), "given": text}).fetchall() == [(is_found,)]
    assert not spelled.phrases.texts


@pytest.fixture(scope="module")
def memory() -> Iterator[duckdb.DuckDBPyConnection]:
    """One connection for all examples."""
    with duckdb.connect() as con:
        yield con


# letters whose small or capital form is another number of letters, or ASCII
LETTERS = st.text(alphabet="aBkKsS5 .@\n-éÉßſıİǅΣς\u212a\u0307", min_size=4, max_size=8)
EXACT = (
    "len(list_filter($phrases, lambda each: contains(lower(text), lower(each)))) > 0 or regexp_matches(text, $words)"
)


@settings(max_examples=60, deadline=None)
@given(
    texts=st.lists(LETTERS, min_size=1, max_size=3), around=LETTERS, form=st.sampled_from([str, str.upper, str.lower])
)
def test_the_search_for_any_of_the_values_hides_none(
    memory: duckdb.DuckDBPyConnection, texts: list[str], around: str, form: Callable[[str], str]
) -> None:
    """It looks at a text once before each value is looked for, whose letters may be changed in another way."""
    values = found_by(texts)
    rows = [around, *map(form, texts), *(f"{around} {form(each)}\n{around}" for each in texts)]
    query = f"select ({EXACT}) = {contains('text')} from (select unnest($rows::varchar[]) as text)"
    assert set(memory.execute(query, {**values, "rows": rows}).fetchall()) == {(True,)}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252"])
def test_a_file_that_still_has_a_value_is_known_by_its_bytes(encoding: str) -> None:
    """An editor may have stored it in another encoding, which is named and left."""
    assert Spelled([NAME]).found_in_bytes(f"about {NAME}".encode(encoding))
    assert Spelled(["rosa@b.example"]).found_in_bytes("ROSA@B.EXAMPLE".encode(encoding))
    assert not Spelled([NAME, "李 小龙先生 李"]).found_in_bytes("about no one".encode(encoding))


@pytest.mark.parametrize(
    "pack", [gzip.compress, bz2.compress, lzma.compress, lambda _: b"7z\xbc\xaf\x27\x1c", lambda _: b"PAR1"]
)
def test_a_packed_file_is_named(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    """No one can see what is in it: a backup, or read-outs that were kept."""
    (tmp_path / "kept").write_bytes(pack(NAME.encode()))

    (kept,) = remaining(Searched(tmp_path), Spelled([NAME]))

    assert kept.file == "kept"
    assert kept.why.startswith("a packed file")


def test_other_texts_are_left() -> None:
    """A name that only begins alike is another one; without values nothing is found."""
    assert not Spelled([NAME]).found("Zoë O'Brian")
    assert Spelled([]).replaced("anything") == "anything"


def test_the_log_of_an_open_database_is_emptied_by_the_repetition(tmp_path: Path) -> None:
    """Killed between the change of a row and the emptying of the log: no row has the value, the file beside it has."""
    file = tmp_path / "dagster" / "history" / "runs.db"
    file.parent.mkdir(parents=True)
    searched, spelled = Searched(tmp_path), Spelled([NAME])
    with closing(sqlite3.connect(file, isolation_level=None)) as con:  # as the UI has it open
        con.execute("pragma journal_mode = wal")
        con.execute("create table event_logs (event text)")
        con.execute("insert into event_logs values (?)", [NAME])
        con.execute("update event_logs set event = '[forgotten]'")
        assert [each.file for each in remaining(searched, spelled)] == ["dagster/history/runs.db-wal"]

        erase_in_files(searched, spelled)

        assert remaining(searched, spelled) == []
