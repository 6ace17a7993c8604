"""The terminal: one console, plain lines, tables, problems, and the same facts as JSON.

A terminal gets text as wide as it is, and pages of it. A pipe or file gets each text whole, on one line: nothing is cut
or folded. With `--json` standard output has one document and nothing else; see `facts`.
"""

import os
import sys
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import IO, NoReturn

from rich.console import Console
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from orchestration.cli.closed_pipe import end_quietly
from resources.redaction import redact
from resources.visible_text import on_one_line, visible

PIPE_WIDTH = 100_000  # of a pipe or file, so that nothing is folded
INDENT = 4  # of what continues a line
NOTHING_READ = "nothing has been read yet; run `millpond run all` first"


class Output(Console):
    """A console whose lines end with their last character, and that ends quietly without a reader.

    Attributes:
        problems: What was printed as a problem.
    """

    def __init__(self, file: IO[str] | None = None, width: int | None = None) -> None:
        super().__init__(file=file, width=width)
        self.problems: list[str] = []
        self.messages: list[str] = []

    def on_broken_pipe(self) -> NoReturn:
        """End as SIGPIPE ends other programs."""
        end_quietly()

    def _render_buffer(self, buffer: Iterable[Segment]) -> str:
        shown = (each if each.control else each._replace(text=visible(each.text)) for each in buffer)
        text = redact(super()._render_buffer(shown))
        return text if self.is_terminal else "\n".join(line.rstrip(" ") for line in text.split("\n"))


console = Output() if sys.stdout.isatty() else Output(width=PIPE_WIDTH)


def open_table(*headings: str, right: Collection[str] = ()) -> Table:
    """Return a table without lines, whose cells are folded on a narrow terminal: rich would cut ids and names."""
    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, justify="right" if heading in right else "left", overflow="fold")
    return table


def print_line(text: str, style: str = "") -> None:
    """Print one line verbatim: no markup, no highlighting, no line breaks of our own."""
    console.messages.append(redact(text))
    console.print(redact(text), style=style, markup=False, highlight=False, soft_wrap=True)


def print_wrapped(text: str, style: str = "", *, indent: int = 0) -> None:
    """Print a sentence; on a terminal, what does not fit continues below it, further to the right."""
    console.messages.append(redact(text))
    _print_folded(redact(text), style, indent)


def _print_folded(text: str, style: str, indent: int = 0) -> None:
    whole = Text(on_one_line(text), style=style)
    if not console.is_terminal:
        console.print(Text(" " * indent) + whole, soft_wrap=True, highlight=False)
        return
    first = whole.wrap(console, max(console.width - indent, INDENT * 2))[0]
    first.rstrip()
    console.print(Text(" " * indent) + first, soft_wrap=True, highlight=False)
    rest = Text(whole.plain[len(first.plain) :].lstrip(), style=style)
    further = indent + INDENT
    for line in rest.wrap(console, max(console.width - further, INDENT * 2)) if rest.plain else ():
        line.rstrip()
        console.print(Text(" " * further) + line, soft_wrap=True, highlight=False)


def print_problems(problems: Iterable[str]) -> None:
    """Print each distinct problem on its own line; beside a JSON document, on stderr."""
    for problem in dict.fromkeys(redact(each) for each in problems):
        console.problems.append(problem)
        if console.quiet:
            sys.stderr.write(f"✗ {visible(problem)}\n")
        else:
            for line in f"✗ {problem}".splitlines():
                _print_folded(line, "red")


@contextmanager
def paged() -> Iterator[None]:
    """Show what is printed in the block page by page, if it does not fit on the terminal."""
    if not (console.is_terminal and sys.stdin.isatty()):
        yield
        return
    os.environ.setdefault("LESS", "-FRX")  # colors; ends at once if everything fits on the screen
    with console.pager(styles=True):
        yield
