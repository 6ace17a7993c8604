"""An upgrade that dies at any point is completed by the next start; of two at once, one waits."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from assets.delivery.ledger.sealing import unseal
from orchestration.configuration.settings import ROOT
from orchestration.upgrade.account_home import JOURNAL, MARKER
from orchestration.upgrade.ensure import ensure_current
from orchestration.upgrade.errors import UpgradeError
from orchestration.upgrade.perform import upgrade_all
from orchestration.workflow_files import load_user_files
from resources.encryption import Cipher
from resources.failpoints import UPGRADE
from resources.warehouse.tables import read_frame
from tests.orchestration.upgrade.conftest import KEY, Installation, in_use

UPGRADE_AND_DIE = (
    "import sys; from resources import failpoints; from orchestration.upgrade.ensure import ensure_current;"
    " failpoints.arm(sys.argv[1]) if sys.argv[1] else None; ensure_current(print)"
)


@pytest.fixture(scope="module")
def finished(small: Installation, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """The small home after an uninterrupted upgrade."""
    made = small.copy(tmp_path_factory.mktemp("finished") / "home")
    with in_use(made):
        upgrade_all(lambda _: None)
    return made


def start(point: str = "") -> subprocess.Popen[str]:
    """Start a process that upgrades, and dies at a failpoint."""
    command = [sys.executable, "-c", UPGRADE_AND_DIE, point]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def tables(installation: Installation) -> dict[str, list[tuple[object, ...]]]:
    """The rows of every table but the one with times; no two encryptions of a plan are alike, so it is decrypted."""
    with installation.warehouse.writer(transaction=False) as con:
        names = con.execute("select table_name from duckdb_tables() where database_name = 'warehouse' order by 1")
        frames = {name: read_frame(con, f"from {name}") for (name,) in names.fetchall() if name != "schema_version"}
    for name, frame in frames.items():
        if name.startswith("plan_"):
            frames[name] = unseal(frame, Cipher(KEY))
    frames["sync_plans"] = frames["sync_plans"].drop("checksum")
    return {name: sorted(frame.rows(), key=repr) for name, frame in frames.items()}


def texts(folder: Path) -> dict[str, str]:
    """The workflow files."""
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*.yaml")}


@pytest.mark.parametrize("point", UPGRADE)
def test_a_killed_upgrade_is_completed(small: Installation, finished: Installation, tmp_path: Path, point: str) -> None:
    """Wherever it died, the next start leaves the same files and rows as an uninterrupted upgrade."""
    made = small.copy(tmp_path / "home")
    with in_use(made):
        killed = start(point)
        output, errors = killed.communicate(timeout=120)
        assert killed.returncode == -signal.SIGKILL, output + errors
        assert not (made.home / MARKER).exists()
        ensure_current(lambda _: None)

        assert (made.home / MARKER).exists()
        assert not (made.home / JOURNAL).exists()
        assert tables(made) == tables(finished)
        assert texts(made.workflows) == texts(finished.workflows)
        assert (made.home / "warehouse" / "analyst.duckdb").exists()
        copy = made.copies / "pond" / "stage.duckdb"
        assert copy.read_bytes() == (small.home / "pond" / "stage.duckdb").read_bytes()
        assert texts(made.copies / "workflows") == texts(small.workflows)
        lines: list[str] = []
        ensure_current(lines.append)
        assert lines == []


@pytest.mark.long
def test_two_processes_upgrade_once(small: Installation, finished: Installation, tmp_path: Path) -> None:
    """Both continue with an upgraded home; one did the work."""
    made = small.copy(tmp_path / "home")
    with in_use(made):
        outputs = [process.communicate(timeout=120) for process in [start(), start()]]

        assert not [errors for _, errors in outputs if errors]
        assert sorted(bool(output) for output, _ in outputs) == [False, True]
        assert tables(made) == tables(finished)


def test_a_running_process_of_the_old_version_stops_the_upgrade(small: Installation, tmp_path: Path) -> None:
    """It may be sending; nothing is changed while it runs."""
    made = small.copy(tmp_path / "home")
    with in_use(made), FileLock(made.home / "pond" / "suiteprojects.lock"):
        with pytest.raises(UpgradeError, match="stop its UI, webhook and runs"):
            upgrade_all(lambda _: None)

        assert (made.home / "pond" / "stage.duckdb").exists()
        assert not made.copies.exists()
        assert texts(made.workflows) == texts(small.workflows)


@pytest.mark.long
def test_a_full_disk_changes_nothing(small: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The copy cannot be written: the home stays as it is, and the next start tries again."""

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    made = small.copy(tmp_path / "home")
    with in_use(made):
        with monkeypatch.context() as patch:
            patch.setattr(shutil, "copy2", fail)
            with pytest.raises(UpgradeError, match="No space left"):
                upgrade_all(lambda _: None)
        assert (made.home / "pond" / "stage.duckdb").exists()
        assert texts(made.workflows) == texts(small.workflows)

        upgrade_all(lambda _: None)
        assert len(load_user_files(made.workflows).workflows) == 16


WRITE_AND_DIE = (
    "import duckdb, os, sys; con = duckdb.connect(); con.execute(f\"attach '{sys.argv[1]}' as stage\");"
    " con.execute(\"insert into stage.sync_links (workflow, source_id) values ('late', '7')\"); os.kill(os.getpid(), 9)"
)


@pytest.mark.long
def test_the_log_of_a_killed_process_is_not_lost(small: Installation, tmp_path: Path) -> None:
    """Version 0.1 was killed after a commit: the last rows are in the log beside the file."""
    made = small.copy(tmp_path / "home")
    stage = made.home / "pond" / "stage.duckdb"
    subprocess.run([sys.executable, "-c", WRITE_AND_DIE, str(stage)], check=False)
    assert stage.with_name("stage.duckdb.wal").exists()
    with in_use(made):
        upgrade_all(lambda _: None)

        assert (made.copies / "pond" / "stage.duckdb.wal").exists()
        assert made.warehouse.read("select source_id from sync_links where workflow = 'late'").item() == "7"


def test_two_warehouses_are_not_mixed(small: Installation, tmp_path: Path) -> None:
    """An operator decides which one is in use."""
    made = small.copy(tmp_path / "home")
    (made.home / "warehouse").mkdir()
    (made.home / "warehouse" / "millpond.duckdb").touch()
    with in_use(made), pytest.raises(UpgradeError, match="both exist; move away the one"):
        upgrade_all(lambda _: None)


@pytest.mark.long
def test_restored_files_are_upgraded_again(small: Installation, tmp_path: Path) -> None:
    """After a return to the old version for a while; the copies of the first upgrade stay."""
    made = small.copy(tmp_path / "home")
    with in_use(made):
        upgrade_all(lambda _: None)
        shutil.rmtree(made.home / "warehouse")
        (made.home / "notifications.sqlite").unlink()
        (made.home / "pond").unlink()
        shutil.copytree(made.copies / "pond", made.home / "pond")
        shutil.copy(made.copies / "hints.sqlite", made.home)
        ensure_current(lambda _: None)

        assert (made.home / "before-0.2.0-2" / "pond" / "stage.duckdb").exists()
        assert (made.copies / "pond" / "stage.duckdb").exists()
        assert made.warehouse.read("select count(*) from sync_links").item() == 146
