"""Random lives of the engine keep the invariants; `MILLPOND_SEEDS=2000` lives as many as one has patience for."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.assets.delivery.walk import Walk
from tests.assets.delivery.walk_events import BrokenError
from tests.assets.delivery.walk_targets import SIDES

SEEDS = int(os.environ.get("MILLPOND_SEEDS", "1"))


@pytest.mark.long
@pytest.mark.parametrize("system", SIDES)
@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_life_of_trouble_keeps_the_invariants(
    seed: int, system: str, tmp_path: Path, counted: Callable[[str, int], None]
) -> None:
    """Edits, people, faults and deaths in an order that nobody thought of; the seed tells it once more."""
    counted("seeded lives of the engine", 1)
    Walk(tmp_path, seed, system).live()


@pytest.mark.parametrize(("system", "workflow"), [("precoro", "tree"), ("suiteprojects", "customers")])
def test_a_walk_notices_what_is_wrong(tmp_path: Path, system: str, workflow: str) -> None:
    """A walk that believes everything would pass for ever."""
    walk = Walk(tmp_path, 1, system)
    walk.run(workflow)
    key = walk.side.records()[walk.ours()[0]].key or ""
    if system == "precoro":
        walk.world.precoro.add_option("twice", external_id=key)
    else:
        walk.world.suiteprojects.add("Customer", name="twice", externalid=key)

    with pytest.raises(BrokenError, match="I2 nothing twice"):
        walk.check()
