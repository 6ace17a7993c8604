"""Evidence in one pair of values: what another connector made of the value that we would write.

our value, the target's value  ->  damage(), restyled()  ->  a kind of evidence and its text, or nothing
"""

import html
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

MAPPING_ROW: Final = "mapping_row"
FILTER: Final = "filter"
TIMING: Final = "timing"
EDITED: Final = "edited"
INCUMBENT_ERROR: Final = "incumbent_error"
UNKNOWN: Final = "unknown"
CAUSES: Final = (MAPPING_ROW, FILTER, TIMING, EDITED, INCUMBENT_ERROR, UNKNOWN)


@dataclass(frozen=True)
class Cause:
    """A cause with the kind of its evidence, the evidence in words, and NetSuite's time of the change behind it."""

    cause: str
    kind: str
    evidence: str
    changed_at: datetime | None = None


NO_CAUSE: Final = Cause(UNKNOWN, "unknown", "nothing that was read explains it")


def _decoded(value: str, encoding: str) -> str | None:
    """Return the text whose UTF-8 bytes were read in another encoding."""
    try:
        return value.encode("utf-8").decode(encoding)
    except UnicodeDecodeError:
        return None


def _without_accents(value: str) -> str:
    return "".join(each for each in unicodedata.normalize("NFKD", value) if not unicodedata.combining(each))


def _marked(value: str, mark: str) -> str:
    return "".join(each if ord(each) < 128 else mark for each in value)  # noqa: PLR2004 - ASCII


def _damaged(value: str) -> Iterator[tuple[str, str | None, str]]:
    """Yield each kind of damage, what it makes of a value, and its name."""
    for encoding in ("cp1252", "latin-1"):
        yield "wrong_encoding", _decoded(value, encoding), "its UTF-8 text was read in another encoding"
    for mark in ("?", "\ufffd"):
        yield "lost_letters", _marked(value, mark), "letters outside ASCII were replaced by marks"
    yield "lost_letters", _marked(value, ""), "letters outside ASCII were dropped"
    yield "lost_accents", _without_accents(value), "letters lost their accents"
    for is_quoting in (True, False):
        escaped = html.escape(value, quote=is_quoting)
        yield "escaped", escaped, "characters were escaped as HTML"
        yield "escaped", html.escape(escaped, quote=is_quoting), "characters were escaped as HTML, twice"
    yield "escaped", html.escape(value).replace("&#x27;", "&apos;"), "characters were escaped as XML"


def damage(wanted: str | None, found: str | None) -> Cause | None:
    """Return how the target's value is a damaged form of ours; None if it is not."""
    if not wanted or not found or wanted == found:
        return None
    for kind, made, text in _damaged(wanted):
        if made == found:
            return Cause(INCUMBENT_ERROR, kind, f"the target's value is ours, but {text}")
    return None


def is_cut(wanted: str | None, found: str | None) -> bool:
    """Return whether the target's value is the beginning of ours."""
    return bool(wanted and found and wanted != found and wanted.strip().startswith(found.rstrip()))


def _joined(value: str) -> str:
    return " ".join(value.split())


STYLES: Mapping[str, tuple[str, Callable[[str], str]]] = {
    "upper": ("in upper case", str.upper),
    "lower": ("in lower case", str.lower),
    "title": ("with capital initials", str.title),
    "trimmed": ("without spaces at its ends", str.strip),
    "spaces": ("with single spaces", _joined),
}


def restyled(wanted: str | None, found: str | None) -> list[str]:
    """Return the styles in which the target's value is ours: keys of STYLES."""
    if wanted is None or found is None:
        return []
    return [name for name, (_, make) in STYLES.items() if make(wanted) == found]
