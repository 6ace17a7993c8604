"""Folders of living processes stay; those of dead ones are removed, whatever number the process had."""

import errno
import fcntl
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from resources.scratch import SCRATCH, is_held, remove_abandoned, scratch

DYING = """
import os, signal, sys
from pathlib import Path
from resources.scratch import scratch
with scratch(Path(sys.argv[1]), "rows") as folder:
    (folder / "rows.parquet").write_text("Ada")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    """A symbolic link is not followed."""
    died = subprocess.run([sys.executable, "-c", DYING, str(tmp_path)], check=False)
    assert died.returncode == -signal.SIGKILL
    (left,) = (tmp_path / SCRATCH).iterdir()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / SCRATCH / "link").symlink_to(elsewhere)

    with scratch(tmp_path, "rows") as mine:
        assert mine.stat().st_mode & 0o077 == 0
        assert remove_abandoned(tmp_path) == [left]
        assert mine.exists()

    assert not mine.exists()
    assert elsewhere.exists()
    assert remove_abandoned(tmp_path) == []
    assert [each.name for each in (tmp_path / SCRATCH).iterdir()] == ["link"]


def test_a_disk_that_locks_no_folders_can_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """NFS locks only what is open for writing; nothing is known to be left there, so nothing is removed."""

    def refuse(*_: object) -> None:
        raise OSError(errno.EBADF, "Bad file descriptor")

    with scratch(tmp_path, "rows") as mine:
        monkeypatch.setattr(fcntl, "flock", refuse)
        assert remove_abandoned(tmp_path) == []
        with scratch(tmp_path, "rows") as other:
            assert remove_abandoned(tmp_path) == []
            assert not is_held(other)
            assert mine.exists()
            assert other.exists()
        assert not other.exists()
