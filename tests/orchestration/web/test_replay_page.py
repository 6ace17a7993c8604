"""The replay of a simulation in a browser: no fault of contrast, width or markup, on a desktop and on a telephone."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestration.simulation.options import SHIPPED, Options
from orchestration.simulation.rehearse import rehearse
from orchestration.simulation.replay import document, page
from tests.orchestration.simulation.documents import found
from tests.orchestration.web.browser import Browser, open_browser
from tests.orchestration.web.test_console import FAULTS
from tests.orchestration.web.test_pictures import MAX_BYTES, pictures_folder

pytestmark = [pytest.mark.browser, pytest.mark.long]


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for all tests."""
    with open_browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@pytest.mark.usefixtures("browser")
@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_replay_has_no_fault(chromium: Browser, tmp_path: Path, width: int, theme: str) -> None:
    """Every part of it, with all days and time lines opened."""
    file = tmp_path / "replay.html"
    file.write_text(page(found()).replace("<details", "<details open"), encoding="utf-8")
    chromium.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])
    chromium.resize(width, 900)
    chromium.open(file.as_uri())
    chromium.read("Every invariant holds", "Day 2")

    assert chromium.js(FAULTS) == []
    assert chromium.js("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.usefixtures("browser")
def test_the_picture_of_the_documentation_is_taken(chromium: Browser, tmp_path: Path) -> None:
    """Of the simulation that docs/simulate.md shows."""
    result = rehearse(Options(SHIPPED, days=10, only=("suiteprojects__customers", "precoro__options")))
    file = tmp_path / "replay.html"
    file.write_text(page(document(result)), encoding="utf-8")
    chromium.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "light"}])
    chromium.screenshots = pictures_folder(tmp_path)
    chromium.open(file.as_uri())
    chromium.read("Every invariant holds")

    assert chromium.screenshot("simulation", 1200, 1120).stat().st_size < MAX_BYTES
