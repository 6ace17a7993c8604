"""The tests that a page names, looked up in their files."""

import ast
from functools import cache
from pathlib import Path


@cache
def named_tests(path: Path) -> set[str]:
    """The tests of a file."""
    tree = ast.parse(path.read_text())
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}
