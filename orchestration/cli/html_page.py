"""Self-contained pages that commands write: a template of this folder, without scripts, and no secret in it."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from resources.atomic_file import write_atomically
from resources.redaction import redact


def write_page(template: str, path: Path, **values: Any) -> None:
    """Write a page, readable by its owner only."""
    loader = FileSystemLoader(Path(__file__).parent)
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    page = environment.get_template(f"{template}.html.jinja").render(**values)
    write_atomically(path, redact(page), mode=0o600, durable=False)
