"""Request bodies: forms with PHP-style brackets, or JSON brought to the same flat keys."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl

import orjson

from resources.sandbox.precoro.refusal import invalid
from resources.sandbox.transport import Call

# requests-based clients send True/False, httpx true/false, production data has 1/0: precoro.md §1 [E, C]
BOOLEANS = {"1": True, "0": False, "true": True, "false": False, "True": True, "False": False}

Form = dict[str, str]


def read_form(call: Call, *, json_bodies: bool) -> Form:
    """The body's values under flat keys such as `parent[id]`; repeated keys keep the last value."""
    if "json" in call.headers.get("content-type", ""):
        if not json_bodies:
            return {}
        try:
            content = orjson.loads(call.body)
        except orjson.JSONDecodeError:
            raise invalid("body", "Invalid JSON.") from None
        return dict(_flat(content)) if isinstance(content, dict) else {}
    return dict(parse_qsl(call.body.decode("utf-8", "replace"), keep_blank_values=True))


def _flat(content: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in content.items():
        name = f"{prefix}[{key}]" if prefix else key
        if isinstance(value, dict):
            yield from _flat(value, name)
        elif isinstance(value, bool):
            yield name, str(int(value))
        else:
            yield name, "" if value is None else str(value)


def boolean(form: Form, key: str) -> bool:
    """A boolean in any of the three spellings that clients use."""
    try:
        return BOOLEANS[form[key]]
    except KeyError:
        raise invalid(key, "This value is not valid.") from None


def number(form: Form, key: str, message: str) -> int | None:
    """An id, or None when the form leaves it blank."""
    text = form[key]
    if not text:
        return None
    if not text.isdigit():
        raise invalid(key.partition("[")[0], message)
    return int(text)
