"""One account's home: the version of its files and of its warehouse, and an upgrade that was interrupted.

version.json   the version of the home, written when all of it has that version
upgrade.json   an upgrade that is in progress, or whose process died
"""

import json
from collections.abc import Sequence
from pathlib import Path

from orchestration.configuration.settings import MillpondSettings
from orchestration.upgrade.migration import Migration
from resources.atomic_file import write_atomically

MARKER, JOURNAL = "version.json", "upgrade.json"


class AccountHome:
    """The home of one account, as the migrations see it."""

    def __init__(self, settings: MillpondSettings, migrations: Sequence[Migration]) -> None:
        self.settings, self.folder = settings, settings.account_home
        self._migrations, self._current = migrations, migrations[-1].version
        self._marker, self._journal = self.folder / MARKER, self.folder / JOURNAL

    @property
    def marked_version(self) -> int | None:
        """The version in the marker; None without a marker."""
        return _read(self._marker, "version")

    @property
    def interrupted_from(self) -> int | None:
        """The version from which an unfinished upgrade began; None if there is none."""
        return _read(self._journal, "from")

    @property
    def is_shared(self) -> bool:
        """True if other machines may upgrade the same warehouse."""
        return bool(self.settings.warehouse_catalog)

    def is_known_current(self) -> bool:
        """Return whether the files alone prove that no upgrade is needed; the warehouse is not opened."""
        if not self.folder.exists():
            return not self.is_shared
        is_marked = self.marked_version == self._current and self.interrupted_from is None
        return is_marked and self._version_of_files() is None

    def version(self) -> int | None:
        """Return the version of the oldest part that decides; None for a home without data.

        Raises:
            WarehouseError: The warehouse cannot be opened.
            TimeoutError: Another process kept it locked.
        """
        known = self.interrupted_from, self._version_of_files()
        first = next((each for each in known if each is not None), None)
        return first or self._version_of_warehouse() or self.marked_version

    def _version_of_files(self) -> int | None:
        """The version before the first migration that finds old files; None if the files prove nothing."""
        return next((each.version - 1 for each in self._migrations if each.finds_old_files(self.folder)), None)

    def _version_of_warehouse(self) -> int | None:
        from orchestration.opened_warehouse import warehouse_of  # late: most commands need only the marker
        from resources.warehouse.schema_version import read_version

        warehouse = warehouse_of(self.settings, any_version=True)
        if not warehouse.exists():
            return None
        with warehouse.writer(transaction=False) as con:
            return read_version(con)

    def begin(self, version: int) -> None:
        """Record that an upgrade from this version begins to change files."""
        write_atomically(self._journal, json.dumps({"from": version}))

    def mark_current(self) -> None:
        """Record that all of the home has the current version; a home that does not exist yet is not created."""
        if self.folder.exists() and not self.is_known_current():
            write_atomically(self._marker, json.dumps({"version": self._current}))
            self._journal.unlink(missing_ok=True)


def _read(path: Path, name: str) -> int | None:
    try:
        return int(json.loads(path.read_text(encoding="utf-8"))[name])
    except (OSError, ValueError, KeyError, TypeError):
        return None
