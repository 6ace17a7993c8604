"""JSON of other systems, with every digit of its numbers, and with invalid characters replaced and counted.

body  ->  load_json()  ->  values  ->  repaired()  ->  texts that DuckDB, XML and another system accept

A byte-order mark is skipped. Bytes that are not UTF-8 and halves of surrogate pairs arrive as lone surrogates, until
`repaired` replaces them, and NUL, by U+FFFD.
"""

import json
import re
from collections.abc import Iterable
from typing import Any

import orjson

from resources.plain_numbers import plain_number

REPLACEMENT = "\ufffd"
EXACT = 2.0**53  # below it, floats hold every whole number
_NO_TEXT = re.compile("[\ud800-\udfff\x00]")
_NO_FRACTION = re.compile(r"\.0*$")  # ids are whole numbers, whatever a service's JSON library makes of them


def load_json(body: bytes) -> Any:
    """Parse a body; a number that a float may not hold exactly is its text; ValueError if it is not JSON."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return load_exactly(body)
    return load_exactly(body) if _may_be_rounded(value) else value


def load_exactly(body: bytes) -> Any:
    """Parse a body by Python's own parser, each number with a fraction or an exponent as its text; 1001.0 is 1001.

    Raises:
        ValueError: It is not JSON.
    """
    text = body.decode("utf-8-sig", "surrogateescape")
    try:
        return json.loads(text, parse_float=_exact_text, strict=False)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _exact_text(number: str) -> str:
    return _NO_FRACTION.sub("", plain_number(number))


def _may_be_rounded(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_may_be_rounded, value.values()))
    if isinstance(value, list):
        return any(map(_may_be_rounded, value))
    return isinstance(value, float) and not (value.is_integer() and abs(value) < EXACT)


def is_text(text: str) -> bool:
    """Return whether every character can be stored and sent."""
    return text.isprintable() or not _NO_TEXT.search(text)


def repaired(value: Any) -> Any:
    """Return a value with U+FFFD in place of invalid characters, in names as well."""
    if isinstance(value, str):
        return value if is_text(value) else _NO_TEXT.sub(REPLACEMENT, value)
    if isinstance(value, dict):
        return {repaired(name): repaired(each) for name, each in value.items()}
    return [repaired(each) for each in value] if isinstance(value, list) else value


def named(places: Iterable[tuple[str, str]], limit: int = 10) -> str:
    """Return pairs of record and field as text, at most `limit` of them."""
    found = sorted(set(places))
    more = f" and {len(found) - limit} more" if len(found) > limit else ""
    return ", ".join(f"{field} of {record}" for record, field in found[:limit]) + more
