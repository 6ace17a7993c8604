"""Words and docstring openings that must not come back in code, help and documentation."""

import ast
import re
from pathlib import Path

import pytest

from orchestration.configuration.settings import ROOT

FOLDERS = ("orchestration", "assets", "resources", "sql", "tests", "docs")
ENDINGS = {".py", ".sql", ".md", ".yaml", ".toml", ".jinja", ".js", ".example"}
# each word of the project's former private vocabulary, with the term that replaced it
REPLACED = {
    r"ponds?": "warehouse",
    r"twins?": "target state",
    r"doors?": "connection",
    r"told|tells?": "reported, returned, documented",
    r"mend(?:s|ed|ing)?": "fix",
    r"quirks?": "normalization",
    r"unpick\w*": "deselect",
    r"stray": "orphaned",
    r"wakes": "reactivates",
    r"nobody|everybody|anybody|somebody": "no one, everyone, anyone, someone",
    r"by hand": "manually",
    r"just now": "currently",
    r"under way": "in progress",
    r"for good": "permanently",
}
# names that are stored, that others chose, or that are quoted from elsewhere
ALLOWED = {
    "assets/precoro/FEATURES.md": {"by hand"},  # the fact sheet's own row titles
    "tests/test_vocabulary.py": set(REPLACED),
}
PATTERN = re.compile(r"(?<![A-Za-z])(?:" + "|".join(REPLACED) + r")(?![A-Za-z])", re.IGNORECASE)
VIEW = "edited_by_hand"  # an analysts' view
CLAUSE = re.compile(r"(?:What|Who|Whom|Whose|Whether|Where|Which|Why|How)\b")


def files() -> list[Path]:
    """Every text file of the project that people read, without the cited fact sheets."""
    below = [path for name in FOLDERS for path in (ROOT / name).rglob("*") if path.suffix in ENDINGS]
    beside = [path for path in ROOT.iterdir() if path.suffix in ENDINGS]
    left_out = {
        "facts",
        "__pycache__",
        "upgrade",
        "upgrade.md",
        "test_upgrade.py",
        "mermaid.tiny.js",
    }  # quotations, the old names themselves, and a library
    return sorted(path for path in [*below, *beside] if not left_out & set(path.parts))


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_replaced_words_do_not_come_back(path: Path) -> None:
    """One term per concept: a second word for the same thing must be learned by every newcomer."""
    if path == Path(__file__):
        return
    text = path.read_text(encoding="utf-8").replace(VIEW, "")
    found = {match[0].lower() for match in PATTERN.finditer(text.replace("_", " "))}

    assert not found - ALLOWED.get(str(path.relative_to(ROOT)), set())


def docstrings(path: Path) -> list[str]:
    """Every docstring of a module: its own, and those of its classes and functions."""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, kinds)]
    return [text for node in nodes if (text := ast.get_docstring(node))]


@pytest.mark.parametrize(
    "path", [path for path in files() if path.suffix == ".py"], ids=lambda path: str(path.relative_to(ROOT))
)
def test_docstrings_open_with_a_verb_or_a_noun(path: Path) -> None:
    """The form is "The outcome of a plan", not "What came of a plan": a clause is harder to scan."""
    assert not [text.splitlines()[0] for text in docstrings(path) if CLAUSE.match(text)]
