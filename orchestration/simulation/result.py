"""The result of a simulation: events, verdicts, counts, and the targets' records at the end."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from orchestration.simulation.events import Event
from orchestration.simulation.options import Options
from orchestration.simulation.targets import TargetRecord
from orchestration.simulation.verdicts import Verdict


@dataclass
class Result:
    """The result of one simulation.

    Attributes:
        nights: Nights that were simulated, the quiet ones at the end included.
        verdicts: The verdict on each invariant.
        done: Attempts that arrived, by workflow and action.
        held: Records that are held back at the end, by workflow, action and reason code.
        calls: Calls of all runs by system.
        busiest: The most calls in 24 hours by system.
        records: The targets' records at the end, by uid.
        not_derived: The fields that are not compared with the truth, and why, by workflow.
        claims: The time of each workflow's newest certificate.
        names: Names of NetSuite's records at the end.
        source_records: Their number.
        selected: The number of records that each workflow selects at the end.
    """

    options: Options
    events: Sequence[Event] = ()
    nights: int = 0
    verdicts: Sequence[Verdict] = ()
    done: Counter[tuple[str, str]] = field(default_factory=Counter)
    held: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    calls: Mapping[str, int] = field(default_factory=dict)
    busiest: Mapping[str, int] = field(default_factory=dict)
    records: Mapping[str, TargetRecord] = field(default_factory=dict)
    not_derived: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    claims: Mapping[str, datetime | None] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    source_records: int = 0
    selected: Mapping[str, int] = field(default_factory=dict)

    @property
    def violations(self) -> int:
        """The number of checks that failed."""
        return sum(each.broken for each in self.verdicts)
