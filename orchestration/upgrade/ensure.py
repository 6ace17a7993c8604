"""The check at the start of every command and of Dagster's code location: is anything of an earlier version?

environment, .env, workflow files, version.json  ->  ensure_current()  ->  nothing, or an upgrade
"""

from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError

from orchestration.settings import MillpondSettings
from orchestration.upgrade.account_home import AccountHome
from orchestration.upgrade.errors import UpgradeError
from orchestration.upgrade.migrations import MIGRATIONS
from orchestration.upgrade.user_files import user_changes
from orchestration.upgrade.variables import adopt, env_file, refuse_old_variables

Report = Callable[[str], object]


def ensure_current(report: Report) -> None:
    """Upgrade whatever has names of an earlier version.

    Args:
        report: Gets a line for each thing that was converted.

    Raises:
        UpgradeError: Something cannot be upgraded, or a newer version made it; the text says what to do.
    """
    try:
        settings, file = current_settings()
    except ValidationError:
        return  # reported by whatever uses the settings
    homes = account_homes(settings)
    if all(home.is_known_current() for home in homes) and not user_changes(settings.workflows, file, MIGRATIONS):
        return
    from orchestration.upgrade.perform import upgrade_all  # late: DuckDB and Dagster take most of a second to load

    upgrade_all(report, must_open=False)


def current_settings() -> tuple[MillpondSettings, Path | None]:
    """Return the settings, old names in .env included, and the .env file.

    Raises:
        UpgradeError: The environment itself has old names.
    """
    names, file = {old: new for each in MIGRATIONS for old, new in each.variables.items()}, env_file()
    refuse_old_variables(names, file)
    adopt(names, file)
    return MillpondSettings(), file


def account_homes(settings: MillpondSettings) -> list[AccountHome]:
    """Return every account's home.

    Raises:
        UpgradeError: A newer version made one.
    """
    homes = [AccountHome(each, MIGRATIONS) for each in settings.per_account]
    for home in homes:
        refuse_newer(home, home.marked_version)
    return homes


def refuse_newer(home: AccountHome, version: int | None) -> None:
    """Stop at a home of a later version.

    Raises:
        UpgradeError: The home has one.
    """
    if version and version > MIGRATIONS[-1].version:
        from resources.warehouse.schema_version import mismatch  # late, see above

        raise UpgradeError(mismatch(str(home.folder), version))
