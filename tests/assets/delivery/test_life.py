"""The engine's life as a state machine: hypothesis chooses what happens next, and shortens a story that went wrong.

It lives in the same world as the seeded walks, one event at a time: edits in NetSuite, people in the target, faults,
deaths, spent allowances, parts of plans released, runs taken back. What must hold is looked at after each.
"""

import os
import random
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.assets.delivery.walk import Walk
from tests.assets.delivery.walk_targets import SIDES

LIVES = int(os.environ.get("MILLPOND_LIVES", "2"))
EDITS = ("rename", "switch", "delete", "move", "spoil")
PEOPLE = ("by_hand", "disabled", "removed", "stranger", "unkeyed")
TROUBLE = ("peace", "fault", "death", "allowance")


class Life(RuleBasedStateMachine):
    """One target's workflows, from an empty target to whatever hypothesis makes of it."""

    system = ""

    @initialize(dice=st.randoms(use_true_random=False), seed=st.integers(0, 2))
    def begins(self, dice: random.Random, seed: int) -> None:
        """A world; every choice in it is hypothesis's own."""
        self.folder = TemporaryDirectory()
        self.walk = Walk(Path(self.folder.name), seed, self.system, dice=dice)

    @rule(edit=st.sampled_from(EDITS))
    def netsuite_changes(self, edit: str) -> None:
        """Somebody edits a record there."""
        getattr(self.walk, edit)()

    @rule(edit=st.sampled_from(PEOPLE))
    def somebody_works_in_the_target(self, edit: str) -> None:
        """And changes what is ours or theirs."""
        getattr(self.walk, edit)()

    @rule(trouble=st.sampled_from(TROUBLE), which=st.integers(0, 2))
    def a_run(self, trouble: str, which: int) -> None:
        """Of one workflow, into trouble or not."""
        getattr(self.walk, trouble)()
        names = list(self.walk.specs)
        self.walk.run(names[which % len(names)])
        self.walk.calm()

    @rule()
    def a_part_is_released(self) -> None:
        """What a plan says of one record."""
        self.walk.release_part()

    @precondition(lambda self: self.walk.lived)
    @rule()
    def a_run_is_taken_back(self) -> None:
        """One of the last."""
        self.walk.take_back()

    @rule()
    def a_day_goes_by(self) -> None:
        """Allowances are fresh again, plans expire."""
        self.walk.world.clock.sleep(86_400)

    @invariant()
    def what_must_hold_holds(self) -> None:
        """At any moment."""
        self.walk.check()

    def teardown(self) -> None:
        """In the end comes peace, and everything is as it should be."""
        try:
            self.walk.settle()
        finally:
            self.folder.cleanup()


@pytest.mark.parametrize("system", SIDES)
def test_whatever_happens_the_invariants_hold(system: str, counted: Callable[[str, int], None]) -> None:
    """`MILLPOND_LIVES=300` lives as many; a failure prints the shortest story that shows it."""
    counted("lives of the engine that hypothesis thought of", LIVES)
    machine = type(f"Life_{system}", (Life,), {"system": system})
    quick = settings(
        max_examples=LIVES,
        stateful_step_count=12,
        deadline=None,
        database=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine, settings=quick)
