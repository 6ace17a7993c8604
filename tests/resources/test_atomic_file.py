"""Atomic file replacement: the old content or the new one, never a part."""

import os
import stat
import threading
from collections.abc import Callable
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


@pytest.mark.parametrize("link", [os.link, os.symlink])
def test_nothing_is_written_into_a_file_that_was_prepared(tmp_path: Path, link: Callable[[Path, Path], None]) -> None:
    """In a shared folder anyone may have made a file, or a link, of the name that is used for a moment."""
    prepared, path = tmp_path / "of someone else", tmp_path / "plan.html"
    prepared.write_text("theirs")
    prepared.chmod(0o666)
    link(prepared, tmp_path / f".plan.html.{os.getpid()}.{threading.get_ident()}.tmp")

    write_atomically(path, "ours", mode=0o600, durable=False)

    assert (path.read_text(), prepared.read_text()) == ("ours", "theirs")
    assert stat.S_IMODE(path.lstat().st_mode) == 0o600
