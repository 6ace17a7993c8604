"""The error of a rename."""

from orchestration.configuration.settings_error import SettingsError


class RenameError(SettingsError):
    """A workflow was not renamed, or not completely; the text names what is in the way and what to do."""
