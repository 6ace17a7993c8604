"""The operator's actions in a random walk: apply a part of a plan, undo a run; each checks its effect in the target.

apply_part(walk), undo_run(walk)  ->  BrokenError if another record changed, or not as expected
"""

import re

from assets.delivery.errors import SyncError
from assets.delivery.imports.manual_links import ManualLink, save_manual_link
from resources.clock import utc_now
from tests.assets.delivery.walk_events import PastRun, WalkEvents
from tests.assets.delivery.walk_targets import TargetRecord

RECENT_RUNS = 3
EDIT_PROBABILITY = 0.5
WRITES = ("update", "deactivate", "reactivate")
VALUES = ("name", "is_active", "parent")

Values = tuple[str | None, bool, str | None]


def apply_part(walk: WalkEvents) -> None:
    """Plan a workflow and apply one record of the plan: no other record changes."""
    name, key = walk.dice.choice(list(walk.specs)), walk.dice.choice([*walk.customers, *walk.projects])
    run_id, before = walk.new_run_id(), walk.target.records()
    with walk.runner(name) as runner:
        try:
            runner.apply(runner.plan(run_id).plan_id, run_id, f"record={key}")
            end = "completed"
        except SyncError as error:  # a guard trips, or the run before died with the same plan
            end = str(error)
    walk.log.append(f"{run_id} of {name}, record {key} only: {end}")
    own = _linked(walk, name, key)  # a person may have cleared its key
    others = {uid: each for uid, each in walk.target.records().items() if each.key != key and uid not in own}
    changed = [uid for uid, each in others.items() if before.get(uid) != each]
    # records that may be gone from the others: its own, and those without a key, of which one may become its own
    may_be_gone = own | {uid for uid, each in before.items() if each.key in {key, None}}
    walk.expect("only the applied part changes", not changed and before.keys() - others.keys() <= may_be_gone, changed)


def _linked(walk: WalkEvents, name: str, key: str) -> set[str]:
    """Return the target records that a workflow's link of a source record points at."""
    if not walk.warehouse.has("sync_links"):
        return set()
    query = "select target_id from sync_links where workflow = ? and source_id = ? and target_id is not null"
    return {walk.target.uid(name, row[0]) for row in walk.warehouse.read(query, [name, key]).rows()}


def release_waiting(walk: WalkEvents, name: str, end: str) -> str:
    """Apply the plan that the last run left waiting, as a person would without faults; return the new end.

    A person who undid a run and then renamed its records expects many reactivations, and who deleted customers with
    their projects as many deactivations; one who reads what a canary found sees that faults caused it.
    """
    waits = re.search(
        r"plan (\w+) waits for approval \(([\d,]+ records? would be (?:re|de)activated;|precoro: canary:)", end
    )
    if not waits:
        return end
    run_id = walk.new_run_id()
    with walk.runner(name) as runner:
        runner.apply(waits[1], run_id)
    walk.log.append(f"{run_id} applies {waits[1]} of {name}")
    return "completed"


def undo_run(walk: WalkEvents) -> None:
    """Undo one of the last runs without faults: the values that it changed are as before, all others unchanged."""
    if not walk.past_runs:
        return
    undone = walk.dice.choice(list(walk.past_runs)[-RECENT_RUNS:])
    past, run_id = walk.past_runs[undone], walk.new_run_id()
    _edit_written_record(walk, past)
    before = walk.target.records()
    with walk.runner(past.workflow) as runner:
        try:
            planned = runner.undo(undone)
            decisions = runner.apply(planned.plan_id, run_id).decisions
        except SyncError as error:  # the run wrote nothing
            walk.log.append(f"{run_id} undoes {undone}: {error}")
            return
    rows = {(row["source"], row["source_id"]): row for row in planned.plan.to_dicts()}
    written = [(row["source"], row["source_id"]) for row in decisions.to_dicts() if row["action"] in WRITES]
    walk.log.append(f"{run_id} undoes {undone} of {past.workflow}: {len(written)} of {len(rows)}")
    walk.on_hold |= {source_id for _, source_id in rows}
    after = walk.target.records()
    expected: dict[str, TargetRecord | Values] = dict(before)
    for key in written:
        uid = walk.target.uid(past.workflow, rows[key]["target_id"])
        walk.expect("an undo keeps later edits", _unedited(past, uid, before[uid]), (uid, before[uid]))
        expected[uid] = _undone(past.before.get(uid), past.after[uid], before[uid])
        walk.newest.pop(uid, None)  # an undo may restore an older name
    wrong = [uid for uid in {*after, *expected} if not _equal(after.get(uid), expected.get(uid))]
    walk.expect(
        "undone values are restored",
        not wrong,
        [(past.before.get(uid), past.after.get(uid), before.get(uid), after.get(uid)) for uid in wrong],
    )


def _edit_written_record(walk: WalkEvents, past: PastRun) -> None:
    """Perhaps edit a record that the run wrote: a conflict, which an undo keeps."""
    records = walk.target.records()
    written = [uid for uid, each in past.after.items() if each.key and each != past.before.get(uid) and uid in records]
    if written and walk.dice.random() < EDIT_PROBABILITY:
        walk.target.edit(walk.dice.choice(written), name=f"edited {walk.new_name()}")


def _unedited(past: PastRun, uid: str, current: TargetRecord) -> bool:
    """Return whether the values that the run changed are still as it left them, or already as they were before."""
    before, after = past.before.get(uid), past.after[uid]
    changed = [name for name in VALUES if before and getattr(before, name) != getattr(after, name)]
    return all(getattr(current, name) in {getattr(each, name) for each in (before, after)} for name in changed)


def _undone(before: TargetRecord | None, after: TargetRecord, current: TargetRecord) -> Values:
    if before is None:  # a created record is deactivated, never deleted
        return current.name, False, current.parent
    return tuple(  # type: ignore[return-value]
        getattr(before if getattr(before, name) != getattr(after, name) else current, name) for name in VALUES
    )


def _equal(record: TargetRecord | None, expected: TargetRecord | Values | None) -> bool:
    if isinstance(expected, tuple):
        return record is not None and (record.name, record.is_active, record.parent) == expected
    return record == expected


def settle_ambiguous(walk: WalkEvents) -> None:
    """Link every record that a lost create may have made: to the option without a key that is ours, else to none."""
    if not walk.warehouse.has("sync_decisions"):
        return
    waiting = walk.warehouse.read(
        "select workflow, source, source_id, reason from sync_decisions where to_run is null and action = 'ambiguous'"
    ).rows()
    linked = {row[0] for row in walk.warehouse.read("select target_id from sync_links").rows()}
    records = walk.target.records()
    lost = {uid for uid, each in records.items() if not each.key and uid not in walk.foreign and uid not in linked}
    for workflow, source, source_id, reason in waiting:
        named = {uid for uid in lost if re.search(rf"\b{uid}\b", reason)}
        chosen = next(iter(sorted(named)), None)
        lost -= {chosen}
        walk.log.append(f"{source_id} is linked to {chosen}")
        link = ManualLink(workflow, source, source_id, chosen, "tester", utc_now(walk.clock), "")
        with walk.warehouse.writer() as con:
            save_manual_link(con, link)
