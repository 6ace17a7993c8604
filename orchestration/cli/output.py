"""The terminal: one console, plain lines, and problems."""

import sys
from collections.abc import Collection, Iterable

from rich.console import Console
from rich.table import Table

from resources.redaction import redact

PIPE_WIDTH = 160  # of tables in a pipe or file: wide enough not to break ids
NOTHING_READ = "nothing has been read yet; run `millpond run all` first"

console = Console() if sys.stdout.isatty() else Console(width=PIPE_WIDTH)


def open_table(*headings: str, right: Collection[str] = ()) -> Table:
    """Return a table without lines, whose cells are folded on a narrow terminal: rich would cut ids and names."""
    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, justify="right" if heading in right else "left", overflow="fold")
    return table


def print_line(text: str, style: str = "") -> None:
    """Print one line verbatim: no markup, no highlighting, no line breaks of our own."""
    console.print(redact(text), style=style, markup=False, highlight=False, soft_wrap=True)


def print_problems(problems: Iterable[str]) -> None:
    """Print each distinct problem on its own line."""
    for problem in dict.fromkeys(problems):
        print_line(f"✗ {problem}", "red")
