"""Compare the targets of two simulations of the same seed and events, with other workflow files.

compare(result, other)  ->  Differences: records in one of them only, fields whose values differ, examples
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestration.simulation.result import Result
from orchestration.simulation.targets import TargetRecord

EXAMPLES = 5
# ids and times of the target itself, which differ with the order of creation
OWN_FIELDS = frozenset(
    {
        "id", "created", "updated", "option_id", "parent_id", "updated_at", "created_at", "field_id", "customerid",
        "parentid", "hierarchyid", "hierarchy_node_ids", "levelid", "external_id", "level", "made_at",
    }
)  # fmt: skip
PARENT = "(parent)"
Place = tuple[str, str]  # target, key or name


@dataclass
class Differences:
    """Differences of one target: `here` are the workflows of the simulation, `there` the other ones."""

    place: str
    alike: int = 0
    only_here: list[str] = field(default_factory=list)
    only_there: list[str] = field(default_factory=list)
    fields: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[tuple[str, str | None, str | None]]] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Nothing differs."""
        return not (self.only_here or self.only_there or self.fields)

    def document(self) -> dict[str, Any]:
        """Return them as plain data."""
        return {
            "target": self.place,
            "alike": self.alike,
            "only_here": len(self.only_here),
            "only_there": len(self.only_there),
            "first_only_here": self.only_here[:EXAMPLES],
            "first_only_there": self.only_there[:EXAMPLES],
            "fields": [
                {
                    "field": name,
                    "records": count,
                    "examples": [{"record": key, "here": one, "there": two} for key, one, two in self.examples[name]],
                }
                for name, count in sorted(self.fields.items())
            ],
        }


def compare(here: Result, there: Result) -> list[Differences]:
    """Return the differences of each target, in the order of their names."""
    ours, others = _by_key(here), _by_key(there)
    found = {place: Differences(place) for place in sorted({key[0] for key in (*ours, *others)})}
    for place, key in sorted({*ours, *others}, key=lambda each: (each[0], len(each[1]), each[1])):
        one, two, differences = ours.get((place, key)), others.get((place, key)), found[place]
        if one is None or two is None:
            (differences.only_there if one is None else differences.only_here).append(key)
            continue
        names = [name for name in sorted({*one, *two}) if one.get(name) != two.get(name)]
        differences.alike += not names
        for name in names:
            differences.fields[name] += 1
            examples = differences.examples.setdefault(name, [])
            if len(examples) < EXAMPLES:
                examples.append((key, one.get(name), two.get(name)))
    return list(found.values())


def _by_key(result: Result) -> Mapping[Place, Mapping[str, str | None]]:
    """Return the values of every record, by target and our key; of a record without one, by its name."""
    found: dict[Place, Mapping[str, str | None]] = {}
    for uid, each in result.records.items():
        found[uid.rpartition(" ")[0], each.key or f"“{each.name}”"] = _values(each, result.records)
    return found


def _values(record: TargetRecord, records: Mapping[str, TargetRecord]) -> Mapping[str, str | None]:
    own = {name: value for name, value in record.values.items() if name not in OWN_FIELDS and value is not None}
    above = records.get(record.parent or "")
    return {**own, PARENT: (above.key or above.name) if above else None}
