"""What a company's custom fields were of late, for processes that must not list them again."""

from pathlib import Path

import pytest

from resources.precoro.client import CustomField
from resources.precoro.field_cache import Notes
from resources.sandbox.sandbox import Sandbox

FIELD = CustomField(5144, "Customers/Projects", enable=True, type_text="Drop-down list")


def test_a_note_is_good_for_a_day_and_for_its_company(sandbox: Sandbox, tmp_path: Path) -> None:
    """Each company has its own; after a day the fields are listed afresh."""
    notes, other = (Notes(tmp_path / "fields.json", name, sandbox.clock) for name in ("one", "two"))
    notes.write([FIELD])

    assert (notes.read(CustomField), other.read(CustomField)) == ([FIELD], None)
    sandbox.clock.sleep(25 * 3600)
    assert notes.read(CustomField) is None


@pytest.mark.parametrize("text", ["", "[", "[]", '{"one": 1}', '{"one": [1e99, [{"name": "x"}]]}'])
def test_a_file_that_nobody_can_read_has_no_note(sandbox: Sandbox, tmp_path: Path, text: str) -> None:
    """Of an older version, or half written by hand."""
    path = tmp_path / "fields.json"
    path.write_text(text)
    notes = Notes(path, "one", sandbox.clock)

    assert notes.read(CustomField) is None
