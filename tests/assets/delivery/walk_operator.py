"""What people do with plans and runs in a walk: release a part of a plan, take a run back; and what must follow.

release_part(walk), take_back(walk)  ->  BrokenError when more, less or something else happened in the target
"""

from assets.delivery.ledger.plans import SyncError
from tests.assets.delivery.walk_events import Events, Lived
from tests.assets.delivery.walk_targets import Shown

LATELY = 3
EDITED = 0.5
WENT_BACK = ("update", "deactivate", "reactivate")


def release_part(walk: Events) -> None:
    """Plan a workflow and release what the plan says of one record: every other one is as it was."""
    name, key = walk.dice.choice(list(walk.specs)), walk.dice.choice([*walk.customers, *walk.projects])
    run_id, before = walk.new_run(), walk.side.records()
    with walk.flow(name) as flow:
        try:
            flow.release(flow.plan(run_id).plan_id, run_id, f"record={key}")
            end = "went through"
        except SyncError as error:  # a guard holds it, or the run before died over the same plan
            end = str(error)
    walk.told.append(f"{run_id} of {name}, record {key} only: {end}")
    others = {place: each for place, each in walk.side.records().items() if each.key != key}
    touched = [place for place, each in others.items() if before.get(place) != each]
    walk.holds(
        "a part is released, no more", not touched and before.keys() - others.keys() <= _of(before, key), touched
    )


def _of(records: dict[str, Shown], key: str) -> set[str]:
    """Places of one record: its own, and those without a key, of which one may become its own."""
    return {place for place, each in records.items() if each.key in {key, None}}


def take_back(walk: Events) -> None:
    """Undo one of the last runs in peace; the fields that it changed are as they were, all others as they are."""
    if not walk.lived:
        return
    run = walk.dice.choice(list(walk.lived)[-LATELY:])
    lived, run_id = walk.lived[run], walk.new_run()
    _edited_since(walk, lived)
    now = walk.side.records()
    with walk.flow(lived.workflow) as flow:
        try:
            undone = flow.undo(run)
            decisions = flow.release(undone.plan_id, run_id).decisions
        except SyncError as error:  # it wrote nothing
            walk.told.append(f"{run_id} takes {run} back: {error}")
            return
    rows = {(row["source"], row["source_id"]): row for row in undone.plan.to_dicts()}
    went = [(row["source"], row["source_id"]) for row in decisions.to_dicts() if row["action"] in WENT_BACK]
    walk.told.append(f"{run_id} takes {run} of {lived.workflow} back: {len(went)} of {len(rows)}")
    walk.held |= {source_id for _, source_id in rows}
    after, expected = walk.side.records(), dict(now)
    for key in went:
        place = walk.side.place(lived.workflow, rows[key]["target_id"])
        walk.holds("undo leaves later work alone", _unchanged(lived, place, now[place]), (place, now[place]))
        expected[place] = _as_it_was(lived.before.get(place), lived.after[place], now[place])
        walk.newest.pop(place, None)  # the one time that an older name may come back
    wrong = [place for place in {*after, *expected} if not _same(after.get(place), expected.get(place))]
    walk.holds(
        "undone as it was",
        not wrong,
        [(lived.before.get(p), lived.after.get(p), now.get(p), after.get(p)) for p in wrong],
    )


def _edited_since(walk: Events, lived: Lived) -> None:
    """Perhaps somebody has worked on what the run wrote; that is a conflict, and stays."""
    there = walk.side.records()
    wrote = [place for place, each in lived.after.items() if each.key and each != lived.before.get(place)]
    wrote = [place for place in wrote if place in there]
    if wrote and walk.dice.random() < EDITED:
        walk.side.edit(walk.dice.choice(wrote), name=f"by hand {walk.named()}")


SHOWN = ("name", "is_on", "parent")


def _unchanged(lived: Lived, place: str, now: Shown) -> bool:
    """Whether what the run changed still is as the run left it."""
    before, after = lived.before.get(place), lived.after[place]
    changed = [name for name in SHOWN if before and getattr(before, name) != getattr(after, name)]
    return all(getattr(now, name) == getattr(after, name) for name in changed)


def _as_it_was(before: Shown | None, after: Shown, now: Shown) -> tuple[str | None, bool, str | None]:
    if before is None:  # created: switched off, never deleted
        return now.name, False, now.parent
    return tuple(  # type: ignore[return-value]
        getattr(before if getattr(before, name) != getattr(after, name) else now, name) for name in SHOWN
    )


def _same(shown: Shown | None, expected: Shown | tuple[str | None, bool, str | None] | None) -> bool:
    if isinstance(expected, tuple):
        return shown is not None and (shown.name, shown.is_on, shown.parent) == expected
    return shown == expected
