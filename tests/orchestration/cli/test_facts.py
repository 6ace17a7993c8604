"""`--json`: one document with documented keys, for every command that ends by itself."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from cyclopts import App

from orchestration.cli import facts
from orchestration.cli.exit_codes import CLEAN, FAILED, HELD_BACK, USAGE, WAITS, worst
from orchestration.cli.facts import KEYS, note, with_json
from orchestration.cli.main import COMMANDS, app
from orchestration.cli.output import print_line, print_problems
from orchestration.cli.user import list_
from orchestration.configuration.settings import ROOT, MillpondSettings
from orchestration.web.identity import Role
from orchestration.web.users import Users

# they serve until they are stopped, or speak to a person
WITHOUT_FACTS = {"ui", "webhook", "demo", "login"}
PAGE = (ROOT / "docs" / "command-line.md").read_text()


def leaves(command: App) -> list[App]:
    """Return a command, or its sub-commands."""
    below = [command[name] for name in command if not name.startswith("-")]
    return [each for sub in below for each in leaves(sub)] if below else [command]


# commands of the groups whose modules have their own tests
OWN = {"user", "backup", "restore", "sandbox"}


@pytest.mark.parametrize("name", sorted({each for names in COMMANDS.values() for each in names} - WITHOUT_FACTS - OWN))
def test_every_command_has_json(name: str) -> None:
    """By the same option, which its help shows."""
    for command in leaves(app[name]):
        options = {option for each in command.assemble_argument_collection() for option in each.names}
        assert "--json" in options, command.name


def test_the_document_has_the_command_its_code_and_what_it_found(capsys: pytest.CaptureFixture[str]) -> None:
    """Standard output has nothing else; problems are on stderr as well."""

    @with_json
    def plans_(*, show: bool = False) -> int:
        print_line("one plan")
        print_problems(["no good", "no good"])
        note(plans=[{"at": Path("x")}])
        note(plans=[{"at": show}])
        return HELD_BACK

    assert plans_(as_json=True) == HELD_BACK  # type: ignore[call-arg]

    printed = capsys.readouterr()
    assert json.loads(printed.out) == {
        "command": "plans", "exit_code": 4, "problems": ["no good"], "messages": ["one plan"],
        "plans": [{"at": "x"}, {"at": False}],
    }  # fmt: skip
    assert printed.err == "✗ no good\n"
    assert plans_() == HELD_BACK
    assert capsys.readouterr().out == "one plan\n✗ no good\n"


def test_a_command_of_a_group_has_both_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`list` or `verify` alone could be of any group."""
    monkeypatch.setenv("MILLPOND_HOME", str(tmp_path))
    Users(MillpondSettings().users).add("ada", Role.VIEWER, None, no_password=True)

    list_(as_json=True)  # type: ignore[call-arg]

    found = json.loads(capsys.readouterr().out)
    assert (found["command"], [each["name"] for each in found["users"]]) == ("user list", ["ada"])


def test_an_undocumented_key_is_an_error() -> None:
    """Keys are a promise."""
    with pytest.raises(KeyError):
        note(nonsense=1)


def test_the_keys_are_documented() -> None:
    """The page has a row for each, and no others."""
    rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", PAGE.partition("## JSON")[2], re.MULTILINE)
    envelope = dict(rows[: len(facts.ENVELOPE)])

    assert [*envelope] == list(facts.ENVELOPE)
    assert dict(rows[len(facts.ENVELOPE) :]) == KEYS


def test_the_exit_codes_are_documented() -> None:
    """In the table, and in `--help`."""
    rows = [int(code) for code in re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)]

    assert rows == [CLEAN, FAILED, USAGE, WAITS, HELD_BACK, 130, 141, 143]
    assert all(f"{code} " in (app.help_epilogue or "") for code in rows[:5])


def test_the_code_that_matters_most_is_returned() -> None:
    """A failure is not hidden by a plan that waits, nor that by records that are held back."""
    assert worst(HELD_BACK, WAITS, FAILED, CLEAN) == FAILED
    assert worst(HELD_BACK, WAITS) == WAITS
    assert worst(CLEAN, HELD_BACK) == HELD_BACK
    assert worst() == CLEAN


def test_a_setting_that_cannot_be_used_is_in_the_document(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that reads the document gets one, whatever happens."""
    arguments: list[Any] = ["plans", "--json"]
    monkeypatch.setattr(facts.console, "quiet", False)

    facts.print_failure(arguments, ["MILLPOND_MODE: not a mode"])

    assert json.loads(capsys.readouterr().out)["problems"] == ["MILLPOND_MODE: not a mode"]
