"""Short texts about results, for the UI's pages and for the terminal."""

from collections.abc import Mapping, Sequence

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
