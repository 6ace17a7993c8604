"""Characters that cannot be seen are written out, in texts and in JSON alike."""

import json
import sys
import unicodedata

import pytest

from orchestration.cli.facts import _forget, note, write_document
from resources.visible_text import INVISIBLE, visible

SHOWN = "\t\n\u200c\u200d"  # blanks of a text, and what joins letters of a word or the parts of an emoji
# shown by their scripts: signs around a number, an end of a verse, an abbreviation
SIGNS = {*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD, *range(0x13430, 0x13440)}
FILLERS = "\u034f\u115f\u1160\u3164\uffa0\U000e01f0"  # no format characters, and as little seen


def test_every_control_and_format_character_is_written_out() -> None:
    """Tags and fillers as well: each makes two names look alike."""
    formats = {chr(each) for each in range(sys.maxunicode + 1) if unicodedata.category(chr(each)) in {"Cc", "Cf"}}
    expected = (formats - set(SHOWN) - {chr(each) for each in SIGNS}) | set(FILLERS)

    assert sorted(each for each in expected if not INVISIBLE.fullmatch(each)) == []
    assert visible("Acme\U000e0041\u3164 AB") == "Acme⟨U+E0041⟩⟨U+3164⟩ AB"
    text = "Zoë می‌خواهم 👩‍💻 ❤️ 東京 \u845b\U000e0100\n"  # the last character in the form that its owner writes
    assert visible(text) == text


def test_json_has_every_character_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """Escaped, so that it cannot act on a terminal."""
    name = "a\x7f\u202e\U000e0041z"
    _forget()  # what other tests noted
    note(records=[{"name": name}])
    write_document("explain", 0)
    _forget()

    printed = capsys.readouterr().out
    assert (printed.isascii(), json.loads(printed)["records"][0]["name"]) == (True, name)
