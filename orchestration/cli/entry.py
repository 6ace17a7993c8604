"""The console script `millpond`: signals are handled before anything else is imported, and the end is quick.

Collecting garbage takes a fifth of the time of the imports, and Python takes as long to tear all modules down again
as half of them took to load: 1.7 of 5 s of CPU (2 cores, Dagster, DuckDB and Polars loaded).
"""

import atexit
import gc
import os
import sys

from orchestration.cli.signals import exit_on_signals

GARBAGE = (50_000, 20, 50)  # collect after so many new objects, not 700: what an import makes stays


def main() -> None:
    """Run the command line."""
    gc.set_threshold(*GARBAGE)
    try:
        with exit_on_signals():
            from orchestration.cli.main import main as run  # late: an import takes a while and may be interrupted

            run()
    except SystemExit as ended:
        if ended.code is not None and not isinstance(ended.code, int):
            raise  # a text, which Python prints
        _end(ended.code or 0)
    _end(0)


def _end(code: int) -> None:
    """End the process after everything that was registered for its end, without tearing the modules down."""
    atexit._run_exitfuncs()  # noqa: SLF001 - the only way; Python itself calls it by this name
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)
