"""Exit codes of every command, for scripts and schedulers; docs/command-line.md explains them.

A run that holds back what it held back yesterday is clean: code 4 says that there is something new to look at.
"""

from typing import Final

CLEAN: Final = 0
FAILED: Final = 1  # it was started and failed, or what it checks is not as it should be
USAGE: Final = 2  # it was not started: what was asked for is mistyped, unknown, not allowed or not possible
WAITS: Final = 3  # a plan waits for a person's approval
HELD_BACK: Final = 4  # it ended, and held records back that were not held back before, or for another reason
CLOSED_PIPE: Final = 141  # the output has no reader any more (`| head -1`), as for every program that SIGPIPE ends


def worst(*codes: int) -> int:
    """Return the code that matters most: a failure, then a plan that waits, then records held back."""
    order = (FAILED, USAGE, WAITS, HELD_BACK)
    return next((code for code in order if code in codes), CLEAN)
