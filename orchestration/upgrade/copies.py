"""Copies of the old files: complete and on the disk before the file itself is changed.

file  ->  Copies.keep()  ->  <home>/before-<release>/<file>
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

from resources.atomic_file import fsync, replace_durably, write_atomically

COMPLETE = "README.txt"  # written last: an upgrade that finds it uses another folder


class Copies:
    """The folder of copies that one upgrade of one home makes."""

    def __init__(self, home: Path, release: str) -> None:
        """Choose the folder in a home for a release; a resumed upgrade uses the one that it began with."""
        self._release, number = release, 1
        self.folder = home / f"before-{release}"
        while (self.folder / COMPLETE).exists():
            number += 1
            self.folder = home / f"before-{release}-{number}"

    def keep(self, file: Path, name: str) -> None:
        """Copy a file with its permissions to a path within the folder; OSError if the copy cannot be written."""
        copy = self.folder / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        partial = copy.with_name(f".{copy.name}.partial")
        shutil.copy2(file, partial)
        replace_durably(partial, copy)
        for folder in [*copy.relative_to(self.folder).parents, Path("..")]:
            fsync(self.folder / folder)

    def finish(self, changes: Sequence[str]) -> None:
        """Mark the folder as complete, with a line for each change."""
        if self.folder.exists():
            head = f"Files as they were before Millpond {self._release}; docs/upgrade.md describes how to go back."
            write_atomically(self.folder / COMPLETE, "\n".join([head, "", *changes, ""]))
