"""Request bodies: forms with PHP-style brackets, or JSON flattened to the same keys."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl

import orjson

from resources.sandbox.precoro.errors import invalid
from resources.sandbox.transport import Request

# requests-based clients send True/False, httpx true/false, production data has 1/0: precoro.md §1 [E, C]
BOOLEANS = {"1": True, "0": False, "true": True, "false": False, "True": True, "False": False}

Form = dict[str, str]


def read_form(request: Request, *, json_bodies: bool) -> Form:
    """Return the body's values under flat keys such as `parent[id]`; of repeated keys the last one."""
    if "json" in request.headers.get("content-type", ""):
        if not json_bodies:
            return {}
        try:
            content = orjson.loads(request.body)
        except orjson.JSONDecodeError:
            raise invalid("body", "Invalid JSON.") from None
        return dict(_flat(content)) if isinstance(content, dict) else {}
    return dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))


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
    """Return a boolean in any of the three spellings that clients use."""
    try:
        return BOOLEANS[form[key]]
    except KeyError:
        raise invalid(key, "This value is not valid.") from None


def number(form: Form, key: str, message: str) -> int | None:
    """Return an id, or None if it is blank."""
    text = form[key]
    if not text:
        return None
    if not text.isdigit():
        raise invalid(key.partition("[")[0], message)
    return int(text)
