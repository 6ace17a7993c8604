"""Data of the pages: each account's warehouse and workflow files, without waiting for a run that writes.

warehouse, if it is free within WAIT_S  ->  page          otherwise what was published last, and the page says so
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from assets.delivery.spec.switches import Switches
from assets.delivery.spec.workflow import Workflow
from orchestration.configuration.settings import MillpondSettings
from orchestration.opened_warehouse import warehouse_clock, warehouse_of
from orchestration.workflow_files import UserFiles, load_user_files
from resources.clock import Clock, utc_now
from resources.warehouse.published import published_warehouse
from resources.warehouse.warehouse import Warehouse

WAIT_S = 0.4  # for a writer; its sections are short, apart from a publication
KEPT = 64  # results of slow queries

T = TypeVar("T")


class BusyError(Exception):
    """A run is writing, and nothing was published yet that a page could show."""


@dataclass(frozen=True)
class Reading:
    """The moment that a page shows.

    Attributes:
        at: Time of the data, UTC.
        is_current: False if a run is writing, so that the page shows what was published before.
        is_empty: Nothing was ever read.
    """

    at: datetime
    is_current: bool = True
    is_empty: bool = False


@dataclass
class Account:
    """One account's warehouse, as the pages use it."""

    settings: MillpondSettings
    live: Warehouse
    published: Warehouse
    _kept: dict[tuple[Any, ...], Any] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: MillpondSettings) -> "Account":
        """Return the account of these settings."""
        live = warehouse_of(settings)
        live.lock_timeout_s = WAIT_S
        return cls(settings, live, published_warehouse(live))

    @property
    def name(self) -> str:
        """The account's name; blank for the only one."""
        return self.settings.account

    @property
    def switches(self) -> Switches:
        """The states of its workflows."""
        return Switches(self.settings.warehouse)

    @property
    def clock(self) -> Clock:
        """The clock of the warehouse's times."""
        return warehouse_clock(self.settings)

    def read(self, query: Callable[[Warehouse], T], *, is_private: bool = False) -> tuple[T, Reading]:
        """Return the result of a query, and the time of its data.

        Args:
            query: The query; it may use the warehouse several times.
            is_private: It hides personal data itself; all others read the published file if that hides them.

        Raises:
            BusyError: A run is writing, and nothing was published yet that can be read instead.
        """
        if is_private or not self.live.hides_personal:
            try:
                return query(self.live), Reading(utc_now(self.clock))
            except TimeoutError as error:
                if is_private and self.live.hides_personal:  # what it looks for is not in the published file
                    raise BusyError from error
        if not self.published.exists():
            raise BusyError
        age = datetime.now(UTC) - datetime.fromtimestamp(self.live.snapshot.stat().st_mtime, UTC)
        return query(self.published), Reading(utc_now(self.clock) - age, is_current=self.live.hides_personal)

    def kept(self, name: tuple[Any, ...], warehouse: Warehouse, query: Callable[[], T]) -> T:
        """Return the result of a slow query, which is kept until the warehouse changes."""
        key = (*name, _version(warehouse))
        kept = self._kept  # another thread may replace it
        if key not in kept:
            if len(kept) >= KEPT:
                kept = self._kept = {}
            kept[key] = query()
        found: T = kept[key]
        return found


def _version(warehouse: Warehouse) -> tuple[Any, ...]:
    """Return what changes with each write; of a shared warehouse the minute."""
    path = Path(warehouse.backend.name)
    if not path.is_file():
        return (datetime.now(UTC).strftime("%Y-%m-%d %H:%M"),)
    found = path.stat()
    return path, found.st_ino, found.st_mtime_ns, found.st_size


class Site:
    """All accounts, and the workflow files that they share."""

    def __init__(self, settings: MillpondSettings) -> None:
        self._settings = settings
        self.accounts: Mapping[str, Account] = {each.account: Account.of(each) for each in settings.per_account}
        self._files: tuple[Any, UserFiles] | None = None

    def account(self, name: str) -> Account | None:
        """Return an account by name; blank: the first."""
        return self.accounts.get(name) if name else next(iter(self.accounts.values()))

    @property
    def files(self) -> UserFiles:
        """The workflow files as they are now; parsed again after a change."""
        folder = self._settings.workflows
        found = [*sorted(folder.glob("*/defs.yaml")), folder / "groups.yaml"]
        version = [(str(path), path.stat().st_mtime_ns) for path in found if path.exists()]
        if self._files is None or self._files[0] != version:
            self._files = (version, load_user_files(self._settings.workflows))
        return self._files[1]

    @property
    def workflows(self) -> Mapping[str, Workflow]:
        """The usable workflows by name."""
        return {each.name: each for each in self.files.workflows}
