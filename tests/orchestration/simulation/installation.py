"""A tiny installation for tests of single parts: an account with few customers, and one workflow of each target."""

from pathlib import Path

from orchestration.configuration.settings import ROOT
from orchestration.simulation.options import Faults, Options
from orchestration.simulation.simulation import Simulation

WORKFLOWS = ROOT / "orchestration" / "workflows"
PRECORO, SUITEPROJECTS = "precoro__options", "suiteprojects__customers"


def options(*only: str, **changes: object) -> Options:
    """Return options of a small simulation."""
    given = {"days": 1, "seed": 1, "faults": Faults.NONE, "customers": 10, "only": only or (PRECORO,), **changes}
    return Options(WORKFLOWS, **given)  # type: ignore[arg-type]


def prepared(folder: Path, *only: str, **changes: object) -> Simulation:
    """Return a simulation whose stand-ins exist, before anything ran."""
    return Simulation(options(*only, **changes), folder)
