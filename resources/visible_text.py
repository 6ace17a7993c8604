"""Texts of other systems as people read them: what cannot be seen, or acts on a terminal, is written out.

a name  ->  visible()  ->  the same name, in which U+202E is ⟨U+202E⟩
"""

import re

# controls, formats and fillers; what joins letters (U+200C, U+200D) or selects a form belongs to a text that is shown
INVISIBLE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u2028-\u202e"
    r"\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e00ff"
    r"\U000e01f0-\U000e0fff]"
)
LINE_BREAK = "⏎"


def visible(text: object) -> str:
    """Return a text whose invisible characters can be seen: one that turns the direction makes another name of it."""
    return INVISIBLE.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", str(text))


def on_one_line(text: str) -> str:
    """Return a text whose line breaks are written out, so that a name cannot look like a line of ours."""
    return text.replace("\r\n", "\n").replace("\n", LINE_BREAK)
