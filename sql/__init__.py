"""The project's SQL, one file per table; code reads the header of each file."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent
SERVICE_ITEMS = "service_items"
_HEADER = re.compile(r"\A/\*\n(?P<header>.*?)\n\*/\s*\n(?P<body>.*)\Z", re.DOTALL)
_FIELD = re.compile(r"^(?P<name>[a-z]+) {2,}(?P<text>.+(?:\n {4,}.+)*)", re.MULTILINE)
# column comments: `expression as column,  -- text` in a select, `column type,  -- text` in a table definition
_SELECTED = re.compile(r"^ +(?!--)(?:.*\W)?(?P<column>\w+),? +-- (?P<text>.+)$", re.MULTILINE)
_DEFINED = re.compile(r"^ +(?P<column>\w+) [^\n]*?,? +-- (?P<text>.+)$", re.MULTILINE)
# a type of custom record or a custom list: customrecord_region if a developer named it, customrecord12 if NetSuite did
_CUSTOM_RECORD = re.compile(r"custom(?:record|list)[0-9_][a-z0-9_]*")
_TEMPLATE = "customrecord_any"  # the template for all of them, in file names and texts


@dataclass(frozen=True)
class Statement:
    """One SQL file: the fields of its header, and the statement itself."""

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
        """The comment beside each column."""
        pattern = _DEFINED if self.text.startswith("create table") else _SELECTED
        return {found["column"]: found["text"] for found in pattern.finditer(self.text)}


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.replace("\n", " ").split(",") if name.strip())


@cache
def statement(layer: str, name: str) -> Statement:
    """Read `sql/<layer>/<name>.sql`; for a type of custom record, fill in the template.

    Raises:
        ValueError: The file has no header with summary, grain, key and reads.
    """
    path = FOLDER / layer / f"{_CUSTOM_RECORD.sub(_TEMPLATE, name)}.sql"
    custom = _CUSTOM_RECORD.search(name)
    text = path.read_text(encoding="utf-8")
    match = _HEADER.match(text.replace(_TEMPLATE, custom[0]) if custom else text)
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
        key=_names(fields["key"]),
        reads=_names(fields["reads"]),
        notes=fields.get("notes", ""),
        text=match["body"].strip().rstrip(";"),
    )


def names(layer: str) -> list[str]:
    """Return the sorted stems of a layer's SQL files, without those that are read on demand."""
    stems = (path.stem for path in (FOLDER / layer).glob("*.sql"))
    return sorted(stem for stem in stems if not stem.endswith((_TEMPLATE, SERVICE_ITEMS)))


def is_on_demand(name: str) -> bool:
    """Return whether a record type is read only if a workflow uses it: service items, custom records, custom lists."""
    return name == SERVICE_ITEMS or (_CUSTOM_RECORD.fullmatch(name) is not None and name != _TEMPLATE)
