"""Output without a reader, as of `millpond plans | head -1`: no traceback, and SIGPIPE's exit code.

The signal itself stays ignored: it would end a run in the middle of sending, when only its reader went away.
"""

import os
import sys
from typing import NoReturn

from orchestration.cli.exit_codes import CLOSED_PIPE


def end_quietly() -> NoReturn:
    """End the process; what Python still has to write goes nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (BrokenPipeError, ValueError):
            os.dup2(nowhere, stream.fileno())
    raise SystemExit(CLOSED_PIPE)


def flush_output() -> None:
    """Write what is still buffered, while a closed pipe can be answered."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        end_quietly()
