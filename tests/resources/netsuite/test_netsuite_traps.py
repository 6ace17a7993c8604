"""resources/netsuite/TRAPS.md covers the fact sheet, and the tests that it names exist."""

import re

import pytest

from orchestration.configuration.settings import ROOT
from tests.named_tests import named_tests

PAGE = (ROOT / "resources" / "netsuite" / "TRAPS.md").read_text()
SHEET = (ROOT / "resources" / "sandbox" / "facts" / "netsuite.md").read_text()
TRAPS = re.findall(r"^\| (\d[\d.]*) \| (.+?) \| (.+?) \| (.+?) \|$", PAGE, re.MULTILINE)
SECTIONS = ("1", "2", "3", "4", "5", "8", "9")
NOT_YET = "not yet"


def test_every_section_of_the_sheet_is_covered() -> None:
    """They are in the sheet's order; §2.4 and §2.7 contain no traps."""
    headings = re.findall(r"^##(?:# (\d\.\d) | (\d)\. )", SHEET, re.MULTILINE)
    sections = {below or above for below, above in headings if (below or above)[0] in SECTIONS}
    sections -= {below[0] for below, _ in headings if below and below[0] != "8"}
    covered = [section for section, *_ in TRAPS]

    assert len(sections) > 20
    assert sections - set(covered) <= {"2.4", "2.7"}
    assert covered == sorted(covered, key=lambda section: [int(part) for part in section.split(".")])
    assert len({trap for section, trap, *_ in TRAPS if section != "9.3"}) > 80


def test_the_sandbox_checklist_is_quoted_verbatim() -> None:
    """The sandbox must imitate each of its points."""
    points = re.findall(r"^\* (.+)$", SHEET.partition("### 9.3")[2].partition("---")[0], re.MULTILINE)

    assert len(points) == 15
    assert [trap for section, trap, *_ in TRAPS if section == "9.3"] == points


@pytest.mark.parametrize(("section", "trap", "handling", "named"), TRAPS)
def test_every_trap_names_tests_that_exist(section: str, trap: str, handling: str, named: str) -> None:
    """A test that was renamed or removed fails here."""
    tests = re.findall(r"`([\w/]+\.py)::(\w+)`", named)

    assert handling
    assert tests or named == NOT_YET, f"{section} {trap}"
    assert [name for path, name in tests if name not in named_tests(ROOT / path)] == []


def test_traps_without_tests_are_counted() -> None:
    """The number at the top of the page is the number of such rows."""
    count = re.search(r"Not yet: (\d+) rows", PAGE)

    assert count
    assert int(count[1]) == sum(named == NOT_YET for *_, named in TRAPS)
