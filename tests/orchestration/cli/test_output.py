"""The terminal at 80 columns, at 200, and into a pipe; and a reader that goes away."""

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from orchestration.cli import facts, output
from orchestration.cli.explain_versions import change_line
from orchestration.cli.link_list import _write_csv
from orchestration.cli.output import PIPE_WIDTH, Output, print_wrapped
from orchestration.configuration.settings import ROOT
from resources.redaction import know

WORDS = st.lists(st.text(st.sampled_from("abcdé日本€→"), min_size=1, max_size=30), min_size=1, max_size=40)


@contextmanager
def printed(width: int | None) -> Iterator[io.StringIO]:
    """Collect what is printed on a terminal of this width, or into a pipe."""
    file = io.StringIO()
    console = Output(file=file, width=width or PIPE_WIDTH)
    console._force_terminal = width is not None
    console.no_color = True
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(output, "console", console)
        yield file


def lines_of(file: io.StringIO) -> list[str]:
    """Return the printed lines without their styles."""
    return re.sub(r"\x1b\[[0-9;]*m", "", file.getvalue()).splitlines()


@pytest.mark.parametrize("width", [80, 200])
@given(words=WORDS, indent=st.integers(0, 8))
def test_a_terminal_gets_every_word_within_its_width(width: int, words: list[str], indent: int) -> None:
    """The rest continues below, further to the right; wide characters count twice."""
    with printed(width) as file:
        print_wrapped(" ".join(words), indent=indent)

    lines = lines_of(file)
    assert " ".join(" ".join(lines).split()) == " ".join(words)
    assert max(map(cell_len, lines)) <= width
    assert all(line.startswith(" " * (indent + 4)) for line in lines[1:])
    assert lines[0].startswith(" " * indent)


def test_a_problem_is_folded_between_words() -> None:
    """The terminal itself would break in the middle of one."""
    problem = "the workflow files have a problem with a long text, " * 3
    with printed(60) as file:
        output.print_problems([f"{problem}\nand another line"])

    lines = lines_of(file)
    assert max(map(cell_len, lines)) <= 60
    assert " ".join(" ".join(lines).split()) == f"✗ {problem}and another line"
    assert all(line.startswith("    ") for line in lines[1:-1])
    with printed(None) as file:
        output.print_problems([problem])
    assert file.getvalue() == f"✗ {problem.rstrip()}\n"


@given(words=WORDS, indent=st.integers(0, 8))
def test_a_pipe_gets_each_text_on_one_line(words: list[str], indent: int) -> None:
    """Other programs search lines."""
    with printed(None) as file:
        print_wrapped(" ".join(words), indent=indent)

    assert file.getvalue() == f"{' ' * indent}{' '.join(words)}\n"


def test_a_pipe_gets_whole_cells_without_blanks_at_the_end() -> None:
    """Names of 300 characters are neither cut nor folded."""
    with printed(None) as file:
        table = output.open_table("name", "note")
        table.add_row("x" * 300, "y")
        table.add_row("z", "")
        output.console.print(table)

    assert file.getvalue().splitlines() == [f"name{' ' * 298}note", f"{'x' * 300}  y", "z"]


def test_a_table_shows_no_secret() -> None:
    """A note in the ledger may quote what a service echoed."""
    know("PRECORO_TOKEN", "canary-of-a-token")
    with printed(None) as file:
        table = output.open_table("note")
        table.add_row("refused: canary-of-a-token")
        output.console.print(table)

    assert "canary" not in file.getvalue()
    assert "PRECORO_TOKEN" in file.getvalue()


def test_a_terminal_folds_what_does_not_fit() -> None:
    """Nothing of an id is lost."""
    with printed(80) as file:
        table = output.open_table("id", "name")
        table.add_row("1", "n" * 200)
        output.console.print(table)

    assert max(map(len, lines_of(file))) <= 80
    assert file.getvalue().count("n") == 201  # and that of the heading


class _Closed(io.StringIO):
    """A pipe without a reader."""

    def write(self, _: str) -> int:
        raise BrokenPipeError


def test_a_closed_pipe_ends_a_command_like_sigpipe() -> None:
    """`millpond plans | head -1` prints no traceback."""
    console = Output(file=_Closed())

    with pytest.raises(SystemExit) as ended:
        console.print("text")

    assert ended.value.code == 141


@pytest.mark.parametrize("text", ["app.console.print('text')", "sys.stdout.write('text')"])
def test_a_real_closed_pipe_prints_no_traceback(text: str) -> None:
    """Python itself writes to it once more when it ends."""
    reader, writer = os.pipe()
    os.close(reader)
    code = (
        "import sys; from orchestration.cli import main as command; from orchestration.cli.main import app\n"
        f"def printing(tokens): {text}; raise SystemExit(0)\n"
        "command.app = printing; sys.argv = ['millpond']\n"
        "command.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], stdout=writer, stderr=subprocess.PIPE, text=True, cwd=ROOT, check=False
    )
    os.close(writer)

    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize(
    ("side", "before", "after", "changed_by", "said"),
    [
        ("target", None, "(present)", "our write", "target: record created (our write, run a51c0d93)"),
        ("target", None, "(present)", "first reading", "target: record first seen"),
        (
            "target",
            None,
            "(present)",
            "edit in the target",
            "target: record created by someone else (edit in the target)",
        ),
        ("target", "(present)", None, "no longer in the target", "target: record gone (no longer in the target)"),
        ("desired", None, "(present)", "first mapping", "desired: record first mapped"),
        ("netsuite", None, "(present)", "first reading", "NetSuite: record first seen"),
        ("desired", "(present)", None, "no longer read", "desired: record gone (no longer read)"),
        (None, None, None, "forgotten", "values forgotten"),
    ],
)
def test_what_happened_to_a_record_is_said_in_words(
    side: str | None, before: str | None, after: str | None, changed_by: str, said: str
) -> None:
    """Not as a value of a field that no one mapped."""
    row = {
        "side": side, "field": "(record)", "before": before, "after": after, "changed_by": changed_by,
        "changed_at": datetime(2026, 11, 16, 6, 2, 7, tzinfo=UTC), "not_before": None, "run_id": "a51c0d93ff",
    }  # fmt: skip

    assert change_line(row) == f"2026-11-16 06:02:07 {said}"


@pytest.mark.parametrize("width", [80, None])
def test_a_name_can_neither_act_on_the_terminal_nor_look_like_another_line(width: int | None) -> None:
    """NetSuite's users type the names; the direction, the cursor and the lines are ours."""
    name = "Acme\x1b[2J\u202eemca\u2028\n✓ everything is well"
    with printed(width) as file:
        print_wrapped(f"+ create  {name}", "green")
        output.print_line(f"+ create  {name}")
        table = output.open_table("name")
        table.add_row(name)
        output.console.print(table)
    lines = lines_of(file)

    assert lines[0] == "+ create  Acme⟨U+001B⟩[2J⟨U+202E⟩emca⟨U+2028⟩⏎✓ everything is well"
    assert not [each for each in ("\x1b[2J", "\u202e", "\u2028") if each in file.getvalue()]


def test_no_link_is_a_formula_in_a_spreadsheet(capsys: pytest.CaptureFixture[str]) -> None:
    """The target's ids are the target's."""
    _write_csv(pl.DataFrame({"source_id": ["1"], "target_id": ["=HYPERLINK(1)"], "target_url": [None]}))

    assert capsys.readouterr().out.splitlines() == ["source_id,target_id,target_url", "1,'=HYPERLINK(1),"]


def test_a_document_has_a_name_as_it_is_and_cannot_act_on_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """U+009B begins a command as ESC does, and JSON does not escape it by itself."""
    name = "Acme \x1b[2J \x9b2J \u202e \u2028 \x7f é €"
    facts.note(links=[{"target": name}])
    facts.write_document("links", 0)
    printed = capsys.readouterr().out
    facts._forget()

    assert printed.removesuffix("\n").isprintable()
    assert json.loads(printed)["links"][0]["target"] == name
