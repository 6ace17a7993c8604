"""The start of every command: name the account, check the settings, refuse a sandbox without records.

environment, .env  ->  begin()  ->  lines on stderr, or a SettingsError
"""

import os
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from orchestration.account_line import account_line
from orchestration.backup.home_use import RENAME_JOURNAL, RESTORE_JOURNAL, use_home
from orchestration.configuration.env_file import env_file_names, find_env_file
from orchestration.configuration.known_names import unknown_names
from orchestration.configuration.private_files import OWNER_ONLY, make_private
from orchestration.configuration.secret_check import check_secrets
from orchestration.configuration.settings import (
    SETTINGS,
    MillpondSettings,
    netsuite_settings,
    precoro_settings,
    suiteprojects_settings,
)
from orchestration.configuration.settings_base import Settings
from orchestration.configuration.settings_error import SettingsError
from orchestration.home_check import check_home
from orchestration.redaction import install
from orchestration.upgrade.ensure import ensure_current
from orchestration.upgrade.migrations import MIGRATIONS

OWN_HOME = frozenset({"demo", "sandbox"})  # they print the line themselves, of the home or folder that they choose
SERVICES = frozenset({"ui", "webhook"})  # they start on any sandbox; runs on one without records fail
WITHOUT_HOME = frozenset({"import-mapping", "validate"})  # they read workflow files only
WITHOUT_ACCOUNT = frozenset({"simulate"})  # it reads workflow files and makes its own accounts; the home stays as it is
WITHOUT_RECORDS = (
    frozenset({"backup", "ledger", "login", "netsuite-key", "restore", "upgrade", "user"})
    | WITHOUT_HOME
    | WITHOUT_ACCOUNT
    | OWN_HOME
)


def begin(tokens: Sequence[str]) -> None:
    """Print the account line, check and upgrade what an earlier version made, and refuse a sandbox without records.

    Raises:
        SettingsError: A setting cannot be used, or the sandbox was never filled; the text has a line per problem.
        UpgradeError: Something of an earlier version cannot be upgraded.
    """
    os.umask(OWNER_ONLY)
    command, settings = tokens[0], check_settings()
    install()
    if command in WITHOUT_ACCOUNT:
        return
    problem = "" if command in OWN_HOME else _home_problem(command, settings)
    if not problem:
        make_private(settings)
    if command not in OWN_HOME:
        announce(settings)
    if command not in OWN_HOME | WITHOUT_HOME:
        _use_home(settings)
    if problem:
        write_line(f"! {problem}")
    elif command not in {"upgrade", "demo"}:  # they upgrade themselves
        ensure_current(write_line)
    for line in unread_variables(settings):
        write_line(f"! {line}")
    problem = "" if command in WITHOUT_RECORDS else unfilled_sandbox(settings)
    if problem and command not in SERVICES:
        raise SettingsError(problem)
    if problem:
        write_line(f"! {problem}")


def _home_problem(command: str, settings: MillpondSettings) -> str:
    """Return why the home cannot be used by a command that can do without it; blank if it can be used.

    Raises:
        SettingsError: The command needs it.
    """
    try:
        check_home(settings, files=command not in WITHOUT_HOME | {"restore"})  # which may repair them
    except SettingsError as error:
        if command not in WITHOUT_HOME:
            raise
        return f"{error}; it is left as it is, as `{command}` needs no home"
    return ""


def _use_home(settings: MillpondSettings) -> None:
    """Use the home as long as this process lives, after an interrupted restore or rename of a workflow is complete.

    Raises:
        SettingsError: It is being restored, or what was interrupted cannot be completed.
    """
    use_home(settings.home.absolute())
    if (settings.home / RESTORE_JOURNAL).exists() or any(settings.home.glob(".restore.*")):
        from orchestration.backup.restore import complete_interrupted  # late: DuckDB takes a while to load

        complete_interrupted(settings, write_line)
    if (settings.home / RENAME_JOURNAL).exists():
        from orchestration.renaming.perform import complete_rename  # late, as above

        complete_rename(settings, write_line)


def announce(settings: MillpondSettings) -> None:
    """Print the account line."""
    write_line(account_line(settings))


def write_line(line: str) -> None:
    """Write a line to stderr: stdout may go into a file or another program. A terminal folds it between words."""
    if sys.stderr.isatty():
        width = shutil.get_terminal_size().columns
        fold = partial(
            textwrap.fill, width=width, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False
        )
        line = "\n".join(map(fold, line.splitlines()))
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def unread_variables(settings: MillpondSettings) -> list[str]:
    """Return a line for each variable of the environment or .env that looks like a setting and is not read.

    Those of an earlier version are left out: the upgrade renames them, or says how.
    """
    former = {name for each in MIGRATIONS for name in each.variables}
    return unknown_names({*os.environ, *env_file_names(find_env_file())} - former, settings)


def check_settings() -> MillpondSettings:
    """Return the settings, if those of all systems and accounts can be used.

    Raises:
        SettingsError: One cannot be used; all problems are listed.
    """
    problems: dict[str, None] = {}
    readers: list[Callable[[], Settings]] = [*SETTINGS, *_of_accounts()]
    for read in readers:
        try:
            read()
        except SettingsError as error:
            problems.update(dict.fromkeys(str(error).splitlines()))
    try:
        check_secrets()
    except SettingsError as error:
        problems.update(dict.fromkeys(str(error).splitlines()))
    if problems:
        raise SettingsError("\n".join(problems))
    return MillpondSettings()


def _of_accounts() -> Iterator[Callable[[], Settings]]:
    """Readers of each account's settings, by its names."""
    with suppress(SettingsError):  # reported by the settings themselves
        for name in MillpondSettings().account_names:
            yield from (partial(each, name) for each in (netsuite_settings, suiteprojects_settings, precoro_settings))


def unfilled_sandbox(settings: MillpondSettings) -> str:
    """Return why the sandbox cannot be used; blank if it was filled, or is not used."""
    if not settings.is_account_selected or not settings.sandbox:
        return ""  # the former is reported by the command
    from resources.sandbox.filled import refusal  # late: production does not load the sandbox

    return refusal(Path(settings.sandbox))
