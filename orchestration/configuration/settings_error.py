"""The error of settings that cannot be used."""


class SettingsError(ValueError):
    """The environment or .env cannot be used as it is; the text has a line per problem, with the variable or file."""
