"""Random legitimate lives of a ledger are no finding; one change outside of them always is."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.delivery.chain.checkpoints import last_checkpoint
from assets.delivery.chain.rewrite import rewriting
from assets.delivery.chain.seal import seal
from assets.delivery.chain.verify import verify
from assets.delivery.imports.manual_links import ManualLink, delete_manual_link, save_manual_link
from assets.delivery.ledger.events import Event, Happened
from assets.delivery.ledger.ignored import Ended, Ignored, end_ignored, save_ignored
from assets.delivery.ledger.rebind import forget_account
from assets.delivery.ledger.tables import ensure_ledger
from assets.delivery.schemas import SourceKey
from assets.delivery.spec.workflow import Workflow
from assets.warehouse.retention import prune
from resources.signing import Signer
from tests.assets.delivery.builders import one_source
from tests.assets.delivery.chain.ledger_chain import KEY, OTHER_KEY, add_run, at

ACTIONS = ("create", "update", "quarantined", "skipped")
NAMES = ("flow", "one", "two")


@dataclass
class Life:
    """A ledger, and what happens to it; times go on a day with each step."""

    con: duckdb.DuckDBPyConnection
    keys: str = KEY
    day: int = 0
    events: list[str] = field(default_factory=list)

    @property
    def now(self) -> datetime:
        """The time of this step."""
        return at(self.day)

    def run(self, choice: int) -> None:
        """Decide on three records, and send them."""
        actions = {f"_{each + 1}": (ACTIONS[(choice >> each) % 4], f"1{each}") for each in range(1 + choice % 3)}
        add_run(self.con, self.day, **actions)

    def decide(self, choice: int) -> None:
        """Link, unlink, ignore or count again."""
        source_id, key = str(choice % 3 + 1), SourceKey("customers", str(choice % 3 + 1))
        if choice % 5 == 0:
            save_manual_link(self.con, ManualLink("flow", *key, None, "ada", self.now, f"note {choice}"))
        elif choice % 5 == 1:
            delete_manual_link(self.con, "flow", "customers", source_id, "bob", self.now)
        elif choice % 5 == 2:
            held = "workflow = 'flow' and source_id = ? and to_run is null and action = 'quarantined'"
            if self.con.execute(f"select 1 from sync_decisions where {held}", [source_id]).fetchall():
                until = at(self.day + 5).date()
                save_ignored(self.con, Ignored("flow", until, "ada", self.now, f"note {choice}"), [key])
        elif choice % 5 == 3:
            end_ignored(self.con, Ended("flow", "bob", self.now), [key])
        else:
            forget_account(self.con, Workflow("flow", one_source()), self.now, f"rebind {self.day}", "ada")

    def seal(self, choice: int) -> None:
        """Seal, at times with another key that takes over."""
        if choice % 7 == 0:
            new = OTHER_KEY if self.keys.startswith(KEY) else KEY
            self.keys = f"{new},{self.keys.partition(',')[0]}"
        seal(self.con, Signer(self.keys), self.now, {})

    def prune(self, choice: int) -> None:
        """Delete what is old."""
        with rewriting(self.con, Signer(self.keys), Event(event=Happened.PRUNED, at=self.now)):
            prune(self.con, at(self.day - choice % 6))

    def erase(self, choice: int) -> None:
        """Blank the personal values of a record."""
        with rewriting(self.con, Signer(self.keys), Event(event=Happened.PRUNED, at=self.now)):
            for table in ("sync_attempts", "sync_decisions"):
                blanked = "image = null" if table == "sync_attempts" and choice % 2 else "reason = null"
                self.con.execute(f"update {table} set {blanked} where source_id = ?", [str(choice % 3 + 1)])

    def rename(self, choice: int) -> None:
        """Rename the workflow, and back, since the other steps use its name."""
        if last_checkpoint(self.con) is None:
            return
        there = NAMES[1 + choice % 2]
        for old, new in (("flow", there), (there, "flow")):
            versions = {new: ("version", "other")} if old == "flow" else {new: ("other", "version")}
            details = {"old": old, "new": new, "versions": versions}
            event = Event(event=Happened.RENAMED, at=self.now, workflow=new, details=details)
            with rewriting(self.con, Signer(self.keys), event):
                for table in ("sync_attempts", "sync_decisions", "sync_events", "sync_chain", "sync_manual_links",
                              "sync_ignored", "sync_runs", "sync_plans"):  # fmt: skip
                    self.con.execute(f"update {table} set workflow = ? where workflow = ?", [new, old])
                for table in ("sync_attempts", "sync_decisions"):
                    self.con.execute(
                        f"update {table} set workflow_version = ? where workflow = ?", [versions[new][1], new]
                    )


STEPS: dict[str, Callable[[Life, int], None]] = {
    "run": Life.run, "decide": Life.decide, "seal": Life.seal, "prune": Life.prune, "erase": Life.erase,
    "rename": Life.rename,
}  # fmt: skip
LIVES = st.lists(st.tuples(st.sampled_from([*STEPS, "run", "seal"]), st.integers(0, 60)), min_size=1, max_size=14)
BENT = (
    "delete from sync_attempts where rowid = (select min(rowid) from sync_attempts)",
    "update sync_decisions set target_id = 'bent' where rowid = (select max(rowid) from sync_decisions)",
    "update sync_attempts set code = 'bent' where rowid = (select max(rowid) from sync_attempts)",
    "delete from sync_chain where number = (select max(number) from sync_chain)",
)


def check_life(steps: list[tuple[str, int]], bent: str) -> None:
    """Live, and check the ledger after each step; then bend it."""
    with duckdb.connect() as con:
        ensure_ledger(con)
        life = Life(con)
        for day, (name, choice) in enumerate(steps):
            life.day = day
            STEPS[name](life, choice)
            found = verify(con, Signer(life.keys).public_keys, switches={})
            assert found.is_whole, (day, name, found.problems)
        life.day += 1
        life.run(5)
        life.seal(1)
        con.execute(bent)
        assert not verify(con, Signer(life.keys).public_keys, switches={}).is_whole


@settings(max_examples=1)
@given(LIVES, st.sampled_from(BENT))
def test_a_life_is_no_finding(steps: list[tuple[str, int]], bent: str) -> None:
    """Runs, decisions, retention, erasing, renames and new keys, in any order."""
    check_life(steps, bent)


@pytest.mark.long
@settings(max_examples=80)
@given(LIVES, st.sampled_from(BENT))
def test_lives_are_no_finding(steps: list[tuple[str, int]], bent: str) -> None:
    """The same, more often."""
    check_life(steps, bent)
