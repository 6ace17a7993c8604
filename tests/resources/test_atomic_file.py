"""Atomic file replacement: the old content or the new one, never a part."""

import stat
from pathlib import Path

import pytest

from resources.atomic_file import write_atomically


def test_a_file_is_replaced_with_its_mode(tmp_path: Path) -> None:
    """Missing folders are created and no partial file is left."""
    path = tmp_path / "new" / "file.json"

    write_atomically(path, "old", durable=False)
    write_atomically(path, "né", mode=0o600)

    assert path.read_text(encoding="utf-8") == "né"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_a_failed_write_keeps_the_old_content(tmp_path: Path) -> None:
    """A lone surrogate cannot be written as UTF-8."""
    path = tmp_path / "file.json"
    write_atomically(path, "old")

    with pytest.raises(UnicodeEncodeError):
        write_atomically(path, "new \ud800")

    assert path.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]
