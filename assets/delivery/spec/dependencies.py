"""Check workflows against each other: the records that one needs must be delivered by an active one.

workflows  ->  unmet_dependencies()  ->  file, line and fix for each workflow whose dependencies are not met
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from assets.delivery.spec.loader import workflow_file_error
from assets.delivery.spec.record_map import RecordMap
from assets.delivery.spec.workflow import Workflow
from assets.delivery.spec.workflow_spec import WorkflowSpec
from assets.delivery.spec.yaml_file import Problem, below
from assets.result_texts import did_you_mean

Specs = Mapping[str, WorkflowSpec]


def unmet_dependencies(workflows: Sequence[Workflow], folder: Path) -> dict[str, str]:
    """Return the problems of each workflow that cannot be used, by its name; inactive workflows need nothing.

    A workflow that cannot be used makes those that need it unusable too, so the check repeats until nothing changes.
    """
    usable, unmet = {each.name: each.spec for each in workflows}, dict[str, str]()
    files = {each.parent.name for each in folder.glob("*/defs.yaml")}
    while found := {
        name: str(workflow_file_error(folder / name / "defs.yaml", problems))
        for name, spec in usable.items()
        if spec.active and (problems := list(_problems(name, spec, usable, files)))
    }:
        unmet |= found
        usable = {name: spec for name, spec in usable.items() if name not in found}
    return unmet


def _problems(name: str, spec: WorkflowSpec, usable: Specs, files: Collection[str]) -> Iterator[Problem]:
    for number, need in enumerate(spec.needs):
        yield from below(("needs", number), _unusable(need, usable, files))
    sources = {record.source for record in spec.records}
    delivered = {record.source for need in spec.needs if need in usable for record in usable[need].records}
    for number, record in enumerate(spec.records):
        above = () if spec.source else ("records", number)
        for source in (record.parent or {}).keys() - sources - delivered:
            if spec.needs and usable.keys() >= set(spec.needs):  # otherwise it follows from the problem of a need
                yield (*above, "parent", source), f"none of {', '.join(spec.needs)} delivers {source}"
        yield from below(above, _of_references(record, usable, files))
    if not _is_acyclic(name, usable):
        yield ("needs",), "the workflows need each other in a cycle; remove one of the needs or references"


def _of_references(record: RecordMap, usable: Specs, files: Collection[str]) -> Iterator[Problem]:
    for number, row in enumerate(record.fields):
        if row.active and row.reference:
            yield from below(("fields", number, "reference"), _unusable(row.reference, usable, files))
            if row.reference in usable and len(usable[row.reference].records) > 1:
                text = f"{row.reference} has several sources, so that a NetSuite id alone is ambiguous"
                yield ("fields", number, "reference"), text


def _unusable(need: str, usable: Specs, files: Collection[str]) -> Iterator[Problem]:
    if need not in usable and need in files:
        yield (), f"{need} has a problem of its own; correct that first"
    elif need not in usable:
        yield (), f"no workflow {need}; {did_you_mean(need, usable)}known are {', '.join(usable)}"
    elif not usable[need].active:
        yield (), f"{need} is switched off (active: false in its defs.yaml); switch it on, or this one off"


def _is_acyclic(name: str, usable: Specs) -> bool:
    upstream, pending = {name: set(usable[name].upstream)}, [*usable[name].upstream]
    while pending:
        each = pending.pop()
        if each in usable and each not in upstream:
            upstream[each] = set(usable[each].upstream)
            pending += usable[each].upstream
    try:
        TopologicalSorter(upstream).prepare()
    except CycleError:
        return False
    return True
