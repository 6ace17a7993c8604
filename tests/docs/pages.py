"""The pages of the guide, their headings and links, as the repository's page and the site show them."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from orchestration.configuration.settings import ROOT

_FENCE = re.compile(r"^( *)(```|~~~).*?^\1\2", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?P<picture>!?)\[(?P<text>(?:[^\[\]]|!\[[^\]]*\]\([^)]*\))*)\]\((?P<aim>[^)\s]*)\)")


class Link(NamedTuple):
    """One link of a page."""

    aim: str
    anchor: str
    is_picture: bool


def pages() -> list[Path]:
    """Return every page below docs/, and the two beside it, relative to the root."""
    found = sorted(path.relative_to(ROOT) for path in (ROOT / "docs").rglob("*.md"))
    return [Path("README.md"), Path("CONTRIBUTING.md"), *found]


@cache
def text_of(page: Path) -> str:
    """Return a page's Markdown."""
    return (ROOT / page).read_text(encoding="utf-8")


def without_code(text: str) -> str:
    """Return Markdown without blocks of code; lines of code in a sentence stay."""
    return _FENCE.sub("", text)


def anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings, as the repository's page and the site make them."""
    headings = re.findall(r"^#{1,6} +(.+?) *$", without_code(text), re.MULTILINE)
    return {_anchor(each) for each in headings}


def _anchor(heading: str) -> str:
    shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").replace("*", "")
    return re.sub(r"[^\w\- ]", "", shown.lower()).strip().replace(" ", "-")


def links(text: str) -> Iterator[Link]:
    """Yield the links and pictures within the project."""
    plain = re.sub(r"`[^`\n]*`", "`…`", without_code(text))
    for found in _LINK.finditer(plain):
        aim, _, anchor = found["aim"].partition("#")
        if "://" not in aim and not aim.startswith("mailto:"):
            yield Link(aim, anchor, bool(found["picture"]))
        if "](" in found["text"]:
            yield from links(found["text"])


def site_pages() -> list[str]:
    """Return the pages of the site's navigation, below docs/."""
    return [*_leaves(yaml.load((ROOT / "mkdocs.yml").read_text(), _AnyTag)["nav"])]  # noqa: S506 - a safe loader


def _leaves(nav: Any) -> Iterator[str]:
    if isinstance(nav, str):
        yield nav
    for each in nav if isinstance(nav, list) else nav.values() if isinstance(nav, dict) else ():
        yield from _leaves(each)


class _AnyTag(yaml.SafeLoader):
    """A loader that skips Python's own tags, which name a function of the site's generator."""


_AnyTag.add_multi_constructor("tag:yaml.org,2002:python/", lambda *_: None)
