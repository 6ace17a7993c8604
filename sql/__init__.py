"""The project's SQL, one file per table; the header of each file is read by code."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent
_HEADER = re.compile(r"\A/\*\n(?P<header>.*?)\n\*/\s*\n(?P<body>.*)\Z", re.DOTALL)
_FIELD = re.compile(r"^(?P<name>[a-z]+) {2,}(?P<text>.+(?:\n {4,}.+)*)", re.MULTILINE)
# a comment stands behind the column: `expression as column,  -- text`; in a definition `column type,  -- text`
_SELECTED = re.compile(r"^ +(?!--)(?:.*\W)?(?P<column>\w+),? +-- (?P<text>.+)$", re.MULTILINE)
# a type of custom record: customrecord_region as a developer names it, customrecord12 as NetSuite does
_CUSTOM_RECORD = re.compile(r"customrecord[0-9_][a-z0-9_]*")
SERVICE_ITEMS = "service_items"
_ANY = "customrecord_any"  # stands for each of them in the files' names and texts
_DEFINED = re.compile(r"^ +(?P<column>\w+) [^\n]*?,? +-- (?P<text>.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Statement:
    """One SQL file: what its header promises and the statement itself."""

    name: str
    summary: str
    grain: str
    key: tuple[str, ...]
    reads: tuple[str, ...]
    notes: str
    text: str

    @property
    def description(self) -> str:
        """The header as prose, for `COMMENT ON` and the Dagster UI."""
        return "\n\n".join(part for part in (f"{self.summary}.", f"Grain: {self.grain}.", self.notes) if part)

    @property
    def column_comments(self) -> dict[str, str]:
        """What each column means: the comment that stands beside it."""
        pattern = _DEFINED if self.text.startswith("create table") else _SELECTED
        return {found["column"]: found["text"] for found in pattern.finditer(self.text)}


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.replace("\n", " ").split(",") if word.strip())


@cache
def statement(layer: str, name: str) -> Statement:
    """Read `sql/<layer>/<name>.sql`; of a type of custom record, the file that stands for all of them.

    Raises:
        ValueError: The file has no header with summary, grain, key and reads.
    """
    path = FOLDER / layer / f"{_CUSTOM_RECORD.sub(_ANY, name)}.sql"
    custom = _CUSTOM_RECORD.search(name)
    match = _HEADER.match(path.read_text().replace(_ANY, custom[0]) if custom else path.read_text())
    if match is None:
        raise ValueError(f"{path}: the file must begin with a /* header */")
    title, _, rest = match["header"].partition("\n")
    stem, _, summary = title.partition(": ")
    fields = {field["name"]: re.sub(r"\n +", " ", field["text"]) for field in _FIELD.finditer(rest)}
    missing = {"grain", "key", "reads"} - fields.keys()
    if stem != name or missing:
        raise ValueError(f"{path}: the header must name {name} and give grain, key and reads; missing {missing}")
    return Statement(
        name=name,
        summary=summary.rstrip("."),
        grain=fields["grain"].rstrip("."),
        key=_words(fields["key"]),
        reads=_words(fields["reads"]),
        notes=fields.get("notes", ""),
        text=match["body"].strip().rstrip(";"),
    )


def names(layer: str) -> list[str]:
    """The stems of the SQL files of one layer, sorted, but for what is read on demand."""
    found = (path.stem for path in (FOLDER / layer).glob("*.sql"))
    return sorted(name for name in found if not name.endswith((_ANY, SERVICE_ITEMS)))


def is_on_demand(name: str) -> bool:
    """Whether this is read only where a workflow names it: service items, or a type of custom record by its id."""
    return name == SERVICE_ITEMS or (_CUSTOM_RECORD.fullmatch(name) is not None and name != _ANY)
