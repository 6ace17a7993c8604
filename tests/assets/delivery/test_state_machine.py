"""The delivery engine as a hypothesis state machine, which shrinks a failing sequence of events.

It uses the events of the seeded walks, one at a time: edits in NetSuite and in the target, faults, killed runs,
exhausted quotas, plans applied in part, undone runs. The invariants are checked after each event.
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
from tests.assets.delivery.walk_targets import WALK_TARGETS

EXAMPLES = int(os.environ.get("MILLPOND_EXAMPLES", "2"))
NETSUITE_EDITS = ("rename", "toggle_inactive", "toggle_deleted", "move", "invalidate")
TARGET_EDITS = ("edit_name", "deactivate", "remove", "add_foreign", "clear_key")
DISTURBANCES = ("undisturbed", "fault", "kill", "exhaust_quota")


class DeliveryMachine(RuleBasedStateMachine):
    """One target's workflows, from an empty target on."""

    system = ""

    @initialize(dice=st.randoms(use_true_random=False), seed=st.integers(0, 2))
    def begin(self, dice: random.Random, seed: int) -> None:
        """Create the walk; hypothesis makes every random choice in it."""
        self.folder = TemporaryDirectory()
        self.walk = Walk(Path(self.folder.name), seed, self.system, dice=dice)

    @rule(edit=st.sampled_from(NETSUITE_EDITS))
    def edit_in_netsuite(self, edit: str) -> None:
        """Edit a NetSuite record."""
        getattr(self.walk, edit)()

    @rule(edit=st.sampled_from(TARGET_EDITS))
    def edit_in_target(self, edit: str) -> None:
        """Edit a target record, ours or another."""
        getattr(self.walk, edit)()

    @rule(disturbance=st.sampled_from(DISTURBANCES), which=st.integers(0, 2))
    def run(self, disturbance: str, which: int) -> None:
        """Run one workflow, perhaps with a fault."""
        getattr(self.walk, disturbance)()
        names = list(self.walk.specs)
        self.walk.run(names[which % len(names)])
        self.walk.end_faults()

    @rule(way=st.sampled_from(["run_subset", "sync_some"]), which=st.integers(0, 2))
    def run_in_part(self, way: str, which: int) -> None:
        """Materialize some assets, or sync some records."""
        names = list(self.walk.specs)
        getattr(self.walk, way)(names[which % len(names)])

    @rule()
    def set_clock(self) -> None:
        """Set the machine's clock."""
        self.walk.set_clock()

    @rule()
    def apply_part(self) -> None:
        """Release one record of a plan."""
        self.walk.apply_part()

    @precondition(lambda self: self.walk.past_runs)
    @rule()
    def undo(self) -> None:
        """Undo one of the last runs."""
        self.walk.undo()

    @rule()
    def pass_a_day(self) -> None:
        """Reset quotas and let plans expire."""
        self.walk.sandbox.clock.sleep(86_400)

    @invariant()
    def check(self) -> None:
        """Check the invariants."""
        self.walk.check()

    def teardown(self) -> None:
        """End the faults and check that the target converges."""
        try:
            self.walk.converge()
        finally:
            self.folder.cleanup()


@pytest.mark.long
@pytest.mark.parametrize("system", WALK_TARGETS)
def test_any_sequence_of_events_keeps_the_invariants(system: str, counted: Callable[[str, int], None]) -> None:
    """`MILLPOND_EXAMPLES=300` tries that many; a failure prints the shortest sequence that shows it."""
    counted("generated walks through delivery", EXAMPLES)
    machine = type(f"DeliveryMachine_{system}", (DeliveryMachine,), {"system": system})
    quick = settings(
        max_examples=EXAMPLES,
        stateful_step_count=12,
        deadline=None,
        database=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine, settings=quick)
