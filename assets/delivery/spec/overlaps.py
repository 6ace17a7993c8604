"""Find workflows that may want the same records of a target, from their files alone.

workflow files  ->  overlaps()  ->  one warning per pair that writes to the same place and reads the same source
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations

from assets.delivery.spec.record_map import RecordMap
from assets.delivery.spec.workflow import Workflow


def overlaps(workflows: Sequence[Workflow], part_of: Callable[[Workflow], Sequence[str]]) -> Iterator[str]:
    """Yield a warning for each pair of active workflows whose selections may have records in common.

    Args:
        workflows: The workflows.
        part_of: Returns the part of an account that a workflow writes to, such as a Precoro field, by id or name.
    """
    for one, other in combinations([each for each in workflows if each.spec.active], 2):
        if (one.spec.target, one.spec.connection_name) != (other.spec.target, other.spec.connection_name):
            continue
        pairs = [*zip(part_of(one), part_of(other), strict=True)]
        if not all(map(_may_be_same, pairs)):
            continue
        shared = [
            mine.source
            for mine in one.spec.records
            for theirs in other.spec.records
            if mine.source == theirs.source and not _are_disjoint(mine, theirs)
        ]
        names = ", ".join(shared)
        unknown = "".join(f" (if {mine} and {theirs} are the same)" for mine, theirs in pairs if mine != theirs)
        if shared:
            yield (
                f"{one.name} and {other.name} both write to {one.spec.target}{unknown} and may want the same {names}:"
                " a record that both select stays with the one that delivers it first; give them other subsidiaries"
                " with `subsidiary_scope: primary`, or other stages"
            )


def _may_be_same(parts: tuple[str, str]) -> bool:
    """Return whether two names mean the same: only the account knows whose id a number is."""
    return parts[0] == parts[1] or parts[0].isdecimal() != parts[1].isdecimal()


def _are_disjoint(one: RecordMap, other: RecordMap) -> bool:
    """Return whether no record can be selected by both."""
    mine, theirs = one.select, other.select
    primary = mine.subsidiary_scope == theirs.subsidiary_scope == "primary"
    if primary and mine.subsidiary and theirs.subsidiary and mine.subsidiary != theirs.subsidiary:
        return True
    if mine.stages is None or theirs.stages is None:
        return False
    included = [
        {stage for stage, policy in each.items() if policy == "include"} for each in (mine.stages, theirs.stages)
    ]
    return not included[0] & included[1]
