"""Phrases and words among a record's values: how each is recognized in a text.

A phrase, such as an e-mail address, a full name or a telephone number, is found anywhere, in any case of letters. A
word, such as a first name or a postal code, may be a part of many other words, of keys and of numbers: it is found only
as a whole word, as it is spelled or in capitals. A letter with an accent is one character or two.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence

MIN_PHRASE = 6
NEVER = r"[^\s\S]"  # a pattern that nothing matches
_NO_WORD = r"[^\p{L}\p{N}_]"


def is_phrase(text: str) -> bool:
    """Return whether a value is found anywhere."""
    return len(text) >= MIN_PHRASE and ("@" in text or len(text.split()) > 1)


def normal_forms(texts: Iterable[str]) -> list[str]:
    """Return texts as they are, and with their accents joined to the letters and apart, the longest first."""
    found = {form for text in texts for form in (text, *(unicodedata.normalize(each, text) for each in ("NFC", "NFD")))}
    return sorted(found, key=lambda each: (-len(each), each))


def contains(column: str) -> str:
    """Return the condition that a column, quoted, holds one of the values of `found_by`; most have none of `$any`."""
    value = f"cast({column} as varchar)"
    phrases = f"len(list_filter($phrases, lambda each: contains(lower({value}), lower(each)))) > 0"
    return f"(regexp_matches(lower({value}), $any) and ({phrases} or regexp_matches({value}, $words)))"


def found_by(texts: Sequence[str]) -> dict[str, object]:
    """Return the values that `contains` binds."""
    texts = normal_forms(texts)
    phrases, spelled = (
        [each for each in texts if is_phrase(each)],
        spellings(each for each in texts if not is_phrase(each)),
    )
    words = "|".join(map(re.escape, spelled))
    pattern = f"(?:^|{_NO_WORD})(?:{words})(?:$|{_NO_WORD})" if words else NEVER
    first = "|".join(map(_loosely, [*phrases, *spelled]))
    return {"phrases": phrases, "words": pattern, "any": f"(?s){first}" if first else NEVER}


def _loosely(text: str) -> str:
    """Return a pattern that finds a text among small letters; DuckDB's `lower` may differ from ours beyond ASCII."""
    return "".join(re.escape(each.lower()) if each.isascii() else "." for each in text)


def spellings(words: Iterable[str]) -> list[str]:
    """Return words as they are and in capitals, the longest first."""
    found = {each for word in words for each in (word, word.upper())}
    return sorted(found, key=lambda each: (-len(each), each))
