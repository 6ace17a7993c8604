"""The cache of a company's custom fields."""

from pathlib import Path

import pytest

from resources.precoro.field_cache import FieldCache
from resources.precoro.records import CustomField
from resources.sandbox.sandbox import Sandbox

FIELD = CustomField(5144, "Customers/Projects", enable=True, type_text="Drop-down list")


def test_an_entry_is_valid_for_a_day_and_for_its_company(sandbox: Sandbox, tmp_path: Path) -> None:
    """Each company has its own entry; after a day the fields are listed again."""
    cache, other = (FieldCache(tmp_path / "fields.json", name, sandbox.clock) for name in ("one", "two"))
    cache.write([FIELD])

    assert (cache.read(CustomField), other.read(CustomField)) == ([FIELD], None)
    sandbox.clock.sleep(25 * 3600)
    assert cache.read(CustomField) is None


@pytest.mark.parametrize("text", ["", "[", "[]", '{"one": 1}', '{"one": [1e99, [{"name": "x"}]]}'])
def test_an_unreadable_file_counts_as_empty(sandbox: Sandbox, tmp_path: Path, text: str) -> None:
    """It may be of an older version, or edited manually."""
    path = tmp_path / "fields.json"
    path.write_text(text)
    cache = FieldCache(path, "one", sandbox.clock)

    assert cache.read(CustomField) is None
