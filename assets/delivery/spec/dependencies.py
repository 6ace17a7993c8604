"""Hold the workflows against each other: what one needs of others must be delivered by them.

workflows  ->  unmet_needs()  ->  file, line and mend for each whose needs are not met
"""

from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from assets.delivery.plan.planner import Workflow
from assets.delivery.spec.loader import file_problems
from assets.delivery.spec.validation import Place
from assets.delivery.spec.workflow_spec import WorkflowSpec


def unmet_needs(workflows: Sequence[Workflow], folder: Path) -> dict[str, str]:
    """What is wrong, by the name of the workflow that cannot be used for it; one that is switched off needs nothing.

    A workflow falls with what it needs, so those that need it are looked at again.
    """
    known = {each.name: each.spec for each in workflows}
    unmet: dict[str, str] = {}
    while found := {
        name: str(file_problems(folder / name / "defs.yaml", problems))
        for name, spec in known.items()
        if spec.active and (problems := list(_problems(name, spec, known)))
    }:
        unmet |= found
        known = {name: spec for name, spec in known.items() if name not in found}
    return unmet


def _problems(name: str, spec: WorkflowSpec, known: Mapping[str, WorkflowSpec]) -> Iterator[tuple[Place, str]]:
    for number, need in enumerate(spec.needs):
        yield from ((("needs", number), text) for text in _unusable(need, known))
    sources = {record.source for record in spec.records}
    delivered = {record.source for need in spec.needs if need in known for record in known[need].records}
    for number, record in enumerate(spec.records):
        above: Place = () if spec.source else ("records", number)
        for source in (record.parent or {}).keys() - sources - delivered:
            if spec.needs:
                yield (*above, "parent", source), f"none of {', '.join(spec.needs)} delivers {source}"
        for place, row in enumerate(record.fields):
            if row.active and row.links:
                at = (*above, "fields", place, "links")
                yield from ((at, text) for text in _unusable(row.links, known))
                if row.links in known and len(known[row.links].records) > 1:
                    yield at, f"{row.links} has several sources, so an id alone does not tell which record is meant"
    if not _in_order(name, known):
        yield ("needs",), "the workflows need each other in a circle"


def _unusable(need: str, known: Mapping[str, WorkflowSpec]) -> Iterator[str]:
    if need not in known:
        yield f"there is no usable workflow `{need}`; there are {', '.join(known)}"
    elif not known[need].active:
        yield f"{need} is switched off (active: false in its defs.yaml); switch it on, or this off"


def _in_order(name: str, known: Mapping[str, WorkflowSpec]) -> bool:
    above, waiting = {name: set(known[name].waits_for)}, [*known[name].waits_for]
    while waiting:
        each = waiting.pop()
        if each in known and each not in above:
            above[each] = set(known[each].waits_for)
            waiting += known[each].waits_for
    try:
        TopologicalSorter(above).prepare()
    except CycleError:
        return False
    return True
