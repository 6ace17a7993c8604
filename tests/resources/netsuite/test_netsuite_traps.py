"""resources/netsuite/TRAPS.md against the fact sheet, and against the tests that it names."""

import re

import pytest

from orchestration.settings import ROOT
from tests.named_tests import named_tests

PAGE = (ROOT / "resources" / "netsuite" / "TRAPS.md").read_text()
SHEET = (ROOT / "resources" / "sandbox" / "facts" / "netsuite.md").read_text()
TRAPS = re.findall(r"^\| (\d[\d.]*) \| (.+?) \| (.+?) \| (.+?) \|$", PAGE, re.MULTILINE)
SECTIONS = ("1", "2", "3", "4", "5", "8", "9")
NOT_YET = "not yet"


def test_every_section_of_the_sheet_has_its_traps() -> None:
    """In the sheet's order; of what is only told there (§2.4, §2.7) nothing is asked for."""
    told = re.findall(r"^##(?:# (\d\.\d) | (\d)\. )", SHEET, re.MULTILINE)
    sections = {below or above for below, above in told if (below or above)[0] in SECTIONS}
    sections -= {below[0] for below, _ in told if below and below[0] != "8"}
    here = [section for section, *_ in TRAPS]

    assert len(sections) > 20
    assert sections - set(here) <= {"2.4", "2.7"}
    assert here == sorted(here, key=lambda section: [int(part) for part in section.split(".")])
    assert len({trap for section, trap, *_ in TRAPS if section != "9.3"}) > 80


def test_the_sandboxes_checklist_is_there_word_by_word() -> None:
    """What the stand-in must imitate."""
    asked = re.findall(r"^\* (.+)$", SHEET.partition("### 9.3")[2].partition("---")[0], re.MULTILINE)

    assert len(asked) == 15
    assert [trap for section, trap, *_ in TRAPS if section == "9.3"] == asked


@pytest.mark.parametrize(("section", "trap", "how", "shown_by"), TRAPS)
def test_every_trap_names_tests_that_exist(section: str, trap: str, how: str, shown_by: str) -> None:
    """A test that was renamed or removed fails here."""
    tests = re.findall(r"`([\w/]+\.py)::(\w+)`", shown_by)

    assert how
    assert tests or shown_by == NOT_YET, f"{section} {trap}"
    assert [name for path, name in tests if name not in named_tests(ROOT / path)] == []


def test_what_is_missing_is_counted() -> None:
    """The number at the top of the page is the number of rows below."""
    told = re.search(r"Not yet: (\d+) rows", PAGE)

    assert told
    assert int(told[1]) == sum(shown_by == NOT_YET for *_, shown_by in TRAPS)
