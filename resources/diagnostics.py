"""Findings of `millpond doctor`: one line per check, with the fix of every failed one.

check  ->  Finding(system, check, found, fix)  ->  ✓ or ✗
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from resources.errors import IntegrationError

OTHER_USERS = 0o077


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check.

    Attributes:
        system: netsuite, suiteprojects, precoro or millpond.
        found: The result; never a secret nor a record's contents.
        fix: What a person should do; empty when the check passed.
    """

    system: str
    check: str
    found: str
    fix: str = ""

    @property
    def passed(self) -> bool:
        """True if nothing needs to be done."""
        return not self.fix


def reason_and_fix(error: IntegrationError) -> tuple[str, str]:
    """Split an error's text, which holds the reason, a colon or semicolon, then the fix."""
    for mark in (": ", "; "):
        reason, _, fix = error.reason.partition(mark)
        if fix:
            return reason, fix
    return error.reason, "try again; if it persists, ask the system's administrator"


def findings_of(system: str, check: str, run: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """Yield the findings of a check; an error of the other system becomes a finding as well."""
    try:
        yield from run()
    except IntegrationError as error:
        yield Finding(system, check, *reason_and_fix(error))


def check_privacy(system: str, check: str, file: Path) -> Iterator[Finding]:
    """Yield a finding if others may use a file that holds secrets; OSError if there is none."""
    mode = file.stat().st_mode
    if mode & OTHER_USERS:
        found = f"other users of this machine can access it (mode {mode & 0o777:o})"
        yield Finding(system, check, found, f"revoke their access: chmod 600 {file}")
