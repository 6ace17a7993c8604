"""Memory is bounded by bytes: long texts pass every step of a run, whatever their number."""

from pathlib import Path

import pytest

from resources.warehouse.warehouse import MEMORY_MB
from tests.bench.memory import fill, measure, too_high

pytestmark = pytest.mark.long


@pytest.mark.parametrize(
    ("customers", "length", "long"), [(10_000, 4_000, (0, 0)), (2_000, 500, (3, 30_000))], ids=["many", "very long"]
)
def test_every_step_stays_below_the_limit(tmp_path: Path, customers: int, length: int, long: tuple[int, int]) -> None:
    """Each step in a process of its own, the first time and after every text was changed."""
    fill(tmp_path, customers, length, long)

    peaks = measure(tmp_path, MEMORY_MB, lambda *_: None)

    assert too_high(peaks) == {}
