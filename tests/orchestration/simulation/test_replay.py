"""The replay is one page that loads nothing, and shows what the document has."""

import re

from orchestration.simulation.replay import page
from tests.orchestration.simulation.documents import event, found


def test_the_page_loads_nothing_and_runs_nothing() -> None:
    """It is sent by mail, opened years later, and served beside the console."""
    html = page(found())

    assert not re.findall(r"<script|<link|<img|<iframe|url\(|@import|https?://|\son\w+=", html)
    assert "default-src 'none'" in html


def test_names_are_text() -> None:
    """A company may have any name."""
    html = page(found())

    assert "Acme &lt;b&gt;&amp; Co&lt;/b&gt;" in html
    assert "<b>" not in html


def test_every_record_has_its_time_line() -> None:
    """Events in their order, each with its day."""
    html = page(found())
    line = html.partition("<summary>customers 1001")[2].partition("</details>")[0]

    assert re.findall(r"day (\d)", line) == ["1", "1", "2"]
    assert re.findall(r'class="who \w+">([^<]+)<', line) == ["NetSuite", "run", "target"]


def test_the_verdict_and_the_line_are_at_the_top() -> None:
    """Nothing has to be searched for."""
    broken = {"name": "once", "text": "No record is twice.", "checked": 3, "broken": 1, "evidence": {}}
    failed = page(found(violations=1, verdicts=[{**broken, "examples": ["day 1: twice"]}]))

    assert "Every invariant holds" in page(found())
    assert "1 checks failed" in failed
    assert "day 1: twice" in failed
    assert found()["line"] in failed


def test_the_chart_has_a_column_for_each_day_within_its_height() -> None:
    """A day with many events fills the column, and none sticks out."""
    many = [event(1, "weather", "rain") for _ in range(50)]
    html = page(found(events=[*many, event(2, "NetSuite", "renamed")]))
    bars = [(float(y), float(height)) for y, height in re.findall(r'y="([\d.]+)" width="10" height="([\d.]+)"', html)]

    assert len(bars) == 2
    assert all(y >= 0 and y + height <= 64.1 for y, height in bars)
    assert bars[0][1] > bars[1][1] > 0


def test_a_simulation_without_events_has_a_page() -> None:
    """The first day may have none."""
    assert "Nothing" in page(found(events=[], done=[], held_back=[]))
