"""Render a run's report as one self-contained page.

RunReport  ->  render()  ->  HTML with styles, script and data inside; nothing is loaded from elsewhere
"""

import base64
import hashlib
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from assets.warehouse.run_report.queries import RunReport
from resources.atomic_file import write_atomically
from resources.redaction import redact

HERE = Path(__file__).parent
REPORTS, KEPT_REPORTS = "reports", 50  # folder beside the warehouse, and how many runs' pages it keeps


def render(report: RunReport) -> str:
    """Return the page, without secrets.

    Its content security policy allows only its own script and style, so that a record's name could not run as a script
    even if escaping failed.
    """
    script, style = ((HERE / name).read_text(encoding="utf-8") for name in ("script.js", "style.css"))
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
    )
    page = environment.get_template("page.html.jinja").render(
        report=report,
        client={"changes": report.changes, "records": report.records},
        script=script,
        style=style,
        script_hash=_csp_hash(script),
        style_hash=_csp_hash(style),
    )
    return redact(page)


def _csp_hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def write_report(report: RunReport, folder: Path, keep: int) -> Path:
    """Write the page, readable by its owner only, delete the oldest pages beyond `keep`, and return the new file."""
    moment = report.at.replace(" ", "T").replace(":", "")
    path = folder / f"{moment}-{report.run_id[:8]}.html"
    write_atomically(path, render(report), mode=0o600, durable=False)
    for old in sorted(folder.glob("*.html"))[:-keep]:
        old.unlink(missing_ok=True)
    return path
