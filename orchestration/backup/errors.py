"""The error of a backup or restore."""

from orchestration.configuration.settings_error import SettingsError


class BackupError(SettingsError):
    """It was not made, or not restored; the text names the file and what to do."""
