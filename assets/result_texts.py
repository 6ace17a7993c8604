"""Short texts about results, for the UI's pages and for the terminal."""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches

PREVIEW_ROWS = 20
NAMED_FIELDS = 4
DAY_S = 86_400


def markdown_table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a Markdown table; cells are escaped, so that no text is rendered as markup."""
    lines = [" | ".join(heads), " | ".join("---" for _ in heads)]
    lines += [" | ".join(_cell(value) for value in row) for row in rows]
    return "\n".join(f"| {line} |" for line in lines)


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    for sign, safe in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("|", "\\|"), ("\n", " ")):
        text = text.replace(sign, safe)
    return text


def changed_fields(names: Sequence[str]) -> str:
    """Return the names, or their number when there are many."""
    return ", ".join(names) if len(names) <= NAMED_FIELDS else f"{len(names)} fields"


def singular(noun: str) -> str:
    """Return the singular of a source or of another noun; a custom record's type stays as it is."""
    if noun.startswith("custom") and "_" in noun:
        return noun
    return noun.removesuffix("ies") + "y" if noun.endswith("ies") else noun.removesuffix("s").replace("_", " ")


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: `1 customer`, `2,000 customers`."""
    if noun.startswith("custom") and "_" in noun:
        return f"{number:,} of {noun}"
    return f"{number:,} {singular(noun) if number == 1 else noun.replace('_', ' ')}"


def named(noun: str, names: Iterable[str]) -> str:
    """Return names with their noun: `column a`, `columns a, b`."""
    listed = list(names)
    return f"{noun}{'s' if len(listed) > 1 else ''} {', '.join(listed)}"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a question that names what was probably meant, to be put before further text; blank if nothing is close.

    A part of a name is close as well: `customers` may mean `suiteprojects__customers`.
    """
    names = list(known)
    close = get_close_matches(name, names, n=3) or get_close_matches(
        name.lower(), [each.lower() for each in names], n=3
    )
    parts = [each for each in names if name and name.lower() in each.lower()]
    found = list(dict.fromkeys([*close, *parts]))[:3]
    return f"did you mean {' or '.join(found)}? " if found else ""


def as_text(value: object) -> str:
    """Return a value as the warehouse writes it as text: `true`, as in the versions of a record."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def duration(seconds: float | None) -> str:
    """Return a readable duration; work that takes over a day is spread over daily runs."""
    if seconds is None:
        return "depends on the account"
    if seconds >= DAY_S:
        return f"one run a day for {int(seconds // DAY_S) + 1} days"
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"


def change_text(change: Mapping[str, str | None]) -> str:
    """Return one change as text; an encrypted one has neither value."""
    if change["before"] is None and change["after"] is None:
        return f"{change['field']}: encrypted"
    return f"{change['field']}: {change['before'] or '∅'} → {change['after'] or '∅'}"
