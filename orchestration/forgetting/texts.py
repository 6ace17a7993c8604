"""A record's values in texts: the forms in which files spell them, and their replacement.

values  ->  Spelled: found(), replaced()
"""

import html
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import cached_property
from urllib.parse import quote, quote_plus

from assets.delivery.forget.texts import is_phrase, normal_forms, spellings
from resources.warehouse.forgotten import TEXT

ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "cp1252")
MIN_SCANNED = 8  # letters of a word that is looked for in bytes, where words have no ends


class Spelled:
    """Values as they are, and as JSON, HTML, XML and addresses write them; phrases in any case, and wrapped, too."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = normal_forms(texts)

    @cached_property
    def phrases(self) -> "Spelled":
        """The phrases alone: another program's database may have a word as a key or in a number."""
        return Spelled([each for each in self.texts if is_phrase(each)])

    @cached_property
    def _phrases(self) -> list[str]:
        """Every form of every phrase in small letters, the longest first."""
        found = {each.lower() for each in _forms(each for each in self.texts if is_phrase(each))}
        return sorted(found, key=lambda each: (-len(each), each))

    @cached_property
    def _words(self) -> list[str]:
        return spellings(_forms(each for each in self.texts if not is_phrase(each)))

    @cached_property
    def _patterns(self) -> list[re.Pattern[str]]:
        words = rf"(?<!\w)(?:{'|'.join(map(re.escape, self._words))})(?!\w)" if self._words else ""
        phrases = "|".join(map(_wrapped, self._phrases))
        return [re.compile(each, flags) for each, flags in ((phrases, re.IGNORECASE), (words, re.NOFLAG)) if each]

    def found(self, text: str) -> bool:
        """Return whether a text has one of the values; ten times as fast as the patterns alone."""
        small = " ".join(text.lower().split())
        if any(" ".join(each.split()) in small for each in self._phrases):
            return True
        return any(each in text for each in self._words) and bool(self._patterns[-1].search(text))

    def replaced(self, text: str) -> str:
        """Return the text without the values."""
        for pattern in self._patterns:
            text = pattern.sub(TEXT, text)
        return text

    @cached_property
    def needles(self) -> list[bytes]:
        """The values as files have them: as they are, with the letters of ASCII, and in UTF-16."""
        sought = [each for each in self.texts if is_phrase(each) or len(each) >= MIN_SCANNED]
        found = {form for text in sought for form in (text, html.escape(text), json.dumps(text)[1:-1])}
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


def _wrapped(phrase: str) -> str:
    """Return the pattern of a phrase that a terminal or a log may have broken into lines."""
    return re.sub(r"(?:\\?\s)+", r"\\s+", re.escape(phrase))


def _forms(texts: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for text in texts:
        escaped = html.escape(text)
        plain = {text, text.strip(), escaped, escaped.replace("&#x27;", "&#39;"), quote(text), quote_plus(text)}
        plain |= {each.encode("ascii", "xmlcharrefreplace").decode() for each in plain}  # as XML in ASCII has them
        for each in plain:
            for ascii_only in (False, True):
                once = json.dumps(each, ensure_ascii=ascii_only)[1:-1]
                found |= {each, once, json.dumps(once, ensure_ascii=ascii_only)[1:-1]}
    return found - {""}
