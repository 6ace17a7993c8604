"""Make one self-contained page of a run's report.

RunReport  ->  render()  ->  HTML: styles, script and data inside, nothing loaded from anywhere
"""

import base64
import hashlib
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from assets.warehouse.run_report.queries import RunReport

HERE = Path(__file__).parent
ROW, TEXT = 24, 7.6  # pixels: height of a line of the picture, width of a letter
GAP = 260


@dataclass(frozen=True)
class _Node:
    name: str
    y: float
    expression: str = ""


@dataclass(frozen=True)
class _Edge:
    source: str
    field: str
    y1: float
    y2: float
    expression: str


@dataclass(frozen=True)
class _Picture:
    """NetSuite's columns on the left, the target's fields on the right, and the ways between them."""

    workflow: str
    sources: Sequence[_Node]
    fields: Sequence[_Node]
    edges: Sequence[_Edge]

    @property
    def left(self) -> float:
        return TEXT * _longest(self.sources) + 16

    @property
    def right(self) -> float:
        return self.left + GAP

    @property
    def middle(self) -> float:
        return self.left + GAP / 2

    @property
    def width(self) -> float:
        return self.right + TEXT * _longest(self.fields) + 24

    @property
    def height(self) -> float:
        return ROW * (max(len(self.sources), len(self.fields)) + 1)


def render(report: RunReport) -> str:
    """The page.

    The policy in its head lets run exactly its own script and style, so that even a mistake in escaping could not make
    a customer's name run.
    """
    script, style = ((HERE / name).read_text(encoding="utf-8") for name in ("script.js", "style.css"))
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
    )
    return environment.get_template("page.html.jinja").render(
        data=report,
        client={"changes": report.changes, "records": report.records},
        lineage=[_picture(workflow, rows) for workflow, rows in report.lineage.items()],
        script=script,
        style=style,
        script_hash=_fingerprint(script),
        style_hash=_fingerprint(style),
    )


def _fingerprint(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _picture(workflow: str, rows: Sequence[tuple[str, str, str]]) -> _Picture:
    fields = list(dict.fromkeys(field for _, field, _ in rows))
    expressions = {field: expression for _, field, expression in rows}
    sources = list(dict.fromkeys(source for source, _, _ in rows))
    # beside the fields that they feed, so that few ways cross
    sources.sort(key=lambda source: _mean(fields.index(field) for one, field, _ in rows if one == source))
    left = {name: ROW * (number + 1) for number, name in enumerate(sources)}
    right = {name: ROW * (number + 1) for number, name in enumerate(fields)}
    return _Picture(
        workflow,
        [_Node(name, y) for name, y in left.items()],
        [_Node(name, y, expressions[name]) for name, y in right.items()],
        [_Edge(source, field, left[source], right[field], expression) for source, field, expression in rows],
    )


def _mean(numbers: Iterable[int]) -> float:
    found = list(numbers)
    return sum(found) / len(found)


def _longest(nodes: Sequence[_Node]) -> int:
    return max((len(node.name) for node in nodes), default=0)


def write_report(report: RunReport, folder: Path, keep: int) -> Path:
    """Write the page for its owner alone, and remove the oldest beyond `keep`; returns the file."""
    folder.mkdir(parents=True, exist_ok=True)
    moment = report.at.replace(" ", "T").replace(":", "")
    path = folder / f"{moment}-{report.run_id[:8]}.html"
    with tempfile.NamedTemporaryFile("w", dir=folder, suffix=".tmp", delete=False, encoding="utf-8") as page:
        page.write(render(report))  # a temporary file is readable by its owner alone
    Path(page.name).replace(path)
    for old in sorted(folder.glob("*.html"))[:-keep]:
        old.unlink(missing_ok=True)
    return path
