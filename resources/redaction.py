"""Secrets known to this process, and texts without them.

client, settings  ->  know()  ->  redact()  ->  errors, logs, events, alerts

A secret is recognized as it is, and as services and our own pages quote it: URL-encoded, in base64, and escaped for
JSON, JSON in JSON, XML, HTML or Python. So is its beginning or end, in a text that was cut.
"""

import json
import re
import threading
from base64 import b64encode
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from functools import lru_cache
from html import escape
from itertools import chain, product, takewhile
from urllib.parse import quote, quote_plus

MIN_LENGTH = 6  # characters; shorter values occur in ordinary words
MIN_PART = 16  # characters of a beginning or end; less leaves enough to guess, and may be a name or a host
# passwords that anyone guesses; replaced, they would change the names of jobs and code locations in what Dagster stores
NAMES = frozenset({
    "millpond", "netsuite", "suiteprojects", "precoro", "dagster", "postgres", "warehouse", "sandbox", "password",
})  # fmt: skip
KEPT = 64  # values of one name; its oldest are forgotten, because access tokens are renewed all the time

_DOUBLE, _SINGLE = ('"', "&quot;", "&#34;"), ("'", "&apos;", "&#39;", "&#x27;")  # quotes in XML and HTML

_lock = threading.Lock()
_known: OrderedDict[str, str] = OrderedDict()  # value -> name
_spellings: list[tuple[str, str]] = []  # spelling of a value and its name, the longest first
_beginnings: dict[str, tuple[str, list[str]]] = {}  # MIN_PART characters  ->  name, spellings that begin with them
_ends: dict[str, tuple[str, list[str]]] = {}  # the same, of spellings backwards


def know(name: str, *values: str) -> None:
    """Add secrets to what `redact` replaces; blank and short ones, and NAMES, are ignored."""
    global _spellings, _beginnings, _ends  # noqa: PLW0603 - one process has one set of secrets
    fresh = {each.strip(): name for each in values if len(each.strip()) >= MIN_LENGTH and each.strip() not in NAMES}
    if all(_known.get(value) == label for value, label in fresh.items()):
        return
    with _lock:
        _known.update(fresh)
        own = [value for value, label in _known.items() if label == name]
        for value in own[:-KEPT]:
            del _known[value]
        found = {form: label for value, label in _known.items() for form in _forms(value)}
        _spellings = sorted(found.items(), key=lambda each: -len(each[0]))  # one may be the beginning of another
        _beginnings = _by_beginning((form, label) for form, label in _spellings if "://" not in form)  # a host may stay
        _ends = _by_beginning((form[::-1], label) for form, label in _spellings)


def _by_beginning(spellings: Iterable[tuple[str, str]]) -> dict[str, tuple[str, list[str]]]:
    found: dict[str, tuple[str, list[str]]] = {}
    for form, name in spellings:
        if len(form) > MIN_PART:
            found.setdefault(form[:MIN_PART], (name, []))[1].append(form)
    return found


def redact(text: str) -> str:
    """Return the text with each known secret, in whatever form, replaced by its name."""
    for form, name in _spellings:
        if form in text:
            text = text.replace(form, f"<{name}>")
    for part, (name, forms) in _beginnings.items():
        if part in text:
            text = _without(text, part, forms, f"<{name}…>")
    backwards = text[::-1]
    for part, (name, forms) in _ends.items():
        if part in backwards:
            backwards = _without(backwards, part, forms, f"<…{name}>"[::-1])
    return backwards[::-1]


def _without(text: str, part: str, forms: list[str], name: str) -> str:
    """Replace a part, wherever it is, with as much of any form as follows."""
    kept = ""
    while part in text:
        before, _, after = text.partition(part)
        kept, text = f"{kept}{before}{name}", after[max(_shared(after, form[MIN_PART:]) for form in forms) :]
    return kept + text


def _shared(text: str, other: str) -> int:
    """Return how many characters two texts begin with alike."""
    return sum(1 for _ in takewhile(lambda each: each[0] == each[1], zip(text, other, strict=False)))


@lru_cache(maxsize=1024)
def _forms(value: str) -> tuple[str, ...]:
    """Return the spellings of a secret."""
    quoted = (quote(value, safe=""), quote(value), quote_plus(value))
    in_lower_case = (re.sub(r"%[0-9A-F]{2}", lambda each: each[0].lower(), each) for each in quoted)
    coded = [*_base64(value.encode())]
    for_urls = (each.replace("+", "-").replace("/", "_") for each in coded)
    return (value, *quoted, *in_lower_case, *_escaped(value), *coded, *for_urls)


def _escaped(value: str) -> Iterator[str]:
    """Return the spellings of a value in JSON, Python, XML and HTML, and those of the former in JSON once more."""
    once = dict.fromkeys((value, *_as_json(value), repr(value)[1:-1]))
    yield from once
    yield from chain.from_iterable(map(_as_json, once))
    for double, single in product(_DOUBLE, _SINGLE):
        yield escape(value, quote=False).replace('"', double).replace("'", single)


def _as_json(value: str) -> tuple[str, str]:
    return json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]


def _base64(value: bytes) -> Iterator[str]:
    """Return base64 of the value at any place of a longer text: without the characters that its neighbors share."""
    for before in range(3):
        coded = b64encode(b"\0" * before + value).decode().rstrip("=")
        shared_end = (before + len(value)) % 3
        inner = coded[(0, 2, 3)[before] : len(coded) - bool(shared_end)]
        if len(inner) >= MIN_LENGTH:
            yield inner
