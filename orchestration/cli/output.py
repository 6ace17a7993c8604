"""The terminal: one console, plain lines, and problems."""

import sys
from collections.abc import Iterable

from rich.console import Console

PIPE_WIDTH = 160  # of tables in a pipe or file: wide enough not to break ids
NOTHING_READ = "nothing has been read yet; run `millpond run all` first"

console = Console() if sys.stdout.isatty() else Console(width=PIPE_WIDTH)


def print_line(text: str, style: str = "") -> None:
    """Print one line verbatim: no markup, no highlighting, no line breaks of our own."""
    console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)


def print_problems(problems: Iterable[str]) -> None:
    """Print each distinct problem on its own line."""
    for problem in dict.fromkeys(problems):
        print_line(f"✗ {problem}", "red")
