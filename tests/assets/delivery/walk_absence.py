"""Records that NetSuite stops showing in a random walk: a role loses access to some, others are merged away.

lose_access(walk), regain_access(walk), merge(walk)  ->  walk.hidden: the last rows that were read of such records
"""

from collections.abc import Mapping
from typing import Any

from tests.assets.delivery.walk_events import FIRST, WalkEvents
from tests.assets.delivery.walk_targets import TargetRecord


def lose_access(walk: WalkEvents) -> None:
    """Hide a customer with its projects, or some records; what happens to them meanwhile is not read."""
    customer = walk.dice.choice(list(walk.customers))
    below = [key for key, row in walk.projects.items() if row["customer_id"] == customer]
    some = walk.dice.sample(list(walk.records()), walk.dice.randint(1, 3))
    for key in walk.dice.choice([[customer, *below], some]):
        _hide(walk, key)


def regain_access(walk: WalkEvents) -> None:
    """Show all records again that still exist."""
    walk.log.append("the role sees everything")
    walk.hidden = {key: row for key, row in walk.hidden.items() if key in walk.merged}


def merge(walk: WalkEvents) -> None:
    """Merge two customers: the projects move without a new date, and there may be no deletion note of the loser."""
    loser, winner = walk.dice.sample(FIRST, 2)
    if loser in walk.merged or winner in walk.merged:
        return
    for row in walk.projects.values():
        if row["customer_id"] == loser:
            row["customer_id"] = winner
    walk.log.append(f"{loser} was merged into {winner}")
    if walk.dice.random() < 0.5:
        walk.customers[loser]["is_deleted"] = True
        walk.hidden.pop(loser, None)
    else:
        _hide(walk, loser)
        walk.merged.add(loser)


def _hide(walk: WalkEvents, key: str) -> None:
    row = walk.records()[key]
    if not row["is_deleted"]:
        walk.hidden.setdefault(key, {**row, "is_missing": True})
        walk.log.append(f"{key} is no longer shown")


def wrongly_deactivated(
    walk: WalkEvents, before: Mapping[str, TargetRecord], after: Mapping[str, TargetRecord]
) -> list[tuple[str, Any]]:
    """Return the records that were switched off or lost although NetSuite only does not show them."""
    absent = {key for key, row in walk.hidden.items() if not row["is_inactive"]}
    return [
        (uid, each.key)
        for uid, each in before.items()
        if each.key in absent and each.is_active and not (uid in after and after[uid].is_active)
    ]
