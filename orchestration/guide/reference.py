"""Write the generated pages of the guide: `python -m orchestration.guide.reference`, or `make reference`."""

from collections.abc import Callable, Mapping
from typing import Final

from orchestration.configuration.settings import ROOT
from orchestration.guide.reasons_reference import alerts_page, errors_page, reasons_page
from orchestration.guide.settings_reference import settings_reference
from orchestration.guide.workflow_reference import workflow_reference

PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "docs/reference/alerts.md": alerts_page,
    "docs/reference/errors.md": errors_page,
    "docs/reference/reasons.md": reasons_page,
    "docs/reference/settings.md": settings_reference,
    "docs/workflows/reference.md": workflow_reference,
}


def write_pages() -> None:
    """Write every page."""
    for path, page in PAGES.items():
        (ROOT / path).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    write_pages()
