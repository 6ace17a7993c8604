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
TOO_DEEP = "nested too deeply"
MAX_DIGITS = 4000  # of a whole number: Python converts no longer ones
EXACT = 2.0**53  # below it, floats hold every whole number
_NO_TEXT = re.compile("[\ud800-\udfff\x00]")
_NO_FRACTION = re.compile(r"\.0*$")  # ids are whole numbers, whatever a service's JSON library makes of them


def load_json(body: bytes) -> Any:
    """Parse a body; a number that a float may not hold exactly is its text; ValueError if it is not JSON."""
    try:
        value = orjson.loads(body)
        is_exact = not _may_be_rounded(value)
    except orjson.JSONDecodeError:
        return load_exactly(body)
    except RecursionError as error:
        raise ValueError(TOO_DEEP) from error
    return value if is_exact else load_exactly(body)


def load_exactly(body: bytes) -> Any:
    """Parse a body by Python's own parser, each number with a fraction or an exponent as its text; 1001.0 is 1001.

    Raises:
        ValueError: It is not JSON.
    """
    text = body.decode("utf-8-sig", "surrogateescape")
    try:
        return json.loads(text, parse_float=_exact_text, parse_int=_whole, strict=False)
    except RecursionError as error:
        raise ValueError(TOO_DEEP) from error


def _whole(number: str) -> int | str:
    return int(number) if len(number) <= MAX_DIGITS else number


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
    """Return a value with U+FFFD in place of invalid characters, in names as well; ValueError if it is too deep."""
    try:
        return _repaired(value)
    except RecursionError as error:
        raise ValueError(TOO_DEEP) from error


def _repaired(value: Any) -> Any:
    if isinstance(value, str):
        return value if is_text(value) else _NO_TEXT.sub(REPLACEMENT, value)
    if isinstance(value, dict):
        return {_repaired(name): _repaired(each) for name, each in value.items()}
    return [_repaired(each) for each in value] if isinstance(value, list) else value


def named(places: Iterable[tuple[str, str]], limit: int = 10) -> str:
    """Return pairs of record and field as text, at most `limit` of them."""
    found = sorted(set(places))
    more = f" and {len(found) - limit} more" if len(found) > limit else ""
    return ", ".join(f"{field} of {record}" for record, field in found[:limit]) + more
