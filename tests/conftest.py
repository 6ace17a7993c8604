"""What every test may ask for: a sandbox of its own, and a pond of its own."""

from pathlib import Path

import pytest

from resources.sandbox.world import Sandbox
from resources.warehouse import Warehouse


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    """Three empty stand-ins on a clock that jumps."""
    return Sandbox(tmp_path / "sandbox")


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    """An empty pond."""
    return Warehouse(tmp_path / "pond")
