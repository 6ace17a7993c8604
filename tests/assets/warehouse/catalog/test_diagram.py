"""The picture of the tables shows each of them, and each line stands for something that is read."""

import shutil
import subprocess
from pathlib import Path

import pytest
from lxml import etree

from assets.warehouse.catalog.catalog import Entry
from assets.warehouse.catalog.diagram import ENGINE, picture

SVG = "{http://www.w3.org/2000/svg}"
ENTRIES = [
    Entry("raw_netsuite__things", "table", "", "As they came & as <they> are", (), 7),
    Entry("stg_netsuite__things", "table", "", "Ours", ("raw_netsuite__things",), 7),
    Entry("mart_one", "table", "", "Wanted", ("stg_netsuite__things",)),
    Entry("mart_two", "table", "", "Wanted", ("stg_netsuite__things",)),
    Entry("target_one", "table", "", "There", ()),
    Entry("plan_one", "table", "", "Planned", ()),
    Entry("sync_one", "table", "", "Done", ()),
    Entry("sync_links", "table", "", "Which is which", ()),
    Entry("question", "view", "question", "Asked", ("sync_links", "stg_netsuite__things", "not_there")),
]


def test_each_table_is_a_box_and_each_reading_a_line() -> None:
    """Tables of workflows are one box a kind; what is not there is no line."""
    drawn = etree.fromstring(picture(ENTRIES, rows=True).encode())

    boxes = [box.findall(f"{SVG}text")[0].text for box in drawn.findall(f"{SVG}g")]
    assert sorted(boxes) == sorted(
        [
            "raw_netsuite__things",
            "stg_netsuite__things",
            "mart_…",
            "target_…",
            "plan_…",
            "sync_…",
            "sync_links",
            "question",
        ]
    )
    told = {text.text for text in drawn.iter(f"{SVG}text")}
    assert {"7", "2 tables"} <= told
    there = {name for name in ENGINE if name in boxes}
    by_engine = sum(read in boxes for name in there for read in ENGINE[name])
    assert len(drawn.findall(f"{SVG}path")) == 1 + 1 + 2 + by_engine
    assert next(drawn.iter(f"{SVG}title")).text == "As they came & as <they> are"


def test_without_rows_it_belongs_to_no_pond() -> None:
    """The page in the project does not change with the data."""
    more = [Entry(each.name, each.kind, each.call, each.meaning, each.reads, 99) for each in ENTRIES]

    assert picture(ENTRIES) == picture(more)
    assert picture(ENTRIES, rows=True) != picture(more, rows=True)


@pytest.mark.browser
def test_a_browser_draws_it(tmp_path: Path) -> None:
    """The text is where it can be read; a picture that nobody can open proves nothing."""
    if shutil.which("chromium") is None:
        pytest.skip("there is no chromium: the picture was not looked at")
    file = tmp_path / "tables.svg"
    file.write_text(picture(ENTRIES), encoding="utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'browser'}", "--dump-dom"]

    shown = subprocess.run(
        ["chromium", *options, file.as_uri()], check=True, capture_output=True, text=True, timeout=90
    )

    assert "raw_netsuite__things" in shown.stdout
