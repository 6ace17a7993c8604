"""The check at the start of every command and of Dagster's code location: is anything of an earlier version?

environment, .env, workflow files, version.json  ->  ensure_current()  ->  nothing, or an upgrade
"""

from collections.abc import Callable

from orchestration.upgrade.installation import account_homes, current_settings
from orchestration.upgrade.migrations import MIGRATIONS
from orchestration.upgrade.user_files import user_changes


def ensure_current(report: Callable[[str], object]) -> None:
    """Upgrade whatever has names of an earlier version; `report` gets a line for each thing that was converted.

    Raises:
        UpgradeError: Something cannot be upgraded, or a newer version made it; the text says what to do.
        SettingsError: A setting cannot be used.
    """
    settings, file = current_settings()
    homes = account_homes(settings)
    if all(home.is_known_current() for home in homes) and not user_changes(settings.workflows, file, MIGRATIONS):
        return
    from orchestration.upgrade.perform import upgrade_all  # late: DuckDB and Dagster take most of a second to load

    upgrade_all(report, must_open=False)
