"""Text to and from the terminal, whatever its encoding."""

import os
import sys


def prepare_terminal() -> None:
    """Print characters that the terminal's encoding lacks as `?`, and read arguments as UTF-8 where it lacks them."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    # an argument that is not in the encoding has lone surrogates, which nothing else accepts
    sys.argv[1:] = [os.fsencode(each).decode(errors="replace") for each in sys.argv[1:]]
