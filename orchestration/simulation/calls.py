"""The stand-ins' counts of calls, against the quotas of the accounts.

Calls.so_far(world)  ->  by system; after - before  ->  the calls of one run
"""

from collections.abc import Mapping
from dataclasses import dataclass

from orchestration.simulation.world import World

DAY_S = 86_400
QUOTAS = {"precoro": 3000, "suiteprojects": 100_000}


@dataclass(frozen=True)
class Calls:
    """Calls by system, writes among them by system, and calls that a limit refused."""

    by_system: Mapping[str, int]
    writes: Mapping[str, int]
    refused: int

    @classmethod
    def so_far(cls, world: World) -> "Calls":
        """Return the calls since the beginning."""
        sandbox = world.sandbox
        netsuite = sandbox.netsuite.call_log()
        refused = sum(each["status"] == 429 for each in netsuite) + sandbox.precoro.rate_limited_calls()  # noqa: PLR2004
        made = {
            "netsuite": len(netsuite),
            "suiteprojects": sandbox.suiteprojects.calls_made(),
            "precoro": sandbox.precoro.calls_made(),
        }
        writes = {"suiteprojects": sandbox.suiteprojects.write_calls(), "precoro": sandbox.precoro.write_calls()}
        return cls(made, writes, refused)

    def __sub__(self, other: "Calls") -> "Calls":
        return Calls(
            {name: count - other.by_system[name] for name, count in self.by_system.items()},
            {name: count - other.writes[name] for name, count in self.writes.items()},
            self.refused - other.refused,
        )

    @property
    def made(self) -> int:
        """The number of calls to all systems."""
        return sum(self.by_system.values())


def busiest_day(world: World) -> dict[str, int]:
    """Return by system the most calls in any 24 hours that were not refused."""
    logs = {
        "suiteprojects": [each["at"] for each in world.sandbox.suiteprojects.call_log()],
        "precoro": [each["at"] for each in world.sandbox.precoro.call_log() if not each["limited"]],
    }
    return {name: _most_within_a_day(times) for name, times in logs.items()}


def _most_within_a_day(times: list[float]) -> int:
    most = first = 0
    for last, at in enumerate(times):
        while times[first] <= at - DAY_S:
            first += 1
        most = max(most, last - first + 1)
    return most
