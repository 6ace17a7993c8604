"""What `millpond doctor` finds: one line per check, and the mend where something is wrong.

check  ->  Finding(system, what, found, mend)  ->  ✓ or ✗
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from resources.errors import IntegrationError


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        system: netsuite, suiteprojects, precoro or millpond.
        what: What was looked at.
        found: What was found; never a secret nor a record's contents.
        mend: What a person should do; empty when all is well.
    """

    system: str
    what: str
    found: str
    mend: str = ""

    @property
    def is_well(self) -> bool:
        """Nothing needs to be done."""
        return not self.mend


def told(error: IntegrationError) -> tuple[str, str]:
    """An error as (found, mend); the project's errors say what is wrong, a colon or semicolon, then the mend."""
    for mark in (": ", "; "):
        found, separator, mend = error.reason.partition(mark)
        if separator and mend:
            return found, mend
    return error.reason, "try again; when it stays so, ask who looks after that system"


def examined(system: str, what: str, look: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """The findings of one look; an error of the other system is a finding too."""
    try:
        yield from look()
    except IntegrationError as error:
        found, mend = told(error)
        yield Finding(system, what, found, mend)
