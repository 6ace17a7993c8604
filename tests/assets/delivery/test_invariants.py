"""Random walks through the delivery engine keep its invariants; `MILLPOND_SEEDS=2000` makes that many."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.assets.delivery.walk import Walk
from tests.assets.delivery.walk_events import BrokenError
from tests.assets.delivery.walk_targets import WALK_TARGETS

SEEDS = int(os.environ.get("MILLPOND_SEEDS", "1"))


@pytest.mark.long
@pytest.mark.parametrize("system", WALK_TARGETS)
@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_random_walk_keeps_the_invariants(
    seed: int, system: str, tmp_path: Path, counted: Callable[[str, int], None]
) -> None:
    """Edits, people, faults and killed runs in random order; the seed reproduces it."""
    counted("seeded walks through delivery", 1)
    Walk(tmp_path, seed, system).go()


@pytest.mark.long
@pytest.mark.parametrize(("system", "seed"), [("precoro", 30_013), ("suiteprojects", 40_074)])
def test_walks_that_once_broke_an_invariant_keep_it(system: str, seed: int, tmp_path: Path) -> None:
    """The work of another create or workflow was taken for that of an attempt without a response."""
    Walk(tmp_path, seed, system).go()


@pytest.mark.parametrize(("system", "workflow"), [("precoro", "tree"), ("suiteprojects", "customers")])
def test_a_walk_detects_a_duplicate(tmp_path: Path, system: str, workflow: str) -> None:
    """A walk that accepts everything would always pass."""
    walk = Walk(tmp_path, 1, system)
    walk.run(workflow)
    key = walk.target.records()[walk.ours()[0]].key or ""
    if system == "precoro":
        walk.sandbox.precoro.add_option("twice", external_id=key)
    else:
        walk.sandbox.suiteprojects.add("Customer", name="twice", externalid=key)

    with pytest.raises(BrokenError, match="I2 nothing twice"):
        walk.check()
