"""A record's values in texts: the forms in which files spell them, and their replacement.

values  ->  Spelled: found(), replaced()

A pattern has every spelling of each character that is no letter or digit of ASCII: as it is, and as JSON, HTML, XML, an
address, a program's text or a table of commas writes it, also one within another.
"""

import html
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cached_property
from html.entities import codepoint2name
from itertools import groupby
from urllib.parse import quote

from assets.delivery.forget.texts import is_phrase, normal_forms
from resources.warehouse.forgotten import TEXT

ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "cp1252")
MIN_SCANNED = 8  # letters of a word that is looked for in bytes, where words have no ends
NAMES = {**codepoint2name, ord("'"): "apos"}
SHORT = {"\a": "a", "\b": "b", "\0": "0"}  # after a backslash; those of white space are in SPACE
ESCAPES = r"\\{1,63}"  # of formats within each other: six; with a limit, so that no text takes long
SPACE = (
    r"(?:\s|\+|%(?:25)*(?:20|0[9ad]|c2%(?:25)*a0)|&(?:amp;)*(?:nbsp|#0*(?:9|10|13|32|160)|#x0*(?:[9ad]|20|a0));"
    rf"|{ESCAPES}"
    r"(?:[nrtfv]|x(?:0[9a-d]|1[c-f]|20|85|a0)|u(?:00(?:0[9a-d]|1[c-f]|20|85|a0)|1680|20[0-5][0-9a-f]|3000)))+"
)
# a word begins after something else, which may be an escape that ends with a letter or digit
BEGINS = r"(?:(?<!\w)|(?<=\\[nrtfv])|(?<=\\u00[23ab][0-9a-fA-F])|(?<=%[0-7][0-9a-fA-F]))"


class Spelled:
    """Values however files spell them; phrases in any case, and wrapped, too."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = normal_forms(texts)

    @cached_property
    def phrases(self) -> "Spelled":
        """The phrases alone: another program's database may have a word as a key or in a number."""
        return Spelled([each for each in self.texts if is_phrase(each)])

    @cached_property
    def _patterns(self) -> list[tuple[list[str], re.Pattern[str]]]:
        """Return a pattern for each value, the longest first, and texts of which one is there if it matches."""
        known = list(filter(None, dict.fromkeys(each.strip() for each in self.texts)))
        phrases = [
            (_signs(each), re.compile(_spelled(each, any_case=True), re.IGNORECASE))
            for each in known
            if is_phrase(each)
        ]
        words = [
            (_signs(form), re.compile(rf"{BEGINS}(?:{_spelled(form)})(?!\w)"))
            for each in known
            if not is_phrase(each)
            for form in dict.fromkeys((each, each.upper()))
        ]
        return phrases + words

    def _in(self, text: str) -> Iterator[re.Pattern[str]]:
        """Yield the patterns that may match; most texts have no sign of any."""
        small = text.lower()
        yield from (pattern for signs, pattern in self._patterns if any(each in small for each in signs))

    def found(self, text: str) -> bool:
        """Return whether a text has one of the values."""
        return any(pattern.search(text) for pattern in self._in(text))

    def replaced(self, text: str) -> str:
        """Return the text without the values."""
        for pattern in self._in(text):
            text = pattern.sub(TEXT, text)
        return text

    @cached_property
    def needles(self) -> list[bytes]:
        """The values as files have them: as they are, with the letters of ASCII, and in UTF-16."""
        sought = [each for each in self.texts if is_phrase(each) or len(each) >= MIN_SCANNED]
        found = {
            form
            for text in sought
            for form in (text, html.escape(text), html.escape(text, quote=False), json.dumps(text)[1:-1])
        }
        return sorted({each.lower() for form in found for each in _encoded(form)})

    def found_in_bytes(self, content: bytes) -> bool:
        """Return whether bytes have one of the values, in any case of ASCII's letters."""
        small = content.lower()
        return any(each in small for each in self.needles)


def _encoded(text: str) -> Iterator[bytes]:
    """Yield a text in each encoding that has all of its letters."""
    for encoding in ENCODINGS:
        with suppress(UnicodeEncodeError):
            yield text.encode(encoding)


def _spelled(text: str, *, any_case: bool = False) -> str:
    """Return a pattern of every spelling of a value."""
    parts: list[str] = []
    for kind, run in groupby(text, lambda char: char if char in "\"'\\" else " " if char.isspace() else ""):
        chars = list(run)
        if kind == " ":
            parts.append(f"(?i:{SPACE})")
        elif kind == "\\":
            parts.append(_backslashes(len(chars)))
        elif kind:
            parts.append(_quotation_marks(kind, len(chars), f"mark{len(parts)}"))
        else:
            forms = (dict.fromkeys((each, each.lower(), each.upper()) if any_case else each) for each in chars)
            parts += ["|".join(map(_characters, each)) for each in forms]
    return "".join(f"(?:{each})" if "|" in each else each for each in parts)


def _backslashes(number: int) -> str:
    """Return a pattern of backslashes in a row, without those of a quotation mark after them."""
    doubled = "|".join(rf"\\{{{number << times}}}" for times in reversed(range(7)))
    return rf"{doubled}|(?i:{_escaped(chr(92))}){{{number}}}"


def _quotation_marks(mark: str, number: int, name: str) -> str:
    """Return a pattern of quotation marks in a row, each perhaps twice, without the one that ends the text.

    That one is written otherwise, with fewer backslashes.
    """
    first, again = rf"(?P<{name}>(?:{ESCAPES})?(?:{mark}|(?i:{_escaped(mark)})))", f"(?P={name})"
    return rf"{first}{again}{{{number - 1}}}(?:{again}{{{number}}})?"


def _characters(text: str) -> str:
    return "".join(map(_character, text))


def _character(char: str) -> str:
    """Return a pattern of every spelling of one character."""
    if char.isascii() and char.isalnum():
        return char
    before = f"(?:{ESCAPES})?" if char == "/" else ""
    return f"{before}(?:{re.escape(char)}|(?i:{_escaped(char)}))"


def _escaped(char: str) -> str:
    """Return a pattern of the spellings of a character other than itself."""
    code, units = ord(char), char.encode("utf-16-be", "surrogatepass").hex()
    pairs = "".join(f"{ESCAPES}u{units[start : start + 4]}" for start in range(0, len(units), 4))
    address = "".join(f"%(?:25)*{each:02x}" for each in char.encode("utf-8", "surrogatepass"))
    named = f"|{NAMES[code]}" if code in NAMES else ""
    plain = f"{ESCAPES}{SHORT[char]}|" if char in SHORT else ""
    short = f"|{ESCAPES}x{code:02x}" if code < 1 << 8 else f"|{ESCAPES}U{code:08x}"
    return f"{plain}{pairs}{short}|{address}|&(?:amp;)*(?:#0*{code}|#x0*{code:x}{named});"


def _signs(text: str) -> list[str]:
    """Return small letters of which a text has some if it has the value in any spelling."""
    if runs := re.findall(r"[a-z0-9]+", text, re.IGNORECASE | re.ASCII):
        return [max(runs, key=len).lower()]
    forms = {form for each in (text[0], text[0].lower(), text[0].upper()) for form in each[0]}
    return sorted({sign for each in forms for sign in _signs_of(each)})


def _signs_of(char: str) -> Iterator[str]:
    code = ord(char)
    yield from (char.lower(), f"#{code};", f"#0{code};", f"#x{code:x};", f"#x0{code:x};")
    yield from (rf"\x{code:02x}", rf"\u{code:08x}")
    yield f"\\u{char.encode('utf-16-be', 'surrogatepass').hex()[:4]}"
    once = quote(char.encode("utf-8", "surrogatepass"))
    yield from (once.lower(), quote(once).lower())
    yield from (f"{NAMES[code].lower()};" for _ in range(code in NAMES))
    yield from (f"\\{SHORT[char]}" for _ in range(char in SHORT))
