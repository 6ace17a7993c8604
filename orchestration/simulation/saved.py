"""Saved simulations: options and replay in the home, to be repeated as regressions.

save(home, "new-mapping", options, document)  ->  HOME/simulations/new-mapping.yaml and .html
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import yaml

from orchestration.simulation.options import CUSTOMERS, Faults, Options
from orchestration.simulation.replay import page
from resources.atomic_file import write_atomically

FOLDER = "simulations"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class SavedError(ValueError):
    """A saved simulation cannot be used; the text names it and the fix."""


@dataclass(frozen=True)
class Saved:
    """A saved simulation, with what it found when it was saved or repeated last."""

    name: str
    options: Options
    violations: int
    replay: Path

    @property
    def has_replay(self) -> bool:
        """Its page exists."""
        return self.replay.is_file()


def check_name(name: str) -> str:
    """Return the name of a saved simulation; SavedError if it cannot be a file's name."""
    if not NAME.fullmatch(name) or name == "all":
        raise SavedError(f"{name!r} cannot be a name: use letters, digits, hyphens and underscores, and not `all`")
    return name


def save(home: Path, name: str, options: Options, document: Mapping[str, Any]) -> Path:
    """Write options and replay; return the file of the options."""
    folder = home / FOLDER
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    stored = {
        "seed": options.seed, "days": options.days, "faults": str(options.faults), "customers": options.customers,
        "workflows": str(options.workflows), "companies": str(options.companies) if options.companies else None,
        "only": list(options.only), "violations": document["violations"], "nights": document["nights"],
    }  # fmt: skip
    write_atomically(folder / f"{check_name(name)}.html", page(document), mode=0o600, durable=False)
    file = folder / f"{name}.yaml"
    write_atomically(file, yaml.safe_dump(stored, sort_keys=False), mode=0o600, durable=False)
    return file


def require_place(home: Path, name: str) -> None:
    """Check before the days are simulated that they can be saved; SavedError or OSError if not."""
    check_name(name)
    (home / FOLDER).mkdir(parents=True, exist_ok=True)
    with TemporaryFile(dir=home / FOLDER):
        pass


def saved_names(home: Path) -> list[str]:
    """Return the names of the saved simulations."""
    return sorted(each.stem for each in (home / FOLDER).glob("*.yaml"))


def read_saved(home: Path, name: str) -> Saved:
    """Return a saved simulation; SavedError if there is none, or its file cannot be read."""
    file = home / FOLDER / f"{check_name(name)}.yaml"
    if not file.is_file():
        known = ", ".join(saved_names(home)) or "none is saved yet"
        raise SavedError(f"no saved simulation {name}; there are: {known}")
    try:
        stored = yaml.safe_load(file.read_text(encoding="utf-8"))
        companies = stored.get("companies")
        options = Options(
            Path(stored["workflows"]), days=int(stored["days"]), seed=int(stored["seed"]),
            faults=Faults(stored["faults"]), customers=int(stored.get("customers", CUSTOMERS)),
            companies=Path(companies) if companies else None, only=tuple(stored.get("only") or ()),
        )  # fmt: skip
        violations = int(stored.get("violations", 0))
    except (yaml.YAMLError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise SavedError(f"{file} cannot be read ({error}); save the simulation again") from error
    return Saved(name, options, violations, file.with_suffix(".html"))
