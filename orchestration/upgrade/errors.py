"""The error of an upgrade."""


class UpgradeError(Exception):
    """The files cannot be used or upgraded as they are; the text names the file and what to do."""
