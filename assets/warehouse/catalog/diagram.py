"""The tables and how they come from each other, as one SVG picture made from the dictionary.

[Entry, …]  ->  boxes by layer, from left to right  ->  lines from what a table reads  ->  picture()

The tables of the workflows are alike, so they are one box a kind: `mart_…`. Beside a box stands how many rows or
tables it has; pointing at it shows what it means, in a browser.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

from assets.warehouse.catalog.catalog import Entry

# columns of the picture: title and the prefixes that belong into it; what has none of them is a question or macro
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "as NetSuite has it": ("raw_",),
    "our names and types": ("stg_",),
    "versions; what targets hold": ("hist_", "mart_", "target_", "selection_"),
    "what would be done": ("plan_", "candidates_", "tree_"),
    "what was done": ("sync_", "netsuite_", "lineage_"),
    "ready questions": ("",),
}
WORKFLOWS = ("mart_", "target_", "plan_", "selection_", "candidates_", "tree_")
# what the engine reads, where no SQL file says it
ENGINE = {
    "mart_…": ("lineage_columns",),
    "plan_…": ("mart_…", "target_…", "sync_links"),
    **dict.fromkeys(
        ("sync_…", "sync_plans", "sync_runs", "sync_decisions", "sync_attempts", "sync_links"), ("plan_…",)
    ),
    "selection_…": ("sync_picks",),
    "candidates_…": ("mart_…", "target_…", "selection_…"),
    "tree_…": ("target_…", "sync_links"),
}
WIDE, HIGH, GAP, BETWEEN, TOP = 268, 22, 7, 84, 56
COLOURS = ("#4e79a7", "#59a14f", "#b07aa1", "#e08214", "#c0504d", "#7f7f7f")
SWEEPS = 8


@dataclass
class Box:
    """One table, view or macro, or the tables of one kind of all workflows."""

    name: str
    meaning: str
    reads: set[str] = field(default_factory=set)
    tables: int = 0
    rows: int | None = None

    @property
    def told(self) -> str:
        """What stands beside the name."""
        if self.name.endswith("…"):
            return f"{self.tables} table{'s' if self.tables > 1 else ''}"
        return "" if self.rows is None else f"{self.rows:,}"


def picture(entries: Sequence[Entry], *, rows: bool = False) -> str:
    """The whole as SVG.

    Args:
        entries: The dictionary.
        rows: Show how many rows each table has; they belong to one warehouse, so the page in the project leaves them out.
    """
    boxes = _boxes(entries, rows=rows)
    columns = _ordered(boxes)
    places = _places(columns)
    height = TOP + max(len(column) for column in columns) * (HIGH + GAP) + 12
    width = len(columns) * (WIDE + BETWEEN) - BETWEEN + 24
    lines = [_line(boxes[name], read, places, columns) for name in boxes for read in sorted(boxes[name].reads)]
    drawn = [_box(boxes[name], places[name], COLOURS[at]) for at, column in enumerate(columns) for name in column]
    titles = [
        f'<text x="{12 + at * (WIDE + BETWEEN)}" y="36" class="title" fill="{COLOURS[at]}">{escape(title)}</text>'
        for at, title in enumerate(COLUMNS)
    ]
    style = (
        "text{font:12px ui-monospace,Menlo,Consolas,monospace}.title{font:600 14px system-ui,sans-serif}"
        ".told{fill:#777;font-size:11px}path{fill:none;stroke-opacity:.45;stroke-width:1.2}"
    )
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">'
    page = f'<rect width="{width}" height="{height}" fill="#fff"/>'
    return "\n".join([head, f"<style>{style}</style>", page, *titles, *lines, *drawn, "</svg>"]) + "\n"


def _boxes(entries: Sequence[Entry], *, rows: bool) -> dict[str, Box]:
    """Boxes by name, with what they read as far as that is a box as well."""
    workflows = {entry.name.removeprefix("mart_") for entry in entries if entry.name.startswith("mart_")}

    def shown(name: str) -> str:
        layer = next((prefix for prefix in WORKFLOWS if name.startswith(prefix)), "")
        own = name.startswith("sync_") and name.removeprefix("sync_") in workflows
        return f"{layer or 'sync_'}…" if layer or own else name

    boxes: dict[str, Box] = {}
    for entry in entries:
        name = shown(entry.name)
        box = boxes.setdefault(name, Box(name, entry.meaning.partition("\n")[0], set(ENGINE.get(name, ()))))
        box.tables += 1
        box.rows = entry.rows if rows else None
        box.reads |= {shown(each) for each in entry.reads}
    for box in boxes.values():
        box.reads = {each for each in box.reads if each in boxes and each != box.name}
    return boxes


def _column(name: str) -> int:
    return next(at for at, prefixes in enumerate(COLUMNS.values()) if name.startswith(prefixes))


def _ordered(boxes: Mapping[str, Box]) -> list[list[str]]:
    """The names of each column in an order in which few lines cross: near the middle of what they are joined to."""
    columns: list[list[str]] = [[] for _ in COLUMNS]
    for name in sorted(boxes):
        columns[_column(name)].append(name)
    joined: dict[str, set[str]] = {name: set(box.reads) for name, box in boxes.items()}
    for name, box in boxes.items():
        for read in box.reads:
            joined[read].add(name)
    for _ in range(SWEEPS):
        for column in columns:
            place = {name: number / max(1, len(each) - 1) for each in columns for number, name in enumerate(each)}
            column.sort(
                key=lambda name: (
                    sum(place[each] for each in joined[name]) / len(joined[name]) if joined[name] else place[name]
                )
            )
    return columns


def _places(columns: Sequence[Sequence[str]]) -> dict[str, tuple[int, int]]:
    """Left upper corners; short columns stand in the middle of the page."""
    most = max(len(column) for column in columns)
    return {
        name: (12 + at * (WIDE + BETWEEN), TOP + int((most - len(column)) / 2 * (HIGH + GAP)) + number * (HIGH + GAP))
        for at, column in enumerate(columns)
        for number, name in enumerate(column)
    }


def _line(box: Box, read: str, places: Mapping[str, tuple[int, int]], columns: Sequence[Sequence[str]]) -> str:
    """From the right edge of what is read to the left edge of who reads; within a column, around its right side."""
    (x, y), (u, v) = places[read], places[box.name]
    colour = COLOURS[next(at for at, column in enumerate(columns) if read in column)]
    begin, middle = f"{x + WIDE} {y + HIGH // 2}", HIGH // 2
    if u > x:
        way = f"C {x + WIDE + BETWEEN // 2} {y + middle}, {u - BETWEEN // 2} {v + middle}, {u} {v + middle}"
    else:
        out = max(x, u) + WIDE + BETWEEN // 3
        way = f"C {out} {y + middle}, {out} {v + middle}, {u + WIDE} {v + middle}"
    return f'<path d="M {begin} {way}" stroke="{colour}"/>'


def _box(box: Box, place: tuple[int, int], colour: str) -> str:
    x, y = place
    rect = f'<rect x="{x}" y="{y}" width="{WIDE}" height="{HIGH}" rx="4" fill="#fff" stroke="{colour}"/>'
    name = f'<text x="{x + 8}" y="{y + 15}">{escape(box.name)}</text>'
    told = f'<text x="{x + WIDE - 8}" y="{y + 15}" class="told" text-anchor="end">{escape(box.told)}</text>'
    return f"<g><title>{escape(box.meaning)}</title>{rect}{name}{told if box.told else ''}</g>"
