"""The guide's site, built without network: `python -m orchestration.guide.site`, or `make docs`.

docs/, mkdocs.yml, theme  ->  build/guide, with links that a site can follow  ->  Zensical  ->  build/guide/site

Pages link to files of the repository. Markdown files among them become pages of the site as well; of other files and of
folders the site shows the path.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from orchestration.configuration.settings import ROOT

STAGED = ROOT / "build" / "guide"
SITE = STAGED / "site"
OTHERS = "project"  # folder of the site with pages from outside docs/
_LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]*)\]\((?P<path>[^)#\s:]+)(?P<anchor>#[^)\s]*)?\)")
_CODE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)


def build(folder: Path = STAGED) -> int:
    """Build the site below a folder, and return the exit code: a broken link is an error."""
    if find_spec("zensical") is None:
        sys.stderr.write("the guide's generator is not installed: pip install 'millpond[docs]', or make docs\n")
        return 1
    stage(folder)
    command = [sys.executable, "-m", "zensical", "build", "--clean", "--strict", "-f", str(folder / "mkdocs.yml")]
    return subprocess.run(command, check=False, cwd=folder).returncode  # noqa: S603 - our own command


def stage(folder: Path) -> None:
    """Copy everything that the site is made of to a folder, whose former content is removed."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "docs", folder / "docs")
    shutil.copytree(Path(__file__).parent / "theme", folder / "theme")
    shutil.move(folder / "theme" / "guide.css", folder / "docs" / "assets" / "guide.css")
    shutil.copyfile(ROOT / "mkdocs.yml", folder / "mkdocs.yml")
    pages = {path.relative_to(ROOT) for path in (ROOT / "docs").rglob("*.md")}
    done: set[Path] = set()
    while waiting := pages - done:
        for page in sorted(waiting):
            text = (ROOT / page).read_text(encoding="utf-8")
            pages |= set(_linked_pages(page, text))
            place = folder / _place(page)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(site_text(page, text), encoding="utf-8")
        done |= waiting


def site_text(page: Path, text: str) -> str:
    """Return the text of a page, at its path in the repository, with links that the site can follow."""

    def replaced(found: re.Match[str]) -> str:
        aim = _aim(page, found["path"])
        if not _becomes_page(aim):
            label = found["text"] if found["text"].strip("`") != found["path"] else f"`{aim}`"
            return label if label.startswith("`") or label == str(aim) else f"{label} (`{aim}`)"
        path = os.path.relpath(_place(aim), _place(page).parent)
        return f"[{found['text']}]({path}{found['anchor'] or ''})"

    parts, last = [], 0
    for code in _CODE.finditer(text):
        parts += [_LINK.sub(replaced, text[last : code.start()]), code[0]]
        last = code.end()
    return "".join([*parts, _LINK.sub(replaced, text[last:])])


def _linked_pages(page: Path, text: str) -> Iterator[Path]:
    for found in _LINK.finditer(_CODE.sub("", text)):
        aim = _aim(page, found["path"])
        if _becomes_page(aim) and aim.suffix == ".md" and (ROOT / aim).is_file():
            yield aim


def _aim(page: Path, link: str) -> Path:
    """Return the file or folder that a page links to, relative to the root."""
    aim = (ROOT / page.parent / link).resolve()
    return aim.relative_to(ROOT) if aim.is_relative_to(ROOT) else aim


def _becomes_page(aim: Path) -> bool:
    return aim.parts[0] == "docs" or (aim.suffix == ".md" and (ROOT / aim).is_file())


def _place(page: Path) -> Path:
    """Return where a file of the repository is staged."""
    return page if page.parts[0] == "docs" else Path("docs", OTHERS, page)


if __name__ == "__main__":
    sys.exit(build())
