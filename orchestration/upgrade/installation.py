"""The settings and homes that an upgrade checks.

environment, .env  ->  current_settings()  ->  account_homes()
"""

from pathlib import Path

from orchestration.configuration.env_file import find_env_file
from orchestration.configuration.settings import MillpondSettings
from orchestration.upgrade.account_home import AccountHome
from orchestration.upgrade.errors import UpgradeError
from orchestration.upgrade.migrations import MIGRATIONS
from orchestration.upgrade.variables import adopt, refuse_old_variables


def current_settings() -> tuple[MillpondSettings, Path | None]:
    """Return the settings, old names in .env included, and the .env file.

    Raises:
        UpgradeError: The environment itself has old names.
    """
    names, file = {old: new for each in MIGRATIONS for old, new in each.variables.items()}, find_env_file()
    refuse_old_variables(names, file)
    adopt(names, file)
    return MillpondSettings(), file


def account_homes(settings: MillpondSettings) -> list[AccountHome]:
    """Return every account's home; UpgradeError if a newer version made one."""
    homes = [AccountHome(each, MIGRATIONS) for each in settings.per_account]
    for home in homes:
        refuse_newer(home, home.marked_version)
    return homes


def refuse_newer(home: AccountHome, version: int | None) -> None:
    """Raise UpgradeError at a home of a later version."""
    if version and version > MIGRATIONS[-1].version:
        from resources.warehouse.schema_version import mismatch  # late: DuckDB takes a while to load

        raise UpgradeError(mismatch(str(home.folder), version))
