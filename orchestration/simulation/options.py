"""Options of a simulation; the same options give the same days, events and replay.

Options(days=30, seed=42, faults="weather", workflows=Path("workflows"))  ->  .line, the command that repeats it
"""

import shlex
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from orchestration.configuration.settings import ROOT

SHIPPED = ROOT / "orchestration" / "workflows"
DAYS, SEED, CUSTOMERS = 30, 42, 120
FEWEST = 10  # customers: people need some records to edit


class Faults(StrEnum):
    """Kinds of weather: how often answers, permissions, quotas and processes fail."""

    NONE = "none"
    WEATHER = "weather"
    STORM = "storm"


@dataclass(frozen=True)
class Options:
    """Options of one simulation.

    Attributes:
        days: Days on which people work and a night follows.
        seed: The source of all random choices.
        faults: The weather.
        companies: A CSV of company names for the generated account; None: invented ones.
        customers: Number of NetSuite's customers, leads and prospects at the start.
        only: Names of the workflows to rehearse, with those that they need; none: all active ones.
        kills: A process that dies is a child process that gets SIGKILL, instead of an exception that no code catches.
    """

    workflows: Path
    days: int = DAYS
    seed: int = SEED
    faults: Faults = Faults.WEATHER
    companies: Path | None = None
    customers: int = CUSTOMERS
    only: tuple[str, ...] = ()
    kills: bool = False

    @property
    def problems(self) -> list[str]:
        """The reasons why no simulation can have these options; a line each."""
        found = [] if self.days >= 1 else [f"--days {self.days}: at least one day is needed"]
        found += [] if self.customers >= FEWEST else [f"--customers {self.customers}: at least {FEWEST} are needed"]
        found += [] if self.workflows.is_dir() else [f"--workflows {self.workflows}: there is no such folder"]
        missing = self.companies is not None and not self.companies.is_file()
        return found + ([f"--companies {self.companies}: there is no such file"] if missing else [])

    def with_workflows(self, folder: Path) -> "Options":
        """Return the same options with other workflow files."""
        return replace(self, workflows=folder)

    @property
    def line(self) -> str:
        """The command that repeats this simulation."""
        words = ["millpond", "simulate", "--days", str(self.days), "--seed", str(self.seed)]
        words += ["--faults", str(self.faults)]
        words += ["--customers", str(self.customers)] if self.customers != CUSTOMERS else []
        words += ["--companies", str(self.companies)] if self.companies else []
        words += ["--workflows", str(self.workflows)] if self.workflows != SHIPPED else []
        words += [word for name in self.only for word in ("--only", name)]
        return shlex.join(words)
