"""Get started, followed line by line: each command succeeds as typed and prints what the page shows."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestration.configuration.settings import ROOT
from tests.bench.everyday import with_steward
from tests.docs.pages import text_of
from tests.orchestration.cli.test_main import millpond

pytestmark = pytest.mark.long

# ids of plans and runs, times, seconds and what is left of a quota
VARIES = re.compile(
    r"\b(?=[a-f]*\d)[0-9a-f]{12}\b|\b(?=[a-f]*\d)[0-9a-f]{8}\b"
    r"|\d{4}-\d\d-\d\d \d\d:\d\d(?::\d\d)?|\b\d+\.\d\b|(?<=\()[\d,]+(?= left today)"
)
STYLES = re.compile(r"\x1b\[[\d;?]*[A-Za-z]")
TERMINAL = {"COLUMNS": "80", "TTY_COMPATIBLE": "1", "TTY_INTERACTIVE": "0", "DEMO_UI": "0"}


def blocks() -> Iterator[tuple[str, str]]:
    """Yield kind and text of each block of code, up to the browser."""
    text, _, _ = text_of(Path("docs/get-started.md")).partition("\n## 6")
    yield from re.findall(r"^```(sh|text)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def commands(block: str) -> Iterator[list[str]]:
    """Yield the arguments of each `millpond …` of a block; `make demo` is one of them."""
    for line in block.splitlines():
        words = shlex.split(line, comments=True)
        if words[:1] == ["millpond"]:
            yield words[1:]
        elif words[-2:] == ["make", "demo"]:
            yield ["demo"]


def test_each_command_prints_what_the_page_shows(tmp_path: Path) -> None:
    """Records, counts and words are the same every time; ids and times are those of the day."""
    home, ids, printed = str(tmp_path / ".millpond" / "demo"), dict[str, str](), ""
    for kind, block in blocks():
        if kind == "text":
            for part in block.split("⋮"):
                ids |= matched(part, printed)
            continue
        ended = [millpond(tmp_path, *_typed(each, ids), MILLPOND_HOME=home, **TERMINAL) for each in commands(block)]
        assert [each.err for each in ended if each.code not in {0, 4}] == []
        printed = STYLES.sub("", "\n".join(each.out for each in ended)) or printed


def test_the_sample_of_the_digest_is_that_of_the_demo(tmp_path: Path) -> None:
    """Each workflow file names a steward."""
    (sample,) = re.findall(
        r"^```text\n(ada@.*?)^```", text_of(Path("docs/operate/alerts.md")), re.MULTILINE | re.DOTALL
    )
    named = {"MILLPOND_HOME": str(tmp_path / "demo"), "MILLPOND_WORKFLOWS": str(with_steward(ROOT, tmp_path / "files"))}
    assert millpond(tmp_path, "demo", **named, **TERMINAL).code == 0

    printed = millpond(tmp_path, "digest", **named, **TERMINAL).out

    assert STYLES.sub("", printed).split() == sample.split()


def matched(shown: str, printed: str) -> dict[str, str]:
    """Find a part of a sample in what was printed, and return what varies: the page's text and today's."""
    shown, printed = " ".join(shown.split()), " ".join(printed.split())
    between = [re.escape(each) for each in VARIES.split(shown)]
    found = re.search(f"({VARIES.pattern})".join(between), printed)
    assert found, f"not printed: {shown}\nbut: {printed}"
    return dict(zip(VARIES.findall(shown), found.groups(), strict=True))


def _typed(words: list[str], ids: dict[str, str]) -> list[str]:
    """Return a command with today's ids for those of the page, of which it may have the first characters."""
    return [next((now for page, now in ids.items() if len(word) > 3 and page.startswith(word)), word) for word in words]
