"""The guide's site: built without network, complete, searchable, and made of files of ours alone."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from orchestration.configuration.settings import ROOT
from orchestration.guide.site import build
from tests.docs.pages import site_pages

# what a page loads by itself; the links that a reader may follow are others
LOADS = re.compile(r"<(?:script|img|iframe|source)[^>]* src=[\"']?(\S+?)[\"'> ]|<link[^>]* href=[\"']?(\S+?)[\"'> ]")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site; a broken link fails the build."""
    pytest.importorskip("zensical")
    folder = tmp_path_factory.mktemp("guide") / "staged"
    assert build(folder) == 0
    return folder / "site"


def test_every_page_is_built(site: Path) -> None:
    """At the address of its Markdown file."""
    assert [page for page in site_pages() if not (site / page).with_suffix(".html").is_file()] == []


def test_pages_load_nothing_from_elsewhere(site: Path) -> None:
    """No font, script, style or picture; a machine without network shows the whole guide."""
    for page in site.rglob("*.html"):
        loaded = {each for found in LOADS.findall(page.read_text(encoding="utf-8")) for each in found if each}
        assert {each for each in loaded if "://" in each or each.startswith("//")} == set(), page


def test_a_page_with_a_diagram_loads_our_copy_of_the_library(site: Path) -> None:
    """Other pages do not: it has three megabytes."""
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert ('src="' in text and re.search(r'src="\S*mermaid.tiny.js"', text) is not None) == (
            '<pre class="mermaid"' in text
        ), page
    assert (site / "assets" / "mermaid.tiny.js").is_file()


def test_the_search_knows_reason_codes_and_settings(site: Path) -> None:
    """Whoever copies a code from the console finds its page."""
    text = json.dumps(json.loads((site / "search.json").read_text(encoding="utf-8")))

    assert "several_candidates" in text
    assert "MILLPOND_VERIFY_DAYS" in text


def test_spelling() -> None:
    """Of the guide and of what stands beside it; `make lint` checks the code as well."""
    command = [sys.executable, "-m", "codespell_lib", "docs", *(path.name for path in ROOT.glob("*.md"))]

    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert (run.returncode, run.stdout) == (0, ""), run.stderr
