"""Killed or out of space at any step, a backup leaves no file and a restore the former home or the new one."""

import os
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from orchestration.backup.home_use import RESTORE_JOURNAL
from orchestration.configuration.settings import ROOT
from resources.failpoints import BACKUP
from resources.scratch import own_folder
from tests.orchestration.backup.conftest import fill, value
from tests.orchestration.backup.test_backup import millpond
from tests.orchestration.conftest import Home

DYING = (
    "import sys; from resources import failpoints; failpoints.arm(sys.argv[1], skip=int(sys.argv[2]))\n"
    "sys.argv = ['millpond', *sys.argv[3:]]\n"
    "from orchestration.cli.main import main; main()"
)
COMMAND = "import sys; sys.argv[0] = 'millpond'; from orchestration.cli.main import main; main()"
NEW = ("restore_moved_in", "restore_recorded")
KILLED = [pytest.param(name, 0, marks=() if name == "restore_moved_aside" else pytest.mark.long) for name in BACKUP]
KILLED += [pytest.param("restore_moved_aside", skip, marks=pytest.mark.long) for skip in (1, 2)]


def run(home: Home, *tokens: object) -> subprocess.CompletedProcess[str]:
    """Run a program or a command in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MILLPOND_HOME": str(home.folder)}
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", *map(str, tokens)],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(("failpoint", "skip"), KILLED)
def test_a_killed_command_leaves_the_former_home_or_the_new_one(
    small: Home, tmp_path: Path, failpoint: str, skip: int
) -> None:
    """The next command completes a restore that was decided, says so, and the former files are all there."""
    file = tmp_path / "one.tar.gz"
    if failpoint.startswith("backup"):
        died = run(small, DYING, failpoint, skip, "backup", file)
        assert died.returncode == -signal.SIGKILL, died.stderr
        assert not file.exists()
        (left,) = small.folder.glob(".backup.*")
        left.rename(small.folder / f".backup.{os.getpid()}")  # the next container's process has the same number
        with own_folder(small.folder, ".backup.999999999.") as theirs:  # a number that only another container has
            assert millpond("backup", file) == 0
            assert [*small.folder.glob(".backup.*")] == [theirs]
        assert [each.name for each in tmp_path.iterdir()] == ["home", file.name]
        return
    assert millpond("backup", file) == 0
    fill(small, "two")
    died = run(small, DYING, failpoint, skip, "restore", file)
    assert died.returncode == -signal.SIGKILL, died.stderr
    decided = failpoint != "restore_unpacked"
    assert (small.folder / RESTORE_JOURNAL).exists() == decided

    after = run(small, COMMAND, "links")

    assert "Traceback" not in after.stderr + after.stdout
    assert ("an interrupted restore was completed; the former files are in" in after.stderr) == decided
    assert value(small) == ("one" if decided else "two")
    assert not (small.folder / RESTORE_JOURNAL).exists()
    if decided:
        (former,) = small.folder.glob("before-restore-*")
        assert {"warehouse", "notifications.sqlite"} <= {each.name for each in former.iterdir()}
        assert small.warehouse.table("sync_restores").height == 1
        assert millpond("restore", former) == 0
        assert value(small) == "two"
    assert not list(small.folder.glob(".restore.*"))


def no_more_space(size: int) -> None:
    """Let no file of this process grow beyond a size, as on a full disk."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.parametrize(
    "size", [pytest.param(0, marks=pytest.mark.long), 4096, pytest.param(200_000, marks=pytest.mark.long)]
)
@pytest.mark.parametrize("command", ["backup", "restore"])
def test_a_full_disk_is_one_line_and_leaves_everything_as_it_was(
    small: Home, tmp_path: Path, command: str, size: int
) -> None:
    """No partial archive, no half a home; with space the same command works."""
    file = tmp_path / "one.tar.gz"
    if command == "restore":
        assert millpond("backup", file) == 0
        fill(small, "two")
    program = f"import tests.orchestration.backup.test_interrupted as t; t.no_more_space({size})\n{COMMAND}"

    full = run(small, program, command, file)

    assert full.returncode in {1, 2}, full.stdout + full.stderr
    assert "Traceback" not in full.stdout + full.stderr
    assert sum(line.startswith("✗") for line in full.stdout.splitlines()) == 1, full.stdout
    assert value(small) == ("two" if command == "restore" else "one")
    assert file.exists() == (command == "restore")
    assert millpond(command, file) == 0
    assert value(small) == "one"


@pytest.mark.parametrize("home", ["new", pytest.param("existing", marks=pytest.mark.long)])
def test_a_restore_into_a_home_of_its_own(small: Home, tmp_path: Path, home: str) -> None:
    """`--home` names a folder that may not exist yet."""
    assert millpond("backup", tmp_path / "one.tar.gz") == 0
    other = tmp_path / "other"
    if home == "existing":
        shutil.copytree(small.folder / "sandbox", other / "sandbox")

    assert millpond("restore", tmp_path / "one.tar.gz", "--home", other) == 0

    assert value(Home(other)) == "one"
    assert other.stat().st_mode & 0o077 == 0 or home == "existing"
    assert not list(other.glob("before-restore-*"))
