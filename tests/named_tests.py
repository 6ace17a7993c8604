"""Look up the tests that a document names."""

import ast
from functools import cache
from pathlib import Path


@cache
def named_tests(path: Path) -> set[str]:
    """Return the names of the tests in a file."""
    tree = ast.parse(path.read_text())
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}
