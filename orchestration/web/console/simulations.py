"""The page of the saved simulations, and their replays as they were written.

HOME/simulations/*.yaml  ->  simulations()  ->  a Row each; HOME/simulations/NAME.html  ->  replay()
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestration.simulation.saved import Saved, SavedError, read_saved, saved_names


@dataclass(frozen=True)
class Row:
    """A saved simulation, or the reason why its file cannot be read."""

    name: str
    saved: Saved | None
    problem: str = ""


def simulations(home: Path) -> Sequence[Row]:
    """Return the saved simulations by name."""
    return [_row(home, name) for name in saved_names(home)]


def _row(home: Path, name: str) -> Row:
    try:
        return Row(name, read_saved(home, name))
    except SavedError as error:
        return Row(name, None, str(error))


def replay(home: Path, name: str) -> str | None:
    """Return the page of a saved simulation; None if there is none."""
    try:
        saved = read_saved(home, name)
    except SavedError:
        return None
    return saved.replay.read_text(encoding="utf-8") if saved.has_replay else None
