"""Options and replays are kept in the home, and the same options are read back."""

from pathlib import Path
from typing import Any

import pytest

from orchestration.simulation.options import Faults, Options
from orchestration.simulation.saved import SavedError, check_name, read_saved, save, saved_names
from tests.orchestration.simulation.documents import found


def test_a_saved_simulation_has_the_same_options(tmp_path: Path) -> None:
    """Another seed or folder would repeat something else."""
    options = Options(
        tmp_path / "files", days=3, seed=9, faults=Faults.STORM, companies=tmp_path / "c.csv", customers=20,
        only=("a", "b"),
    )  # fmt: skip

    save(tmp_path, "first-one", options, found(violations=2))

    saved = read_saved(tmp_path, "first-one")
    assert saved.options == options
    assert (saved.violations, saved.has_replay) == (2, True)
    assert saved_names(tmp_path) == ["first-one"]


def test_files_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    """Companies and workflow files may be a customer's."""
    file = save(tmp_path, "a", Options(tmp_path), found())

    assert {each.stat().st_mode & 0o777 for each in file.parent.iterdir()} == {0o600}
    assert file.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("name", ["", "../a", "a/b", ".hidden", "all", "a" * 65, "ä", "a b"])
def test_a_name_cannot_leave_the_folder(name: str) -> None:
    """It becomes the name of a file, and an address of the console."""
    with pytest.raises(SavedError, match="cannot be a name"):
        check_name(name)


def test_an_unknown_name_lists_the_known_ones(tmp_path: Path) -> None:
    """The text says what there is."""
    save(tmp_path, "known", Options(tmp_path), found())

    with pytest.raises(SavedError, match="there are: known"):
        read_saved(tmp_path, "unknown")


@pytest.mark.parametrize("text", ["", "seed: [", "seed: 1", "seed: x\ndays: 1\nfaults: none\nworkflows: a", "- 1"])
def test_a_damaged_file_is_reported(tmp_path: Path, text: str) -> None:
    """People edit them."""
    (tmp_path / "simulations").mkdir()
    (tmp_path / "simulations" / "a.yaml").write_text(text)

    with pytest.raises(SavedError, match="save the simulation again"):
        read_saved(tmp_path, "a")


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"days": 0}, "--days 0"),
        ({"customers": 3}, "--customers 3"),
        ({"workflows": Path("missing")}, "--workflows missing"),
        ({"companies": Path("missing.csv")}, "--companies missing.csv"),
    ],
)
def test_impossible_options_are_named(tmp_path: Path, changes: dict[str, Any], problem: str) -> None:
    """Each has a line that names the option."""
    (line,) = Options(**{"workflows": tmp_path, **changes}).problems

    assert line.startswith(problem)


def test_the_line_repeats_every_option(tmp_path: Path) -> None:
    """A failing seed is reproduced by this line alone."""
    given = Options(tmp_path, days=2, seed=8, faults=Faults.STORM, companies=Path("c.csv"), customers=11, only=("a",))

    assert given.line == (
        "millpond simulate --days 2 --seed 8 --faults storm --customers 11 --companies c.csv"
        f" --workflows {tmp_path} --only a"
    )
