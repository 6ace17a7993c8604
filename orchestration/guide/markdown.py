"""Tables of the generated pages."""

import re
from collections.abc import Iterable, Sequence

_CODE = re.compile(r"(`[^`]*`)")


def table(heads: Sequence[str], rows: Iterable[Sequence[str | None]]) -> str:
    """Return a Markdown table; text between backticks stays as it is, and `<br>` begins a line."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(_cell(each or '') for each in line)} |" for line in lines)


def _cell(text: str) -> str:
    parts = _CODE.split(" ".join(text.split()))
    plain = [part if part.startswith("`") else part.replace("<", "&lt;").replace("&lt;br>", "<br>") for part in parts]
    return "".join(plain).replace("|", "\\|")
