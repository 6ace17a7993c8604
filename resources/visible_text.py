"""Texts of other systems as people read them: what cannot be seen, or acts on a terminal, is written out.

a name  ->  visible()  ->  the same name, in which U+202E is ⟨U+202E⟩
"""

import re

INVISIBLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
LINE_BREAK = "⏎"


def visible(text: object) -> str:
    """Return a text whose invisible characters can be seen: one that turns the direction makes another name of it."""
    return INVISIBLE.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", str(text))


def on_one_line(text: str) -> str:
    """Return a text whose line breaks are written out, so that a name cannot look like a line of ours."""
    return text.replace("\r\n", "\n").replace("\n", LINE_BREAK)
